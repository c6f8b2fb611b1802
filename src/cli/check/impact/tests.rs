use std::sync::Arc;

use super::*;
use crate::cli::check::reads::reads;
use crate::policy::relabel::RuleText;
use crate::policy::{Definition, Selector};

fn policy(selectors: &[&str], action: Action, mode: Mode) -> Definition {
    let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
    Definition { name: Arc::from("p"), selectors, workload: None, action, mode }
}

fn pass(selector: &str) -> Definition {
    policy(&[selector], Action::Pass, Mode::Enforce)
}

fn drop(selector: &str) -> Definition {
    policy(&[selector], Action::Drop, Mode::Enforce)
}

/// Sets a label to a constant.
fn set(selector: &str, label: &str, value: &str) -> Definition {
    let rule = RuleText {
        target_label: label.to_owned(),
        replacement: Some(value.to_owned()),
        ..RuleText::default()
    };
    policy(&[selector], Action::Relabel([rule].into()), Mode::Enforce)
}

fn preview(mut definition: Definition) -> Definition {
    definition.mode = Mode::Preview;
    definition
}

/// Number of the policy, and `?` where it drops only some.
fn drops(policies: &[Definition], expression: &str) -> String {
    let candidates: Vec<Candidate<'_>> = policies.iter().map(Candidate::new).collect();
    let reads = reads(expression).unwrap();
    let all = reads.iter().flat_map(|read| impacts(&candidates, read));
    let dropped = all.filter(|impact| impact.cause == Cause::Drops);
    let texts: Vec<String> =
        dropped.map(|impact| format!("{}{}", impact.policy, if impact.all { "" } else { "?" })).collect();
    texts.join(" ")
}

#[test]
fn the_walk_decides_which_policy_sees_what() {
    for (policies, expression, expected) in [
        (vec![drop("m")], "m", "0"),
        (vec![policy(&[], Action::Drop, Mode::Enforce)], "m", "0"),
        (vec![policy(&["a", "m"], Action::Drop, Mode::Enforce)], "m", "0"),
        (vec![drop(r#"m{a="x"}"#)], "m", "0?"),
        (vec![drop("m"), drop("m")], "m", "0"),
        (vec![preview(drop("m")), drop("m")], "m", "0 1"),
        // an exception covers all, some, nothing, or just what the next policy would take
        (vec![pass("m"), drop("m")], "m", ""),
        (vec![preview(pass("m")), drop("m")], "m", "1"),
        (vec![pass(r#"m{a="x"}"#), drop("m")], "m", "1?"),
        (vec![pass(r#"m{a="x"}"#), drop("m")], r#"m{a="x"}"#, ""),
        (vec![pass(r#"m{a="x"}"#), drop("m")], r#"m{a="y"}"#, "1"),
        (vec![pass(r#"{a="x"}"#), drop(r#"m{a="x", b="y"}"#)], "m", ""),
        (vec![pass(r#"{a=~"x.*"}"#), drop(r#"m{a="x1"}"#)], "m", ""),
        (vec![pass("m"), drop(r#"{__name__=~"m|n"}"#)], r#"{__name__=~"m|n"}"#, "1"),
        // later policies see what earlier ones made
        (vec![set("m", "a", "x"), drop(r#"m{a="x"}"#)], "m", "1"),
        (vec![set("m", "a", "x"), drop(r#"m{a="y"}"#)], r#"m{a="y"}"#, ""),
        (vec![preview(set("m", "a", "x")), drop(r#"m{a="y"}"#)], r#"m{a="y"}"#, "1"),
        (vec![set(r#"m{b="1"}"#, "a", "x"), drop(r#"m{a="y"}"#)], r#"m{a="y"}"#, "1?"),
        (vec![set("m", "__name__", "n"), drop("n")], "m", "1"),
        (vec![pass(r#"m{a="x"}"#), set("m", "a", "x"), drop(r#"m{a="x"}"#)], "m", "2?"),
        (vec![pass(r#"m{a="x"}"#), set("m", "c", "x"), drop(r#"m{a="x"}"#)], "m", ""),
    ] {
        let names: Vec<_> = policies.iter().map(|policy| &policy.selectors).collect();
        assert_eq!(drops(&policies, expression), expected, "{expression}: {names:?}");
    }
}

/// Selectors and rules over two labels with few values: every series there can be is tried.
mod against_the_walk {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::policy::{Effect, PolicySet, Run, WorkloadSource};
    use crate::series::{Labels, Limits};

    const VALUES: [&str; 4] = ["", "x", "xy", "y"];
    const LIMITS: Limits = Limits { max_labels: 10, max_name_bytes: 100, max_value_bytes: 100 };

    fn matcher() -> impl Strategy<Value = String> {
        let operators = select(vec!["=", "!=", "=~", "!~"]);
        let values = select(vec!["", "x", "y", "x.*", "x.+", ".*", ".+", "x|y", "xy|", ".*y", "[xy]y?"]);
        (select(vec!["a", "b"]), operators, values)
            .prop_map(|(label, op, value)| format!("{label}{op}{value:?}"))
    }

    fn selector() -> impl Strategy<Value = String> {
        let names = select(vec!["m", "n", "m|n", "m.*", ".+"]);
        (names, prop::collection::vec(matcher(), 0..3))
            .prop_map(|(name, matchers)| format!("{{__name__=~{name:?},{}}}", matchers.join(",")))
    }

    fn rule() -> impl Strategy<Value = RuleText> {
        let actions = vec![
            "replace",
            "replace",
            "replace",
            "keep",
            "drop",
            "keepequal",
            "dropequal",
            "labeldrop",
            "labelkeep",
            "lowercase",
            "hashmod",
        ];
        let sources = vec![vec![], vec!["a"], vec!["b"], vec!["a", "b"], vec!["__name__"]];
        let regexes =
            vec![None, Some("x.*"), Some("(m|x)"), Some("x;y|x;"), Some("a|__name__"), Some("(.*)y")];
        let targets = vec!["a", "b", "__name__", "$1", "c"];
        let replacements = vec![None, Some("x"), Some(""), Some("$1"), Some("n$1")];
        (select(actions), select(sources), select(regexes), select(targets), select(replacements)).prop_map(
            |(action, sources, regex, target, replacement)| {
                let by_name = action.starts_with("label");
                let equal = action.ends_with("equal");
                let fixed = by_name || equal || action.ends_with("case");
                RuleText {
                    source_labels: (!by_name).then(|| sources.iter().map(|s| (*s).to_owned()).collect()),
                    regex: regex.filter(|_| !equal).map(str::to_owned),
                    modulus: if action == "hashmod" { 2 } else { 0 },
                    target_label: if by_name { String::new() } else { target.to_owned() },
                    replacement: replacement.filter(|_| !fixed).map(str::to_owned),
                    action: Some(action.to_owned()),
                    separator: None,
                }
            },
        )
    }

    fn definition() -> impl Strategy<Value = Definition> {
        let action = prop_oneof![
            Just(Action::Pass),
            Just(Action::Drop),
            prop::collection::vec(rule(), 1..3).prop_map(|rules| Action::Relabel(rules.into())),
        ];
        let mode = prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Preview)];
        (prop::collection::vec(selector(), 0..3), action, mode).prop_map(|(selectors, action, mode)| {
            let texts: Vec<&str> = selectors.iter().map(String::as_str).collect();
            policy(&texts, action, mode)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What the walk does to a series that is read is foreseen, and what is said of all holds for each.
        #[test]
        fn nothing_is_missed(selector in selector(), policies in prop::collection::vec(definition(), 1..4)) {
            let set = PolicySet::compile(&policies, Run::AsConfigured).unwrap();
            let reader = PolicySet::compile(&[super::drop(&selector)], Run::AsConfigured).unwrap();
            let candidates: Vec<Candidate<'_>> = policies.iter().map(Candidate::new).collect();
            let Ok(reads) = reads(&format!("sum by (a, b) ({selector})")) else { return Ok(()) };
            let found: Vec<Vec<Impact>> = reads.iter().map(|read| impacts(&candidates, read)).collect();
            for (name, a, b) in ["m", "n"].into_iter().flat_map(|name| {
                VALUES.iter().flat_map(move |a| VALUES.iter().map(move |b| (name, *a, *b)))
            }) {
                let mut pairs = vec![("__name__", name), ("a", a), ("b", b)];
                pairs.retain(|(_, value)| !value.is_empty());
                let labels = Labels::from_sorted(&pairs);
                if reader.walk(labels, &WorkloadSource::nothing(), &LIMITS).ended_by.is_none() {
                    continue;
                }
                // The reads of one regex of names share the series out among them.
                let here: Vec<&Impact> = reads.iter().zip(&found)
                    .filter(|(read, _)| read.known.tests(NAME).iter().all(|test| test.holds(name)))
                    .flat_map(|(_, found)| found).collect();
                let walk = set.walk(labels, &WorkloadSource::nothing(), &LIMITS);
                let mut before = &pairs.iter().map(|(n, v)| (Box::from(*n), Box::from(*v))).collect::<Vec<_>>();
                for (number, step) in walk.steps.iter().enumerate() {
                    let foreseen: Vec<&Cause> =
                        here.iter().filter(|i| i.policy == number).map(|i| &i.cause).collect();
                    if step.effect == Effect::Drop {
                        prop_assert!(foreseen.contains(&&Cause::Drops), "{number} drops {pairs:?}");
                    }
                    if step.labels != *before {
                        let other = |label: &str| {
                            let value = |set: &[(Box<str>, Box<str>)]| {
                                set.iter().find(|(name, _)| **name == *label).map(|(_, value)| value.clone())
                            };
                            value(before) != value(&step.labels)
                        };
                        for label in ["__name__", "a", "b"].into_iter().filter(|label| other(label)) {
                            let told = foreseen.iter().any(|cause| match cause {
                                Cause::Removes(used) | Cause::Overwrites(used) => used.label == label,
                                Cause::Renames(_) | Cause::Unnames => label == NAME,
                                Cause::Drops | Cause::Holds | Cause::Misreads(..) | Cause::Parts(_) => false,
                            });
                            prop_assert!(told, "{number} changes {label} of {pairs:?}");
                        }
                    }
                    before = &step.labels;
                }
                for impact in here.iter().filter(|i| i.all && i.cause == Cause::Drops) {
                    let effect = walk.steps.get(impact.policy).map(|step| step.effect);
                    let gone = walk.ended_by.is_some_and(|end| usize::from(end.0) < impact.policy);
                    prop_assert!(gone || effect == Some(Effect::Drop), "{impact:?} but {effect:?} of {pairs:?}");
                }
            }
        }
    }
}
