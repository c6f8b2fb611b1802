use super::*;
use crate::admin::report::tried::{Trial, TrialResult};
use crate::admin::report::{Tenant, View};
use crate::cardinality::{PodCounts, Settings, WorstMetric};
use crate::series::{SubjectKind, SubjectLabels};

const NOW: u32 = 1_767_225_600;

/// A tracker that has been shown these series, of this tenant each.
fn shown(series: &[(u32, &[(&str, &str)])]) -> Tracker {
    let tracker = Tracker::new(&Settings::default(), NOW);
    for (metric, (tenant, pairs)) in (0..).zip(series) {
        let labels = Labels::from_sorted(pairs);
        tracker.show(*tenant, labels, (metric, 0), NOW);
        tracker.show_subject(*tenant, labels, 0, NOW);
    }
    tracker
}

fn view(tracker: &Tracker) -> View<'_> {
    View {
        tracker,
        types: None,
        tenants: Vec::new(),
        policies: Vec::new(),
        rejected: Vec::new(),
        incomplete: false,
        now: NOW,
    }
}

fn tried(tracker: &Tracker, finding: Finding) -> Remedy {
    let view = view(tracker);
    let report = Report { view: &view, tenant: Tenant::All };
    remedies(&report, &[finding]).remove(0).remedy.unwrap()
}

/// Runs of the CronJob `sync` in `shop`, whose series name their pods by this label.
fn runs(label: &str) -> Finding {
    let labels = SubjectLabels {
        kind: SubjectKind::Pod,
        name: label.into(),
        namespace: Some("exported_namespace".into()),
    };
    let culprit = Culprit {
        cluster: String::new(),
        cluster_label: "",
        labels: vec![labels],
        namespace: "shop".into(),
        kind: Kind::Cronjob,
        name: "sync".into(),
    };
    Finding {
        kind: FindingKind::Runs,
        tenant: 0,
        culprit: Some(culprit),
        node: None,
        worst: None,
        metrics: Vec::new(),
        minutes: 60,
        series: 100,
        pods: PodCounts::default(),
        new_runs: 60,
        runs: 60,
        runs_over: 60,
        series_held: 100,
        growth_per_hour: None,
        doubles_in_hours: None,
        examples: Vec::new(),
    }
}

fn pod<'p>(pod: &'p str, namespace: &'p str) -> [(&'p str, &'p str); 4] {
    [
        ("__name__", "kube_pod_info"),
        ("exported_namespace", namespace),
        ("exported_pod", pod),
        ("namespace", "monitoring"),
    ]
}

#[test]
fn a_remedy_says_what_it_takes_of_the_series_known_by_example() {
    let (own, again) = (pod("sync-29453765-x7k2p", "shop"), pod("sync-29453766-x7k2p", "shop"));
    let (web, other) = (pod("web-7d764666f9-qdcxt", "shop"), pod("sync-29453765-x7k2p", "other"));
    let tracker = shown(&[(0, &own), (0, &again), (0, &web), (0, &other)]);

    let remedy = tried(&tracker, runs("exported_pod"));
    assert_eq!(remedy.tried.result, TrialResult::Right);
    let line = "# takes all 2 of its series known by example, none of 2 others\n- name: ";
    assert!(remedy.policy.starts_with(line), "{}", remedy.policy);
    assert!(remedy.metric_relabel_configs.starts_with("- source_labels"));

    let remedy = tried(&tracker, runs("pod"));
    assert_eq!(remedy.tried.result, TrialResult::TakesNone);
    for text in [&remedy.policy, &remedy.metric_relabel_configs] {
        let line = "# NOT RIGHT: takes none of its 2 series known by example, as kube_pod_info{";
        assert!(text.starts_with(line), "{text}");
    }
    assert_eq!(tried(&shown(&[(0, &web)]), runs("exported_pod")).tried.result, TrialResult::Untried);
}

#[test]
fn series_of_another_tenant_are_not_its_own() {
    let own = pod("sync-29453765-x7k2p", "shop");
    let tracker = shown(&[(0, &own), (1, &own)]);
    let remedy = tried(&tracker, runs("exported_pod"));
    let Trial { own, own_taken, others, others_taken, .. } = remedy.tried;
    assert_eq!((own, own_taken, others, others_taken), (1, 1, 1, 1));
    let line = "# NOT RIGHT: takes 1 of 1 series known by example that are not its own, as ";
    assert!(remedy.policy.starts_with(&format!("{line}kube_pod_info{{")), "{}", remedy.policy);

    let view = view(&tracker);
    let report = Report { view: &view, tenant: Tenant::One([0].into()) };
    let remedy = remedies(&report, &[runs("exported_pod")]).remove(0).remedy.unwrap();
    assert!(remedy.policy.starts_with(&format!("{line}a series of another tenant;")), "{}", remedy.policy);
}

#[test]
fn runs_of_other_names_are_left_and_said() {
    let (own, hand) = (pod("sync-29453765-x7k2p", "shop"), pod("sync-a1b2c-x7k2p", "shop"));
    let mut finding = runs("exported_pod");
    let tracker = shown(&[(0, &own), (0, &hand)]);
    let about =
        |pairs: &[(&str, &str)]| tracker.workload_of(0, Labels::from_sorted(pairs)).map(|found| found.2);
    // without an owner nothing says that the second is one of its runs
    assert_ne!(about(&hand), about(&own));
    assert_eq!(tried(&tracker, finding.clone()).tried.result, TrialResult::Right);
    let owner = [
        ("__name__", "kube_job_owner"),
        ("exported_namespace", "shop"),
        ("job_name", "sync-a1b2c"),
        ("owner_kind", "CronJob"),
        ("owner_name", "sync"),
    ];
    let pod_owner = [
        ("__name__", "kube_pod_owner"),
        ("exported_namespace", "shop"),
        ("exported_pod", "sync-a1b2c-x7k2p"),
        ("owner_kind", "Job"),
        ("owner_name", "sync-a1b2c"),
    ];
    for pairs in [&owner, &pod_owner] {
        let first = crate::cardinality::SeriesState {
            series: crate::series::Fingerprint::default(),
            value: None,
            ends: false,
            at: NOW,
        };
        let sender_context = tracker.sender_context(0, None, NOW);
        let mut scratch = Default::default();
        let mut observer = tracker.observer(sender_context, &mut scratch, NOW);
        observer.observe(pairs, first, &mut Vec::new());
    }
    finding.examples = Vec::new();
    let remedy = tried(&tracker, finding);
    assert_eq!(remedy.tried.result, TrialResult::TakesSome);
    // the two that say who owns what are about the same run
    let line =
        "# takes 1 of its 4 series known by example, none of 0 others; it leaves some, as kube_job_owner{";
    assert!(remedy.policy.starts_with(line), "{}", remedy.policy);
}

#[test]
fn a_metric_that_others_have_too_is_said() {
    let series = |job, user| [("__name__", "hits"), ("job", job), ("user", user)];
    let worst = WorstMetric {
        name: "hits".into(),
        new_series: 1000,
        labels: vec!["user".into()],
        share: 1.0,
        pattern: String::new(),
    };
    let finding =
        Finding { kind: FindingKind::Labels, culprit: None, worst: Some(worst), ..runs("exported_pod") };
    let of_web = [("__name__", "hits"), ("namespace", "shop"), ("pod", "web-7d764666f9-qdcxt")];
    let (a, b) = (series("a", "1"), series("b", "2"));
    let remedy = tried(&shown(&[(0, &a), (0, &b)]), finding.clone());
    assert_eq!(remedy.tried.result, TrialResult::Right);
    let remedy = tried(&shown(&[(0, &a), (0, &of_web)]), finding);
    assert_eq!(remedy.tried.result, TrialResult::TakesOthers);
    assert_eq!(remedy.tried.examples, [r#"hits{namespace="shop",pod="web-7d764666f9-qdcxt"}"#]);
}
