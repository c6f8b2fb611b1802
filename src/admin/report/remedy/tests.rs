use super::*;
use crate::cardinality::{PodCounts, WorstMetric};
use crate::config::Config;
use crate::policy::{Disposition, PolicySet, Run, WorkloadSource};
use crate::series::SubjectKind;
use crate::series::grammar::Kind;
use crate::series::{Labels, Limits};

const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };

fn by(kind: SubjectKind, name: &str, namespace: &str) -> SubjectLabels {
    SubjectLabels { kind, name: name.into(), namespace: Some(namespace.into()) }
}

fn culprit(name: &str) -> Culprit {
    Culprit {
        cluster: "prod-1".into(),
        cluster_label: "cluster",
        labels: vec![
            by(SubjectKind::Pod, "exported_pod", "exported_namespace"),
            by(SubjectKind::Job, "job_name", "exported_namespace"),
            by(SubjectKind::Pod, "k8s.pod.name", "k8s.namespace.name"),
        ],
        namespace: "shop".into(),
        kind: Kind::Cronjob,
        name: name.into(),
    }
}

fn finding(culprit: Culprit) -> Finding {
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

/// The policies of a remedy, pasted into a config and in force.
fn pasted(remedies: &[Remedy]) -> PolicySet {
    let policies: String = remedies.iter().map(|remedy| remedy.policy.as_str()).collect();
    let text = format!(
        "upstreams: [ {{ name: a, url: 'http://localhost:9/api/v1/write' }} ]\npolicies:\n{}",
        policies.replace("mode: preview", "mode: enforce")
    );
    let loaded = Config::parse(&text, "gate.yaml", std::path::Path::new(""), &|_| None);
    let config = loaded.unwrap_or_else(|errors| panic!("{errors}\n{text}")).config;
    PolicySet::compile(&config.policies, Run::AsConfigured).unwrap()
}

fn drops(set: &PolicySet, pairs: &[(&str, &str)]) -> bool {
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    set.decide(Labels::from_sorted(&pairs), &WorkloadSource::nothing(), &LIMITS).verdict.disposition()
        == Disposition::Drop
}

/// As Kubernetes names a pod of a job (`names.SimpleNameGenerator`).
fn pod_of(job: &str) -> String {
    let base = format!("{job}-");
    format!("{}x7k2p", &base[..base.len().min(58)])
}

/// The same of an Indexed job: its own part is cut so that the index fits (`podGenerateNameWithIndex`).
fn indexed_pod_of(job: &str, index: &str) -> String {
    let tail = format!("-{index}-");
    format!("{}{tail}x7k2p", &job[..job.len().min(58 - tail.len())])
}

#[test]
fn a_remedy_takes_all_runs_of_its_cronjob_and_nothing_else() {
    for letters in [4, 20, 44, 45, 46, 47, 48, 49, 50, 51, 52] {
        let name = "n".repeat(letters);
        let set = pasted(&[of(&finding(culprit(&name)), &[], &|_| Declared::Unknown).unwrap()]);
        let ns = ("exported_namespace", "shop");
        let cluster = ("cluster", "prod-1");
        for run in ["29453765", "1767225600"] {
            let job = format!("{name}-{run}");
            assert!(drops(&set, &[("__name__", "kube_job_info"), cluster, ns, ("job_name", &job)]), "{job}");
            let indexed = ["0", "12", "409"].map(|index| indexed_pod_of(&job, index));
            for pod in indexed.into_iter().chain([pod_of(&job)]) {
                assert!(drops(&set, &[cluster, ns, ("exported_pod", &pod)]), "{letters}: {pod}");
                let otel = [cluster, ("k8s.namespace.name", "shop"), ("k8s.pod.name", &*pod)];
                assert!(drops(&set, &otel), "{letters}: {pod}");
                for other in [
                    [cluster, ("exported_namespace", "other"), ("exported_pod", &*pod)],
                    [("cluster", "prod-2"), ns, ("exported_pod", &*pod)],
                    [cluster, ("namespace", "shop"), ("pod", &*pod)],
                ] {
                    assert!(!drops(&set, &other), "{other:?}");
                }
            }
        }
        // of a Deployment, of another CronJob whose name begins alike, of nobody
        for pod in ["7d764666f9-qdcxt", "b-29453765-x7k2p", "12345678-29453765-x7k2p", "0"] {
            let pod = format!("{name}-{pod}");
            assert!(!drops(&set, &[cluster, ns, ("exported_pod", &pod)]), "{letters}: {pod}");
        }
    }
}

#[test]
fn text_of_a_sender_never_becomes_a_policy() {
    let hostile = "it's \"odd\"'\n  action: drop\n- name: all\n  match: '{}' #\u{202e}\x1b[2J";
    let mut culprit = culprit(hostile);
    culprit.namespace = format!("{hostile}ns");
    culprit.cluster = format!("{hostile}c");
    let mut runs_of = finding(culprit.clone());
    runs_of.examples = vec![format!("{hostile}-1"), format!("{hostile}-29453765")];
    let worst = WorstMetric {
        name: hostile.into(),
        new_series: 9,
        labels: vec![hostile.into()],
        share: 1.0,
        pattern: String::new(),
    };
    let labels = Finding { kind: FindingKind::Labels, worst: Some(worst), ..finding(culprit.clone()) };
    let made = |finding, declared| of(finding, &[], &|_| declared).unwrap();
    let mut of_kept = culprit.clone();
    of_kept.name = format!("{hostile}kept");
    let kept = Finding { kind: FindingKind::StuckRuns, ..finding(of_kept) };
    let remedies = [
        made(&runs_of, Declared::Unknown),
        made(&labels, Declared::Gauge),
        made(&labels, Declared::Counter),
        made(&kept, Declared::Unknown),
    ];
    for remedy in &remedies {
        for text in [&remedy.policy, &remedy.metric_relabel_configs] {
            assert!(text.lines().all(|line| line.chars().all(quote::prints)), "{text}");
        }
    }
    let set = pasted(&remedies);
    assert_eq!(set.policies().len(), 4);
    let of = |metric, namespace| {
        [("__name__", metric), ("cluster", &*culprit.cluster), ("exported_namespace", namespace)]
    };
    assert!(drops(&set, &of(hostile, &culprit.namespace)));
    assert!(!drops(&set, &of(hostile, "other")) && !drops(&set, &of("up", &culprit.namespace)));
    let pod = format!("{hostile}-29453765-x7k2p");
    let own = [("cluster", &*culprit.cluster), ("exported_namespace", &*culprit.namespace)];
    assert!(drops(&set, &[own[0], own[1], ("exported_pod", &pod)]));
}

#[test]
fn each_workload_has_a_name_of_its_own_and_a_policy_that_is_there_is_known_by_it() {
    let mut others = vec![culprit("sync"); 6];
    others[1].namespace = "other".into();
    others[2].cluster = "prod-2".into();
    others[3].name = "sync.a".into();
    others[4].name = "sync-a".into();
    others[5].name = "s".repeat(52);
    let mut names: Vec<String> = others.iter().map(|culprit| policy_name(&runs::name_of(culprit))).collect();
    assert_eq!(names[0], "runs-of-sync-in-shop-of-prod-1");
    assert!(names.iter().all(|name| name.len() <= LONGEST_NAME), "{names:?}");
    let remedies: Vec<Remedy> =
        others.iter().map(|one| of(&finding(one.clone()), &[], &|_| Declared::Unknown).unwrap()).collect();
    let set = pasted(&remedies);
    let again = of(&finding(others[0].clone()), set.policies(), &|_| Declared::Unknown).unwrap();
    assert_eq!((again.in_force, remedies[0].in_force), (Some("enforce"), None));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6);
}

#[test]
fn runs_that_people_named_are_named_with_the_remedy() {
    let mut finding = finding(culprit("sync"));
    finding.examples = vec!["sync-29453765".into(), "by-hand".into()];
    let remedy = of(&finding, &[], &|_| Declared::Unknown).unwrap();
    assert!(remedy.policy.starts_with("# runs of other names are not taken: by-hand\n"), "{}", remedy.policy);
}

#[test]
fn against_finished_runs_that_are_kept_a_policy_asks_how_they_stand() {
    let made = |kind, name: &str, found| {
        let culprit = Culprit { kind, ..culprit(name) };
        let finding = Finding { kind: found, examples: vec![format!("{name}-x2b7q")], ..finding(culprit) };
        of(&finding, &[], &|_| Declared::Unknown).unwrap()
    };
    let remedy = made(Kind::Cronjob, "sync.a", FindingKind::StuckRuns);
    assert_eq!(
        remedy.policy,
        "# what alerts on failed jobs read stays\n\
        - name: runs-of-sync-a-in-shop-of-prod-1-26d093a5\n  match:\n    \
        - '{__name__!~\"kube_job_(status_)?failed\", cluster=\"prod-1\", exported_namespace=\"shop\"}'\n    \
        - '{__name__!~\"kube_job_(status_)?failed\", cluster=\"prod-1\", \"k8s.namespace.name\"=\"shop\"}'\n  \
        workload: { kind: cronjob, name: 'sync\\.a', run_finished_for: 30m }\n  \
        action: drop\n  mode: preview   # take this line out when the numbers are right\n"
    );
    assert_eq!(remedy.metric_relabel_configs, "", "an agent does not know which runs are over");
    assert!(
        made(Kind::Job, "migrate", FindingKind::StuckRuns).policy.contains("{ kind: job, name: 'migrate', ")
    );
    // nothing says when a run of these ends
    let generated = made(Kind::Generated, "fetch", FindingKind::StuckRuns);
    assert!(!generated.policy.contains("workload:"), "{}", generated.policy);
    let silent = made(Kind::Cronjob, "sync", FindingKind::Runs);
    assert!(!silent.policy.contains("workload:"), "{}", silent.policy);
}
