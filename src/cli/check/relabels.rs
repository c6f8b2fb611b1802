//! What a chain of relabel rules does to series of which only some labels are known.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::known::{Known, NAME, Overlap, Test};
use crate::policy::pattern::Pattern;
use crate::policy::relabel::{Applied, LabelSet, Rule, RuleText, Rules};
use crate::policy::{MatchOp, Selector, VirtualLabel};
use crate::series::{Labels, Limits};

/// Beyond so many combinations of known values they count as unknown.
const MAX_COMBINATIONS: usize = 64;
/// Bounds are not what is asked here.
const LIMITS: Limits = Limits { max_labels: 1000, max_name_bytes: 1 << 16, max_value_bytes: 1 << 20 };

/// What a chain does with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Removed,
    /// The values it then has, where they are known.
    Set(Option<BTreeSet<String>>),
}

/// What a chain does.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// By label, the metric name included: what is done, and whether to all of the series.
    pub(super) changes: BTreeMap<String, (Change, bool)>,
    /// A rule drops series: whether all.
    pub(super) drops: Option<bool>,
}

/// Labels with values, one combination of those that are possible.
type Combination = BTreeMap<String, String>;

/// Runs `rules` over what is `known`, which then says what is known of the result. `labels` are those that
/// somebody asks for.
pub(super) fn run(rules: &[RuleText], known: &mut Known, labels: &BTreeSet<&str>) -> Effects {
    let mut effects = Effects::default();
    for rule in rules {
        let action = rule.action.as_deref().unwrap_or("replace").to_ascii_lowercase();
        match action.as_str() {
            "keep" | "drop" => filter(rule, action == "keep", known, &mut effects),
            "keepequal" | "dropequal" => equal(rule, known, &mut effects),
            "labeldrop" | "labelkeep" => names(rule, action == "labeldrop", known, labels, &mut effects),
            // It only adds labels.
            "labelmap" => {}
            _ => set(rule, known, labels, &mut effects),
        }
        if effects.drops == Some(true) {
            break;
        }
    }
    effects
}

/// Whether it changes labels that nobody has to ask for.
pub(super) fn goes_by_names(rule: &RuleText) -> bool {
    rule.action.as_deref().is_some_and(|action| action.to_ascii_lowercase().starts_with("label"))
}

fn filter(rule: &RuleText, keep: bool, known: &mut Known, effects: &mut Effects) {
    match (matches(rule, known), keep) {
        (Overlap::Certain, true) | (Overlap::Disjoint, false) => {}
        (Overlap::Certain, false) | (Overlap::Disjoint, true) => effects.drops = Some(true),
        (Overlap::May, _) => {
            effects.drops = Some(false);
            let op = if keep { MatchOp::Regex } else { MatchOp::NotRegex };
            if let ([source], Some(regex)) = (rule.sources(), &rule.regex) {
                known.matcher(source, op, regex);
            }
        }
    }
}

fn equal(rule: &RuleText, known: &Known, effects: &mut Effects) {
    let outcomes = combinations(rule, known)
        .map(|all| all.iter().map(|labels| applied(rule, labels).is_none()).collect::<BTreeSet<bool>>());
    match outcomes {
        Some(dropped) if dropped.len() == 1 => {
            if dropped.contains(&true) {
                effects.drops = Some(true);
            }
        }
        _ => effects.drops = Some(false),
    }
}

/// `labeldrop` and `labelkeep`, which go by the names of labels.
fn names(rule: &RuleText, drop: bool, known: &mut Known, labels: &BTreeSet<&str>, effects: &mut Effects) {
    let pattern = rule.regex.as_deref().map(Pattern::compile);
    let hit = |label: &str| match &pattern {
        None => drop,
        Some(Ok(pattern)) => pattern.is_match(label) == drop,
        Some(Err(_)) => false,
    };
    let present = known.labels().chain(labels.iter().copied()).chain([NAME]);
    let is_real = |label: &&str| VirtualLabel::named(label).is_none();
    let gone: BTreeSet<String> =
        present.filter(is_real).filter(|label| hit(label)).map(str::to_owned).collect();
    for label in gone {
        if !is_absent(known, &label) {
            effects.changes.insert(label.clone(), (Change::Removed, true));
        }
        known.set(&label, Some(Test::is("")));
    }
}

/// The actions that set `target_label`.
fn set(rule: &RuleText, known: &mut Known, labels: &BTreeSet<&str>, effects: &mut Effects) {
    let outcome = matches(rule, known);
    if outcome == Overlap::Disjoint || is_identity(rule) {
        return;
    }
    let Some((fixed, _)) = rule.target_label.split_once('$') else {
        return target(rule, &rule.target_label, outcome == Overlap::Certain, known, effects);
    };
    // The name comes from the value: any label that starts so, but hardly the metric name.
    let hit = |label: &&&str| **label != NAME && label.starts_with(fixed);
    for label in labels.iter().filter(hit) {
        known.set(label, None);
        effects.changes.insert((*label).to_owned(), (Change::Set(None), false));
    }
}

fn target(rule: &RuleText, target: &str, certain: bool, known: &mut Known, effects: &mut Effects) {
    let before = known.values(target);
    // An action other than `replace` goes by its sources alone, and its replacement is the default.
    let constant = rule.replacement.as_deref().filter(|text| !text.contains('$') && is_replace(rule));
    let after: Option<BTreeSet<String>> = match constant {
        Some(text) => Some(BTreeSet::from([text.to_owned()])),
        None => combinations(rule, known).map(|all| {
            let hit = all.iter().filter(|labels| !is_replace(rule) || value_matches(rule, labels));
            let results = hit.filter_map(|labels| applied(rule, labels));
            results.map(|labels| labels.get(target).cloned().unwrap_or_default()).collect()
        }),
    };
    let unchanged = before.as_ref().is_some_and(|before| before.len() == 1 && Some(before) == after.as_ref());
    if unchanged {
        return;
    }
    let removed = after.as_ref().is_some_and(|after| after.iter().all(String::is_empty));
    let change = if removed { Change::Removed } else { Change::Set(after.clone()) };
    known.set(target, after.filter(|_| certain).map(Test::OneOf));
    if !(removed && before.is_some_and(|before| before.iter().all(String::is_empty))) {
        effects.changes.insert(target.to_owned(), (change, certain));
    }
}

fn is_replace(rule: &RuleText) -> bool {
    rule.action.as_deref().is_none_or(|action| action.eq_ignore_ascii_case("replace"))
}

/// Whether a rule writes a label over itself.
fn is_identity(rule: &RuleText) -> bool {
    let is_default = |text: &Option<String>, defaults: &[&str]| {
        text.as_deref().is_none_or(|text| defaults.contains(&text))
    };
    is_replace(rule)
        && rule.sources() == std::slice::from_ref(&rule.target_label)
        && is_default(&rule.regex, &["(.*)", "(.+)"])
        && is_default(&rule.replacement, &["$1", "${1}"])
}

fn is_absent(known: &Known, label: &str) -> bool {
    known.values(label).is_some_and(|values| values.iter().all(String::is_empty))
}

/// Whether the joined source values match the regex; actions without one always go ahead.
fn matches(rule: &RuleText, known: &Known) -> Overlap {
    let Some(regex) = &rule.regex else { return Overlap::Certain };
    let filters = ["keep", "drop"];
    if !is_replace(rule)
        && !rule.action.as_deref().is_some_and(|a| filters.contains(&&*a.to_ascii_lowercase()))
    {
        return Overlap::Certain;
    }
    if let [source] = rule.sources() {
        let matcher =
            crate::policy::Matcher { name: source.clone(), op: MatchOp::Regex, value: regex.clone() };
        return known.meets(&Known::of(&Selector { matchers: vec![matcher] }));
    }
    let Some(all) = combinations(rule, known) else { return Overlap::May };
    let hits = all.iter().filter(|labels| value_matches(rule, labels)).count();
    match hits {
        0 => Overlap::Disjoint,
        _ if hits == all.len() => Overlap::Certain,
        _ => Overlap::May,
    }
}

fn value_matches(rule: &RuleText, labels: &Combination) -> bool {
    let value = |label: &String| labels.get(label).map_or("", String::as_str);
    let values: Vec<&str> = rule.sources().iter().map(value).collect();
    let joined = values.join(rule.separator.as_deref().unwrap_or(";"));
    let Some(regex) = &rule.regex else { return true };
    Pattern::compile(regex).is_ok_and(|pattern| pattern.is_match(&joined))
}

/// Every combination of values that the labels of a rule can have; `None` where one is not known.
fn combinations(rule: &RuleText, known: &Known) -> Option<Vec<Combination>> {
    let compares =
        rule.action.as_deref().is_some_and(|action| action.to_ascii_lowercase().ends_with("equal"));
    let target = compares.then_some(&rule.target_label);
    let mut all = vec![Combination::new()];
    for label in rule.sources().iter().chain(target) {
        // the rule is run without a workload
        let values = known.values(label).filter(|_| VirtualLabel::named(label).is_none())?;
        if all.len() * values.len() > MAX_COMBINATIONS {
            return None;
        }
        let with = |labels: &Combination, value: &String| {
            let mut labels = labels.clone();
            labels.insert(label.clone(), value.clone());
            labels
        };
        all = all.iter().flat_map(|labels| values.iter().map(|value| with(labels, value))).collect();
    }
    Some(all)
}

/// The labels after the rule itself ran; `None` if it drops them.
fn applied(rule: &RuleText, labels: &Combination) -> Option<Combination> {
    let rules = Rules::new([Rule::new(rule).ok()?]);
    let pairs: Vec<(&str, &str)> =
        labels.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut set = LabelSet::new(Labels::from_sorted(&pairs));
    match rules.apply(&mut set, &LIMITS) {
        Applied::Kept => {
            Some(set.sorted().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
        Applied::Dropped | Applied::Overgrown(_) => None,
    }
}

#[cfg(test)]
mod tests;
