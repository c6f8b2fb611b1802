//! What aggregations have upstream: points that are handed out, and identities that groups have a claim on.

use ahash::AHashMap;

use super::Pipeline;
use super::context::seconds;
use crate::aggregate::{self, Collected, EndedGroup, Named};
use crate::series::scope::VACANT;
use crate::series::{Claimant, Fingerprint};

impl Pipeline {
    /// Hands out the points that aggregations made; to be called often. Windows close by the time of samples, and groups of
    /// metrics that turn out to be of another type end.
    pub fn collect(&self) -> Vec<Collected> {
        let now = self.clock.now();
        self.engine.retype(now).into_iter().for_each(|series| self.index.reopen(series));
        self.engine.collect(now)
    }

    /// Forgets what groups are silent, gives up their claims, and renews those of all others; to be called sixteen times in
    /// `series.idle_after`.
    pub fn expire_groups(&self) {
        let ended = self.engine.expire(self.clock.now(), self.tracker.is_shrunk());
        let now = self.clock.unix_seconds();
        let last = |ended: &EndedGroup| seconds(ended.ended_ms);
        let groups = ended.iter().map(|ended| (&ended.group, last(ended)));
        self.for_each_output(groups, |output, owner, last| self.index.release(output, owner, last, now));
        self.claim_groups();
    }

    /// Renews the claims of all groups on their identities; what is not renewed for `series.idle_after` is forgotten.
    pub fn claim_groups(&self) {
        let generation = self.policies.load().generation;
        let now = self.clock.unix_seconds();
        let groups = self.engine.groups();
        self.for_each_output(groups.iter().map(|group| (group, ())), |output, owner, ()| {
            let by = Claimant { owner, series: owner, generation, now, begins: u32::MAX, ends: false };
            // what is taken was so before the group came, and is told with each series that it would have
            let _claimed = self.index.claim(output, &by);
        });
    }

    /// Shows what groups are sent as, who has the claim on it, and what came with the group.
    pub(super) fn for_each_output<'g, T: Copy>(
        &self,
        groups: impl Iterator<Item = (&'g Named, T)>,
        mut visit: impl FnMut(Fingerprint, Fingerprint, T),
    ) {
        let names = self.tenants.names();
        let mut definitions: AHashMap<&str, Fingerprint> = AHashMap::new();
        for (Named { definition, tenant, labels }, with) in groups {
            let Some(name) = names.get(*tenant as usize).filter(|name| *name != VACANT) else { continue };
            let key = self.prints.tenant(name);
            let definition =
                *definitions.entry(definition).or_insert_with(|| self.prints.definition(definition));
            for block in labels {
                let output = self.prints.fingerprint(block, key);
                visit(output, aggregate::owner_of(definition, output), with);
            }
        }
    }
}
