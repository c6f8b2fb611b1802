//! Which policies take away or change what an expression reads.
//!
//! The walk of `policy::set` over series of which only the selector is known: where it cannot tell, a policy may
//! match, and says so with "some".

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::cause::{Cause, aggregated, causes, misread};
use super::derived;
use super::reads::Read;
use super::relabels;
use crate::policy::known::{Known, NAME, Overlap, Test};
use crate::policy::{Action, Keys, Mode};

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
    let mut found = Vec::new();
    let mut now = read.known.clone();
    // Selectors of earlier policies in force that took series out of the walk.
    let mut gone: Vec<&Known> = Vec::new();
    // Whether there are such series, also where what they were has been changed since.
    let mut some_left = false;
    // Those that are read, and those that later policies ask for.
    let mut labels: BTreeSet<&str> = read.uses.iter().map(|used| used.label.as_str()).collect();
    labels.extend(candidates.iter().flat_map(|candidate| &candidate.selectors).flat_map(Known::labels));
    for (policy, candidate) in candidates.iter().enumerate() {
        let mut met: Vec<(&Known, Overlap)> =
            candidate.selectors.iter().map(|selector| (selector, now.meets(selector))).collect();
        met.retain(|(selector, overlap)| {
            *overlap != Overlap::Disjoint && {
                let both = now.and(selector);
                !gone.iter().any(|gone| both.implies(gone))
            }
        });
        if met.is_empty() {
            continue;
        }
        let certain = met.iter().any(|(_, overlap)| *overlap == Overlap::Certain);
        let enforced = candidate.definition.mode == Mode::Enforce;
        let possible = !certain && met.iter().all(|(selector, _)| is_possible(selector, read));
        let mut add = |cause, all| {
            let possible = possible && !met.iter().any(|(selector, _)| is_about(&cause, selector));
            found.push(Impact { policy, read: read.shown.clone(), cause, all, possible });
        };
        let ends = match &candidate.definition.action {
            Action::Pass => true,
            Action::Drop => {
                add(Cause::Drops, certain && !some_left);
                true
            }
            Action::Aggregate(aggregation) if aggregation.keep_input => true,
            Action::Aggregate(aggregation) => {
                for cause in aggregated(aggregation, &labels, read, &now) {
                    add(cause, certain && !some_left);
                }
                // where both sides lose labels, they may still match
                let changes = aggregation.keys != Keys::All || !aggregation.collapse.is_empty();
                if let Some(parted) =
                    read.partners.iter().find(|other| changes && !is_aggregated(candidates, &other.known))
                {
                    add(Cause::Parts(parted.shown.clone()), certain && !some_left);
                }
                true
            }
            Action::Relabel(rules) | Action::RelabelAggregate(rules, _) => {
                let aggregation = candidate.definition.aggregation();
                let mut result = match met.as_slice() {
                    [(selector, _)] => now.and(selector),
                    _ => now.clone(),
                };
                let effects = relabels::run(rules, &mut result, &labels);
                let all = certain && !some_left;
                if let Some(every) = effects.drops {
                    add(Cause::Drops, all && every);
                }
                let dropped = effects.drops == Some(true);
                if !dropped {
                    for (label, (change, every)) in &effects.changes {
                        causes(read, label, change).into_iter().for_each(|cause| add(cause, all && *every));
                    }
                    // Series that come to have the labels of others are added up.
                    let changes = !effects.changes.is_empty() || rules.iter().any(relabels::goes_by_names);
                    let value = aggregation.filter(|_| changes);
                    if let Some(cause) = value.and_then(|aggregation| misread(aggregation, read, &now)) {
                        add(cause, false);
                    }
                    if enforced {
                        let changed = |gone: &Known| gone.labels().any(|l| effects.changes.contains_key(l));
                        gone.retain(|gone| !changed(gone));
                        for label in effects.changes.keys() {
                            let after = certain.then(|| result.values(label)).flatten();
                            now.set(label, after.map(Test::OneOf));
                        }
                    }
                }
                dropped
            }
        };
        if ends && enforced {
            if certain {
                break;
            }
            some_left = true;
            gone.extend(met.iter().map(|(selector, _)| *selector));
        }
    }
    // What a policy makes does not come back to it.
    let derived = derived::causes(candidates, read);
    found.retain(|impact| !derived.contains_key(&impact.policy));
    for (policy, causes) in derived {
        let impact = |cause| Impact { policy, read: read.shown.clone(), cause, all: true, possible: false };
        found.extend(causes.into_iter().map(impact));
    }
    found
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
