use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn policy(name: &str, selectors: &[&str], action: Action, mode: Mode) -> Definition {
    let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
    Definition { name: name.into(), selectors, action, mode }
}

fn enforced(selectors: &[&str], action: Action) -> Definition {
    policy("p", selectors, action, Mode::Enforce)
}

/// Who ended it and who previewed.
fn told(set: &PolicySet, series: &str) -> (Disposition, Option<u16>, Vec<u16>) {
    let labels = crate::policy::parse_series(series).unwrap();
    let pairs: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let verdict = set.decide(Labels::from_sorted(&pairs)).verdict;
    let row = set.row(verdict);
    (verdict.disposition(), row.ended_by.map(|p| p.0), row.previewed.iter().map(|p| p.0).collect())
}

use Disposition::{Drop, Forward};

#[test]
fn the_first_enforced_match_ends_and_previews_are_noted() {
    let set = [
        policy("a", &["up"], Action::Drop, Mode::Preview),
        enforced(&["up{job=\"keep\"}", "{__name__=~\"keep_.*\"}"], Action::Pass),
        policy("c", &[], Action::Pass, Mode::Preview),
        enforced(&["{__name__=~\"up|down\"}"], Action::Drop),
    ];
    let set = PolicySet::compile(&set, Run::AsConfigured).unwrap();
    assert_eq!(told(&set, "up{job=\"keep\"}"), (Forward, Some(1), vec![0]));
    assert_eq!(told(&set, "up"), (Drop, Some(3), vec![0, 2]));
    assert_eq!(told(&set, "down"), (Drop, Some(3), vec![2]));
    assert_eq!(told(&set, "keep_x"), (Forward, Some(1), vec![]));
    assert_eq!(told(&set, "other"), (Forward, None, vec![2]));
    assert_eq!(set.preview_overflow(), 0);
}

#[test]
fn a_missing_label_is_the_empty_value() {
    for (selector, expected) in [
        ("{job=\"\"}", Drop),
        ("{job!=\"\"}", Forward),
        ("{job!=\"x\"}", Drop),
        ("{job=~\"x?\"}", Drop),
        ("{job=~\".+\"}", Forward),
        ("{job!~\".+\"}", Drop),
        ("{__name__=\"\"}", Forward),
    ] {
        let set = PolicySet::compile(&[enforced(&[selector], Action::Drop)], Run::AsConfigured).unwrap();
        assert_eq!(told(&set, "up{a=\"b\"}").0, expected, "{selector}");
    }
    let set = PolicySet::compile(&[enforced(&["{__name__=\"\"}"], Action::Drop)], Run::AsConfigured).unwrap();
    assert_eq!(told(&set, "{a=\"b\"}").0, Drop);
}

#[test]
fn an_empty_set_and_a_bypassed_one_forward() {
    let set = PolicySet::compile(&[], Run::AsConfigured).unwrap();
    assert_eq!(told(&set, "up"), (Forward, None, vec![]));
    let policies = [enforced(&[], Action::Drop), enforced(&["up"], Action::Pass)];
    let set = PolicySet::compile(&policies, Run::Bypassed).unwrap();
    assert_eq!(told(&set, "up"), (Forward, None, vec![0, 1]));
    assert!(set.policies().iter().all(|p| p.mode == Mode::Preview));
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let mut bad = enforced(&["up", "{a=~\"x\"}"], Action::Drop);
    bad.selectors[1].matchers[0].value = "x(".into();
    let error = PolicySet::compile(&[enforced(&[], Action::Pass), bad], Run::AsConfigured).unwrap_err();
    assert_eq!((error.policy, error.selector), (1, 1));
    assert_eq!(error.message, "the regex of `a`: unclosed group");
    let many = vec![enforced(&[], Action::Pass); MAX_POLICIES + 1];
    assert_eq!(PolicySet::compile(&many, Run::AsConfigured).unwrap_err().policy, MAX_POLICIES);
    assert!(PolicySet::compile(&many[1..], Run::AsConfigured).is_ok());
}

const NAMES: [&str; 7] = ["", "up", "upper", "node_cpu", "node_cpu_seconds", "node", "é"];
const VALUES: [&str; 5] = ["", "a", "ab", "b", "up"];
const PATTERNS: [&str; 14] = [
    "up|node",
    "up.*",
    "node_.*",
    "node_cpu.+",
    "node_c.*s",
    ".*",
    ".+",
    "a|",
    "[ab]",
    "(?i)UP",
    "a.?",
    "",
    "é.*",
    "^up$",
];

fn matcher() -> impl Strategy<Value = super::super::Matcher> {
    let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
    const LABELS: [&str; 4] = ["__name__", "__name__", "job", "zone"];
    (
        select(&LABELS[..]),
        select(ops.to_vec()),
        select(&NAMES[..]),
        select(&VALUES[..]),
        select(&PATTERNS[..]),
    )
        .prop_map(|(name, op, metric, value, pattern)| {
            let literal = if name == "__name__" { metric } else { value };
            let regex = matches!(op, MatchOp::Regex | MatchOp::NotRegex);
            let value = if regex { pattern } else { literal };
            super::super::Matcher { name: name.into(), op, value: value.into() }
        })
}

fn definition() -> impl Strategy<Value = Definition> {
    let selector = prop::collection::vec(matcher(), 0..4).prop_map(|matchers| Selector { matchers });
    (prop::collection::vec(selector, 0..3), any::<bool>(), prop::bool::weighted(0.6)).prop_map(
        |(selectors, pass, preview)| Definition {
            name: "p".into(),
            selectors,
            action: if pass { Action::Pass } else { Action::Drop },
            mode: if preview { Mode::Preview } else { Mode::Enforce },
        },
    )
}

proptest! {
    #[test]
    fn the_fast_way_and_the_plain_way_agree(
        definitions in prop::collection::vec(definition(), 0..12),
        series in prop::collection::vec((select(&NAMES[..]), select(&VALUES[..]), select(&VALUES[..])), 1..12),
    ) {
        let set = PolicySet::compile(&definitions, Run::AsConfigured).unwrap();
        for (name, job, zone) in series {
            let mut pairs = vec![("__name__", name), ("job", job), ("zone", zone)];
            pairs.retain(|(_, value)| !value.is_empty());
            let labels = Labels::from_sorted(&pairs);
            let walk = set.walk(labels);
            let verdict = set.decide(labels).verdict;
            let row = set.row(verdict);
            prop_assert_eq!(walk.disposition, verdict.disposition());
            prop_assert_eq!(walk.ended_by, row.ended_by);
            let previewed: Vec<_> =
                walk.steps.iter().filter(|s| s.matched && s.mode == Mode::Preview).map(|s| s.policy).collect();
            prop_assert_eq!(&previewed[..], &row.previewed[..]);
        }
    }
}
