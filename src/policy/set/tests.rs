use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::policy::relabel::{Rule, RuleField, RuleText};
use crate::policy::{Action, Condition, Definition, Effect, MatchOp, Selector, ValidUntil, WorkloadSource};
use crate::series::grammar::Kind;
use crate::series::{Labels, Limits, RunFacts, RunProgress, WorkloadFacts};

mod virtual_labels;

const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 256, max_value_bytes: 256 };

fn policy(name: &str, selectors: &[&str], action: Action, mode: Mode) -> Definition {
    let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
    Definition { name: name.into(), selectors, workload: None, action, mode }
}

fn enforced(selectors: &[&str], action: Action) -> Definition {
    policy("p", selectors, action, Mode::Enforce)
}

/// Who ended it and who previewed.
fn told(set: &PolicySet, series: &str) -> (Disposition, Option<u16>, Vec<u16>) {
    let labels = crate::policy::parse_series(series).unwrap();
    let pairs: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let verdict = set.decide(Labels::from_sorted(&pairs), &WorkloadSource::nothing(), &LIMITS).verdict;
    let row = set.row(verdict);
    let previews = row.matched.iter().filter(|(policy, _)| Some(*policy) != row.ended_by);
    (verdict.disposition(), row.ended_by.map(|p| p.0), previews.map(|(policy, _)| policy.0).collect())
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
    assert_eq!((error.policy, error.place), (1, Place::Selector(1)));
    assert!(error.message.starts_with("the regex of `a`: "), "{}", error.message);
    assert_eq!(error.regex.unwrap().0, "x(");
    let many = vec![enforced(&[], Action::Pass); MAX_POLICIES + 1];
    assert_eq!(PolicySet::compile(&many, Run::AsConfigured).unwrap_err().policy, MAX_POLICIES);
    assert!(PolicySet::compile(&many[1..], Run::AsConfigured).is_ok());
}

#[test]
fn what_is_aggregated_is_sent_by_nobody_else_though_the_table_of_verdicts_is_full() {
    use crate::policy::{Aggregation, Keys};
    let without = Aggregation { keys: Keys::Without(vec!["pod".into()]), ..Aggregation::default() };
    let drop_pod =
        RuleText { action: Some("labeldrop".into()), regex: Some("pod".into()), ..RuleText::default() };
    let previews =
        (0..14).map(|bit| policy("p", &[&format!("{{b{bit:02}=\"1\"}}")], Action::Drop, Mode::Preview));
    let all: Vec<_> = [
        enforced(&["a_total"], Action::RelabelAggregate([drop_pod].into(), without.clone().into())),
        enforced(&["b_total"], Action::Aggregate(without.into())),
    ]
    .into_iter()
    .chain(previews.clone())
    .collect();
    // previews before the policy that decides, and after it
    for definitions in [previews.chain(all[..2].to_vec()).collect(), all.clone()] {
        let set = PolicySet::compile(&definitions, Run::AsConfigured).unwrap();
        for bits in 0..10_000u32 {
            for metric in ["a_total", "b_total"] {
                let names: Vec<String> = (0..14).map(|bit| format!("b{bit:02}")).collect();
                let mut pairs = vec![("__name__", metric)];
                pairs.extend((0..14).filter(|bit| bits >> bit & 1 == 1).map(|bit| (&*names[bit], "1")));
                pairs.push(("pod", "x"));
                let decision = set.decide(Labels::from_sorted(&pairs), &WorkloadSource::nothing(), &LIMITS);
                let row = set.row(decision.verdict);
                assert!(decision.aggregated_by.is_some(), "{metric} {bits}");
                assert_eq!(row.disposition, Disposition::Aggregate, "{metric} {bits}");
                assert_eq!(row.ended_by, decision.aggregated_by, "{metric} {bits}");
            }
        }
        assert!(set.preview_overflow() > 0);
    }
}

#[test]
fn all_patterns_together_are_bounded() {
    let large = |number: usize| {
        let regex = format!("(?:{number}[a-zà-ÿ]){{500}}");
        Rule::new(&RuleText { regex: Some(regex), target_label: "t".into(), ..RuleText::default() })
            .unwrap()
            .bytes()
    };
    let one = large(0);
    assert!(one > 100 << 10, "{one} bytes");
    let rules = |from: usize, count: usize| {
        let texts = (from..from + count).map(|number| RuleText {
            regex: Some(format!("(?:{number}[a-zà-ÿ]){{500}}")),
            target_label: "t".into(),
            ..RuleText::default()
        });
        policy("p", &[], Action::Relabel(texts.collect()), Mode::Enforce)
    };
    let fit = (128 << 20) / one;
    let error = PolicySet::compile(&[rules(0, 10), rules(10, fit)], Run::AsConfigured).unwrap_err();
    assert_eq!(error.policy, 1);
    assert!(matches!(error.place, Place::Rule(rule, RuleField::Regex) if rule > fit / 2), "{error:?}");
    assert!(error.message.contains("128 MiB together"), "{error}");
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
    const LABELS: [&str; 12] = [
        "__name__",
        "__name__",
        "__name__",
        "__name__",
        "job",
        "job",
        "job",
        "zone",
        "zone",
        "zone",
        "__workload__",
        "__workload_kind__",
    ];
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

fn rule() -> impl Strategy<Value = RuleText> {
    let text = |text: &str| Some(text.to_owned());
    let labels = select(vec!["__name__", "job", "zone", "tmp"]);
    let sources =
        select(vec!["__name__", "job", "zone", "tmp", "job", "zone", "__workload__", "__workload_kind__"]);
    let patterns = select(vec![".*", "(.*)", "a|b", "up", "(a)?(.*)", "j.*|z.*", "__name__"]);
    let replacements = select(vec!["$1", "up", "", "$1$2", "node_$1"]);
    let actions =
        select(vec!["replace", "replace", "replace", "drop", "keep", "labeldrop", "labelmap", "uppercase"]);
    (sources, labels, patterns, replacements, actions).prop_map(
        move |(source, target, regex, replacement, action)| {
            let of_names = matches!(action, "labeldrop" | "labelmap");
            let mut rule = RuleText { regex: text(regex), action: text(action), ..RuleText::default() };
            if !of_names {
                rule.source_labels = Some(vec![source.to_owned()]);
                rule.target_label = target.to_owned();
            }
            if action == "replace" {
                rule.replacement = text(replacement);
            } else if action == "labelmap" {
                rule.replacement = text("x_$1");
            }
            rule
        },
    )
}

/// Somewhere in the middle of the times of the facts below.
const NOW: u32 = 10_000;

fn condition() -> impl Strategy<Value = Condition> {
    let kind = prop::option::of(select(vec![Kind::Cronjob, Kind::Job, Kind::Deployment]));
    let name = prop::option::of(select(vec!["sync", "s.+", "a"]).prop_map(str::to_owned));
    let seconds = || prop::option::of(select(vec![0u32, 30, 1800, 9000]));
    let unchanged = prop::option::weighted(0.2, select(vec![1u32, 1800, 9000]));
    (kind, name, seconds(), prop::option::of(0u32..3), seconds(), unchanged).prop_map(
        |(kind, name, run_finished_for, keep_runs, run_older_than, unchanged_for)| Condition {
            kind,
            name,
            run_finished_for,
            keep_runs,
            run_older_than,
            unchanged_for,
        },
    )
}

fn facts() -> impl Strategy<Value = Option<WorkloadFacts>> {
    let at = || 0..2 * NOW;
    let progress =
        prop_oneof![Just(RunProgress::GoesOn), at().prop_map(RunProgress::Ended), Just(RunProgress::Unsaid)];
    let run = (prop::option::of(at()), prop::option::of(at()), progress, 0u32..4, any::<bool>()).prop_map(
        |(scheduled, came, progress, newer, fresh)| RunFacts { scheduled, came, progress, newer, fresh },
    );
    let kind = select(vec![Kind::Cronjob, Kind::Cronjob, Kind::Job, Kind::Deployment]);
    let facts = (kind, select(vec!["sync", "a"]), prop::option::weighted(0.9, run), any::<bool>());
    let facts =
        facts.prop_map(|(kind, name, run, said)| WorkloadFacts { kind, name: name.to_owned(), said, run });
    prop::option::weighted(0.9, facts)
}

fn definition() -> impl Strategy<Value = Definition> {
    let selector = prop::collection::vec(matcher(), 0..4).prop_map(|matchers| Selector { matchers });
    let action = prop_oneof![
        Just(Action::Pass),
        Just(Action::Drop),
        prop::collection::vec(rule(), 1..4).prop_map(|rules| Action::Relabel(rules.into())),
    ];
    let selectors = prop::collection::vec(selector, 0..3);
    let workload = prop::option::weighted(0.3, condition());
    (selectors, workload, action, prop::bool::weighted(0.5)).prop_map(
        |(selectors, workload, action, preview)| Definition {
            name: "p".into(),
            selectors,
            workload,
            action,
            mode: if preview { Mode::Preview } else { Mode::Enforce },
        },
    )
}

proptest! {
    #[test]
    fn the_fast_way_and_the_plain_way_agree(
        definitions in prop::collection::vec(definition(), 0..12),
        series in prop::collection::vec((select(&NAMES[..]), select(&VALUES[..]), select(&VALUES[..])), 1..12),
        facts in facts(),
        changed in prop::option::of(0..2 * NOW),
        later in 0..NOW,
    ) {
        let set = PolicySet::compile(&definitions, Run::AsConfigured).unwrap();
        for (name, job, zone) in series {
            let mut pairs = vec![("__name__", name), ("job", job), ("zone", zone)];
            pairs.retain(|(_, value)| !value.is_empty());
            let labels = Labels::from_sorted(&pairs);
            let asked = std::cell::Cell::new(0);
            let find = || {
                asked.set(asked.get() + 1);
                facts.clone()
            };
            let change = || changed;
            let source = |now| WorkloadSource::new(now, &find).with_changes(&change);
            let walk = set.walk(labels, &source(NOW), &LIMITS);
            asked.set(0);
            let decision = set.decide(labels, &source(NOW), &LIMITS);
            let holds = walk.steps.iter().any(|step| step.workload_holds.is_some());
            let mut policies = walk.steps.iter().map(|step| &definitions[usize::from(step.policy.0)]);
            let may_ask = holds || policies.any(Definition::asks_for_workloads);
            prop_assert!(asked.get() <= usize::from(may_ask), "asked once, and only if a policy wants to know");
            prop_assert!(asked.get() == 1 || !holds);
            if asked.get() == 0 {
                prop_assert_eq!(decision.valid_until, ValidUntil::FOREVER);
            }
            prop_assert!(decision.valid_until.0 > NOW);
            // for as long as it says, it stays so
            let then = (NOW + later).min(decision.valid_until.0 - 1);
            let again = set.decide(labels, &source(then), &LIMITS);
            prop_assert_eq!(again.verdict, decision.verdict);
            let row = set.row(decision.verdict);
            prop_assert_eq!(walk.disposition, decision.verdict.disposition());
            prop_assert_eq!(walk.reason, row.reason);
            prop_assert_eq!(walk.changed_by, row.changed_by);
            if walk.disposition == Disposition::Rewrite {
                prop_assert_eq!(walk.steps.last().map(|step| &step.labels), decision.output.as_ref());
            }
            prop_assert_eq!(walk.ended_by, row.ended_by);
            let matched: Vec<(PolicyIndex, Effect)> =
                walk.steps.iter().filter(|s| s.matched).map(|s| (s.policy, s.effect)).collect();
            prop_assert_eq!(&matched[..], &row.matched[..]);
        }
    }
}
