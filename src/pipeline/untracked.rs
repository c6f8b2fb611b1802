//! Series of a scope that found no place among the `tenant.max`: nothing of them is remembered, and policies apply all the
//! same, so that nobody escapes them by sending under new names.
//!
//! What needs memory cannot be done: a series that would be aggregated passes, and of two that become one by rules only
//! those of one request are seen.

use ahash::AHashSet;

use super::Policies;
use super::edits::LOOSE;
use super::outcome::Outcome;
use super::scratch::{DecideScratch, PolicyHit, Request, Slot, SlotState};
use crate::aggregate::NotAggregated;
use crate::policy::{Admission, Decision, Disposition, NoOthers, VerdictId, WorkloadSource, borrowed};
use crate::series::{Labels, Limits, RunProgress, WorkloadFacts, edit, grammar, identity};
use crate::wire::WireError;

/// What one request is decided with.
pub(super) struct Untracked<'a> {
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) scratch: &'a mut DecideScratch,
    pub(super) outcome: &'a mut Outcome,
}

impl Untracked<'_> {
    /// Gives every open slot its fate.
    pub(super) fn run(&mut self, body: &[u8], request: &mut Request) -> Result<(), WireError> {
        self.scratch.policy_hits.clear();
        let Request { slots, loose, probes, .. } = request;
        let mut pairs = Vec::new();
        // canonical labels that series of this request go under by rules
        let mut taken = AHashSet::new();
        for (number, slot) in (0..).zip(slots.iter_mut()).filter(|(_, slot)| slot.state == SlotState::Open) {
            slot.state = match identity::read(body, slot.labels(), self.limits, &mut pairs)? {
                Ok(form) => {
                    slot.form = form;
                    let now = probes.get(number as usize).map_or(0, |probe| probe.sample_seconds);
                    SlotState::Verdict(self.decide(&pairs, now, (number, slot), loose, &mut taken))
                }
                Err(invalid) => SlotState::Rejected(invalid),
            };
        }
        Ok(())
    }

    fn decide(
        &mut self,
        pairs: &[(&str, &str)],
        now: u32,
        (number, slot): (u32, &mut Slot),
        loose: &mut Vec<Vec<u8>>,
        taken: &mut AHashSet<Box<[u8]>>,
    ) -> VerdictId {
        let labels = Labels::from_sorted(pairs);
        // nothing is known of how runs stand
        let find = || grammar::of_series(labels).map(|found| WorkloadFacts::of(&found, RunProgress::GoesOn));
        let workload = WorkloadSource::new(now, &find);
        let Decision { mut verdict, output, aggregated_by, .. } =
            self.policies.set.decide_among(labels, &workload, &NoOthers(Admission::NoRoom), self.limits);
        if let Some(policy) = aggregated_by {
            // under its own labels: those of the group are for the group alone
            self.outcome.not_aggregated.push((policy, NotAggregated::Full));
            verdict = self.policies.set.forwarded_instead(verdict, false);
        }
        let (mut verdict, output) = self.policies.fit(pairs, verdict, output);
        let output = output.filter(|_| verdict.disposition() == Disposition::Rewrite);
        if let Some(output) = &output {
            let output = borrowed(output);
            identity::encode_canonical(&output, &mut self.scratch.canonical);
            if taken.insert(self.scratch.canonical.as_slice().into()) {
                self.outcome.unguarded += 1;
                edit::derive(pairs, &output, &mut self.scratch.script);
                slot.edit = LOOSE | loose.len() as u32;
                loose.push(self.scratch.script.clone());
            } else {
                verdict = self.policies.set.collided(verdict);
            }
        }
        if verdict != VerdictId::UNTOUCHED {
            let output = output.filter(|_| verdict.disposition() == Disposition::Rewrite);
            self.scratch.policy_hits.push(PolicyHit { slot: number, verdict, output });
        }
        verdict
    }
}
