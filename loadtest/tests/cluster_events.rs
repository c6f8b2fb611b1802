//! What happens in the simulated cluster, and what an agent makes of it.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::{BTreeMap, BTreeSet};

use seriesgate_loadtest::cluster::{
    Agent, Cluster, ClusterSpec, Deployment, Detail, Event, Happening, Job, StatefulSet,
};
use seriesgate_loadtest::law::STALE_MARKER;

/// 2026-01-01T00:00:30Z.
const START_S: i64 = 1_767_225_630;

type Series = BTreeMap<String, String>;

fn spec(events: Vec<Event>) -> ClusterSpec {
    let mut spec = ClusterSpec::incident(5);
    spec.statefulsets = vec![StatefulSet { namespace: "data-prod".into(), name: "db".into(), replicas: 9 }];
    spec.deployments.push(Deployment::new("shop-prod", "search", 30));
    let job = |name: &str, indexes| Job {
        namespace: "data-prod".into(),
        name: name.into(),
        starts_s: START_S + 600,
        run_seconds: 60,
        indexes,
    };
    spec.jobs = vec![job("migrate", 0), job("train", 3)];
    spec.keep_past_runs = false;
    ClusterSpec { events, ..spec }
}

fn at(minutes: i64, what: Happening) -> Event {
    Event { at_s: START_S + minutes * 60, what }
}

fn scrape(cluster: &mut Cluster, minutes: i64) -> BTreeSet<Series> {
    let mut all = BTreeSet::new();
    cluster.scrape((START_S + minutes * 60) * 1000, |labels, _, _| {
        all.insert(labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    });
    all
}

fn pods(all: &BTreeSet<Series>, owner_prefix: &str) -> BTreeMap<String, (String, String)> {
    all.iter()
        .filter(|s| s["__name__"] == "kube_pod_info" && s["created_by_name"].starts_with(owner_prefix))
        .map(|s| (s["pod"].clone(), (s["node"].clone(), s["uid"].clone())))
        .collect()
}

#[test]
fn the_same_comes_out_at_any_step() {
    let events =
        vec![at(7, Happening::Rollout(0)), at(33, Happening::NodeLost(1)), at(40, Happening::KeepPastRuns)];
    let run = |step: i64| {
        let mut cluster = Cluster::new(spec(events.clone()), START_S * 1000);
        for minute in (0..180).step_by(step as usize) {
            cluster.advance((START_S + minute * 60) * 1000);
        }
        scrape(&mut cluster, 180)
    };
    let once = run(180);
    assert_eq!(run(1), once);
    assert_eq!(run(7), once);
}

#[test]
fn a_rollout_replaces_the_pods_of_its_deployment_and_no_others() {
    let mut cluster = Cluster::new(spec(vec![at(7, Happening::Rollout(0))]), START_S * 1000);
    let (before, after) = (scrape(&mut cluster, 6), scrape(&mut cluster, 8));
    let of = |all: &BTreeSet<Series>, name| pods(all, name).into_keys().collect::<BTreeSet<_>>();
    assert!(of(&before, "checkout").is_disjoint(&of(&after, "checkout")));
    assert_eq!(of(&after, "checkout").len(), 4);
    for other in ["catalogue", "invoices", "gateway", "search", "db", "node-exporter"] {
        assert_eq!(of(&before, other), of(&after, other), "{other}");
    }
}

#[test]
fn a_lost_node_ends_at_once_and_its_pods_are_replaced_after_five_minutes() {
    let mut cluster = Cluster::new(spec(vec![at(10, Happening::NodeLost(1))]), START_S * 1000);
    let node = cluster.node_name(1).unwrap().to_owned();
    let kubelet = |all: &BTreeSet<Series>| {
        all.iter().filter(|s| s["job"] == "kubelet" && s["node"] == node.as_str()).count()
    };
    let before = scrape(&mut cluster, 9);
    let there = |all: &BTreeSet<Series>, name| -> Vec<(String, String)> {
        pods(all, name)
            .into_iter()
            .filter(|(_, (n, _))| *n == node)
            .map(|(pod, (_, uid))| (pod, uid))
            .collect()
    };
    let (search, db) = (there(&before, "search"), there(&before, "db"));
    assert!(
        kubelet(&before) > 0
            && !search.is_empty()
            && !db.is_empty()
            && !there(&before, "node-exporter").is_empty()
    );
    let gone = scrape(&mut cluster, 11);
    assert_eq!((kubelet(&gone), there(&gone, "search")), (0, search.clone()), "nobody has given them up");
    let after = scrape(&mut cluster, 16);
    for owner in ["search", "db", "checkout", "node-exporter"] {
        assert!(there(&after, owner).is_empty(), "{owner}");
    }
    assert_eq!(pods(&after, "search").len(), 30);
    assert!(search.iter().all(|(pod, _)| !pods(&after, "search").contains_key(pod)), "new names");
    for (pod, uid) in db {
        assert_ne!(pods(&after, "db")[&pod].1, uid, "the same name, another pod");
    }
    assert_eq!(pods(&after, "node-exporter").len(), 2);
}

#[test]
fn jobs_start_when_they_are_due_and_name_their_pods_as_kubernetes_does() {
    let mut cluster = Cluster::new(spec(Vec::new()), START_S * 1000);
    assert!(pods(&scrape(&mut cluster, 9), "migrate").is_empty());
    let all = scrape(&mut cluster, 30);
    let names = |job: &str| -> Vec<String> {
        pods(&all, job).into_keys().map(|pod| pod[..pod.len() - 5].to_owned()).collect()
    };
    assert_eq!(names("migrate"), ["migrate-"]);
    assert_eq!(names("train"), ["train-0-", "train-1-", "train-2-"]);
    let owner = all.iter().find(|s| s["__name__"] == "kube_job_owner" && s["job_name"] == "train").unwrap();
    assert!(!owner.contains_key("owner_kind"));
    let over = |s: &&Series| s["__name__"] == "kube_job_status_completion_time";
    let jobs: Vec<&str> = all.iter().filter(over).map(|s| s["job_name"].as_str()).collect();
    assert!(jobs.contains(&"migrate") && jobs.contains(&"train"));
}

#[test]
fn an_agent_ends_what_is_gone_and_nothing_else() {
    let mut agent = Agent::new(Cluster::new(spec(vec![at(7, Happening::Rollout(0))]), START_S * 1000));
    let mut last = BTreeSet::new();
    for minute in 0..20 {
        let (mut now, mut ended) = (BTreeSet::new(), BTreeSet::new());
        let counted = agent.scrape((START_S + minute * 60) * 1000, |labels, value| {
            let series: Series = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let into = if value.to_bits() == STALE_MARKER.to_bits() { &mut ended } else { &mut now };
            assert!(into.insert(series), "once");
        });
        assert_eq!(counted, (now.len() as u64, ended.len() as u64));
        assert_eq!(ended, last.difference(&now).cloned().collect(), "minute {minute}");
        last = now;
    }
    agent.restart();
    let mut ended = 0;
    agent.scrape((START_S + 3600) * 1000, |_, value| ended += u32::from(value.is_nan()));
    assert_eq!(ended, 0, "it remembers nothing");
}

#[test]
fn a_lean_cluster_is_a_part_of_the_full_one() {
    let of =
        |detail| scrape(&mut Cluster::new(ClusterSpec { detail, ..spec(Vec::new()) }, START_S * 1000), 60);
    let (full, lean) = (of(Detail::Full), of(Detail::Lean));
    assert!(lean.is_subset(&full));
    assert!((4..8).contains(&(full.len() / lean.len())), "{} of {}", lean.len(), full.len());
    let with =
        |all: &BTreeSet<Series>| all.iter().filter_map(|s| s.get("pod").cloned()).collect::<BTreeSet<_>>();
    assert_eq!(with(&full), with(&lean), "every pod is in it");
}
