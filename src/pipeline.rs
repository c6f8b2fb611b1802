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
mod commit;
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
mod long_values;
mod memory;
mod metadata;
mod observe;
mod origin;
mod outcome;
mod places;
mod policies;
mod read;
mod recognise;
mod rejected;
mod rewrite;
mod scan;
mod scratch;
mod sender_history;
mod settings;
mod splice;
mod tenancy;
mod texts;
mod untracked;
mod validate;
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
pub use validate::Repair;

use self::policies::State;
use crate::admission;
use crate::aggregate::Engine;
use crate::cardinality::Tracker;
use crate::clock::Clock;
use crate::codec::{self, Encoding};
use crate::config::Validation;
use crate::policy::PolicySet;
use crate::series::{Fingerprint, Fingerprinter, Index, Speller, Tenant, TenantKey, Tenants};
use crate::wire::Form;

/// The data path of one gate; shared by all workers.
pub struct Pipeline {
    index: Index,
    prints: Fingerprinter,
    speller: Speller,
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
        let policies =
            Policies::new(Arc::new(set), 1, (settings.max_tracked, settings.long_values), state, None);
        Self {
            index: Index::new(settings.max_tracked),
            speller: Speller::random(&prints),
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
        let (policies, settings) = (self.policies.load(), self.settings.load());
        let (now, origin) = (self.clock.unix_seconds(), origin.into());
        outcome.start(&policies, now);

        let Scratch { reading, request, decide, rewrite, composer, packer } = scratch;
        let rules = settings.rules(origin.message, &self.clock);
        let opened = reading.open(compressed, rules, outcome)?;
        let tenant = self.tenants.resolve(origin.scope, &self.prints);
        let fingerprint = |labels: &[u8]| match tenant {
            Tenant::Known { key, .. } => self.prints.fingerprint(labels, key),
            Tenant::Overflow => Fingerprint::default(),
        };
        let recogniser = self.recogniser(&policies, origin, tenant, rules, now);
        let read = opened.read(recogniser, request, fingerprint, &mut *room, outcome)?;
        let read::Read { body, came, expansion, request, is_timely, is_mended, is_asked, beside } = read;
        let room: FieldRoom<'_> = &mut |fields| room(fields.saturating_add(beside));
        let in_v2 =
            compose::InV2 { body: came, expansion, latest_ms: rules.latest_ms.filter(|_| !is_timely) };
        match tenant {
            Tenant::Known { key, group } => {
                if !is_asked {
                    self.index.touch(&mut request.probes, &mut request.order, now, policies.generation);
                }
                let decider = self.decider(&policies, &settings, origin, (key, group), now);
                let span_ms = request.span_ms.filter(|_| policies.aggregates());
                outcome.effects.aggregated.begin(group, origin.sender, span_ms);
                decider.decide_all((body, Some(in_v2).filter(|_| is_timely)), request, decide, outcome)?;
                recognise::remember(request, outcome);
            }
            Tenant::Overflow => {
                outcome.overflow_tenant = true;
                let (policies, limits) = (&policies, &settings.limits);
                untracked::Untracked { policies, limits, scratch: decide, outcome }.run(body, request)?;
            }
        }
        count_fates::count_fates(body, request, outcome);
        let repairs = (rules.validation == Validation::Repair).then_some(&mut outcome.repairs);
        let bounds = (settings.max_rewritten_bytes(), room);
        rewrite::rewrite(body, request, &policies, repairs, bounds, rewrite)?;
        let form = Form { message: origin.message, encoding: Encoding::of(compressed) };
        let splice = splice::Splice {
            body,
            in_v2,
            came: Some(form).filter(|_| is_timely && !is_mended && expansion.is_whole()),
            wanted: origin.wanted,
            scope: (&self.prints, origin.scope),
        };
        splice.run(request, rewrite, (composer, packer), outcome)?;
        let examples = &mut outcome.effects.examples;
        examples::collect(body, request, &decide.policy_hits, &policies, &settings.limits, now, examples);
        Ok(())
    }

    /// What is needed to recognise the series of a request of 2.0 that goes on as that; `None` where all must be read.
    fn recogniser<'a>(
        &'a self,
        policies: &Policies,
        origin: Origin<'_>,
        tenant: Tenant,
        rules: read::Rules,
        now: u32,
    ) -> Option<recognise::Recogniser<'a>> {
        let Self { index, prints, speller, .. } = self;
        match tenant {
            Tenant::Known { key: tenant, .. }
                if origin.stays_v2() && rules.validation != Validation::Strict =>
            {
                let generation = policies.generation;
                Some(recognise::Recogniser { index, prints, speller, tenant, now, generation, rules })
            }
            _ => None,
        }
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
