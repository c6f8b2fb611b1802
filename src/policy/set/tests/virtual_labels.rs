use super::*;

/// A series of a workload, its labels with a real one of a virtual name; what becomes of it and until when.
fn of_sync(definitions: &[Definition], said: bool) -> (Disposition, u32, Option<Vec<(String, String)>>) {
    let set = PolicySet::compile(definitions, Run::AsConfigured).unwrap();
    let facts = WorkloadFacts { kind: Kind::Cronjob, name: "sync".into(), said, run: None };
    let find = || Some(facts.clone());
    let pairs = [("__name__", "up"), ("__workload__", "real"), ("pod", "sync-29453765-x7k2p")];
    let source = WorkloadSource::new(NOW, &find);
    let decision = set.decide(Labels::from_sorted(&pairs), &source, &LIMITS);
    let output = decision.output.map(|labels| {
        labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>()
    });
    (decision.verdict.disposition(), decision.valid_until.0, output)
}

#[test]
fn a_matcher_reads_what_is_known_of_the_workload_and_not_a_label_of_that_name() {
    for (selector, expected) in [
        ("{__workload__=\"sync\"}", Drop),
        ("{__workload__=\"real\"}", Forward),
        ("{__workload__=~\"s.+\",__workload_kind__=\"cronjob\"}", Drop),
        ("{__workload_kind__!=\"cronjob\"}", Forward),
        ("{__workload__=\"\"}", Forward),
    ] {
        let definitions = [enforced(&[selector], Action::Drop)];
        assert_eq!(of_sync(&definitions, true), (expected, u32::MAX, None), "{selector}");
        assert_eq!(of_sync(&definitions, false), (expected, NOW + 3600, None), "{selector}");
    }
    // nothing says whose it is
    for (selector, expected) in [("{__workload__=\"\"}", Drop), ("{__workload_kind__!=\"\"}", Forward)] {
        let set = PolicySet::compile(&[enforced(&[selector], Action::Drop)], Run::AsConfigured).unwrap();
        assert!(set.asks_for_workloads());
        assert_eq!(told(&set, "up{__workload__=\"real\"}").0, expected, "{selector}");
    }
}

#[test]
fn rules_read_the_workload_and_neither_set_it_nor_go_through_it() {
    let rule = |action: &str, sources: &[&str], regex: &str, target: &str, replacement: &str| RuleText {
        action: Some(action.into()),
        source_labels: (!sources.is_empty()).then(|| sources.iter().map(|&s| s.into()).collect()),
        regex: Some(regex.into()),
        target_label: target.into(),
        replacement: (!replacement.is_empty()).then(|| replacement.into()),
        ..RuleText::default()
    };
    let read = rule("replace", &["__workload_kind__", "__workload__"], "(.+);(.+)", "app", "$1/$2");
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let pod = ("pod", "sync-29453765-x7k2p");
    for (rules, expected) in [
        (
            vec![read.clone()],
            Some(vec![("__name__", "up"), ("__workload__", "real"), ("app", "cronjob/sync"), pod]),
        ),
        // also when the pod is gone from the labels
        (
            vec![rule("labeldrop", &[], "pod", "", ""), read],
            Some(vec![("__name__", "up"), ("__workload__", "real"), ("app", "cronjob/sync")]),
        ),
        // the label of the series is all that these see
        (
            vec![rule("labelmap", &[], "__(work.+)__", "", "$1")],
            Some(vec![("__name__", "up"), ("__workload__", "real"), pod, ("workload", "real")]),
        ),
        (
            vec![rule("labelkeep", &[], "__name__|__workload.*", "", "")],
            Some(vec![("__name__", "up"), ("__workload__", "real")]),
        ),
        // a name that is made of values
        (vec![rule("replace", &["pod"], "(.).*", "__workload_kind_${2}_", "x")], None),
        (vec![rule("labelmap", &[], "po(d)", "", "__workload__${2}")], None),
    ] {
        let definitions = [enforced(&[], Action::Relabel(rules.clone().into()))];
        assert_eq!(of_sync(&definitions, true).2, expected.as_deref().map(owned), "{rules:?}");
    }
    for (action, target) in
        [("replace", "__workload__"), ("hashmod", "__workload_kind__"), ("keepequal", "__workload__")]
    {
        let text = RuleText {
            modulus: u64::from(action == "hashmod"),
            regex: None,
            ..rule(action, &["job"], "", target, "")
        };
        let error = Rule::new(&text).unwrap_err();
        assert_eq!(error.field, RuleField::TargetLabel, "{action}");
        assert!(error.message.contains("is never sent"), "{}", error.message);
    }
    assert!(Rule::new(&rule("labelmap", &[], "pod", "", "__workload__")).is_err());
}
