//! Which policies take away or change what an expression reads.
//!
//! The walk of `policy::set` over series of which only the selector is known: where it cannot tell, a policy may
//! match, and says so with "some".

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::cause::{Cause, aggregated, causes, misread};
use super::derived;
use super::reads::{Partner, Read};
use super::relabels;
use crate::policy::known::{Known, NAME, Overlap, Test};
use crate::policy::relabel::RuleText;
use crate::policy::{Action, Aggregation, Keys, Mode};

/// One policy, one thing that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Impact {
    /// Position of the policy.
    pub(super) policy: usize,
    /// The metric or selector that is read.
    pub(super) read: String,
    pub(super) cause: Cause,
    /// Whether all of the series are concerned.
    pub(super) all: bool,
    /// Whether nothing speaks for it but that the policy names no metric, and so may mean any.
    pub(super) possible: bool,
}

/// What the policies do to one selector's series, in their order.
pub(super) fn impacts(candidates: &[Candidate<'_>], read: &Read) -> Vec<Impact> {
    let mut walk = Walk::new(candidates, read);
    for (policy, candidate) in candidates.iter().enumerate() {
        if walk.step(policy, candidate) == Reach::NoFurther {
            break;
        }
    }
    let mut found = walk.found;
    // What a policy makes does not come back to it.
    let derived = derived::causes(candidates, read);
    found.retain(|impact| !derived.contains_key(&impact.policy));
    for (policy, causes) in derived {
        let impact = |cause| Impact { policy, read: read.shown.clone(), cause, all: true, possible: false };
        found.extend(causes.into_iter().map(impact));
    }
    found
}

/// The series of one selector on their way through the policies.
struct Walk<'a> {
    candidates: &'a [Candidate<'a>],
    read: &'a Read,
    found: Vec<Impact>,
    /// What is known of the series by now.
    now: Known,
    /// Selectors of earlier policies in force that took series out of the walk.
    gone: Vec<&'a Known>,
    /// Whether there are such series, also where what they were has been changed since.
    some_left: bool,
    /// Labels that are read, and those that later policies ask for.
    labels: BTreeSet<&'a str>,
}

/// Whether the series go on behind a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Further,
    NoFurther,
}

/// A policy that the series meet.
struct Met<'a> {
    policy: usize,
    selectors: Vec<&'a Known>,
    /// Whether it takes all of them.
    certain: bool,
    enforced: bool,
    /// Whether nothing says that it does, but that it names no metric.
    possible: bool,
}

impl<'a> Walk<'a> {
    fn new(candidates: &'a [Candidate<'a>], read: &'a Read) -> Self {
        let mut labels: BTreeSet<&str> = read.uses.iter().map(|used| used.label.as_str()).collect();
        labels.extend(candidates.iter().flat_map(|candidate| &candidate.selectors).flat_map(Known::labels));
        let now = read.known.clone();
        Self { candidates, read, found: Vec::new(), now, gone: Vec::new(), some_left: false, labels }
    }

    fn step(&mut self, policy: usize, candidate: &'a Candidate<'a>) -> Reach {
        let Some(met) = self.met(policy, candidate) else { return Reach::Further };
        let ends = match &candidate.definition.action {
            Action::Pass => true,
            Action::Drop => {
                self.add(&met, Cause::Drops, met.certain && !self.some_left);
                true
            }
            Action::Aggregate(aggregation) => {
                self.aggregate(&met, aggregation);
                true
            }
            // what it will hold back one day nobody knows now; for the rest the walk goes on
            Action::Limit(_) => {
                self.add(&met, Cause::Holds, false);
                false
            }
            Action::Relabel(rules) | Action::RelabelAggregate(rules, _) => {
                self.relabel(&met, rules, candidate.definition.aggregation())
            }
        };
        if ends && met.enforced {
            if met.certain {
                return Reach::NoFurther;
            }
            self.some_left = true;
            if candidate.definition.workload.is_none() {
                self.gone.extend(met.selectors);
            }
        }
        Reach::Further
    }

    fn met(&self, policy: usize, candidate: &'a Candidate<'a>) -> Option<Met<'a>> {
        let mut certain = false;
        let mut selectors: Vec<&Known> = Vec::new();
        for selector in &candidate.selectors {
            let overlap = self.now.meets(selector);
            let both = || self.now.and(selector);
            if overlap != Overlap::Disjoint && !self.gone.iter().any(|gone| both().implies(gone)) {
                // which workload they are of nobody knows
                certain |= overlap == Overlap::Certain && candidate.definition.workload.is_none();
                selectors.push(selector);
            }
        }
        let possible = !certain && selectors.iter().all(|selector| is_possible(selector, self.read));
        let enforced = candidate.definition.mode == Mode::Enforce;
        (!selectors.is_empty()).then_some(Met { policy, selectors, certain, enforced, possible })
    }

    fn add(&mut self, met: &Met<'_>, cause: Cause, all: bool) {
        let possible = met.possible && !met.selectors.iter().any(|selector| is_about(&cause, selector));
        self.found.push(Impact { policy: met.policy, read: self.read.shown.clone(), cause, all, possible });
    }

    fn aggregate(&mut self, met: &Met<'_>, aggregation: &Aggregation) {
        if aggregation.keep_input {
            return;
        }
        let all = met.certain && !self.some_left;
        for cause in aggregated(aggregation, &self.labels, self.read, &self.now) {
            self.add(met, cause, all);
        }
        // where both sides lose labels, they may still match
        let changes = aggregation.keys != Keys::All || !aggregation.collapse.is_empty();
        let is_alone = |other: &&Partner| changes && !is_aggregated(self.candidates, &other.known);
        if let Some(parted) = self.read.partners.iter().find(is_alone) {
            self.add(met, Cause::Parts(parted.shown.clone()), all);
        }
    }

    /// Returns whether the rules drop all of the series.
    fn relabel(&mut self, met: &Met<'_>, rules: &[RuleText], aggregation: Option<&Aggregation>) -> bool {
        let mut result = match met.selectors.as_slice() {
            [selector] => self.now.and(selector),
            _ => self.now.clone(),
        };
        let effects = relabels::run(rules, &mut result, &self.labels);
        let all = met.certain && !self.some_left;
        if let Some(every) = effects.drops {
            self.add(met, Cause::Drops, all && every);
        }
        if effects.drops == Some(true) {
            return true;
        }
        for (label, (change, every)) in &effects.changes {
            causes(self.read, label, change)
                .into_iter()
                .for_each(|cause| self.add(met, cause, all && *every));
        }
        // Series that come to have the labels of others are added up.
        let changes = !effects.changes.is_empty() || rules.iter().any(relabels::goes_by_names);
        let value = aggregation.filter(|_| changes);
        if let Some(cause) = value.and_then(|aggregation| misread(aggregation, self.read, &self.now)) {
            self.add(met, cause, false);
        }
        if met.enforced {
            self.gone.retain(|gone| !gone.labels().any(|label| effects.changes.contains_key(label)));
            for label in effects.changes.keys() {
                let after = met.certain.then(|| result.values(label)).flatten();
                self.now.set(label, after.map(Test::OneOf));
            }
        }
        false
    }
}

/// Whether a selector names no metric, and what is read none of the labels that it asks for.
fn is_possible(selector: &Known, read: &Read) -> bool {
    let excludes = |test: &Test| matches!(test, Test::NoneOf(_) | Test::Unlike(_));
    selector.tests(NAME).iter().all(excludes)
        && !selector.labels().any(|label| label != NAME && !read.known.tests(label).is_empty())
}

/// Whether an expression uses a label that the selector asks for, too, and loses it.
fn is_about(cause: &Cause, selector: &Known) -> bool {
    let (Cause::Removes(used) | Cause::Overwrites(used)) = cause else { return false };
    !selector.tests(&used.label).is_empty()
}

/// Whether some policy adds series of this kind up.
fn is_aggregated(candidates: &[Candidate<'_>], series: &Known) -> bool {
    let adds = |candidate: &&Candidate<'_>| candidate.definition.aggregation().is_some();
    let meets = |candidate: &Candidate<'_>| {
        candidate.selectors.iter().any(|selector| series.meets(selector) != Overlap::Disjoint)
    };
    candidates.iter().filter(adds).any(meets)
}

#[cfg(test)]
mod tests;
