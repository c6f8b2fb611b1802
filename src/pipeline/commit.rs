//! Does what an outcome says, or gives it up.

use super::outcome::NewSeries;
use super::{Committed, Outcome, Pipeline, Release};
use crate::aggregate::{self, PolicyCounts};
use crate::series::{Fingerprint, Inserted};

impl Pipeline {
    /// Does what an outcome says, once the upstream has the data (or there was nothing to send).
    /// Idempotent for each series: the same request decided twice and committed twice counts its births once.
    pub fn commit(&self, outcome: &Outcome) -> Committed {
        let now = self.clock.unix_seconds();
        let mut committed = Committed { aggregated: self.commit_aggregated(outcome), ..Committed::default() };
        // what the index has no room for would never be seen to go
        let mut without_place: Vec<Fingerprint> = Vec::new();
        let limits = outcome.policies.as_ref().is_some_and(|policies| policies.set.limits());
        let keys = |(start, end)| &outcome.effects.keys[start as usize..end as usize];
        let insert = |new: &&NewSeries| {
            let inserted = self.index.insert(new.series, new.decided, &new.arrival(), now);
            match inserted {
                Inserted::New => {
                    committed.new_series += 1;
                    committed.learned_series += u64::from(new.observation.learned);
                }
                Inserted::Known => {}
                Inserted::Full => {
                    committed.untracked += 1;
                    without_place.extend(limits.then_some(new.series));
                }
            }
            inserted == Inserted::New
        };
        let came = outcome.effects.new_series.iter().filter(insert);
        self.tracker.series_added(came.map(|new| (&new.observation, keys(new.keys))), now);
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
    fn commit_aggregated(&self, outcome: &Outcome) -> Vec<PolicyCounts> {
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

    /// The same where the upstream will never have the rest.
    pub fn commit_refused(&self, outcome: &Outcome) -> Vec<PolicyCounts> {
        self.looked_in_vain(outcome);
        self.commit_aggregated(outcome)
    }

    /// What was looked at at its first sight will be new again.
    fn looked_in_vain(&self, outcome: &Outcome) {
        let new = outcome.effects.new_series.iter();
        self.tracker.not_added(new.map(|new| (&new.observation, new.series)));
    }

    /// Notes that a request was refused, so that its sender will come again with it.
    pub fn refuse(&self, outcome: &Outcome) {
        self.looked_in_vain(outcome);
        self.engine.refuse(&outcome.effects.aggregated, self.clock.now());
        self.give_up_claims(outcome);
    }
}
