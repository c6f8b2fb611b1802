//! What a change of labels or of values means to the one who reads them.

use std::collections::BTreeSet;

use super::meaning::{Misread, Value};
use super::reads::{How, Read, Use};
use super::relabels::Change;
use crate::policy::known::{Known, NAME};
use crate::policy::{Aggregation, Keys, bound};

/// What a policy does to something that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Drops,
    /// Whatever is not admitted, one day.
    Holds,
    /// To the name, if it is known.
    Renames(Option<String>),
    Unnames,
    Removes(Use),
    Overwrites(Use),
    /// Its series have fewer labels than those of this one, with which they are matched on all.
    Parts(String),
    /// Values of groups are read as if they were those of series.
    Misreads(Value, Misread),
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
    found.extend(left_in(aggregation, read));
    let renamed = found.iter().any(|cause| matches!(cause, Cause::Renames(_)));
    found.extend(misread(aggregation, read, series).filter(|_| !renamed));
    found
}

/// What is left out of a group's labels does not stand in the way of who leaves it out, too.
fn is_idle(cause: &Cause) -> bool {
    matches!(cause, Cause::Removes(used) if matches!(used.how, How::Without | How::Ignores))
}

/// The first label that is gone from a result that has all labels but a few. Its values stand for less series than before.
fn left_in(aggregation: &Aggregation, read: &Read) -> Option<Cause> {
    let named = read.all_but.as_ref()?;
    let used =
        |label: &&String| !named.contains(label) && !read.uses.iter().any(|used| used.label == **label);
    let kept = |label: &String| Use { label: label.clone(), how: How::Keeps };
    let removed = match &aggregation.keys {
        Keys::Without(labels) => labels.iter().find(used),
        // which others there are nobody knows
        Keys::All | Keys::By(_) => None,
    };
    removed
        .map(|label| Cause::Removes(kept(label)))
        .or_else(|| aggregation.collapse.iter().find(used).map(|label| Cause::Overwrites(kept(label))))
}

pub(super) fn misread(aggregation: &Aggregation, read: &Read, series: &Known) -> Option<Cause> {
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
pub(super) fn causes(read: &Read, label: &str, change: &Change) -> Option<Cause> {
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
