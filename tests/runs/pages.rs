//! kube-state-metrics' own pages, with both settings of `honor_labels`: whose each series is, what is found, and whether the
//! remedy takes what it is meant to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seriesgate::admin::View;
use seriesgate::cardinality::FindingKind;
use seriesgate::config::Config;
use seriesgate::policy::{Disposition, PolicySet, Run as Mode, WorkloadSource};
use seriesgate::series::{self, Limits};

use super::ksm::{About, Pod, State};
use super::rig::{Labels, Watch};
use super::world::{App, Cron, NAMESPACE, Run, World};

const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What the first finding says to paste, as it takes effect.
fn remedy(watch: &Watch) -> PolicySet {
    let pipeline = &watch.gate.pipeline;
    let (tracker, tenants) = (pipeline.tracker(), pipeline.tenants().names());
    let view =
        View { tracker, types: None, tenants, policies: Vec::new(), rejected: Vec::new(), now: watch.now() };
    let answer: serde_json::Value = serde_json::from_str(&view.json("/api/v1/churn", "limit=1")).unwrap();
    let policy = answer["findings"][0]["remedy"]["policy"].as_str().unwrap();
    let policy = policy.replace("mode: preview", "mode: enforce");
    let text = format!("upstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies:\n{policy}");
    let config = Config::parse(&text, "gate.yaml", Path::new("."), &|_| None).unwrap().config;
    PolicySet::compile(&config.policies, Mode::AsConfigured).unwrap()
}

/// Each series is whose the page says, and is counted there once; nobody else has any.
fn assert_owners(watch: &Watch, truth: &BTreeMap<Labels, About>, case: &str) {
    let tracker = watch.gate.pipeline.tracker();
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for (labels, about) in truth {
        let found = tracker.workload_of(0, series::Labels::from_sorted(&pairs(labels)));
        let found = found.map(|(namespace, kind, name, _)| {
            assert_eq!(namespace, NAMESPACE, "{case}: {labels:?}");
            (kind.as_str(), name)
        });
        assert_eq!(&found, about, "{case}: {labels:?}");
        if let Some(about) = about {
            *counts.entry(about.clone()).or_default() += 1;
        }
    }
    let lines = watch.workloads().into_iter().filter(|line| line.number != 0 && line.counts.active > 0);
    let lines: Vec<_> = lines.map(|line| ((line.kind.as_str(), line.name), line.counts)).collect();
    let named: BTreeSet<_> = lines.iter().map(|(about, _)| about).collect();
    assert_eq!(named, counts.keys().collect(), "{case}");
    // of others what has ended is forgotten in its time
    for (about, found) in lines.iter().filter(|(_, counts)| counts.ended == 0) {
        assert_eq!(found.active, counts[about], "{case}: {about:?}");
    }
}

/// Names of so many letters.
fn cronjob(letters: usize) -> String {
    format!("sync{}", "n".repeat(letters - 4))
}

fn app(letters: usize) -> String {
    format!("app-{}", "n".repeat(letters - 4))
}

/// Everything at once, the runs of one CronJob kept.
fn world(honors_labels: bool, hoard: Cron) -> World {
    let mut world = World::new(vec![hoard, Cron::new("tidy", 1), Cron::new("tidy-indexed", 5)]);
    world.honors_labels = honors_labels;
    world.crons[1].fails = 3;
    world.crons[2].indexes = 3;
    let nodes = ["worker-1", "worker-2"];
    world.apps.extend([48, 54, 56, 57, 58, 63].map(|letters| App::new(&app(letters), &nodes)));
    // a job that tries again, and one that people made
    let mut retries = Run::started("import-data", None, 0, "worker-1", 1);
    retries.pods[0].phase = "Failed";
    let again = Run::started("import-data", None, 0, "worker-2", 2);
    retries.pods.extend(again.pods);
    world.jobs.push(retries);
    // nobody's, whatever their names look like
    let bare = |name: &str, node: &str| Pod {
        name: name.to_owned(),
        namespace: NAMESPACE,
        node: node.to_owned(),
        owner: ("", String::new()),
        phase: "Running",
    };
    world.bare = vec![bare("copy-29931557-x7k2p", "worker-1"), bare("web-7d764666f9-zzzzz", "worker-3")];
    world
}

fn check(honors_labels: bool, hoard: Cron) {
    let name = hoard.name.clone();
    let case = format!("{} letters, honor_labels: {honors_labels}", name.len());
    let mut world = world(honors_labels, hoard);
    let mut watch = Watch::new();
    world.age(&watch, 12);
    // a run of the same CronJob that somebody started
    let mut manual = Run::started("by-hand", Some(&name), 0, "worker-1", 7);
    (manual.job.state, manual.pods[0].phase) = (State::Complete, "Succeeded");
    world.jobs.push(manual);
    world.live(&mut watch, 12);
    // what came before its owner was said moves at its next sample
    let (page, truth) = world.scrape();
    watch.wait(1);
    watch.scrape(&page);
    assert_owners(&watch, &truth, &case);

    let found = watch.gate.pipeline.tracker().findings(watch.now());
    let kinds: Vec<_> =
        found.iter().map(|finding| (finding.kind, finding.culprit.as_ref().unwrap().name.clone())).collect();
    assert_eq!(kinds, [(FindingKind::StuckRuns, name.clone())], "{case}");
    let line = watch.workload("job", "import-data").unwrap();
    assert_eq!((line.runs, line.runs_over), (1, 0), "{case}: it tries again");

    let remedy = remedy(&watch);
    for labels in page.keys() {
        let decision =
            remedy.decide(series::Labels::from_sorted(&pairs(labels)), &WorkloadSource::nothing(), &LIMITS);
        let of_hand = pairs(labels).iter().any(|(_, value)| value.starts_with("by-hand"));
        let is_run = truth[labels] == Some(("cronjob", name.clone())) && !of_hand;
        assert_eq!(decision.verdict.disposition() == Disposition::Drop, is_run, "{case}: {labels:?}");
    }
}

#[test]
fn names_of_all_lengths_are_known_and_their_runs_taken() {
    for letters in [6, 40, 47, 48, 49, 50, 51, 52] {
        check(letters % 2 == 0, Cron::keeping(&cronjob(letters), 1));
        check(letters % 2 == 1, Cron::keeping(&cronjob(letters), 2));
    }
}

#[test]
fn indexed_jobs_are_known_and_taken_too() {
    for (letters, honors_labels) in [(6, true), (44, false), (46, true), (48, false), (50, true), (52, false)]
    {
        let mut hoard = Cron::keeping(&cronjob(letters), 3);
        hoard.indexes = 11;
        check(honors_labels, hoard);
    }
}

#[test]
fn a_healthy_cluster_stays_so_when_its_agent_starts_anew() {
    for honors_labels in [true, false] {
        let mut world = world(honors_labels, Cron::new("sync", 1));
        let mut watch = Watch::new();
        world.age(&watch, 30);
        for minute in 1..=90 {
            if minute % 30 == 0 {
                // it is away for a while, and does not know what it sent before
                for _ in 0..minute / 10 {
                    watch.wait(1);
                    world.advance(watch.now() / 60);
                }
                watch.restart();
            }
            world.live(&mut watch, 1);
            let found = watch.gate.pipeline.tracker().findings(watch.now());
            assert!(found.is_empty(), "honor_labels: {honors_labels}, minute {minute}: {found:?}");
        }
        let (page, truth) = world.scrape();
        watch.wait(1);
        watch.scrape(&page);
        assert_owners(&watch, &truth, "at the end");
    }
}
