//! Which policies take away or change what an expression reads.
//!
//! The walk of `policy::set` over series of which only the selector is known: where it cannot tell, a policy may
//! match, and says so with "some".

use std::collections::BTreeSet;

use super::derived;
use super::meaning::{Misread, Value};
use super::reads::{How, Read, Use};
use super::relabels::{self, Change};
use crate::policy::known::{Known, NAME, Overlap, Test};
use crate::policy::{Action, Aggregation, Definition, Mode, bound};

/// A policy with its selectors made ready.
pub(super) struct Candidate<'c> {
    pub(super) definition: &'c Definition,
    pub(super) selectors: Vec<Known>,
}

/// What a policy does to something that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Drops,
    /// To the name, if it is known.
    Renames(Option<String>),
    Unnames,
    Removes(Use),
    Overwrites(Use),
    /// Values of groups are read as if they were those of series.
    Misreads(Value, Misread),
}

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
}

impl<'c> Candidate<'c> {
    pub(super) fn new(definition: &'c Definition) -> Self {
        Self { definition, selectors: Known::of_policy(definition) }
    }
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
        let mut add = |cause, all| found.push(Impact { policy, read: read.shown.clone(), cause, all });
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
    let derived = derived::impacts(candidates, read);
    found.retain(|impact| !derived.contains_key(&impact.policy));
    found.extend(derived.into_values().flatten());
    found
}

/// What an aggregation does to what somebody reads.
pub(super) fn aggregated(
    aggregation: &Aggregation,
    labels: &BTreeSet<&str>,
    read: &Read,
    series: &Known,
) -> Vec<Cause> {
    let changes = changes(aggregation, labels, read);
    let mut found: Vec<Cause> = changes
        .iter()
        .filter_map(|(label, change)| causes(read, label, change))
        .filter(|cause| !is_idle(cause))
        .collect();
    let renamed = found.iter().any(|cause| matches!(cause, Cause::Renames(_)));
    found.extend(misread(aggregation, read, series).filter(|_| !renamed));
    found
}

/// What is left out of a group's labels does not stand in the way of who leaves it out, too.
fn is_idle(cause: &Cause) -> bool {
    matches!(cause, Cause::Removes(used) if matches!(used.how, How::Without | How::Ignores))
}

fn misread(aggregation: &Aggregation, read: &Read, series: &Known) -> Option<Cause> {
    let value = Value::of(aggregation, series)?;
    value.misread(read.steps.as_deref()?).map(|why| Cause::Misreads(value, why))
}

/// What an aggregation does to the labels that somebody reads.
fn changes<'l>(aggregation: &Aggregation, labels: &BTreeSet<&'l str>, read: &Read) -> Vec<(&'l str, Change)> {
    let mut changes = Vec::new();
    for label in labels {
        if *label == NAME {
            if aggregation.suffix.is_some() {
                changes.push((*label, Change::Set(None)));
            }
        } else if !aggregation.keeps(label) {
            changes.push((*label, Change::Removed));
        } else if let Some((_, value)) = aggregation.instance.as_ref().filter(|(name, _)| name == label) {
            changes.push((*label, Change::Set(Some(BTreeSet::from([value.clone()])))));
        } else if aggregation.collapses(label) {
            changes.push((*label, Change::Set(None)));
        } else if let Some(spelled) = respelled(label, read) {
            changes.push((*label, Change::Set(Some(spelled))));
        }
    }
    changes
}

/// The bounds that are asked for as groups have them, where they write them otherwise.
fn respelled(label: &str, read: &Read) -> Option<BTreeSet<String>> {
    let asked = read.known.values(label)?;
    let spelled = asked.iter().map(|value| bound::respelled(label, value).unwrap_or_else(|| value.clone()));
    Some(spelled.collect()).filter(|spelled| *spelled != asked)
}

/// What the change of a label means to the one who reads it: one cause for each label.
fn causes(read: &Read, label: &str, change: &Change) -> Option<Cause> {
    if label == NAME {
        return Some(match change {
            Change::Removed => Cause::Unnames,
            Change::Set(None) => Cause::Renames(None),
            Change::Set(Some(names)) if names.len() == 1 => Cause::Renames(names.first().cloned()),
            Change::Set(Some(_)) => Cause::Renames(None),
        });
    }
    let still_selects = |values: &BTreeSet<String>| {
        let tests = read.known.tests(label);
        values.iter().all(|value| tests.iter().all(|test| test.holds(value)))
    };
    let mut uses = read.uses.iter().filter(|used| used.label == label);
    match change {
        Change::Removed => uses.next().cloned().map(Cause::Removes),
        Change::Set(Some(values)) if still_selects(values) => {
            uses.find(|used| used.how != How::Selects).cloned().map(Cause::Overwrites)
        }
        Change::Set(_) => uses.next().cloned().map(Cause::Overwrites),
    }
}

#[cfg(test)]
mod tests;
