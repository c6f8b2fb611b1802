//! The policies in force, with what belongs to this compilation of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::edits::Edits;
use crate::admission;
use crate::aggregate::{Adopted, Aggregator};
use crate::cardinality::Distinct;
use crate::policy::{PolicyIndex, PolicySet};
use crate::series::{Fingerprint, LongValues};

/// The policies in force.
pub struct Policies {
    /// Compiled.
    pub set: Arc<PolicySet>,
    /// Grows with each change, from 1; what was decided under another one is decided anew.
    pub generation: u32,
    pub(super) edits: Arc<Edits>,
    /// The edits of the policies before, for series that were not decided anew yet.
    pub(super) former: ArcSwapOption<Former>,
    pub(super) allowance: Allowance,
    /// What becomes of label values that are longer than the upstream takes.
    pub(super) long_values: Option<LongValues>,
    pub(super) aggregators: Adopted,
    pub(super) admissions: admission::Adopted,
    /// By position, the groups that policies in preview would make.
    preview_groups: Box<[Mutex<Distinct>]>,
    /// Whether there is one; asked for each new series.
    aggregates: bool,
    has_several_groupings: bool,
    keeps_input: bool,
}

/// What policies remember, by position.
pub(super) struct State {
    pub(super) aggregators: Adopted,
    pub(super) admissions: admission::Adopted,
}

/// Edits that are no longer in force.
pub(super) struct Former {
    pub(super) generation: u32,
    pub(super) edits: Arc<Edits>,
    /// Since when, Unix seconds.
    pub(super) since: u32,
}

/// Examples that a policy may have written in one second: in a storm of new series the data path does not
/// pay for text that nobody can read that fast.
const A_SECOND: u64 = 1000;

/// How many examples each policy has had in the current second.
pub(super) struct Allowance(Box<[AtomicU64]>);

impl Allowance {
    pub(super) fn new(policies: usize) -> Self {
        Self((0..policies).map(|_| AtomicU64::new(0)).collect())
    }

    /// Takes one, if there is one left in the second `now`.
    pub(super) fn take(&self, policy: PolicyIndex, now: u32) -> bool {
        let Some(cell) = self.0.get(usize::from(policy.0)) else { return false };
        let second = u64::from(now) << 32;
        let fresh = |seen: u64| if seen & !0xffff_ffff == second { seen + 1 } else { second + 1 };
        let before = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| Some(fresh(seen)));
        before.is_ok_and(|seen| fresh(seen) - second <= A_SECOND)
    }
}

impl Policies {
    pub(super) fn new(
        set: Arc<PolicySet>,
        generation: u32,
        (max_tracked, long_values): (usize, Option<LongValues>),
        state: State,
        former: Option<Former>,
    ) -> Self {
        let State { aggregators, admissions } = state;
        let allowance = Allowance::new(set.policies().len());
        let aggregates = aggregators.iter().any(Option::is_some);
        let has_several_groupings = aggregators.iter().flatten().nth(1).is_some();
        let keeps_input = aggregators.iter().flatten().any(|found| found.aggregation().keep_input);
        let preview_groups = (0..set.policies().len()).map(|_| Mutex::default()).collect();
        // as many as there can be series, and as many again for those that are gone
        Self {
            set,
            generation,
            edits: Arc::new(Edits::new(max_tracked.saturating_mul(2))),
            former: ArcSwapOption::from_pointee(former),
            allowance,
            long_values,
            aggregators,
            admissions,
            preview_groups,
            aggregates,
            has_several_groupings,
            keeps_input,
        }
    }

    /// Whether a policy in force aggregates.
    pub fn aggregates(&self) -> bool {
        self.aggregates
    }

    /// Whether several policies in force aggregate, so that a series may go from one to another.
    pub(super) fn has_several_groupings(&self) -> bool {
        self.has_several_groupings
    }

    /// Whether a policy in force aggregates what goes on as it is.
    pub(super) fn keeps_input(&self) -> bool {
        self.keeps_input
    }

    /// Whether anything may go upstream under labels that no series came with, so that two could meet.
    pub(super) fn shares(&self) -> bool {
        self.aggregates || self.set.rewrites() || self.long_values.is_some()
    }

    /// Whether the end of a series that is sent changes what its next sample finds: what it is sent as, or its place with a limit.
    pub(super) fn watches_ends(&self) -> bool {
        self.shares() || self.set.limits()
    }

    /// Notes a group that a policy in preview would make.
    pub(super) fn would_join(&self, policy: PolicyIndex, group: Fingerprint) {
        if let Some(groups) = self.preview_groups.get(usize::from(policy.0)) {
            groups.lock().insert(group.high);
        }
    }

    /// About how many groups a policy in preview would have made of what came since it is as it is.
    pub fn preview_groups(&self, policy: PolicyIndex) -> u64 {
        let groups = self.preview_groups.get(usize::from(policy.0));
        groups.map_or(0, |groups| groups.lock().estimate().round() as u64)
    }

    /// Who has a place with a limit.
    pub(super) fn admissions(&self, policy: PolicyIndex) -> Option<&Arc<admission::Admissions>> {
        self.admissions.iter().find(|(of, _)| *of == policy).map(|(_, admissions)| admissions)
    }

    /// The edits of a generation, where they are still known.
    pub(super) fn edits_of(&self, generation: u32) -> Option<Arc<Edits>> {
        if generation == self.generation {
            return Some(Arc::clone(&self.edits));
        }
        let former = self.former.load();
        former
            .as_ref()
            .filter(|former| former.generation == generation)
            .map(|former| Arc::clone(&former.edits))
    }

    pub(super) fn aggregator(&self, policy: PolicyIndex) -> Option<&Aggregator> {
        self.aggregators.get(usize::from(policy.0))?.as_deref()
    }
}
