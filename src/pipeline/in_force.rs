//! Which policies are in force, and how others take their place: what is remembered under the old ones is decided anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::policies::{Former, State};
use super::{Pipeline, Policies};
use crate::aggregate;
use crate::policy::PolicySet;
use crate::series::Fingerprint;
use crate::series::index::MAX_GENERATION;

impl Pipeline {
    /// Puts other policies in force. What is remembered under the old ones is decided anew at next touch.
    pub fn replace_policies(&self, set: PolicySet) {
        let _turn = self.changing.lock();
        self.engine.be_unsure(self.clock.now());
        self.put_in_force(Arc::new(set));
    }

    /// Leaves the table of edits behind where most of them are for series that are gone; `rewritten` is how many
    /// series go under other labels now. What is remembered is decided anew at next touch.
    pub fn renew_edits(&self, rewritten: usize) -> bool {
        let _turn = self.changing.lock();
        let policies = self.policies.load();
        let idle_s = u32::try_from(self.engine.settings().idle_ms / 1000).unwrap_or(u32::MAX);
        let now = self.clock.unix_seconds();
        // by then every series was decided anew or is forgotten
        if policies.former.load().as_ref().is_some_and(|former| now.saturating_sub(former.since) > idle_s) {
            policies.former.store(None);
        }
        let renew = policies.edits.is_mostly_dead(rewritten);
        if renew {
            self.put_in_force(Arc::clone(&policies.set));
        }
        renew
    }

    fn put_in_force(&self, set: Arc<PolicySet>) {
        let before = self.policies.load();
        let generation = before.generation % MAX_GENERATION + 1;
        let since = self.clock.unix_seconds();
        let former = Former { generation: before.generation, edits: Arc::clone(&before.edits), since };
        let (aggregators, gone) = self.engine.adopt(&set.aggregating(), set.is_bypassed());
        self.restarted.fetch_add(gone.len() as u64, Ordering::Relaxed);
        if !gone.is_empty() {
            let gone: Vec<Fingerprint> = gone.iter().map(|text| self.prints.definition(text)).collect();
            let is_gone = |output, owner| gone.iter().any(|of| aggregate::owner_of(*of, output) == owner);
            self.index.disclaim_where(is_gone);
        }
        let admissions = self.limits.adopt(&set.limiting(), generation, since);
        let state = State { aggregators, admissions };
        let bounds = (self.max_tracked, self.settings.load().long_values);
        let policies = Policies::new(set, generation, bounds, state, Some(former));
        self.policies.store(Arc::new(policies));
    }
}
