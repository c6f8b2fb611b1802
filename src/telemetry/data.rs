//! What the data path counts: each decoded sample once as received and once by its fate.
//!
//! A request that its sender has to send again is `returned` as a whole: what a policy would have dropped of it is
//! decided, and counted, when it comes again.

use std::sync::Arc;
use std::time::Instant;

use metrics::Counter;

use super::durations::Durations;
use super::kind_counters::KindCounters;
use super::names::{self, Metric};
use super::policies::PolicyRegistry;
use super::registry::Registry;
use crate::aggregate::PolicyCounts;
use crate::pipeline::{Committed, Counts, Fate, Outcome, Repair, Returned};
use crate::policy::Summary;
use crate::series::Invalid;

/// What the data path counts.
pub struct DataMetrics {
    received: KindCounters,
    forwarded: KindCounters,
    rejected: [KindCounters; Invalid::ALL.len()],
    refused: KindCounters,
    too_large: KindCounters,
    returned: [KindCounters; Returned::ALL.len()],
    policies: PolicyRegistry,
    stale_markers: Counter,
    new_series: Counter,
    learned_series: Counter,
    ended_series: Counter,
    untracked: Counter,
    unguarded: Counter,
    rejected_metadata: Counter,
    repaired: [Counter; Repair::ALL.len()],
    cut: Counter,
    decoded_bytes: Counter,
    overflow_requests: Counter,
    accepted_in_part: Counter,
    decide: Arc<Durations>,
}

impl DataMetrics {
    /// Registers everything that does not depend on the config.
    pub fn new(registry: &Arc<Registry>) -> Self {
        let fate = |fate| KindCounters::new(registry, fate, "");
        // there, at zero, from the start, also those of which there are none yet
        registry.counter(&names::GENERATED, &[("kind", "metadata")]).increment(0);
        let received = [&names::SAMPLES_RECEIVED, &names::HISTOGRAMS_RECEIVED, &names::EXEMPLARS_RECEIVED];
        Self {
            received: KindCounters(received.map(|metric: &Metric| registry.counter(metric, &[]))),
            forwarded: fate(Fate::Forwarded),
            rejected: Invalid::ALL.map(|reason| fate(Fate::Rejected(reason))),
            refused: fate(Fate::Refused),
            too_large: fate(Fate::TooLarge),
            returned: Returned::ALL.map(|cause| fate(Fate::Returned(cause))),
            policies: PolicyRegistry::new(registry),
            stale_markers: registry.counter(&names::GENERATED, &[("kind", "stale_marker")]),
            new_series: registry.counter(&names::NEW_SERIES, &[]),
            learned_series: registry.counter(&names::LEARNED_SERIES, &[]),
            ended_series: registry.counter(&names::ENDED_SERIES, &[]),
            untracked: registry.counter(&names::UNTRACKED_SERIES, &[]),
            unguarded: registry.counter(&names::UNGUARDED_SERIES, &[]),
            rejected_metadata: registry.counter(&names::REJECTED_METADATA, &[]),
            repaired: Repair::ALL
                .map(|repair| registry.counter(&names::REPAIRED_SERIES, &[("reason", repair.as_str())])),
            cut: registry.counter(&names::CUT, &[]),
            decoded_bytes: registry.counter(&names::DECODED_BYTES, &[]),
            overflow_requests: registry.counter(&names::OVERFLOW_REQUESTS, &[]),
            accepted_in_part: registry.counter(&names::ACCEPTED_IN_PART, &[]),
            decide: registry.durations(&names::DECIDE_DURATION, &[]),
        }
    }

    /// Registers the counters of these policies, so that they are there, at zero, before anything matches.
    pub fn know(&self, policies: &[Summary]) {
        for policy in policies {
            self.policies.account(policy);
        }
    }

    /// Counts a request that was answered 204 although series of it were rejected.
    pub fn accepted_in_part(&self) {
        self.accepted_in_part.increment(1);
    }

    /// Counts how long deciding took, whatever came out.
    pub fn decided(&self, began: Instant) {
        self.decide.record(began.elapsed());
    }

    /// What each policy did.
    pub fn policies(&self) -> &PolicyRegistry {
        &self.policies
    }

    /// Counts a request that is over for good: what was to be forwarded was, but for what the upstream `refused`
    /// and what was `too_large` for it. `by_policy`: what did not become part of a group although it was to.
    pub fn settled(&self, outcome: &Outcome, refused: Counts, too_large: Counts, by_policy: &[PolicyCounts]) {
        self.received(outcome);
        let policies = outcome.policies.as_ref();
        outcome.fates(refused, too_large, by_policy, &mut |fate, policy, counts| match (fate, policy) {
            (Fate::Forwarded, _) => self.forwarded.add(counts),
            (Fate::Refused, _) => self.refused.add(counts),
            (Fate::TooLarge, _) => self.too_large.add(counts),
            (Fate::Rejected(reason), None) => self.rejected[reason as usize].add(counts),
            (fate, policy) => self.policies.fate(fate, policy, policies, counts),
        });
        self.unguarded.increment(outcome.unguarded);
        if outcome.rejected_metadata > 0 {
            self.rejected_metadata.increment(outcome.rejected_metadata);
        }
        for (counter, series) in self.repaired.iter().zip(outcome.repairs).filter(|(_, series)| *series > 0) {
            counter.increment(series);
        }
        self.cut.increment(outcome.cut());
        if let Some(policies) = &outcome.policies {
            self.policies.settled(outcome, policies);
        }
    }

    /// Counts a request that its sender has to send again, or whose sender is gone.
    pub fn returned(&self, outcome: &Outcome, cause: Returned) {
        self.received(outcome);
        self.returned[cause as usize].add(outcome.received);
    }

    /// Counts what a commit did, and keeps its examples.
    pub fn committed(&self, outcome: &Outcome, committed: &Committed) {
        if let Some(policies) = &outcome.policies {
            self.policies.committed(outcome, policies);
        }
        self.stale_markers.increment(outcome.stale_markers);
        self.new_series.increment(committed.new_series);
        self.learned_series.increment(committed.learned_series);
        self.ended_series.increment(committed.ended_series);
        self.untracked.increment(committed.untracked);
    }

    fn received(&self, outcome: &Outcome) {
        self.received.add(outcome.received);
        self.decoded_bytes.increment(outcome.decoded_bytes);
        if outcome.overflow_tenant {
            self.overflow_requests.increment(1);
        }
    }
}
