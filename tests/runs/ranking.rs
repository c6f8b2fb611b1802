//! Who is named first, and who never.

use std::net::{IpAddr, Ipv4Addr};

use seriesgate::cardinality::{Finding, FindingKind};

use super::ksm::pod_name;
use super::rig::{Page, Watch, labels};
use super::support::STALE;
use super::world::{Cron, World};

fn findings(watch: &Watch) -> Vec<Finding> {
    watch.gate.pipeline.tracker().findings(watch.now())
}

/// Kind and name of what is found, first to last.
fn named(watch: &Watch) -> Vec<(FindingKind, String)> {
    let name = |finding: Finding| finding.culprit.map(|culprit| culprit.name).unwrap_or_default();
    findings(watch).into_iter().map(|finding| (finding.kind, name(finding))).collect()
}

/// CronJobs that keep their limits and clean up, some of them every minute.
fn healthy() -> Vec<Cron> {
    let mut crons: Vec<Cron> = (0..10).map(|i| Cron::new(&format!("tidy-{i}"), 1 + i % 2 * 4)).collect();
    crons[3].fails = 3;
    crons[4].limits = [10, 5];
    crons[5].indexes = 3;
    crons
}

#[test]
fn an_incident_that_was_there_before_is_first_ten_minutes_after_the_start() {
    for (every, honors_labels, tells_limits) in
        [(1, true, true), (5, false, true), (1, false, false), (5, true, false)]
    {
        let case = format!("every {every}, honor_labels: {honors_labels}, limits: {tells_limits}");
        let mut crons = healthy();
        crons.push(Cron::keeping("hoard", every));
        let mut world = World::new(crons);
        (world.honors_labels, world.tells_limits) = (honors_labels, tells_limits);
        let mut watch = Watch::new();
        world.age(&watch, 60);
        for minute in 1..=20 {
            world.live(&mut watch, 1);
            let named = named(&watch);
            let only = vec![(FindingKind::StuckRuns, "hoard".to_owned())];
            assert!(named.is_empty() || named == only, "{case}, minute {minute}: {named:?}");
            assert!(minute < 10 || named == only, "{case}, minute {minute}");
        }
        let first = &findings(&watch)[0];
        assert!((f64::from(60 / every) - first.growth_per_hour.unwrap()).abs() < 3.0, "{case}: {first:?}");
    }
}

/// Where nothing is deleted nothing is marked, and some agents mark nothing at all.
#[test]
fn without_stale_markers_the_same_is_first_and_nobody_healthy_is_named() {
    for (every, beside) in [(1, Vec::new()), (1, healthy()), (5, healthy())] {
        let case = format!("every {every} beside {}", beside.len());
        let mut crons = beside;
        crons.push(Cron::keeping("hoard", every));
        let mut world = World::new(crons);
        let mut watch = Watch::new();
        watch.marks = false;
        world.age(&watch, 60);
        for minute in 1..=40 {
            world.live(&mut watch, 1);
            let named = named(&watch);
            let only = vec![(FindingKind::StuckRuns, "hoard".to_owned())];
            assert!(named.is_empty() || named == only, "{case}, minute {minute}: {named:?}");
            assert!(minute < 10 || named == only, "{case}, minute {minute}");
        }
    }
}

#[test]
fn the_stale_markers_of_one_agent_say_nothing_of_what_another_leaves_out() {
    let mut world = World::new(healthy());
    let mut watch = Watch::new();
    watch.marks = false;
    let agents = [watch.address, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 10))];
    let other = |pod: u32| labels(&[("__name__", "other"), ("namespace", "z"), ("pod", &format!("o{pod}"))]);
    world.age(&watch, 60);
    for minute in 1..=40 {
        watch.address = agents[1];
        watch.send(vec![(other(minute), 1.0), (other(minute - 1), STALE)]);
        watch.address = agents[0];
        world.live(&mut watch, 1);
        assert_eq!(named(&watch), [], "minute {minute}");
    }
}

#[test]
fn an_incident_that_begins_is_first_within_ten_minutes() {
    for every in [1, 5] {
        let mut crons = healthy();
        crons.push(Cron::new("hoard", every));
        let mut world = World::new(crons);
        let mut watch = Watch::new();
        world.age(&watch, 30);
        for minute in 1..=60 {
            world.live(&mut watch, 1);
            assert_eq!(named(&watch), [], "every {every}, minute {minute}");
        }
        world.crons.last_mut().unwrap().keeps_all = true;
        world.live(&mut watch, 10);
        assert_eq!(named(&watch), [(FindingKind::StuckRuns, "hoard".to_owned())], "every {every}");
    }
}

#[test]
fn an_incident_comes_before_what_costs_more_series() {
    let mut world = World::new(vec![Cron::keeping("hoard", 5)]);
    let mut watch = Watch::new();
    world.age(&watch, 60);
    world.live(&mut watch, 12);
    // all pods of an application are replaced
    world.apps[0].set = "web-6d6f5b8c9d".to_owned();
    for pod in &mut world.apps[0].pods {
        pod.owner.1 = "web-6d6f5b8c9d".to_owned();
        pod.name = super::ksm::pod_name("web-6d6f5b8c9d", pod.name.len() as u64 + pod.node.len() as u64);
        pod.name.push_str(&pod.node[7..]);
    }
    world.live(&mut watch, 1);
    let kinds: Vec<_> = named(&watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [FindingKind::StuckRuns, FindingKind::Rollout]);
}

/// The label goes on when the rollout is long over.
#[test]
fn what_a_rollout_brings_along_comes_before_the_rollout() {
    let mut world = World::new(Vec::new());
    let mut watch = Watch::new();
    world.age(&watch, 60);
    world.live(&mut watch, 10);
    let namespace = world.apps[0].pods[0].namespace;
    let pods: Vec<String> = (0..3).map(|i| pod_name("web-6d6f5b8c9d", i)).collect();
    for minute in 0..10 {
        let mut series = Vec::new();
        for pod in &pods {
            let of = |name: &str, user: &str| {
                labels(&[("__name__", name), ("namespace", namespace), ("pod", pod), ("user_id", user)])
            };
            series.extend((0..20).map(|n| (of(&format!("m{n}_total"), ""), 1.0)));
            series.extend((0..50).map(|n| (of("logins_total", &format!("u{minute}-{n}")), 1.0)));
        }
        watch.send(series);
        watch.wait(1);
    }
    let kinds: Vec<_> = named(&watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [FindingKind::Labels, FindingKind::Rollout]);
}

#[test]
fn limits_that_are_raised_are_kept_from_then_on() {
    let mut world = World::new(vec![Cron::new("tidy", 1)]);
    let mut watch = Watch::new();
    world.age(&watch, 30);
    world.live(&mut watch, 40);
    world.crons[0].limits = [20, 5];
    for minute in 1..=40 {
        world.live(&mut watch, 1);
        assert_eq!(named(&watch), [], "minute {minute}");
    }
    world.crons[0].limits = [3, 1];
    world.crons[0].keeps_all = true;
    world.live(&mut watch, 5);
    assert_eq!(named(&watch), [(FindingKind::StuckRuns, "tidy".to_owned())]);
}

/// What an application in the pods of a run says, where nobody speaks of jobs and pods.
fn run_of(cronjob: &str, minute: u32) -> Page {
    let pod = pod_name(&format!("{cronjob}-{minute}"), u64::from(minute));
    let rows = |table: u32| {
        let table = format!("t{table}");
        let pairs = [
            ("__name__", "app_rows_total"),
            ("k8s_namespace_name", "shop"),
            ("k8s_pod_name", &pod),
            ("table", &table),
        ];
        (labels(&pairs), f64::from(minute))
    };
    (0..10).map(rows).collect()
}

#[test]
fn where_nobody_speaks_of_jobs_only_runs_that_stay_are_named() {
    for (name, stay, marked) in [("hoard", 60, true), ("tidy", 1, true), ("tidy", 1, false)] {
        let mut watch = Watch::new();
        let first = watch.now() / 60;
        for minute in 1..=40 {
            watch.wait(1);
            let now = watch.now() / 60;
            let mut page: Page =
                (first.max(now.saturating_sub(stay))..=now).flat_map(|m| run_of(name, m)).collect();
            page.insert(labels(&[("__name__", "up"), ("job", "node")]), 1.0);
            match marked {
                true => watch.scrape(&page),
                false => watch.send(page.into_iter().collect()),
            }
            let expected = if stay == 60 { vec![(FindingKind::Runs, name.to_owned())] } else { Vec::new() };
            let named = named(&watch);
            assert!(named.is_empty() || named == expected, "{name}, minute {minute}: {named:?}");
            assert!(minute < 20 || named == expected, "{name}, minute {minute}");
        }
    }
}

#[test]
fn what_was_cleaned_up_is_not_named_any_more() {
    let mut world = World::new(vec![Cron::keeping("hoard", 1)]);
    let mut watch = Watch::new();
    world.age(&watch, 120);
    world.live(&mut watch, 10);
    assert_eq!(named(&watch).len(), 1);
    world.crons[0].keeps_all = false;
    world.live(&mut watch, 1);
    assert_eq!(named(&watch), []);
    // and while the agent is away, too: what vanished then gets no stale marker
    world.crons[0].keeps_all = true;
    world.live(&mut watch, 60);
    assert_eq!(named(&watch).len(), 1);
    world.crons[0].keeps_all = false;
    for _ in 0..8 {
        watch.wait(1);
        world.advance(watch.now() / 60);
    }
    watch.restart();
    world.live(&mut watch, 7);
    assert_eq!(named(&watch), []);
    assert_eq!(watch.runs("hoard"), Some((4, 3)), "three that are kept, and one that goes on");
}
