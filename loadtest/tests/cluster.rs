//! The simulated cluster: reproducible, named as Kubernetes names things, and growing as in the incident.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::{BTreeMap, BTreeSet};

use seriesgate_loadtest::cluster::{Cluster, ClusterSpec};
use seriesgate_loadtest::law::Kind;
use seriesgate_loadtest::names::SUFFIX_ALPHABET;

/// 2026-01-01T00:00:30Z: half a minute after a cronjob was due.
const START_MS: i64 = 1_767_225_630_000;
const MINUTE_MS: i64 = 60_000;

type Series = BTreeMap<String, String>;

fn scrape(cluster: &mut Cluster, now_ms: i64) -> Vec<(Series, f64, Kind)> {
    let mut all = Vec::new();
    let count = cluster.scrape(now_ms, |labels, value, kind| {
        assert!(labels.is_sorted_by(|a, b| a.0 < b.0), "labels sorted, none twice: {labels:?}");
        assert!(labels.iter().all(|(_, text)| !text.is_empty()), "no empty values: {labels:?}");
        let series = labels.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
        all.push((series, value, kind));
    });
    assert_eq!(count, all.len() as u64);
    all
}

fn after_minutes(spec: ClusterSpec, minutes: i64) -> Vec<(Series, f64, Kind)> {
    scrape(&mut Cluster::new(spec, START_MS), START_MS + minutes * MINUTE_MS)
}

fn forgetful(seed: u64) -> ClusterSpec {
    ClusterSpec { keep_past_runs: false, ..ClusterSpec::incident(seed) }
}

fn is_suffix(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|letter| SUFFIX_ALPHABET.contains(&letter))
}

#[test]
fn the_same_seed_gives_the_same_series_however_time_passed() {
    let at_once = after_minutes(ClusterSpec::incident(7), 60);
    let mut cluster = Cluster::new(ClusterSpec::incident(7), START_MS);
    for minute in (0..60).step_by(3) {
        cluster.advance(START_MS + minute * MINUTE_MS);
    }
    assert_eq!(scrape(&mut cluster, START_MS + 60 * MINUTE_MS), at_once);
    assert_ne!(after_minutes(ClusterSpec::incident(8), 60), at_once);
}

#[test]
fn no_series_comes_twice_in_a_scrape() {
    let all = after_minutes(ClusterSpec::incident(1), 180);
    let distinct: BTreeSet<_> = all.iter().map(|(series, ..)| series).collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn pods_are_named_after_what_made_them() {
    let mut kinds = BTreeSet::new();
    for (series, ..) in after_minutes(ClusterSpec::incident(3), 24 * 60) {
        if series["__name__"] != "kube_pod_info" {
            continue;
        }
        let (kind, owner, pod) = (&series["created_by_kind"], &series["created_by_name"], &series["pod"]);
        let suffix = pod.strip_prefix(&format!("{owner}-")).unwrap_or_else(|| panic!("{pod} of {owner}"));
        assert!(is_suffix(suffix), "{pod}");
        let (workload, tail) = owner.rsplit_once('-').unwrap();
        match kind.as_str() {
            "ReplicaSet" => {
                assert!((6..=10).contains(&tail.len()), "{owner}");
                assert!(tail.bytes().all(|letter| b"456789bcdf".contains(&letter)), "{owner}");
                assert!(!tail.starts_with('4'), "no leading zero in {owner}");
            }
            "Job" => {
                let minutes: i64 = tail.parse().unwrap();
                let every = if workload == "close-carts" { 30 } else { 5 };
                assert_eq!((tail.len(), minutes % every), (8, 0), "{owner}");
                assert!(
                    (START_MS / MINUTE_MS..=START_MS / MINUTE_MS + 24 * 60).contains(&minutes),
                    "{owner}"
                );
            }
            kind => assert_eq!((kind, owner.as_str()), ("DaemonSet", "node-exporter")),
        }
        kinds.insert(kind.clone());
    }
    assert_eq!(kinds.len(), 3);
}

#[test]
fn a_finished_run_costs_64_series_and_says_whose_it_is() {
    let all = after_minutes(ClusterSpec::incident(5), 12);
    let owner = all
        .iter()
        .map(|(series, ..)| series)
        .find(|series| {
            series["__name__"] == "kube_job_owner" && series["owner_name"].starts_with("sync-once")
        })
        .unwrap();
    let job = &owner["job_name"];
    assert_eq!(owner["owner_kind"], "CronJob");
    let of_job = all.iter().filter(|(series, ..)| series.get("job_name") == Some(job)).count();
    let of_pod = all
        .iter()
        .filter(|(series, ..)| series.get("pod").is_some_and(|pod| pod.starts_with(job.as_str())))
        .count();
    assert_eq!((of_job, of_pod), (15, 49));
}

#[test]
fn containers_are_seen_by_cadvisor_with_14_labels_while_they_run() {
    let all = after_minutes(ClusterSpec::incident(2), 60);
    let mut containers = all.iter().filter(|(series, ..)| series["job"] == "kubelet").peekable();
    assert!(containers.peek().is_some());
    for (series, ..) in containers {
        assert_eq!(series.len(), 14, "{series:?}");
    }
}

#[test]
fn past_runs_pile_up_only_where_the_agent_keeps_them() {
    let (hour, day) = (60, 24 * 60);
    // a day has 288 runs of one cronjob and 48 of the other, all of which are over at half past a minute
    let kept_growth = after_minutes(ClusterSpec::incident(1), day).len()
        - after_minutes(ClusterSpec::incident(1), hour).len();
    assert!(kept_growth >= 300 * 64, "{kept_growth}");
    let mut cluster = Cluster::new(forgetful(1), START_MS);
    scrape(&mut cluster, START_MS + day * MINUTE_MS);
    // of each cronjob three that succeeded and one that failed
    assert_eq!(cluster.finished_runs(), 8);
    let forgotten =
        after_minutes(forgetful(1), day).len().abs_diff(after_minutes(forgetful(1), 2 * day).len());
    assert!(forgotten < 2 * 64, "{forgotten}");
}

#[test]
fn counters_grow_and_gauges_wobble() {
    let mut cluster = Cluster::new(ClusterSpec::incident(4), START_MS);
    let key = |found: Vec<(Series, f64, Kind)>| -> BTreeMap<Series, (f64, Kind)> {
        found.into_iter().map(|(series, value, kind)| (series, (value, kind))).collect()
    };
    let early = key(scrape(&mut cluster, START_MS + MINUTE_MS));
    let late = key(scrape(&mut cluster, START_MS + 2 * MINUTE_MS));
    let (mut grown, mut wobbled) = (0, 0);
    for (series, (after, kind)) in &late {
        let Some((before, _)) = early.get(series) else { continue };
        match kind {
            Kind::Counter => assert!(after >= before, "{series:?}"),
            Kind::Gauge => wobbled += usize::from(after < before),
        }
        grown += usize::from(*kind == Kind::Counter && after > before);
    }
    assert!(grown > 100 && wobbled > 10, "{grown} grew, {wobbled} fell");
}

#[test]
fn a_rollout_replaces_every_pod_of_its_deployment() {
    let pods = |minutes| -> BTreeSet<String> {
        after_minutes(ClusterSpec::incident(1), minutes)
            .into_iter()
            .filter(|(series, ..)| series["__name__"] == "go_goroutines" && series["job"] == "catalogue")
            .map(|(series, ..)| series["pod"].clone())
            .collect()
    };
    assert_eq!(pods(1), pods(11 * 60));
    assert!(pods(1).is_disjoint(&pods(13 * 60)));
}
