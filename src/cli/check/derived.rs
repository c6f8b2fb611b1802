//! Reads of what policies make under names of their own: with a `suffix`, and further `outputs`.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::Candidate;
use super::cause::{Cause, aggregated};
use super::meaning::Value;
use super::reads::Read;
use crate::policy::known::{Known, NAME, Overlap, Test};
use crate::policy::{Aggregation, Output};

/// Behind which a suffix stands, and which names go on without.
const ENDINGS: [&str; 5] = ["_bucket", "_sum", "_count", "_total", ""];

/// The policies that make such a metric, and what is to be said of each.
pub(super) fn causes(candidates: &[Candidate<'_>], read: &Read) -> BTreeMap<usize, Vec<Cause>> {
    let mut found = BTreeMap::new();
    let labels: BTreeSet<&str> = read.uses.iter().map(|used| used.label.as_str()).collect();
    for (policy, candidate) in candidates.iter().enumerate() {
        let Some(aggregation) = candidate.definition.aggregation() else { continue };
        let Some((series, output)) = made_of(aggregation, &read.known) else { continue };
        let meets = |selector: &Known| series.meets(selector) != Overlap::Disjoint;
        if !candidate.selectors.iter().any(meets) {
            continue;
        }
        found.insert(policy, causes_of(aggregation, &labels, read, &series, output));
    }
    found
}

fn causes_of(
    aggregation: &Aggregation,
    labels: &BTreeSet<&str>,
    read: &Read,
    series: &Known,
    output: usize,
) -> Vec<Cause> {
    let mut causes = aggregated(aggregation, labels, read, series);
    causes.retain(|cause| matches!(cause, Cause::Removes(_) | Cause::Overwrites(_)));
    let value = match aggregation.outputs.get(output).filter(|_| output > 0) {
        Some(output) => Some(Value::Gauge(*output)),
        None => Value::of(aggregation, series),
    };
    let misread =
        value.zip(read.steps.as_deref()).and_then(|(value, steps)| Some((value, value.misread(steps)?)));
    causes.extend(misread.map(|(value, why)| Cause::Misreads(value, why)));
    causes
}

/// The series that a group of this name is made of, and which of the outputs it is.
fn made_of(aggregation: &Aggregation, read: &Known) -> Option<(Known, usize)> {
    let names = read.values(NAME).filter(|names| names.len() == 1)?;
    let name = names.first()?;
    let suffix = aggregation.suffix.as_deref().unwrap_or_default();
    for output in 0..aggregation.outputs.len().max(1) {
        let behind = aggregation
            .outputs
            .get(output)
            .filter(|_| output > 0)
            .map(|output| format!(":{}", Output::as_str(*output)));
        let Some(stem) = name.strip_suffix(behind.as_deref().unwrap_or_default()) else { continue };
        for ending in ENDINGS {
            let base = stem.strip_suffix(ending).and_then(|stem| stem.strip_suffix(suffix));
            let Some(base) = base.map(|base| format!("{base}{ending}")) else { continue };
            if aggregation.metric(&base, output).as_ref() == Some(name) {
                let mut series = read.clone();
                series.set(NAME, Some(Test::is(base)));
                return Some((series, output));
            }
        }
    }
    None
}
