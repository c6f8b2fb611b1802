//! Pods that are replaced again and again, and what only looks like it.

use seriesgate::cardinality::FindingKind;

use super::ksm::pod_name;
use super::rig::{Page, Watch, labels};

/// What is found, first to last.
fn kinds(watch: &Watch) -> Vec<FindingKind> {
    let findings = watch.gate.pipeline.tracker().findings(watch.now());
    findings.into_iter().map(|finding| finding.kind).collect()
}

/// Series of a pod, so many.
fn of_pod(pod: &str, series: u32) -> Page {
    let of = |n| labels(&[("__name__", &format!("m{n}_total")), ("namespace", "shop"), ("pod", pod)]);
    (0..series).map(|n| (of(n), 1.0)).collect()
}

#[test]
fn pods_that_come_and_go_in_every_stretch_are_replaced() {
    let mut watch = Watch::warm();
    let mut named = Vec::new();
    for minute in 0..45_u64 {
        // each of the three lives for fifteen minutes
        let page = (0..3_u64).flat_map(|of| of_pod(&pod_name("agent", minute / 5 + of), 12)).collect();
        watch.scrape(&page);
        watch.wait(1);
        named.extend(kinds(&watch).first().copied().map(|kind| (minute, kind)));
    }
    assert_eq!(named.first().map(|(_, kind)| *kind), Some(FindingKind::Replaced));
    assert!(named.iter().all(|(_, kind)| *kind == FindingKind::Replaced), "{named:?}");
    let found = &watch.gate.pipeline.tracker().findings(watch.now())[0];
    assert_eq!(found.series, 11 * 12, "eleven pods of twelve series came");
    let sentence = "the pods of workload agent in shop are replaced again and again: 11 came and 8 went in the last hour; ";
    assert!(found.sentence().starts_with(sentence), "{}", found.sentence());
}

#[test]
fn pods_that_only_come_are_a_workload_that_grows() {
    let mut watch = Watch::warm();
    for minute in 0..45_u64 {
        let page = (0..=minute / 5).flat_map(|of| of_pod(&pod_name("agent", of), 12)).collect();
        watch.scrape(&page);
        watch.wait(1);
        assert_eq!(kinds(&watch), [], "minute {minute}");
    }
}

#[test]
fn the_pod_of_sessions_that_come_and_go_is_not_replaced() {
    let mut watch = Watch::new();
    let pod = "web-7d764666f9-qdcxt";
    for _ in 0..6 {
        watch.scrape(&of_pod(pod, 5));
        watch.wait(1);
    }
    for minute in 0..45_u64 {
        let mut page = of_pod(pod, 5);
        for session in minute * 12..minute * 12 + 30 {
            let session = format!("s{session}");
            let of =
                [("__name__", "sessions_bytes"), ("namespace", "shop"), ("pod", pod), ("session", &session)];
            page.insert(labels(&of), 1.0);
        }
        watch.scrape(&page);
        watch.wait(1);
        let found = kinds(&watch);
        assert!(found.iter().all(|kind| *kind == FindingKind::Labels), "minute {minute}: {found:?}");
        assert!(minute < 20 || found.len() == 1, "minute {minute}: {found:?}");
    }
}

/// With `honor_labels: false` its name is in all that it says of others.
#[test]
fn an_exporter_whose_own_pod_is_replaced_does_not_replace_those_it_tells_of() {
    let mut watch = Watch::warm();
    for minute in 0..45_u64 {
        let exporter = pod_name("kube-state-metrics-6c8f9b7d5", minute / 8);
        let of = |n: u32| {
            labels(&[
                ("__name__", &format!("kube_pod_{n}")),
                ("exported_namespace", "shop"),
                ("exported_pod", "agent-x7k2p"),
                ("namespace", "monitoring"),
                ("pod", &exporter),
            ])
        };
        watch.scrape(&(0..12).map(|n| (of(n), 1.0)).collect());
        watch.wait(1);
        assert!(!kinds(&watch).contains(&FindingKind::Replaced), "minute {minute}");
    }
}
