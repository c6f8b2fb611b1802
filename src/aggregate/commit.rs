//! What a request brought becomes part of its groups.

use super::aggregator::PolicyCounts;
use super::apply::Moment;
use super::birth::{self, Evidence};
use super::close::Closing;
use super::engine::{Adopted, Engine};
use super::member::LATEST_MS;
use super::pace::Arrived;
use super::point::{Batch, Join, Sample, SampleCounts};
use super::runs::{Run, runs};
use super::shard::GroupShard;
use super::tenant::Tenant;
use super::time::Time;
use crate::clock::Now;
use crate::policy::PolicyIndex;
use crate::series::Fingerprint;

impl Engine {
    /// Takes in what a request brought. Idempotent for each series and time. `forgotten` is shown series that have to
    /// be decided anew.
    pub fn commit(
        &self,
        batch: &Batch,
        aggregators: &Adopted,
        now: Now,
        mut forgotten: impl FnMut(Fingerprint),
    ) -> Vec<PolicyCounts> {
        self.depart(batch, aggregators, now);
        self.hear(batch, now);
        let Some(arrived) = self.arrived(batch, self.time(now)) else { return self.unfit(batch, now) };
        let tenant = self.tenant(batch.tenant);
        if !batch.joins.is_empty() {
            self.join(batch, aggregators, &tenant, &arrived);
        }
        let mut by_policy: Vec<PolicyCounts> = Vec::new();
        for run in runs(batch, aggregators) {
            let (policy, sample_counts) =
                (run.policy, self.take_run(&run, batch, &tenant, &arrived, now, &mut forgotten));
            add(&mut by_policy, policy, sample_counts);
        }
        // last: what closes windows meanwhile must not be ahead of these samples
        tenant.take(batch.sender, &arrived, self.is_closed());
        by_policy
    }

    /// Notes that a request was refused: its sender keeps what is in it, and comes again.
    pub fn refuse(&self, batch: &Batch, now: Now) {
        self.hear(batch, now);
        if let Some(arrived) = self.arrived(batch, self.time(now)) {
            self.tenant(batch.tenant).refuse(batch.sender, &arrived);
        }
    }

    /// A request as far as time goes; `None` where no time in it can be meant.
    fn arrived(&self, batch: &Batch, time: Time) -> Option<Arrived> {
        let (oldest, newest) = batch.span_ms?;
        let meant = oldest <= self.latest_ms(time) && newest >= 0;
        meant.then(|| Arrived {
            oldest_ms: oldest.clamp(0, time.ms),
            newest_ms: newest.clamp(0, time.ms),
            sent_ms: newest,
            now_ms: time.ms,
            mono_ms: time.mono_ms,
            forwarded: batch.forwarded,
        })
    }

    /// The latest time that a sample may have.
    fn latest_ms(&self, time: Time) -> i64 {
        time.latest_ms.saturating_add(self.settings().max_future_ms).min(LATEST_MS)
    }

    /// What becomes of samples none of which has a time that can be meant.
    fn unfit(&self, batch: &Batch, now: Now) -> Vec<PolicyCounts> {
        let mut by_policy = Vec::new();
        let latest = self.latest_ms(self.time(now));
        for sample in &batch.samples {
            let mut sample_counts = SampleCounts::default();
            self.is_meant(sample, latest, &mut sample_counts);
            add(&mut by_policy, sample.policy, sample_counts);
        }
        by_policy
    }

    fn is_meant(&self, sample: &Sample, latest: i64, sample_counts: &mut SampleCounts) -> bool {
        sample_counts.unfit += u64::from(sample.ms < 0);
        sample_counts.future += u64::from(sample.ms > latest);
        (0..=latest).contains(&sample.ms)
    }

    fn take_run(
        &self,
        run: &Run<'_>,
        batch: &Batch,
        tenant: &Tenant,
        arrived: &Arrived,
        now: Now,
        forgotten: &mut impl FnMut(Fingerprint),
    ) -> SampleCounts {
        let mut sample_counts = SampleCounts::default();
        // times that nobody means neither count nor get into the arithmetic of windows
        let latest = self.latest_ms(self.time(now));
        let all_meant = run.samples.iter().all(|sample| (0..=latest).contains(&sample.ms));
        let kept: Vec<Sample>;
        let samples: &[Sample] = if all_meant {
            &run.samples
        } else {
            let meant = run.samples.iter().filter(|sample| self.is_meant(sample, latest, &mut sample_counts));
            kept = meant.copied().collect();
            &kept
        };
        let Some(newest) = samples.iter().map(|sample| sample.ms).max() else { return sample_counts };
        let aggregation = &run.aggregator.aggregation;
        let newest = newest.min(arrived.now_ms);
        let mark = tenant.mark(batch.sender, arrived, newest);
        let gaps = tenant.pace(|pace| pace.gaps_with(arrived));
        let until = super::time::over(mark, newest, aggregation);
        let (idle_ms, starts) = (self.settings().idle_ms, &self.starts);
        let closing = Closing { until, latest_ms: i64::MAX, aggregation, idle_ms, gaps: &gaps, starts };
        let moment = Moment { end: run.end, over: until, now_ms: arrived.now_ms, aggregation };
        match self.partition(run.aggregator, batch.tenant) {
            Some(partition) => partition.apply(samples, moment, &closing, &mut sample_counts, forgotten),
            // its policy was replaced while the request was on its way
            None => {
                sample_counts.forgotten += samples.len() as u64;
                samples.iter().for_each(|sample| forgotten(sample.series));
            }
        }
        sample_counts
    }

    fn join(&self, batch: &Batch, aggregators: &Adopted, tenant: &Tenant, arrived: &Arrived) {
        let watch = tenant.watch(batch.sender);
        // what is known by our clock, in the time of this sender's samples
        let reached = |ago_ms| tenant.reached(batch.sender, arrived, ago_ms);
        let history_ms = batch.sender_history.known_ms.map(reached);
        let sure_ms = reached(self.sure_ms(arrived.mono_ms));
        let gaps = &tenant.pace(|pace| pace.gaps_with(arrived));
        let mut policies: Vec<PolicyIndex> = batch.joins.iter().map(|join| join.policy).collect();
        policies.sort_unstable();
        policies.dedup();
        for policy in policies {
            let Some(Some(aggregator)) = aggregators.get(usize::from(policy.0)) else { continue };
            let still = |join: &&Join| self.is_still(join, batch, &aggregator.aggregation);
            let joins = batch.joins.iter().filter(|join| join.policy == policy);
            let joins: Vec<&Join> = joins.filter(still).collect();
            let Some(partition) = self.partition(aggregator, batch.tenant) else { continue };
            let open = |join: &Join| {
                birth::open(&Evidence {
                    first_ms: join.first_ms,
                    was_here: !join.unknown,
                    given_up: tenant.given_up.has(join.series),
                    given_up_ms: tenant.given_up.newest_ms(),
                    due_ms: join.due_ms,
                    watch,
                    history_ms,
                    most_known: batch.sender_history.most_known,
                    sure_ms,
                    several_gates: aggregator.aggregation.instance.is_some(),
                })
            };
            let aggregation = &*aggregator.aggregation;
            let (idle_ms, starts) = (self.settings().idle_ms, &self.starts);
            let close = |shard: &mut GroupShard, until: i64| {
                let until = super::close::whole(until.min(arrived.now_ms), aggregation);
                shard.close_until(&Closing {
                    until,
                    latest_ms: i64::MAX,
                    aggregation,
                    idle_ms,
                    gaps,
                    starts,
                });
            };
            partition.join(batch, &joins, open, close);
        }
    }
}

fn add(by_policy: &mut Vec<PolicyCounts>, policy: PolicyIndex, sample_counts: SampleCounts) {
    match by_policy.iter_mut().find(|(known, _)| *known == policy) {
        Some((_, known)) => *known += sample_counts,
        None => by_policy.push((policy, sample_counts)),
    }
}
