//! One synchronous function: a body in, an [`Outcome`] out. It never awaits.
//!
//! Deciding and doing are two steps. [`Pipeline::decide`] changes nothing that a repeated request could see
//! twice; [`Pipeline::commit`] is called once the sender's data is safe, and does what the outcome says.
//!
//! ```text
//! decide:  codec ─▶ scan (frames) ─▶ probe (index) ─▶ judge (policies, what is new) ─▶ weigh (fates)
//!          ─▶ rewrite (labels) ─▶ splice
//! ```

mod ahead;
mod claim;
mod complaint;
mod compose;
mod context;
mod count_fates;
mod counts;
mod decider;
mod decision;
mod edits;
mod examples;
mod expand;
mod fates;
mod grouping;
mod groups;
mod in_force;
mod learn;
mod memory;
mod metadata;
mod observe;
mod origin;
mod outcome;
mod places;
mod policies;
mod rejected;
mod rewrite;
mod scan;
mod scratch;
mod sender_history;
mod settings;
mod splice;
mod tenancy;
mod untracked;
mod withhold;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use counts::Counts;
pub use examples::{Example, KEPT as EXAMPLES_KEPT};
pub use fates::{Fate, Returned};
pub use metadata::{Entry, Metadata};
pub use origin::Origin;
pub use outcome::{Body, Committed, Outcome, Release, Undecodable};
pub use policies::Policies;
pub use rejected::Blamed;
pub use scan::{FIELD_BYTES, FieldRoom};
pub use scratch::Scratch;
pub use settings::Settings;

use self::policies::State;
use crate::admission;
use crate::aggregate::{self, Engine, PolicyCounts};
use crate::cardinality::Tracker;
use crate::clock::Clock;
use crate::codec::{self, Encoding};
use crate::policy::PolicySet;
use crate::series::{Fingerprint, Fingerprinter, Index, Inserted, Tenant, TenantKey, Tenants};
use crate::wire::{Form, Message};

/// The data path of one gate; shared by all workers.
pub struct Pipeline {
    index: Index,
    prints: Fingerprinter,
    tenants: Tenants,
    tracker: Tracker,
    engine: Engine,
    limits: admission::Registry,
    policies: ArcSwap<Policies>,
    /// Held while other policies are put in force, so that nobody puts back what was just replaced.
    changing: Mutex<()>,
    settings: ArcSwap<Settings>,
    max_tracked: usize,
    clock: Clock,
    restarted: AtomicU64,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(settings: Settings, set: PolicySet, prints: Fingerprinter, clock: Clock) -> Self {
        let engine = Engine::new(
            settings.aggregation,
            prints.clone(),
            Arc::clone(&settings.tracking.subjects),
            clock.unix_ms(),
        );
        let (aggregators, ..) = engine.adopt(&set.aggregating(), false);
        let limits = admission::Registry::default();
        let admissions = limits.adopt(&set.limiting(), 1, clock.unix_seconds());
        let state = State { aggregators, admissions };
        let policies = Policies::new(Arc::new(set), 1, settings.max_tracked, state, None);
        Self {
            index: Index::new(settings.max_tracked),
            prints,
            tenants: Tenants::new(settings.max_tenants),
            tracker: Tracker::new(&settings.tracking, clock.unix_seconds()),
            engine,
            limits,
            policies: ArcSwap::from_pointee(policies),
            changing: Mutex::new(()),
            max_tracked: settings.max_tracked,
            settings: ArcSwap::from_pointee(settings),
            clock,
            restarted: AtomicU64::new(0),
        }
    }

    /// Bytes that a body takes decoded; 0 where [`Pipeline::decide`] refuses it unread.
    pub fn decoded_len(&self, compressed: &[u8]) -> usize {
        codec::decoded_len(compressed, self.settings.load().max_decoded_bytes).unwrap_or(0)
    }

    /// Says what is to become of every sample of a request. `outcome` is overwritten.
    ///
    /// # Errors
    /// If the body is not a WriteRequest; then nothing in it was counted.
    pub fn decide<'o>(
        &self,
        origin: impl Into<Origin<'o>>,
        compressed: &[u8],
        scratch: &mut Scratch,
        outcome: &mut Outcome,
    ) -> Result<(), Undecodable> {
        self.decide_within(&mut |_| true, origin, compressed, scratch, outcome)
    }

    /// The same where a request of many series has to ask for room.
    ///
    /// # Errors
    /// The same, and where there is no room.
    pub fn decide_within<'o>(
        &self,
        room: FieldRoom<'_>,
        origin: impl Into<Origin<'o>>,
        compressed: &[u8],
        scratch: &mut Scratch,
        outcome: &mut Outcome,
    ) -> Result<(), Undecodable> {
        let policies = self.policies.load();
        let settings = self.settings.load();
        let now = self.clock.unix_seconds();
        let origin = origin.into();
        outcome.start(&policies, now);

        let Scratch { decoder, decoded, expansion, timely, request, decide, rewrite, composer, packer } =
            scratch;
        let most = settings.max_decoded_bytes;
        let came = codec::decode(decoder, compressed, most, decoded)?;
        outcome.decoded_bytes = came.len() as u64;
        let beside = expansion.read(origin.message, came, most, &mut *room, outcome)?;
        let room: FieldRoom<'_> = &mut |fields| room(fields.saturating_add(beside));
        let body = if origin.message == Message::V1 { came } else { expansion.body() };
        let tenant = self.tenants.resolve(origin.scope, &self.prints);
        let latest_ms = settings.max_future_ms.map(|ahead| self.clock.unix_ms().saturating_add(ahead));
        let reader = ahead::Reader { latest_ms, timely, request, outcome, room: &mut *room };
        let (body, is_whole) = match tenant {
            Tenant::Known { key, .. } => reader.scan(body, |labels| self.prints.fingerprint(labels, key))?,
            Tenant::Overflow => reader.scan(body, |_| Fingerprint::default())?,
        };
        match tenant {
            Tenant::Known { key, group } => {
                self.index.touch(&mut request.probes, &mut request.order, now, policies.generation);
                let decider = self.decider(&policies, &settings, origin, (key, group), now);
                let span_ms = request.span_ms.filter(|_| policies.aggregates());
                outcome.effects.aggregated.begin(group, origin.sender, span_ms);
                let frames = if is_whole { expansion.frames() } else { &[] };
                decider.decide_all((body, frames), request, decide, outcome)?;
            }
            Tenant::Overflow => {
                outcome.overflow_tenant = true;
                let (policies, limits) = (&policies, &settings.limits);
                untracked::Untracked { policies, limits, scratch: decide, outcome }.run(body, request)?;
            }
        }
        count_fates::count_fates(body, request, outcome);
        rewrite::rewrite(body, request, &policies, settings.max_rewritten_bytes(), room, rewrite)?;
        let form = Form { message: origin.message, encoding: Encoding::of(compressed) };
        let splice = splice::Splice {
            body,
            in_v2: compose::InV2 { body: came, expansion, latest_ms: latest_ms.filter(|_| !is_whole) },
            came: Some(form).filter(|_| is_whole && expansion.is_whole()),
            wanted: origin.wanted,
            scope: (&self.prints, origin.scope),
        };
        splice.run(request, rewrite, (composer, packer), outcome)?;
        let examples = &mut outcome.effects.examples;
        examples::collect(body, request, &decide.policy_hits, &policies, &settings.limits, now, examples);
        Ok(())
    }

    /// What is needed to decide about the series of a request.
    fn decider<'a>(
        &'a self,
        policies: &'a Policies,
        settings: &'a Settings,
        origin: Origin<'a>,
        (tenant, group): (TenantKey, u32),
        now: u32,
    ) -> decider::Decider<'a> {
        decider::Decider {
            index: &self.index,
            prints: &self.prints,
            scope: origin.scope,
            tenant,
            tracker: &self.tracker,
            sender_context: self.tracker.sender_context(group, origin.sender, now),
            policies,
            limits: &settings.limits,
            now,
            engine: &self.engine,
            stale_markers: settings.stale_markers,
        }
    }

    /// Does what an outcome says, once the upstream has the data (or there was nothing to send).
    /// Idempotent for each series: the same request decided twice and committed twice counts its births once.
    pub fn commit(&self, outcome: &Outcome) -> Committed {
        let now = self.clock.unix_seconds();
        let mut committed = Committed { aggregated: self.commit_aggregated(outcome), ..Committed::default() };
        // what the index has no room for would never be seen to go
        let mut without_place: Vec<Fingerprint> = Vec::new();
        let limits = outcome.policies.as_ref().is_some_and(|policies| policies.set.limits());
        for new in &outcome.effects.new_series {
            match self.index.insert(new.series, new.decided, &new.arrival(), now) {
                Inserted::New => {
                    committed.new_series += 1;
                    committed.learned_series += u64::from(new.observation.learned);
                    let (start, end) = new.keys;
                    let keys = &outcome.effects.keys[start as usize..end as usize];
                    self.tracker.series_added(&new.observation, keys, now);
                }
                Inserted::Known => {}
                Inserted::Full => {
                    committed.untracked += 1;
                    without_place.extend(limits.then_some(new.series));
                }
            }
        }
        // those of this request included
        if self.tracker.owners_have_come() {
            self.index.observe_all_again();
        }
        // what was known of a series comes back with it; then its value may be another
        for (series, pod, at) in &outcome.effects.returned {
            if let Some(charged) = self.index.end(*series, false) {
                self.tracker.returned(charged, *pod, *at, now);
            }
        }
        for (series, on, at) in &outcome.effects.run_state_changes {
            if let Some(attribution) = self.index.turn(*series, *on) {
                self.tracker.run_state_changed(attribution, *on, *at, now);
            }
        }
        for (series, decided) in &outcome.effects.changes {
            self.index.refresh(*series, *decided, now);
        }
        for Release { output, owner, last } in &outcome.effects.released {
            self.index.release(*output, *owner, *last, now);
        }
        for (series, (node, pod), at) in &outcome.effects.ended {
            if let Some(charged) = self.index.end(*series, true) {
                committed.ended_series += 1;
                self.tracker.ended(*series, charged, (*node, *pod), *at, now);
            }
        }
        for (bytes, series) in &outcome.effects.aliases {
            self.index.alias(*bytes, *series, now);
        }
        if limits {
            self.commit_places(outcome, &without_place, now);
        }
        committed
    }

    /// The part of [`Pipeline::commit`] that the upstream has no part in: its refusal of the rest does not keep these
    /// samples from their groups. Says what became of them.
    pub fn commit_aggregated(&self, outcome: &Outcome) -> Vec<PolicyCounts> {
        let Some(policies) = &outcome.policies else { return Vec::new() };
        let batch = &outcome.effects.aggregated;
        let forgotten = |series| self.index.reopen(series);
        let by_policy = self.engine.commit(batch, &policies.aggregators, self.clock.now(), forgotten);
        for (series, decided) in &outcome.effects.redecided {
            self.index.refresh(*series, *decided, self.clock.unix_seconds());
        }
        self.give_up_claims(outcome);
        by_policy
    }

    /// Gives up what was claimed for groups of policies that were replaced while the request was in hand.
    fn give_up_claims(&self, outcome: &Outcome) {
        let (Some(policies), batch) = (&outcome.policies, &outcome.effects.aggregated) else { return };
        let retired = |join: &&aggregate::Join| {
            policies.aggregator(join.policy).filter(|aggregator| aggregator.is_retired()).is_some()
        };
        for join in batch.joins.iter().filter(retired) {
            let Some(aggregator) = policies.aggregator(join.policy) else { continue };
            let Some(scope) = self.tenants.text(batch.tenant) else { continue };
            let (definition, key) =
                (self.prints.definition(&aggregator.definition), self.prints.tenant(&scope));
            for block in std::iter::once(&join.labels).chain(&join.others) {
                let labels = &batch.labels[block.start as usize..block.end as usize];
                let output = self.prints.fingerprint(labels, key);
                self.index.disclaim(output, aggregate::owner_of(definition, output));
            }
        }
    }

    /// Notes that a request was refused, so that its sender will come again with it.
    pub fn refuse(&self, outcome: &Outcome) {
        self.engine.refuse(&outcome.effects.aggregated, self.clock.now());
        self.give_up_claims(outcome);
    }

    /// The limits in force, and in preview.
    pub fn limits(&self) -> &admission::Registry {
        &self.limits
    }

    /// Different edits of label sets that are kept.
    pub fn edits(&self) -> usize {
        self.policies.load().edits.len()
    }

    /// Changes the bounds; `max_tracked`, `max_tenants` and what `tracking` keeps stay as they were at start.
    pub fn replace_settings(&self, settings: Settings) {
        self.tracker.replace_settings(&settings.tracking);
        self.engine.replace_settings(settings.aggregation);
        self.settings.store(Arc::new(settings));
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    /// The index, for expiry and reports.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What is counted of all series.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// What is aggregated.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Aggregations that were flushed and forgotten because their policies are others now.
    pub fn restarted(&self) -> u64 {
        self.restarted.load(Ordering::Relaxed)
    }

    /// The scopes told apart.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// The clock everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
