//! Chains of any rules on any series, against the slow second implementation in `relabel_model`.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "relabel_model/mod.rs"]
mod relabel_model;

use proptest::prelude::*;
use proptest::sample::select;
use relabel_model::ModelRule;
use seriesgate::policy::relabel::{Applied, LabelSet, Rule, RuleText, Rules};
use seriesgate::series::{Labels, Limits};

const LIMITS: Limits = Limits { max_labels: 4096, max_name_bytes: 1 << 16, max_value_bytes: 1 << 16 };

const NAMES: [&str; 10] =
    ["__name__", "job", "pod", "zone", "a", "b", "__meta_kubernetes_pod_label_app", "__tmp", "A", "ü"];
const PATTERNS: [&str; 16] = [
    "(.*)",
    "",
    ".+",
    "a|b",
    "(?P<one>[a-z]+)-(?P<two>.*)",
    "([^;]*);(.*)",
    "__meta_kubernetes_pod_label_(.+)",
    "(?i)(p)od|(j)ob",
    "(a)?(b)?.*",
    "[A-Z]+(.)?",
    "pod|zone|__.*",
    "(.)(.*)",
    "x{1,2}(.*)",
    "^(a*)(a*)$",
    "(ä|ß|\\.)+",
    "(.*)(-[a-z0-9]{5})",
];
const TEMPLATES: [&str; 16] = [
    "$1", "${1}", "$2", "$0", "x", "", "$1-$2", "${one}", "$one$two", "$$1", "$1x", "${1}x", "l_$1", "$01",
    "$", "ü${2}$",
];
const VALUES: [&str; 10] = ["", "a", "b", "web-7x2k9", "a;b", "Ünï ß İ Σ", "PROD", "node.1", "aa", "1"];

fn rule() -> impl Strategy<Value = ModelRule> {
    let action = select(vec![
        "replace",
        "replace",
        "replace",
        "replace",
        "keep",
        "drop",
        "keepequal",
        "dropequal",
        "hashmod",
        "labelmap",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
    ]);
    let sources = prop::collection::vec(select(&NAMES[..]), 0..3);
    let target = prop_oneof![8 => select(&NAMES[..]), 1 => Just("${1}_t"), 1 => Just("$2")];
    (
        action,
        sources,
        select(vec![";", "", "-"]),
        select(&PATTERNS[..]),
        1u64..50,
        target,
        select(&TEMPLATES[..]),
    )
        .prop_map(|(action, sources, separator, regex, modulus, target, replacement)| ModelRule {
            action,
            source_labels: sources.iter().map(|name| (*name).to_owned()).collect(),
            separator: separator.to_owned(),
            regex: regex.to_owned(),
            modulus,
            target_label: target.to_owned(),
            // an empty template is refused there
            replacement: if action == "labelmap" && replacement.is_empty() { "$1" } else { replacement }
                .to_owned(),
        })
}

/// The rule as a user writes it: each action with the fields it takes.
fn text(rule: &ModelRule) -> RuleText {
    let only_names = matches!(rule.action, "labelmap" | "labeldrop" | "labelkeep");
    let equality = matches!(rule.action, "keepequal" | "dropequal");
    RuleText {
        source_labels: (!only_names).then(|| rule.source_labels.clone()),
        separator: (!only_names && !equality).then(|| rule.separator.clone()),
        regex: (!equality).then(|| rule.regex.clone()),
        modulus: if rule.action == "hashmod" { rule.modulus } else { 0 },
        target_label: if only_names { String::new() } else { rule.target_label.clone() },
        replacement: matches!(rule.action, "replace" | "labelmap").then(|| rule.replacement.clone()),
        action: Some(rule.action.to_owned()),
    }
}

fn series() -> impl Strategy<Value = Vec<(String, String)>> {
    let few =
        prop::collection::btree_map(select(&NAMES[..]).prop_map(str::to_owned), select(&VALUES[..]), 0..8);
    let many =
        prop::collection::btree_map("(__meta_kubernetes_pod_label_)?[a-z]{1,3}", select(&VALUES[..]), 40);
    prop_oneof![3 => few.boxed(), 1 => many.boxed()]
        .prop_map(|labels| labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_chain_does_what_the_model_does(rules in prop::collection::vec(rule(), 1..21), labels in series()) {
        // equality compares the values joined by the default separator
        let model: Vec<ModelRule> = rules.iter().map(|rule| {
            let equality = matches!(rule.action, "keepequal" | "dropequal");
            let separator = if equality { ";".to_owned() } else { rule.separator.clone() };
            ModelRule { separator, ..rule.clone() }
        }).collect();
        let expected = relabel_model::process(&model, &labels);
        let chain = Rules::new(rules.iter().map(|rule| Rule::new(&text(rule)).unwrap()));
        let pairs: Vec<_> =
            labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(_, value)| !value.is_empty()).collect();
        let mut set = LabelSet::new(Labels::from_sorted(&pairs));
        let found = match chain.apply(&mut set, &LIMITS) {
            Applied::Kept => Some(set.sorted()),
            Applied::Dropped => None,
            overgrown @ Applied::Overgrown(_) => panic!("{overgrown:?}"),
        };
        let expected = expected.as_ref().map(|labels| {
            labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>()
        });
        prop_assert_eq!(found, expected);
    }
}
