//! The data path, driven by the time of the samples instead of the machine's.

use std::collections::BTreeMap;

use ahash::AHashSet;
use prost::Message;
use seriesgate_proto::{TimeSeries, WriteRequest};

use super::print::Collected as Printed;
use crate::aggregate::{Collected, Outgoing, PolicyCounts};
use crate::clock::{Clock, milliseconds};
use crate::config::Config;
use crate::pipeline::{Body, Counts, Fate, Outcome, Pipeline, Scratch};
use crate::policy::{Effect, PolicyIndex, PolicySet, Summary, VerdictId};
use crate::runtime::pipeline_settings;
use crate::series::identity::encode_canonical;
use crate::series::{Fingerprint, Fingerprinter, TenantKey};

/// Runs are to be repeatable, and nobody attacks one's own files.
const SEED: u64 = 1;
/// Idle series are looked for this many times in `series.idle_after`, as in the running gate.
const ROUNDS: i64 = 16;
/// Series are walked over so often, seconds.
const WALK_SECONDS: u32 = 15;

/// What went in or came out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Volume {
    pub(super) series: u64,
    pub(super) counts: Counts,
    /// Compressed, as on the wire.
    pub(super) bytes: u64,
}

/// What one policy did.
#[derive(Clone, Debug, Default)]
pub(super) struct Deeds {
    pub(super) samples_in: u64,
    pub(super) samples_out: u64,
    pub(super) series_dropped: AHashSet<Fingerprint>,
    pub(super) series_rewritten: AHashSet<Fingerprint>,
    /// Not admitted by a limit at some time, and held back.
    pub(super) series_held: AHashSet<Fingerprint>,
    /// The same, and added up.
    pub(super) series_folded: AHashSet<Fingerprint>,
}

/// All of it.
#[derive(Default)]
pub(super) struct Account {
    pub(super) received: Volume,
    pub(super) sent: Volume,
    pub(super) dropped: u64,
    pub(super) collided: u64,
    pub(super) aggregated: u64,
    /// Samples of series that a limit did not admit, and those of them that were added up.
    pub(super) held: u64,
    pub(super) folded: u64,
    /// Samples made by aggregations.
    pub(super) generated: u64,
    /// Samples that were no news to their aggregation.
    pub(super) duplicates: u64,
    /// Samples that an aggregation could not take, by reason.
    pub(super) unaggregated: BTreeMap<&'static str, u64>,
    /// Metrics that passed an aggregation because nobody said what they are, those with most series first.
    pub(super) untyped: Vec<Box<str>>,
    pub(super) rejected: BTreeMap<&'static str, u64>,
    pub(super) policies: Vec<Deeds>,
    /// First and last time of a sample, Unix milliseconds.
    pub(super) span_ms: Option<(i64, i64)>,
}

impl Account {
    /// Whether there was no request at all.
    pub(super) fn is_empty(&self) -> bool {
        self.received.bytes == 0
    }
}

pub(super) struct Drive {
    pipeline: Pipeline,
    scratch: Scratch,
    outcome: Outcome,
    prints: Fingerprinter,
    idle_ms: i64,
    max_future_ms: i64,
    policies: Vec<Summary>,
    next_round_ms: Option<i64>,
    /// Unix seconds.
    next_walk: u32,
    seen: AHashSet<Fingerprint>,
    sent: AHashSet<Fingerprint>,
    pub(super) account: Account,
    /// Filled for `--print` only.
    pub(super) collected: Option<Printed>,
}

impl Drive {
    pub(super) fn new(config: &Config, set: PolicySet, print: bool) -> Self {
        let settings = pipeline_settings(config);
        let deeds = vec![Deeds::default(); set.policies().len()];
        let max_future_ms = settings.aggregation.max_future_ms;
        let policies = set.policies().to_vec();
        let prints = Fingerprinter::from_seed(SEED);
        let pipeline = Pipeline::new(settings, set, prints.clone(), Clock::manual(0));
        pipeline.limits().hold_at_once();
        Self {
            pipeline,
            scratch: Scratch::default(),
            outcome: Outcome::default(),
            prints,
            idle_ms: milliseconds(config.series.idle_after),
            next_round_ms: None,
            next_walk: 0,
            seen: AHashSet::default(),
            sent: AHashSet::default(),
            max_future_ms,
            policies,
            account: Account { policies: deeds, ..Account::default() },
            collected: print.then(Printed::default),
        }
    }

    /// Puts one request through, a plain remote-write 1.0 message.
    ///
    /// # Errors
    /// If the message is none, or too large for `listen.max_decoded_size`.
    pub(super) fn request(&mut self, body: &[u8]) -> Result<(), String> {
        let request = WriteRequest::decode(body).map_err(|error| error.to_string())?;
        self.advance(&request.timeseries);
        let compressed = seriesgate_proto::snappy(body);
        let decided = self.pipeline.decide("", &compressed, &mut self.scratch, &mut self.outcome);
        decided.map_err(|error| error.to_string())?;
        let committed = self.pipeline.commit(&self.outcome);
        self.account.received.bytes += compressed.len() as u64;
        self.account.received.counts += self.outcome.received;
        note(&self.prints, &request.timeseries, &mut self.seen);
        self.sample_counts(&committed.aggregated);
        self.forward(request, &compressed)?;
        let made = self.pipeline.collect();
        self.generated(made)
    }

    /// Closes all windows: there is no more input.
    ///
    /// # Errors
    /// As [`Drive::request`].
    pub(super) fn end(&mut self) -> Result<(), String> {
        let made = self.pipeline.engine().finish();
        self.generated(made)
    }

    /// Takes what aggregations made.
    fn generated(&mut self, made: Vec<Collected>) -> Result<(), String> {
        for (_, aggregator, points) in made {
            let names = self.policies.iter().position(|policy| policy.name == aggregator.name);
            if let Some(deeds) = names.and_then(|at| self.account.policies.get_mut(at)) {
                deeds.samples_out += points.len() as u64;
            }
            self.account.generated += points.len() as u64;
            self.account.sent.counts.samples += points.len() as u64;
            for batch in Outgoing::of(points) {
                let body = batch.encode().map_err(|error| error.to_string())?;
                self.account.sent.bytes += body.len() as u64;
                let mut plain = Vec::new();
                let body = crate::codec::snappy::decode(&body, usize::MAX, &mut plain)
                    .map_err(|error| error.to_string())?;
                let request = WriteRequest::decode(body).map_err(|error| error.to_string())?;
                note(&self.prints, &request.timeseries, &mut self.sent);
                if let Some(collected) = &mut self.collected {
                    request.timeseries.into_iter().for_each(|series| collected.add(series));
                }
            }
        }
        Ok(())
    }

    /// Moves the clock to the newest sample, and forgets what is idle by then.
    fn advance(&mut self, series: &[TimeSeries]) {
        for at in times(series) {
            let (first, last) = self.account.span_ms.unwrap_or((at, at));
            self.account.span_ms = Some((first.min(at), last.max(at)));
        }
        let clock = self.pipeline.clock();
        let Some(newest) = self.now(series) else { return };
        clock.advance_ms((newest - clock.unix_ms()).max(0));
        let due = *self.next_round_ms.get_or_insert(newest + self.idle_ms / ROUNDS);
        self.look_around();
        if newest >= due {
            self.next_round_ms = Some(newest + self.idle_ms / ROUNDS);
            self.round();
        }
    }

    /// The time by a request: its newest sample, but for those far ahead of the others.
    fn now(&self, series: &[TimeSeries]) -> Option<i64> {
        let mut times: Vec<i64> = times(series).collect();
        times.sort_unstable();
        let usual = *times.get(times.len() / 2)?;
        let latest = usual.max(self.pipeline.clock().unix_ms()).saturating_add(self.max_future_ms);
        times.into_iter().rev().find(|time| *time <= latest)
    }

    /// Finds series whose owner has become known, and those that have vanished, as a gate does several times a minute. Only
    /// policies that ask for workloads want to know.
    fn look_around(&mut self) {
        let now = self.pipeline.clock().unix_seconds();
        if now < self.next_walk || !self.pipeline.policies().set.asks_for_workloads() {
            return;
        }
        self.next_walk = now + WALK_SECONDS;
        let (tracker, index) = (self.pipeline.tracker(), self.pipeline.index());
        let mut walk = tracker.begin_walk(now);
        (0..index.shards()).for_each(|shard| tracker.walk(&mut walk, index, shard));
        tracker.end_walk(walk);
    }

    fn round(&mut self) {
        let idle = u32::try_from(self.idle_ms / 1000).unwrap_or(u32::MAX).max(1);
        let now = self.pipeline.clock().unix_seconds();
        let horizon = now.saturating_sub(idle);
        let index = self.pipeline.index();
        let tracker = self.pipeline.tracker();
        let mut departed = Vec::new();
        let mut rewritten = 0;
        for shard in 0..index.shards() {
            rewritten += index.expire(shard, (horizon, now), &mut departed, |_, _| {}).rewritten;
            self.pipeline.series_expired(&departed, now);
            departed.clear();
        }
        tracker.sweep(now);
        self.pipeline.limits().sweep(now, idle);
        self.pipeline.renew_edits(rewritten);
        self.pipeline.expire_groups();
    }

    /// Counts what became of a request. `by_policy`: what did not become part of a group although it was to.
    fn sample_counts(&mut self, by_policy: &[PolicyCounts]) {
        let none = Counts::default();
        let account = &mut self.account;
        self.outcome.fates(none, none, by_policy, &mut |fate, _, counts| {
            let samples = counts.samples + counts.histograms;
            match fate {
                Fate::Dropped => account.dropped += samples,
                Fate::Aggregated => account.aggregated += samples,
                Fate::Held => account.held += samples,
                Fate::Folded => account.folded += samples,
                Fate::Collided => account.collided += samples,
                Fate::Duplicate => account.duplicates += samples,
                Fate::Rejected(reason) => *account.rejected.entry(reason.as_str()).or_default() += samples,
                // exemplars have no line of their own
                Fate::Unaggregated(reason) if samples > 0 => {
                    *account.unaggregated.entry(reason).or_default() += samples;
                }
                // sent, as far as anybody can know here
                Fate::Forwarded
                | Fate::Unaggregated(_)
                | Fate::Refused
                | Fate::TooLarge
                | Fate::Returned(_) => {}
            }
        });
        let Some(policies) = &self.outcome.policies else { return };
        for (verdict, counts) in &self.outcome.by_verdict {
            let row = policies.set.row(*verdict);
            let samples = counts.samples + counts.histograms;
            for (policy, effect) in &row.matched {
                let deeds = &mut account.policies[usize::from(policy.0)];
                deeds.samples_in += samples;
                if row.goes_on_after(*policy, *effect) {
                    deeds.samples_out += samples;
                }
            }
        }
        let effects = &self.outcome.effects;
        let new = effects.new_series.iter().map(|new| (new.series, new.decided));
        for (series, decided) in new.chain(effects.changes.iter().copied()) {
            let row = policies.set.row(VerdictId::from_bits(decided.verdict));
            for (PolicyIndex(index), effect) in &row.matched {
                let deeds = &mut account.policies[usize::from(*index)];
                match effect {
                    Effect::Drop => deeds.series_dropped.insert(series),
                    Effect::Relabel => deeds.series_rewritten.insert(series),
                    Effect::Hold => deeds.series_held.insert(series),
                    Effect::Fold => deeds.series_folded.insert(series),
                    Effect::None | Effect::Pass | Effect::Aggregate | Effect::Limit => false,
                };
            }
        }
    }

    fn forward(&mut self, request: WriteRequest, compressed: &[u8]) -> Result<(), String> {
        let (request, bytes) = match self.outcome.body {
            Body::Nothing => return Ok(()),
            Body::Untouched => (request, compressed.len()),
            Body::Spliced => {
                let mut plain = Vec::new();
                let spliced = &self.outcome.spliced;
                let body = crate::codec::snappy::decode(spliced, usize::MAX, &mut plain)
                    .map_err(|error| error.to_string())?;
                (WriteRequest::decode(body).map_err(|error| error.to_string())?, spliced.len())
            }
        };
        self.account.sent.bytes += bytes as u64;
        self.account.sent.counts += self.outcome.forwarded;
        self.account.sent.counts.samples += self.outcome.stale_markers;
        self.account.generated += self.outcome.stale_markers;
        note(&self.prints, &request.timeseries, &mut self.sent);
        if let Some(collected) = &mut self.collected {
            request.timeseries.into_iter().for_each(|series| collected.add(series));
        }
        Ok(())
    }

    /// Whether there was no request at all.
    pub(super) fn is_idle(&self) -> bool {
        self.account.is_empty()
    }

    /// The times of the first and the last sample, Unix milliseconds.
    pub(super) fn span_ms(&self) -> Option<(i64, i64)> {
        self.account.span_ms
    }

    /// The account at the end.
    pub(super) fn finish(&mut self) -> &Account {
        self.account.received.series = self.seen.len() as u64;
        self.account.sent.series = self.sent.len() as u64;
        let untyped = self.pipeline.engine().types.most_untyped(usize::MAX);
        self.account.untyped = untyped.into_iter().map(|(metric, _)| metric).collect();
        &self.account
    }
}

/// When the samples and histograms of a request were taken, Unix milliseconds.
fn times(series: &[TimeSeries]) -> impl Iterator<Item = i64> {
    let samples = series.iter().flat_map(|s| s.samples.iter().map(|sample| sample.timestamp));
    let histograms = series.iter().flat_map(|s| s.histograms.iter().map(|histogram| histogram.timestamp));
    samples.chain(histograms)
}

/// Remembers which series there were.
fn note(prints: &Fingerprinter, series: &[TimeSeries], seen: &mut AHashSet<Fingerprint>) {
    let mut canonical = Vec::new();
    for series in series {
        let mut pairs: Vec<(&str, &str)> =
            series.labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        encode_canonical(&pairs, &mut canonical);
        seen.insert(prints.fingerprint(&canonical, TenantKey::default()));
    }
}
