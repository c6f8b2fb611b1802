//! One synchronous function: a body in, an [`Outcome`] out. It never awaits.
//!
//! Deciding and doing are two steps. [`Pipeline::decide`] changes nothing that a repeated request could see
//! twice; [`Pipeline::commit`] is called once the sender's data is safe, and does what the outcome says.
//!
//! ```text
//! decide:  codec ─▶ scan (frames) ─▶ probe (index) ─▶ judge (policies, what is new) ─▶ weigh (fates) ─▶ splice
//! ```

mod counts;
mod judge;
mod outcome;
mod scan;
mod scratch;
mod splice;
mod weigh;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use counts::Counts;
pub use outcome::{Body, Committed, Outcome, Undecodable};
pub use scratch::Scratch;

use crate::clock::Clock;
use crate::codec::snappy;
use crate::policy::PolicySet;
use crate::series::{Fingerprinter, Index, Inserted, Limits, Tenant, Tenants};

/// The policies in force.
pub struct Policies {
    /// Compiled.
    pub set: PolicySet,
    /// Grows with each change; what was decided under another one is decided anew.
    pub generation: u32,
}

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Series remembered at most.
    pub max_tracked: usize,
    /// Tenants told apart at most.
    pub max_tenants: usize,
    /// Decoded body at most, bytes.
    pub max_decoded_bytes: usize,
    /// Bounds of one series.
    pub limits: Limits,
}

/// The data path of one gate; shared by all workers.
pub struct Pipeline {
    index: Index,
    prints: Fingerprinter,
    tenants: Tenants,
    policies: ArcSwap<Policies>,
    settings: ArcSwap<Settings>,
    clock: Clock,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(settings: Settings, set: PolicySet, prints: Fingerprinter, clock: Clock) -> Self {
        Self {
            index: Index::new(settings.max_tracked, settings.max_tenants),
            prints,
            tenants: Tenants::new(settings.max_tenants),
            policies: ArcSwap::from_pointee(Policies { set, generation: 0 }),
            settings: ArcSwap::from_pointee(settings),
            clock,
        }
    }

    /// Says what is to become of every sample of a request. `outcome` is overwritten.
    ///
    /// # Errors
    /// If the body is not a WriteRequest; then nothing in it was counted.
    pub fn decide(
        &self,
        tenant: &str,
        compressed: &[u8],
        scratch: &mut Scratch,
        outcome: &mut Outcome,
    ) -> Result<(), Undecodable> {
        let policies = self.policies.load();
        let settings = self.settings.load();
        let now = self.clock.unix_seconds();
        outcome.start(&policies);

        let Scratch { decoded, request, judge, gatherer } = scratch;
        let body = snappy::decode(compressed, settings.max_decoded_bytes, decoded)?;
        match self.tenants.resolve(tenant, &self.prints) {
            Tenant::Known { key, group } => {
                request.scan(body, |labels| self.prints.fingerprint(labels, key))?;
                self.index.touch(&mut request.probes, &mut request.order, now, policies.generation);
                let judgement = judge::Judgement {
                    index: &self.index,
                    prints: &self.prints,
                    tenant: key,
                    group,
                    policies: &policies,
                    limits: &settings.limits,
                    now,
                };
                judgement.run(body, request, judge, outcome)?;
            }
            Tenant::Overflow => {
                request.scan_untracked(body)?;
                outcome.overflow_tenant = true;
            }
        }
        weigh::weigh(request, outcome);
        splice::splice(body, request, gatherer, outcome)?;
        Ok(())
    }

    /// Does what an outcome says, once the upstream has the data (or there was nothing to send).
    /// Idempotent for each series: the same request decided twice and committed twice counts its births once.
    pub fn commit(&self, outcome: &Outcome) -> Committed {
        let now = self.clock.unix_seconds();
        let mut committed = Committed::default();
        for birth in &outcome.effects.births {
            match self.index.insert(birth.series, birth.decided, now) {
                Inserted::New => committed.new_series += 1,
                Inserted::Known => {}
                Inserted::Full => committed.untracked += 1,
            }
        }
        for (bytes, series) in &outcome.effects.aliases {
            self.index.alias(*bytes, *series, now);
        }
        committed
    }

    /// Puts other policies in force. What is remembered under the old ones is decided anew at next touch.
    pub fn replace_policies(&self, set: PolicySet) {
        let generation = self.policies.load().generation.wrapping_add(1);
        self.policies.store(Arc::new(Policies { set, generation }));
    }

    /// Changes the bounds; `max_tracked` and `max_tenants` stay as they were at start.
    pub fn replace_settings(&self, settings: Settings) {
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

    /// The tenants told apart.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// The clock everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
