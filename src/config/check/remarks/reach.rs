//! Policies that take more than was meant, and policies that nothing reaches.

use super::{Checker, Policy};
use crate::config::raw::RawRule;
use crate::policy::known::{Known, NAME};
use crate::policy::pattern::{self, Coverage};
use crate::policy::relabel::RuleText;
use crate::policy::{Action, Mode};

impl Checker<'_> {
    pub(super) fn drops_everything(&mut self, policy: &Policy<'_>) {
        let all = policy.known.iter().any(|known| Known::any_series().implies(known));
        let all = all && policy.meant.workload.is_none();
        if all && policy.meant.mode == Mode::Enforce && matches!(policy.meant.action, Action::Drop) {
            let (name, raw) = (policy.name(), &policy.raw.value);
            let (place, why) = match &raw.matches {
                Some(matches) => (Some(matches.position), "its `match` takes every series"),
                None => (raw.action.as_ref().map(|action| action.position), "it has no `match`"),
            };
            let message = format!("policy `{name}` drops every series that reaches it: {why}");
            self.warn(place.unwrap_or(policy.raw.position), message);
        }
    }

    /// A rule `drop` whose regex every series passes. One that has none, and asks for no label, means what its policy selects.
    pub(super) fn rules_that_drop_everything(&mut self, policy: &Policy<'_>) {
        if policy.meant.mode == Mode::Preview {
            return;
        }
        let (Action::Relabel(rules) | Action::RelabelAggregate(rules, _)) = &policy.meant.action else {
            return;
        };
        let selects = policy.meant.workload.is_some()
            || !policy.known.iter().any(|known| Known::any_series().implies(known));
        let written = policy.raw.value.relabel_configs.iter().flat_map(|at| &at.value);
        for (raw, rule) in written.zip(rules.iter()) {
            let is_bare = rule.regex.is_none() && rule.source_labels.as_ref().is_none_or(Vec::is_empty);
            if drops_all(rule) && !(selects && is_bare) {
                let why = match &rule.regex {
                    None => "it has no `regex`, so every value matches",
                    Some(_) => "its `regex` matches every value",
                };
                let message = format!(
                    "`drop` drops every series of policy `{}` that comes to it: {why}",
                    policy.name()
                );
                let given = |raw: &RawRule| raw.regex.text().or(raw.action.text()).map(|text| text.position);
                self.warn(given(&raw.value).unwrap_or(raw.position), message);
            }
        }
    }

    /// A policy behind one that ends the walk of all its series. Rules in between change labels: behind them only a
    /// policy that takes every series is sure to take these.
    pub(super) fn never_reached(&mut self, policies: &[Policy<'_>]) {
        for (at, later) in policies.iter().enumerate() {
            let ends = |(n, earlier): &(usize, &Policy<'_>)| {
                let changed = policies[*n..at].iter().any(|between| relabels(between));
                let takes = |asked: &Known| {
                    let asked = asked.and(&Known::any_series());
                    earlier.known.iter().any(|known| asked.implies(known))
                };
                let takes_all = || earlier.known.iter().any(|known| Known::any_series().implies(known));
                // what is asked of workloads goes by labels, too
                let asks_more = match &earlier.meant.workload {
                    None => false,
                    asked => changed || *asked != later.meant.workload,
                };
                let takes_each = || later.known.iter().all(takes);
                ends_walk(earlier) && !asks_more && if changed { takes_all() } else { takes_each() }
            };
            if let Some((_, earlier)) = policies[..at].iter().enumerate().find(ends) {
                let message = format!(
                    "policy `{}` is never reached: the walk of every series that it asks for ends at policy `{}` in \
                     front of it",
                    later.name(),
                    earlier.name()
                );
                self.warn(later.raw.position, message);
            }
        }
    }
}

/// Whether the walk of all that a policy takes ends there. (Behind a limit it goes on for what is admitted.)
fn ends_walk(policy: &Policy<'_>) -> bool {
    let ends = matches!(policy.meant.action, Action::Pass | Action::Drop | Action::Aggregate(_));
    ends && policy.meant.mode == Mode::Enforce
}

fn drops_all(rule: &RuleText) -> bool {
    let is_drop = rule.action.as_deref().is_some_and(|action| action.eq_ignore_ascii_case("drop"));
    let is_name = rule.source_labels.iter().flatten().any(|label| label == NAME);
    is_drop
        && rule.regex.as_deref().map(pattern::coverage).is_none_or(|Coverage { empty, others }| {
            // each series has a name
            others && (empty || is_name)
        })
}

fn relabels(policy: &Policy<'_>) -> bool {
    let rules = matches!(policy.meant.action, Action::Relabel(_) | Action::RelabelAggregate(..));
    rules && policy.meant.mode == Mode::Enforce
}
