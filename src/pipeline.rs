//! One synchronous function: a body in, an [`Outcome`] out. It never awaits.
//!
//! Deciding and doing are two steps. [`Pipeline::decide`] changes nothing that a repeated request could see
//! twice; [`Pipeline::commit`] is called once the sender's data is safe, and does what the outcome says.
//!
//! ```text
//! decide:  codec ─▶ scan (frames) ─▶ probe (index) ─▶ judge (policies, what is new) ─▶ weigh (fates)
//!          ─▶ rewrite (labels) ─▶ splice
//! ```

mod attend;
mod company;
mod counts;
mod edits;
mod examples;
mod gather;
mod judge;
mod outcome;
mod rewrite;
mod scan;
mod scratch;
mod splice;
mod tenancy;
mod weigh;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use counts::Counts;
pub use examples::{Example, KEPT as EXAMPLES_KEPT};
pub use outcome::{Body, Committed, Outcome, Undecodable};
pub use scratch::Scratch;

use self::edits::Edits;
use self::examples::Allowance;
use crate::aggregate::{self, Adopted, Aggregator, Engine, Told};
use crate::cardinality::{self, Tracker};
use crate::clock::Clock;
use crate::codec::snappy;
use crate::policy::{PolicyIndex, PolicySet};
use crate::series::index::MAX_GENERATION;
use crate::series::{Fingerprinter, Index, Inserted, Limits, Tenant, Tenants};

/// The policies in force.
pub struct Policies {
    /// Compiled.
    pub set: Arc<PolicySet>,
    /// Grows with each change, from 1; what was decided under another one is decided anew.
    pub generation: u32,
    edits: Edits,
    allowance: Allowance,
    aggregators: Adopted,
    /// Whether there is one; asked for each new series.
    aggregates: bool,
}

impl Policies {
    fn new(set: Arc<PolicySet>, generation: u32, max_tracked: usize, aggregators: Adopted) -> Self {
        let allowance = Allowance::new(set.policies().len());
        let aggregates = aggregators.iter().any(Option::is_some);
        // as many as there can be series, and as many again for those that are gone
        Self {
            set,
            generation,
            edits: Edits::new(max_tracked.saturating_mul(2)),
            allowance,
            aggregators,
            aggregates,
        }
    }

    /// Whether a policy in force aggregates.
    pub fn aggregates(&self) -> bool {
        self.aggregates
    }

    fn aggregator(&self, policy: PolicyIndex) -> Option<&Aggregator> {
        self.aggregators.get(usize::from(policy.0))?.as_deref()
    }
}

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Series remembered at most.
    pub max_tracked: usize,
    /// Scopes told apart at most.
    pub max_tenants: usize,
    /// Decoded body at most, bytes.
    pub max_decoded_bytes: usize,
    /// Bounds of one series.
    pub limits: Limits,
    /// What is counted of series, and how much of it is kept.
    pub tracking: cardinality::Settings,
    /// Bounds of all aggregations.
    pub aggregation: aggregate::Settings,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Where its data lands: the text of its [`crate::series::Scope`], a tenant's name where there is nothing else.
    pub scope: &'a str,
    /// Who sent it, where that is known.
    pub sender: Option<IpAddr>,
}

impl<'a> From<&'a str> for Origin<'a> {
    fn from(scope: &'a str) -> Self {
        Self { scope, sender: None }
    }
}

/// The data path of one gate; shared by all workers.
pub struct Pipeline {
    index: Index,
    prints: Fingerprinter,
    tenants: Tenants,
    tracker: Tracker,
    engine: Engine,
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
        let engine = Engine::new(settings.aggregation);
        let (aggregators, ..) = engine.adopt(&set.aggregating(), false);
        let policies = Policies::new(Arc::new(set), 1, settings.max_tracked, aggregators);
        Self {
            index: Index::new(settings.max_tracked),
            prints,
            tenants: Tenants::new(settings.max_tenants),
            tracker: Tracker::new(&settings.tracking, clock.unix_seconds()),
            engine,
            policies: ArcSwap::from_pointee(policies),
            changing: Mutex::new(()),
            max_tracked: settings.max_tracked,
            settings: ArcSwap::from_pointee(settings),
            clock,
            restarted: AtomicU64::new(0),
        }
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
        let policies = self.policies.load();
        let settings = self.settings.load();
        let now = self.clock.unix_seconds();
        let origin = origin.into();
        outcome.start(&policies, now);

        let Scratch { decoded, request, judge, rewrite, gatherer } = scratch;
        judge.told.clear();
        let body = snappy::decode(compressed, settings.max_decoded_bytes, decoded)?;
        match self.tenants.resolve(origin.scope, &self.prints) {
            Tenant::Known { key, group } => {
                request.scan(body, |labels| self.prints.fingerprint(labels, key))?;
                self.index.touch(&mut request.probes, &mut request.order, now, policies.generation);
                let judgement = judge::Judgement {
                    index: &self.index,
                    prints: &self.prints,
                    tenant: key,
                    tracker: &self.tracker,
                    party: self.tracker.party(group, origin.sender, now),
                    policies: &policies,
                    limits: &settings.limits,
                    now,
                    engine: &self.engine,
                };
                let batch = &mut outcome.effects.aggregated;
                (batch.tenant, batch.sender) = (group, origin.sender);
                if policies.aggregates() {
                    batch.span_ms = request.span_ms;
                }
                judgement.run(body, request, judge, outcome)?;
            }
            Tenant::Overflow => {
                request.scan_untracked(body)?;
                outcome.overflow_tenant = true;
            }
        }
        if self.tracker.owners_have_come() {
            self.index.look_again_at_all();
        }
        weigh::weigh(request, outcome);
        // twice the limit of what comes in: rules may add labels, not without bounds
        let room = settings.max_decoded_bytes.saturating_mul(2).min(u32::MAX as usize / 2);
        rewrite::rewrite(body, request, &policies, room, rewrite)?;
        splice::splice(body, request, &rewrite.plain, gatherer, outcome)?;
        outcome.effects.aggregated.forwarded = outcome.body != Body::Nothing;
        examples::tell(body, request, &judge.told, &policies, &settings.limits, now, outcome);
        Ok(())
    }

    /// Does what an outcome says, once the upstream has the data (or there was nothing to send).
    /// Idempotent for each series: the same request decided twice and committed twice counts its births once.
    pub fn commit(&self, outcome: &Outcome) -> Committed {
        let now = self.clock.unix_seconds();
        let mut committed = Committed { aggregated: self.commit_aggregated(outcome), ..Committed::default() };
        for birth in &outcome.effects.births {
            match self.index.insert(birth.series, birth.decided, &birth.arrival(), now) {
                Inserted::New => {
                    committed.new_series += 1;
                    committed.learned_series += u64::from(birth.sighting.learned);
                    let (start, end) = birth.keys;
                    let keys = &outcome.effects.keys[start as usize..end as usize];
                    self.tracker.born(&birth.sighting, keys, now);
                }
                Inserted::Known => {}
                Inserted::Full => committed.untracked += 1,
            }
        }
        for (series, on) in &outcome.effects.turned {
            if let Some(charge) = self.index.turn(*series, *on) {
                self.tracker.turned(charge.unit, *on, now);
            }
        }
        for series in &outcome.effects.returned {
            if let Some(charge) = self.index.end(*series, false) {
                self.tracker.returned(charge);
            }
        }
        for (series, node) in &outcome.effects.ended {
            if let Some(charge) = self.index.end(*series, true) {
                committed.ended_series += 1;
                self.tracker.ended(charge, *node, now);
            }
        }
        for (bytes, series) in &outcome.effects.aliases {
            self.index.alias(*bytes, *series, now);
        }
        committed
    }

    /// The part of [`Pipeline::commit`] that the upstream has no part in: its refusal of the rest does not keep these
    /// samples from their groups. Says what became of them.
    pub fn commit_aggregated(&self, outcome: &Outcome) -> Vec<Told> {
        let Some(policies) = &outcome.policies else { return Vec::new() };
        let batch = &outcome.effects.aggregated;
        let forgotten = |series| self.index.reopen(series);
        let told = self.engine.commit(batch, &policies.aggregators, self.clock.now(), forgotten);
        for (series, decided) in &outcome.effects.redecided {
            self.index.refresh(*series, *decided, self.clock.unix_seconds());
        }
        told
    }

    /// Notes that a request was refused, so that its sender will come again with it.
    pub fn refuse(&self, outcome: &Outcome) {
        self.engine.refuse(&outcome.effects.aggregated, self.clock.now());
    }

    /// Puts other policies in force. What is remembered under the old ones is decided anew at next touch.
    pub fn replace_policies(&self, set: PolicySet) {
        let _turn = self.changing.lock();
        self.engine.be_unsure(self.clock.now());
        self.put_in_force(Arc::new(set));
    }

    /// Renews the claims of all groups on their identities; what is not renewed for `series.idle_after` is forgotten.
    pub fn claim_groups(&self) {
        let generation = self.policies.load().generation;
        let now = self.clock.unix_seconds();
        for group in self.engine.groups() {
            // what is taken was so before the group came, and is told with each series that it would have
            let _claimed = self.index.claim(group, aggregate::owner_of(group), generation, now);
        }
    }

    /// Leaves the table of edits behind where most of them are for series that are gone; `rewritten` is how many
    /// series go under other labels now. What is remembered is decided anew at next touch.
    pub fn renew_edits(&self, rewritten: usize) -> bool {
        let _turn = self.changing.lock();
        let policies = self.policies.load();
        let renew = policies.edits.is_mostly_dead(rewritten);
        if renew {
            self.put_in_force(Arc::clone(&policies.set));
        }
        renew
    }

    fn put_in_force(&self, set: Arc<PolicySet>) {
        let generation = self.policies.load().generation % MAX_GENERATION + 1;
        let (aggregators, restarted, gone) = self.engine.adopt(&set.aggregating(), set.is_bypassed());
        for group in gone {
            self.index.disclaim(group, aggregate::owner_of(group));
        }
        self.restarted.fetch_add(restarted as u64, Ordering::Relaxed);
        self.policies.store(Arc::new(Policies::new(set, generation, self.max_tracked, aggregators)));
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
