//! What may be, and is told in one line for each policy: of policies that name no metric, each of which may mean whatever a
//! rule reads, and of limits.

use std::collections::{BTreeMap, BTreeSet};

use super::count;
use crate::config::listed;
use crate::policy::known::{Known, NAME};
use crate::policy::{Action, Definition, Mode};

/// How many rules are named.
const MAX_NAMED: usize = 3;

/// For each policy, by its position, the rules that may read what it takes: `file:group/rule`.
#[derive(Debug, Default)]
pub(super) struct Possible(BTreeMap<usize, Vec<String>>);

impl Possible {
    /// One more rule.
    pub(super) fn add(&mut self, policy: usize, rule: String) {
        self.0.entry(policy).or_default().push(rule);
    }

    /// Those of another file behind those of this one.
    pub(super) fn append(&mut self, other: Possible) {
        for (policy, rules) in other.0 {
            self.0.entry(policy).or_default().extend(rules);
        }
    }

    /// A warning for each policy.
    pub(super) fn warnings(&self, policies: &[Definition]) -> Vec<String> {
        self.told(policies).map(|(policy, rules)| warning(policy, rules)).collect()
    }

    /// A note for each policy that is a limit.
    pub(super) fn notes(&self, policies: &[Definition]) -> Vec<String> {
        self.told(policies).map(|(policy, rules)| note(policy, rules)).collect()
    }

    fn told<'a>(
        &'a self,
        policies: &'a [Definition],
    ) -> impl Iterator<Item = (&'a Definition, &'a [String])> {
        self.0.iter().filter_map(|(policy, rules)| Some((policies.get(*policy)?, rules.as_slice())))
    }
}

/// What a rule sees of a limit that is reached.
fn note(policy: &Definition, rules: &[String]) -> String {
    let (limits, seen) = match policy.mode {
        Mode::Enforce => ("limits", "is"),
        Mode::Preview => ("(preview) would limit", "would be"),
    };
    let folded = match &policy.action {
        Action::Limit(limit) => limit.fold.as_ref(),
        _ => None,
    };
    let seen = match folded {
        None => format!("{seen} missing there"),
        Some(fold) => {
            let labels: Vec<&str> = fold.labels.iter().map(String::as_str).collect();
            format!("{seen} added up there, under `__overflow__` in {}", listed(&labels))
        }
    };
    let (rules, named) = (count(rules.len(), "rule"), named(rules));
    format!(
        "policy `{}` {limits} what {rules} may read ({named}): what it does not admit {seen}",
        policy.name
    )
}

/// The first of them.
fn named(rules: &[String]) -> String {
    let first = rules[..rules.len().min(MAX_NAMED)].join(", ");
    match rules.len().saturating_sub(MAX_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn warning(policy: &Definition, rules: &[String]) -> String {
    let verb = policy.action.kind().as_str();
    let doing = match policy.mode {
        Mode::Enforce => format!("{verb}s"),
        Mode::Preview => format!("would {verb}"),
    };
    let labels = labels(policy);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let told = match labels.as_slice() {
        [] => String::new(),
        [label] => format!("; a rule that asks for `{label}` has a warning of its own"),
        labels => format!("; a rule that asks for one of {} has a warning of its own", listed(labels)),
    };
    let (rules, named) = (count(rules.len(), "rule"), named(rules));
    format!(
        "policy `{}` has a `match` that names no metric: {rules} may read what it {doing} ({named}){told}",
        policy.name
    )
}

/// Those that its selectors ask for.
fn labels(policy: &Definition) -> BTreeSet<String> {
    let selectors = Known::of_policy(policy);
    let labels = selectors.iter().flat_map(Known::labels);
    labels.filter(|label| *label != NAME).map(str::to_owned).collect()
}
