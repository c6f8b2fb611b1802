//! Two policies that may write the same series: what told their series apart is left out by both.

use std::collections::BTreeSet;

use super::{Checker, Policy};
use crate::policy::known::{Known, NAME};
use crate::policy::{Action, Aggregation, Keys, MetricKind, Mode};

impl Checker<'_> {
    pub(super) fn two_writers(&mut self, policies: &[Policy<'_>]) {
        for (at, second) in policies.iter().enumerate() {
            for first in &policies[..=at] {
                let Some(label) = left_out(first, second) else { continue };
                let message = if first.name() == second.name() {
                    format!("policy `{}` can write the same series from two metrics", second.name())
                } else {
                    format!("policies `{}` and `{}` can write the same series", first.name(), second.name())
                };
                let remedy = if label == NAME {
                    "metrics of different names get the same name by `outputs` or `suffix`; give another `suffix`".to_owned()
                } else {
                    format!(
                        "neither keeps `{label}`, which tells what they match apart; keep it in both, make them one \
                         policy, or give one a `suffix`"
                    )
                };
                self.warn(second.raw.position, format!("{message}: {remedy}"));
            }
        }
    }
}

impl Checker<'_> {
    /// Metrics that pass under a name that a policy gives to what it makes of others.
    pub(super) fn passed_names(&mut self, policies: &[Policy<'_>]) {
        let passing = |policy: &&Policy<'_>| {
            matches!(policy.meant.action, Action::Pass) && policy.meant.mode == Mode::Enforce
        };
        for maker in policies {
            let Some(aggregation) = writes(maker) else { continue };
            for passer in policies.iter().filter(passing) {
                let pairs =
                    maker.known.iter().flat_map(|one| passer.known.iter().map(move |other| (one, other)));
                let Some(name) = pairs.filter_map(|(one, other)| taken(aggregation, one, other)).next()
                else {
                    continue;
                };
                let message = format!(
                    "policy `{}` sends what it makes as `{name}`, and policy `{}` passes a metric of that name: of two \
                     series that are then the same one is held back, or not aggregated; give another `suffix`",
                    maker.name(),
                    passer.name()
                );
                let suffix = maker.raw.value.suffix.as_ref().map(|suffix| suffix.position);
                self.warn(suffix.unwrap_or(maker.raw.position), message);
            }
        }
    }
}

/// A name that a policy gives to what it makes of one selector's metrics and that another selector asks for, if nothing
/// that stays tells their series apart.
fn taken(aggregation: &Aggregation, made: &Known, passed: &Known) -> Option<String> {
    let apart = made.apart_by(passed);
    if apart.iter().any(|label| label != NAME && aggregation.keeps(label)) {
        return None;
    }
    let passed = passed.values(NAME)?;
    let renamed = made.values(NAME)?.into_iter().flat_map(|name| {
        let made = results(aggregation, &name);
        made.into_iter().filter(move |result| *result != name)
    });
    renamed.into_iter().find(|name| passed.contains(name))
}

/// The label that tells the series of two policies apart and that the results of neither have; `None` where the
/// results differ, and where nobody can know.
fn left_out(first: &Policy<'_>, second: &Policy<'_>) -> Option<String> {
    let (a, b) = (writes(first)?, writes(second)?);
    if kept(a) != kept(b) {
        return None;
    }
    let same = first.name() == second.name();
    let pairs = first.known.iter().flat_map(|one| second.known.iter().map(move |other| (one, other)));
    pairs.filter_map(|(one, other)| meet((a, one), (b, other), same)).next()
}

fn writes<'p>(policy: &'p Policy<'_>) -> Option<&'p Aggregation> {
    match &policy.meant.action {
        Action::Aggregate(aggregation) if policy.meant.mode == Mode::Enforce => Some(aggregation),
        _ => None,
    }
}

/// Which labels a result has, in a form that can be compared: the kind of list, the list, and what is collapsed.
fn kept(aggregation: &Aggregation) -> (bool, BTreeSet<&str>, BTreeSet<&str>) {
    let (by, labels) = match &aggregation.keys {
        Keys::All => (false, &[][..]),
        Keys::By(labels) => (true, labels.as_slice()),
        Keys::Without(labels) => (false, labels.as_slice()),
    };
    let free = labels.iter().map(String::as_str).filter(|label| !aggregation.always_keeps(label));
    let collapsed = aggregation.collapse.iter().map(String::as_str);
    (by, free.collect(), collapsed.filter(|label| aggregation.collapses(label)).collect())
}

/// How the series of two selectors can become one.
fn meet(
    (a, one): (&Aggregation, &Known),
    (b, other): (&Aggregation, &Known),
    same_policy: bool,
) -> Option<String> {
    let apart: Vec<String> = one.apart_by(other).into_iter().filter(|label| label != NAME).collect();
    // both have the same labels, so what one keeps the other keeps
    let free = |label: &&String| !a.keeps(label);
    if !apart.iter().all(|label| free(&label)) {
        return None;
    }
    if renamed_alike((a, one), (b, other)) {
        return Some(NAME.to_owned());
    }
    if same_policy || !named_alike((a, one), (b, other)) {
        return None;
    }
    // what the first does not take is told from it by one of its own matchers
    let narrower = || one.labels().filter(|label| *label != NAME && !other.implies_in(label, one));
    let telling: Vec<String> = if apart.is_empty() { narrower().map(str::to_owned).collect() } else { apart };
    telling.iter().find(free).cloned()
}

/// Whether a metric may be asked about in both and has the same name in both results.
fn named_alike((a, one): (&Aggregation, &Known), (b, other): (&Aggregation, &Known)) -> bool {
    let met = match (one.values(NAME), other.values(NAME)) {
        (Some(names), _) => names.iter().any(|name| other.tests(NAME).iter().all(|test| test.holds(name))),
        (None, Some(names)) => names.iter().any(|name| one.tests(NAME).iter().all(|test| test.holds(name))),
        (None, None) => one.implies_in(NAME, other) || other.implies_in(NAME, one),
    };
    met && a.suffix == b.suffix
}

/// Whether two metrics of different names have the same name in the results.
fn renamed_alike((a, one): (&Aggregation, &Known), (b, other): (&Aggregation, &Known)) -> bool {
    let (Some(ones), Some(others)) = (one.values(NAME), other.values(NAME)) else { return false };
    ones.iter().any(|n| others.iter().any(|m| n != m && !results(a, n).is_disjoint(&results(b, m))))
}

/// The names under which a metric is sent.
fn results(aggregation: &Aggregation, name: &str) -> BTreeSet<String> {
    let counter = aggregation.kind == Some(MetricKind::Counter) || name.ends_with("_total");
    let outputs = if counter { 1 } else { aggregation.outputs.len().max(1) };
    (0..outputs).map(|output| aggregation.metric(name, output).unwrap_or_else(|| name.to_owned())).collect()
}
