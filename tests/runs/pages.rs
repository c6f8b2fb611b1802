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
use super::support::STALE;
use super::world::{App, Cron, NAMESPACE, Run, World};

const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What the first finding says to paste, as it takes effect. It was tried and is right.
fn remedy(watch: &Watch) -> PolicySet {
    let pipeline = &watch.gate.pipeline;
    let (tracker, tenants) = (pipeline.tracker(), pipeline.tenants().names());
    let view = View {
        tracker,
        types: None,
        tenants,
        policies: Vec::new(),
        rejected: Vec::new(),
        incomplete: false,
        now: watch.now(),
    };
    let answer: serde_json::Value = serde_json::from_str(&view.json("/api/v1/churn", "limit=1")).unwrap();
    let remedy = &answer["findings"][0]["remedy"];
    let tried = &remedy["tried"];
    let count = |of: &str| tried[of].as_u64().unwrap();
    assert!(tried["result"] == "right" && count("own") > 20 && count("others") > 100, "{remedy}");
    let policy = remedy["policy"].as_str().unwrap();
    assert!(policy.contains("run_finished_for: 30m"), "{policy}");
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

    // half an hour from now: of those that are over now, and of no others
    let remedy = remedy(&watch);
    let (now, over) = (watch.now(), over(&world));
    for labels in page.keys() {
        let pairs = pairs(labels);
        let series = series::Labels::from_sorted(&pairs);
        let find = || watch.gate.pipeline.tracker().known_facts(0, series, now);
        let decision = remedy.decide(series, &WorkloadSource::new(now + HALF_AN_HOUR, &find), &LIMITS);
        let is_run = truth[labels] == Some(("cronjob", name.clone())) && is_of(labels, &over);
        let is_taken = decision.verdict.disposition() == Disposition::Drop;
        assert_eq!(is_taken, is_run && !is_for_alerts(labels), "{case}: {labels:?}");
    }
}

const HALF_AN_HOUR: u32 = 1800;

/// The names of jobs that are over, and of their pods.
fn over(world: &World) -> BTreeSet<String> {
    let runs = world.crons.iter().flat_map(Cron::runs).chain(&world.jobs);
    let jobs: BTreeSet<String> =
        runs.filter(|run| run.job.state != State::Active).map(|run| run.job.name.clone()).collect();
    let pods: Vec<String> = world.pods().filter(|(_, job)| jobs.contains(job)).map(|(pod, _)| pod).collect();
    jobs.into_iter().chain(pods).collect()
}

/// Whether a series names one of these.
fn is_of(labels: &Labels, names: &BTreeSet<String>) -> bool {
    labels.iter().any(|(_, value)| names.contains(value))
}

/// Whether alerts on failed jobs read it.
fn is_for_alerts(labels: &Labels) -> bool {
    labels.iter().any(|(_, value)| matches!(value.as_str(), "kube_job_failed" | "kube_job_status_failed"))
}

#[test]
fn the_remedy_in_force_leaves_what_ended_within_half_an_hour_and_what_alerts_read() {
    let mut world = world(true, Cron::keeping("sync", 1));
    world.crons[0].fails = 3;
    let mut watch = Watch::new();
    world.age(&watch, 12);
    world.live(&mut watch, 12);
    let remedy = remedy(&watch);
    watch.gate.pipeline.replace_policies(remedy);
    // what ended half an hour ago, minute by minute
    let mut ended = Vec::new();
    for minute in 0..45 {
        world.live(&mut watch, 1);
        ended.push(over(&world));
        let (page, truth) = world.scrape();
        let old = if minute >= 30 { ended[minute - 30].clone() } else { BTreeSet::new() };
        for labels in page.keys() {
            let is_run = truth[labels] == Some(("cronjob", "sync".to_owned())) && is_of(labels, &old);
            let value = watch.sent.get(labels);
            let is_sent = value.is_some_and(|value| value.to_bits() != STALE.to_bits());
            // of what the gate saw for the first time it is not known when it ended, but when it was due
            let is_early = minute < 31 && !is_sent && is_of(labels, &ended[0]);
            assert!(is_early || is_sent == (!is_run || is_for_alerts(labels)), "minute {minute}: {labels:?}");
        }
    }
    let kept = watch.sent.keys().filter(|labels| is_for_alerts(labels)).count();
    assert!(kept > 60, "{kept}");
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
