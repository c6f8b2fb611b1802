//! What the real Prometheus (`model/relabel` of 3.x, UTF-8 names) said of some 750 lists of rules and 2,000
//! series, recorded, against what we say. `scripts/relabel_cases` records it anew.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use seriesgate::config::Config;
use seriesgate::policy::Action;
use seriesgate::policy::relabel::{Applied, LabelSet, Rule, RuleText, Rules};
use seriesgate::series::{Labels, Limits};

const LIMITS: Limits = Limits { max_labels: 256, max_name_bytes: 4096, max_value_bytes: 65_536 };

/// Where we differ on purpose in what is accepted, by the name of the case, and why.
const DIFFERENT: [(&str, &str); 15] = [
    ("valid/empty list", EMPTY),
    ("valid/nothing", EMPTY),
    ("builder/empty labels and no rule", EMPTY),
    ("valid/Kelvin sign for K", "actions are ASCII words"),
    ("valid/replace replacement not UTF-8 is taken", "our config is UTF-8"),
    ("valid/source null name", "an empty name is refused, however it is written"),
    ("yaml/modulus text", "a quoted number is a number"),
    ("yaml/modulus whole float", WHOLE),
    ("yaml/modulus float", WHOLE),
    ("yaml/modulus exponent", WHOLE),
    ("yaml/modulus leading zero", "octal to YAML 1.1, decimal to YAML 1.2: refused"),
    ("yaml/modulus too large", "what Prometheus makes of it depends on the machine"),
    ("yaml/merge key", "our config has no merge keys"),
    ("regex/parentheses that break the anchors", ANCHORS),
    ("regex/labelmap with broken anchors replaces each match", ANCHORS),
];
const EMPTY: &str = "a policy that does nothing is a mistake";
const WHOLE: &str = "a modulus is a whole number";
const ANCHORS: &str = "a regex has to be one by itself";

/// Letters that Unicode 16 and 17 gave a case; Go 1.26 has Unicode 15.
const NEWER: [(u32, u32); 10] = [
    (0x19b, 0x19b),
    (0x264, 0x264),
    (0x1c89, 0x1c8a),
    (0xa7cb, 0xa7cf),
    (0xa7d2, 0xa7d5),
    (0xa7da, 0xa7dc),
    (0x10d50, 0x10d65),
    (0x10d70, 0x10d85),
    (0x16ea0, 0x16eb8),
    (0x16ebb, 0x16ed3),
];

type LabelMap = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Case {
    name: String,
    rules_yaml: String,
    valid: bool,
    error: String,
    series: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "in")]
    input: LabelMap,
    out: Option<LabelMap>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/relabel_cases.json")).unwrap()
}

/// The rules as our config reads them.
fn rules(yaml: &str) -> Result<Vec<RuleText>, String> {
    let indented: String = yaml.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "upstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies:\n  - name: r\n    action: relabel\n    \
         relabel_configs:\n{indented}"
    );
    let loaded = Config::parse(&text, "gate.yaml", Path::new("/"), &|_| None).map_err(|e| e.to_string())?;
    match &loaded.config.policies[0].action {
        Action::Relabel(rules) => Ok(rules.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn applied(rules: &Rules, labels: &LabelMap) -> Option<LabelMap> {
    let pairs: Vec<_> =
        labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(_, value)| !value.is_empty()).collect();
    let mut set = LabelSet::new(Labels::from_sorted(&pairs));
    let kept = rules.apply(&mut set, &LIMITS) == Applied::Kept;
    kept.then(|| set.sorted().into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
}

#[test]
fn rules_are_accepted_and_refused_as_prometheus_does() {
    let mut failures = Vec::new();
    for case in cases() {
        let ours = rules(&case.rules_yaml);
        let different = DIFFERENT.iter().any(|(name, _)| *name == case.name);
        if ours.is_ok() != (case.valid != different) {
            let told = ours.err().unwrap_or_else(|| "accepted".into());
            let Case { name, rules_yaml, error, .. } = case;
            failures.push(format!("{name}: {rules_yaml}\n  Prometheus: {error:?}\n  we: {told}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn series_come_out_as_prometheus_makes_them() {
    let (mut failures, mut series) = (Vec::new(), 0);
    // one has a letter of Unicode 16
    for case in
        cases().iter().filter(|case| case.valid && case.name != "case/letters that behave unlike others")
    {
        let Ok(texts) = rules(&case.rules_yaml) else { continue };
        let rules = Rules::new(texts.iter().map(|text| Rule::new(text).unwrap()));
        for Pair { input, out } in &case.series {
            series += 1;
            let ours = applied(&rules, input);
            if ours != *out {
                failures
                    .push(format!("{}: {}\n  {input:?}\n  {out:?}\n  {ours:?}", case.name, case.rules_yaml));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {series} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(series > 2000, "{series}");
}

#[test]
fn every_character_has_the_case_that_go_gives_it() {
    let case_of = |action: &str, text: &str| {
        let rule = RuleText {
            source_labels: Some(vec!["v".into()]),
            target_label: "v".into(),
            action: Some(action.into()),
            ..RuleText::default()
        };
        let rules = Rules::new([Rule::new(&rule).unwrap()]);
        let labels = BTreeMap::from([("v".to_owned(), text.to_owned())]);
        applied(&rules, &labels).unwrap().remove("v").unwrap()
    };
    let character = |hex: &str| char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap();
    let mut mapped = BTreeMap::new();
    for line in include_str!("data/go_case.tsv").lines() {
        let fields: Vec<char> = line.split('\t').map(character).collect();
        mapped.insert(fields[0], (fields[1], fields[2]));
    }
    let mut differ = Vec::new();
    for c in '\u{1}'..=char::MAX {
        let expected = mapped.get(&c).copied().unwrap_or((c, c));
        let text = c.to_string();
        let ours = (case_of("lowercase", &text), case_of("uppercase", &text));
        let newer = NEWER.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)));
        if (ours == (expected.0.to_string(), expected.1.to_string())) == newer {
            differ.push(format!("U+{:04X}", u32::from(c)));
        }
    }
    assert!(differ.is_empty(), "{} differ: {}", differ.len(), differ.join(" "));
}
