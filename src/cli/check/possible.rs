//! Policies that name no metric: each may mean whatever a rule reads, so that what speaks for nothing else is told
//! in one line.

use std::collections::{BTreeMap, BTreeSet};

use super::count;
use crate::config::listed;
use crate::policy::known::{Known, NAME};
use crate::policy::{Definition, Mode};

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
        let known = self.0.iter().filter_map(|(policy, rules)| Some((policies.get(*policy)?, rules)));
        known.map(|(policy, rules)| warning(policy, rules)).collect()
    }
}

fn warning(policy: &Definition, rules: &[String]) -> String {
    let verb = policy.action.kind().as_str();
    let doing = match policy.mode {
        Mode::Enforce => format!("{verb}s"),
        Mode::Preview => format!("would {verb}"),
    };
    let named = rules[..rules.len().min(MAX_NAMED)].join(", ");
    let more = match rules.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let labels = labels(policy);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let told = match labels.as_slice() {
        [] => String::new(),
        [label] => format!("; a rule that asks for `{label}` has a warning of its own"),
        labels => format!("; a rule that asks for one of {} has a warning of its own", listed(labels)),
    };
    let rules = count(rules.len(), "rule");
    format!(
        "policy `{}` has a `match` that names no metric: {rules} may read what it {doing} ({named}{more}){told}",
        policy.name
    )
}

/// Those that its selectors ask for.
fn labels(policy: &Definition) -> BTreeSet<String> {
    let selectors = Known::of_policy(policy);
    let labels = selectors.iter().flat_map(Known::labels);
    labels.filter(|label| *label != NAME).map(str::to_owned).collect()
}
