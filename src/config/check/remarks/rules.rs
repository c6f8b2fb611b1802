//! Rules that take labels without which series must not be added up.

use super::{Checker, Policy};
use crate::config::at::At;
use crate::config::position::Position;
use crate::config::raw::RawRule;
use crate::policy::known::{NAME, Overlap};
use crate::policy::pattern::Pattern;
use crate::policy::relabel::RuleText;
use crate::policy::{Action, Aggregation, Mode};

/// The label of a bucket's bound.
const BOUND: &str = "le";

impl Checker<'_> {
    pub(super) fn labels_that_rules_take(&mut self, policies: &[Policy<'_>]) {
        for (at, policy) in policies.iter().enumerate().filter(|(_, p)| p.meant.mode == Mode::Enforce) {
            let rules = match &policy.meant.action {
                Action::Relabel(rules) | Action::RelabelAggregate(rules, _) => rules,
                Action::Pass | Action::Drop | Action::Aggregate(_) | Action::Limit(_) => continue,
            };
            // the policy itself, where it collects what it changes, or one behind it
            let adds_up = |later: &&Policy<'_>| {
                later.meant.enforced_aggregation().is_some()
                    && (later.name() == policy.name() || meet(policy, later))
            };
            let Some(later) = policies[at..].iter().find(adds_up) else { continue };
            let Some(aggregation) = later.meant.aggregation() else { continue };
            let written = policy.raw.value.relabel_configs.iter().flat_map(|at| &at.value);
            for (raw, rule) in written.zip(rules.iter()) {
                let mut taken = taken(rule, policy, aggregation);
                if moves_replica(rules, aggregation) {
                    taken.retain(|label| !aggregation.is_replica(label));
                }
                if !taken.is_empty() {
                    self.warn(place(raw), sentence(&taken, policy.name(), later.name()));
                }
            }
        }
    }
}

impl Checker<'_> {
    /// A series without a name is rejected. A later rule may give it another.
    pub(super) fn rules_that_take_the_name(&mut self, policy: &Policy<'_>) {
        if policy.meant.mode == Mode::Preview {
            return;
        }
        let (Action::Relabel(rules) | Action::RelabelAggregate(rules, _)) = &policy.meant.action else {
            return;
        };
        let written = policy.raw.value.relabel_configs.iter().flat_map(|at| &at.value);
        for (at, (raw, rule)) in written.zip(rules.iter()).enumerate() {
            let named_again = rules[at + 1..].iter().any(|later| later.target_label == NAME);
            if takes_name(rule) && !named_again {
                let action = rule.action.as_deref().unwrap_or("replace");
                let message = format!(
                    "`{action}` removes the metric's name (`{NAME}`): the series of policy `{}` are then refused",
                    policy.name()
                );
                self.warn(place(raw), message);
            }
        }
    }
}

fn takes_name(rule: &RuleText) -> bool {
    let action = rule.action.as_deref().unwrap_or("replace").to_ascii_lowercase();
    // without a regex every name matches
    let matches = match rule.regex.as_deref().map(Pattern::compile) {
        None => true,
        Some(Ok(regex)) => regex.is_match(NAME),
        Some(Err(_)) => return false,
    };
    match action.as_str() {
        "labeldrop" => matches,
        "labelkeep" => !matches,
        "replace" => rule.target_label == NAME && rule.replacement.as_deref() == Some(""),
        _ => false,
    }
}

/// Whether some series may be asked about in both.
fn meet(a: &Policy<'_>, b: &Policy<'_>) -> bool {
    a.known.iter().any(|a| b.known.iter().any(|b| a.meets(b) != Overlap::Disjoint))
}

/// Whether rules give the replica another label for replicas.
fn moves_replica(rules: &[RuleText], aggregation: &Aggregation) -> bool {
    let sets = |rule: &RuleText| {
        aggregation.is_replica(&rule.target_label)
            || rule.replacement.as_ref().is_some_and(|to| aggregation.is_replica(to))
    };
    rules.iter().any(sets)
}

/// The labels that a rule removes although they tell series apart that must not be added up.
fn taken(rule: &RuleText, policy: &Policy<'_>, aggregation: &Aggregation) -> Vec<String> {
    let action = rule.action.as_deref().unwrap_or_default().to_ascii_lowercase();
    let Some(Ok(regex)) = rule.regex.as_deref().map(Pattern::compile) else { return Vec::new() };
    match action.as_str() {
        "labeldrop" => {
            aggregation.telling().filter(|label| regex.is_match(label)).map(str::to_owned).collect()
        }
        // whether there is a replica label or a quantile nobody knows; buckets there nearly always are
        "labelkeep" if !regex.is_match(BOUND) && policy.known.iter().any(super::untyped::may_be_buckets) => {
            vec![BOUND.to_owned()]
        }
        _ => Vec::new(),
    }
}

fn place(rule: &At<RawRule>) -> Position {
    rule.value.regex.text().map_or(rule.position, |regex| regex.position)
}

fn sentence(taken: &[String], by: &str, adds_up: &str) -> String {
    let labels: Vec<String> = taken.iter().map(|label| format!("`{label}`")).collect();
    let that = if by == adds_up { "it".to_owned() } else { format!("`{adds_up}`") };
    format!(
        "policy `{by}` takes {}, which tells series apart that must not be added up: {that} does not aggregate those \
         that have it; of those that are then alike one goes on and the others are held back",
        labels.join(", ")
    )
}
