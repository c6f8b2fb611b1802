//! Policies that ask for workloads: which series they take, when they begin to, and what then ends. Minute by minute, in the
//! time of samples; no policy is changed in between.

use std::collections::{BTreeMap, BTreeSet};

use seriesgate::policy::{Action, Aggregation, Condition, Definition, Keys, MetricKind, Mode};
use seriesgate::series::grammar::Kind;

use super::ksm::{About, State};
use super::rig::{Labels, Page, Watch, labels};
use super::support::{self, STALE};
use super::world::{Cron, Run, World};

const HALF_AN_HOUR: u32 = 1800;

fn drop_where(workload: Condition) -> Definition {
    let mut policy = support::policy("history", "{}", Action::Drop, Mode::Enforce);
    policy.workload = Some(workload);
    policy
}

fn finished() -> Condition {
    Condition { kind: Some(Kind::Cronjob), run_finished_for: Some(HALF_AN_HOUR), ..Condition::default() }
}

fn watch_with(policies: &[Definition]) -> Watch {
    let watch = Watch::new();
    watch.gate.pipeline.replace_policies(support::set(policies));
    watch
}

/// The minute when a run was due, by the name of its job, which its pods' names begin with.
fn due(labels: &Labels, cronjob: &str) -> Option<u32> {
    let start = format!("{cronjob}-");
    labels.iter().find_map(|(_, value)| value.strip_prefix(&start)?.get(..8)?.parse().ok())
}

/// What the last scrape found and the gate did not send on, and what it ended.
fn withheld(watch: &Watch, page: &Page) -> (BTreeSet<Labels>, BTreeSet<Labels>) {
    let is_end = |labels: &Labels| watch.sent.get(labels).is_some_and(|v| v.to_bits() == STALE.to_bits());
    let (mut gone, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for labels in page.keys() {
        if is_end(labels) {
            ended.insert(labels.clone());
        }
        if is_end(labels) || !watch.sent.contains_key(labels) {
            gone.insert(labels.clone());
        }
    }
    (gone, ended)
}

#[test]
fn each_series_of_a_run_ends_half_an_hour_after_the_run() {
    half_an_hour_after_the_run(finished());
}

/// With its end its series change for the last time.
#[test]
fn each_series_of_a_run_ends_when_none_has_changed_for_half_an_hour() {
    half_an_hour_after_the_run(unchanged());
}

fn unchanged() -> Condition {
    Condition { kind: Some(Kind::Cronjob), unchanged_for: Some(HALF_AN_HOUR), ..Condition::default() }
}

fn half_an_hour_after_the_run(condition: Condition) {
    let alerts = support::policy("alerts", "kube_job_failed", Action::Pass, Mode::Enforce);
    let mut watch = watch_with(&[alerts, drop_where(condition)]);
    let mut world = World::new(vec![Cron::keeping("sync", 7)]);
    world.crons[0].fails = 3;
    let mut ended_before = BTreeSet::new();
    let mut most = 0;
    for _ in 0..100 {
        world.live(&mut watch, 1);
        let (page, _) = world.scrape();
        let minute = watch.now() / 60;
        let (gone, ended) = withheld(&watch, &page);
        for labels in page.keys() {
            // it ends a minute after it was due
            let is_over = due(labels, "sync").is_some_and(|due| minute - due > 30);
            let alerts = labels.iter().any(|(_, value)| value == "kube_job_failed");
            assert_eq!(gone.contains(labels), is_over && !alerts, "minute {minute}: {labels:?}");
        }
        // what is withheld ends once, and at once
        let all: BTreeSet<Labels> = ended_before.union(&ended).cloned().collect();
        assert_eq!(all.len(), ended_before.len() + ended.len());
        assert_eq!(all, gone);
        ended_before = all;
        most = most.max(page.len() - gone.len());
    }
    assert!(ended_before.len() > 400, "{} were withheld", ended_before.len());
    assert!(most < 1200, "what flows stays as it is: {most}");
}

#[test]
fn all_but_the_newest_runs_go_and_none_that_goes_on() {
    let keep = Condition { kind: Some(Kind::Cronjob), keep_runs: Some(3), ..Condition::default() };
    let mut watch = watch_with(&[drop_where(keep)]);
    let mut world = World::new(vec![Cron::keeping("sync", 5)]);
    // one that goes on for longer than many that follow
    let minute = watch.now() / 60;
    let long = format!("sync-{minute}");
    world.jobs.push(Run::started(&long, Some("sync"), 0, "worker-1", 1));
    for _ in 0..60 {
        world.live(&mut watch, 1);
        let (page, _) = world.scrape();
        let now = watch.now() / 60;
        let (gone, _) = withheld(&watch, &page);
        for labels in page.keys() {
            let Some(due) = due(labels, "sync") else {
                assert!(!gone.contains(labels), "{labels:?}");
                continue;
            };
            let newer = now / 5 - due / 5;
            let is_over = due != minute && now > due;
            match newer {
                // the third newer one came with this scrape, or how its newest runs stand is said in it
                3 if now % 5 < 2 => {}
                newer => {
                    assert_eq!(gone.contains(labels), is_over && newer >= 3, "minute {now}: {labels:?}")
                }
            }
        }
    }
}

/// Two hours of kept runs that a gate sees for the first time, and one that goes on for all that time.
#[test]
fn after_a_restart_the_history_goes_within_minutes_and_what_goes_on_stays() {
    after_a_restart(true);
    after_a_restart(false);
}

/// Whether jobs say when they were completed; else a run that was over before it was seen ended when it was due.
fn after_a_restart(tells_completion: bool) {
    let mut world = World::new(vec![Cron::keeping("sync", 5), Cron::keeping("tidy", 3)]);
    let mut watch = watch_with(&[drop_where(Condition { name: Some("sync|etl".into()), ..finished() })]);
    let minute = watch.now() / 60;
    world.age(&watch, 120);
    let long = format!("etl-{}", minute - 180);
    world.jobs.push(Run::started(&long, Some("etl"), 0, "worker-1", 1));
    for scrape in 0..10 {
        watch.wait(1);
        world.advance(watch.now() / 60);
        let (mut page, truth) = world.scrape();
        let of_completion =
            |labels: &Labels| labels.iter().any(|(_, v)| v == "kube_job_status_completion_time");
        page.retain(|labels, _| tells_completion || !of_completion(labels));
        watch.scrape(&page);
        let now = watch.now() / 60;
        let (gone, _) = withheld(&watch, &page);
        for labels in &gone {
            assert_eq!(truth[labels], Some(("cronjob", "sync".to_owned())), "{labels:?}");
        }
        for labels in page.keys().filter(|_| scrape > 1) {
            let least = if tells_completion || due(labels, "sync").is_some_and(|due| due >= minute) {
                31
            } else {
                30
            };
            let over = due(labels, "sync").is_some_and(|due| now - due >= least);
            assert_eq!(gone.contains(labels), over, "scrape {scrape}: {labels:?}");
        }
    }
}

#[test]
fn runs_are_met_whatever_their_names_have_become() {
    let name = format!("sync{}", "n".repeat(48));
    let mut cron = Cron::keeping(&name, 3);
    cron.indexes = 11;
    let mut world = World::new(vec![cron, Cron::new("tidy", 1)]);
    let mut hand = Run::started("by-hand", Some(&name), 0, "worker-1", 7);
    (hand.job.state, hand.pods[0].phase) = (State::Complete, "Succeeded");
    // whatever its name looks like, nobody owns it
    let mut alone = Run::started("copy-29931557", None, 0, "worker-2", 8);
    (alone.job.state, alone.pods[0].phase) = (State::Complete, "Succeeded");
    world.jobs.extend([hand, alone]);
    let workload = Condition { name: Some("sync.*".into()), ..finished() };
    let mut watch = watch_with(&[drop_where(workload)]);
    let first = watch.now() / 60;
    for _ in 0..50 {
        world.live(&mut watch, 1);
        let (page, truth) = world.scrape();
        let (gone, _) = withheld(&watch, &page);
        let is_meant = |labels: &Labels| truth[labels] == Some(("cronjob", name.clone()));
        assert!(gone.iter().all(is_meant));
        assert!(gone.is_empty() || watch.now() / 60 - first >= 30);
    }
    let now = watch.now() / 60;
    let (page, truth) = world.scrape();
    let (gone, _) = withheld(&watch, &page);
    let over = world.crons[0].runs().filter(|run| now - due_of(&run.job.name) > 30);
    let over: BTreeSet<String> = over.map(|run| run.job.name.clone()).chain(["by-hand".to_owned()]).collect();
    let pods: BTreeMap<String, String> = world.pods().collect();
    for labels in page.keys().filter(|labels| truth[*labels] == Some(("cronjob", name.clone()))) {
        let job = labels
            .iter()
            .find_map(|(_, value)| over.get(value).or_else(|| pods.get(value).and_then(|job| over.get(job))));
        assert_eq!(gone.contains(labels), job.is_some(), "{labels:?}");
    }
    assert!(gone.len() > 1000, "{}", gone.len());
}

fn due_of(job: &str) -> u32 {
    job[job.len() - 8..].parse().unwrap()
}

/// What a kubelet says of a run's container: nothing of how the run stands.
fn container(pod: &str) -> Labels {
    labels(&[("__name__", "container_memory_rss"), ("namespace", "shop"), ("pod", pod)])
}

#[test]
fn where_nothing_says_how_runs_stand_they_go_by_their_schedule() {
    let mut watch = watch_with(&[drop_where(finished())]);
    let minute = watch.now() / 60;
    let old = container(&format!("sync-{}-x7k2p", minute - 120));
    let young = container(&format!("sync-{}-b2c4d", minute - 5));
    let page: Page = [&old, &young].map(|labels| (labels.clone(), 1.0)).into();
    for passed in 0..40 {
        watch.scrape(&page);
        let (gone, _) = withheld(&watch, &page);
        // whoever says how runs stand has the warm-up to do so
        assert_eq!(gone.contains(&old), passed >= 5, "{passed} minutes");
        assert_eq!(gone.contains(&young), passed >= 25, "{passed} minutes");
        watch.wait(1);
    }
}

#[test]
fn where_something_says_how_its_siblings_stand_a_run_is_not_over_by_its_schedule() {
    let mut watch = watch_with(&[drop_where(finished())]);
    let minute = watch.now() / 60;
    let silent = container(&format!("sync-{}-x7k2p", minute - 120));
    let mut world = World::new(vec![Cron::keeping("sync", 5)]);
    for _ in 0..40 {
        watch.wait(1);
        world.advance(watch.now() / 60);
        let mut page = world.scrape().0;
        page.insert(silent.clone(), 1.0);
        watch.scrape(&page);
        assert_eq!(watch.sent.get(&silent), Some(&1.0));
    }
}

/// A job as kube-state-metrics has it.
fn job(name: &str, state: State) -> Page {
    let mut world = World::new(Vec::new());
    let mut run = Run::started(name, Some("sync"), 0, "worker-1", 1);
    run.job.state = state;
    run.pods[0].phase = if state == State::Active { "Running" } else { "Succeeded" };
    world.jobs.push(run);
    let (page, truth) = world.scrape();
    let of_sync =
        |labels: &Labels| -> bool { matches!(&truth[labels], About::Some((_, name)) if name == "sync") };
    page.into_iter().filter(|(labels, _)| of_sync(labels)).collect()
}

#[test]
fn a_run_that_is_withheld_and_goes_on_again_is_sent_again() {
    let mut watch = watch_with(&[drop_where(finished())]);
    let name = format!("sync-{}", watch.now() / 60);
    let (active, over) = (job(&name, State::Active), job(&name, State::Complete));
    let scrape = |watch: &mut Watch, page: &Page| {
        watch.wait(1);
        watch.scrape(page);
        withheld(watch, page).0.len()
    };
    assert_eq!((0..3).map(|_| scrape(&mut watch, &active)).sum::<usize>(), 0);
    // it ends, and stays for 29 minutes after that
    assert_eq!((0..30).map(|_| scrape(&mut watch, &over)).sum::<usize>(), 0);
    assert_eq!(scrape(&mut watch, &over), over.len());
    assert_eq!(scrape(&mut watch, &over), over.len());
    // it is gone, and another of its name comes: what is known of the first does not stay in its way for long
    watch.wait(1);
    watch.scrape(&Page::new());
    assert!(watch.sent.is_empty(), "what was withheld has no end of its own: {:?}", watch.sent);
    assert!(scrape(&mut watch, &active) > 0);
    assert_eq!((0..40).map(|_| scrape(&mut watch, &active)).sum::<usize>(), 0);
}

#[test]
fn an_exporter_that_was_away_brings_no_history_back() {
    let mut watch = watch_with(&[drop_where(finished())]);
    let minute = watch.now() / 60;
    let over: Page =
        (1..9).flat_map(|n| job(&format!("sync-{}", minute - 30 - n), State::Complete)).collect();
    for _ in 0..5 {
        watch.wait(1);
        watch.scrape(&over);
    }
    assert_eq!(withheld(&watch, &over).0.len(), over.len());
    watch.wait(1);
    watch.scrape(&Page::new());
    for _ in 0..20 {
        watch.wait(1);
        watch.scrape(&over);
        assert!(watch.sent.is_empty(), "{:?}", watch.sent);
    }
}

#[test]
fn what_is_older_goes_whether_it_goes_on_or_not() {
    let older = Condition { run_older_than: Some(HALF_AN_HOUR), ..Condition::default() };
    let mut watch = watch_with(&[drop_where(older)]);
    let minute = watch.now() / 60;
    let page = job(&format!("sync-{minute}"), State::Active);
    for passed in 0..40 {
        watch.scrape(&page);
        // it was due 20 seconds before the first scrape
        let gone = withheld(&watch, &page).0.len();
        assert_eq!(gone, if passed >= 30 { page.len() } else { 0 }, "{passed} minutes");
        watch.wait(1);
    }
}

#[test]
fn what_is_left_of_a_run_stays_withheld() {
    let mut watch = watch_with(&[drop_where(finished())]);
    let over = job(&format!("sync-{}", watch.now() / 60 - 40), State::Complete);
    let parts: [fn(&str) -> bool; 3] = [
        |_| true,
        // its pod is gone, and what the job came to is filtered out on its way
        |metric| metric.starts_with("kube_job_") && metric != "kube_job_complete",
        // its job is gone, and nobody says how its pod stands
        |metric| metric.starts_with("kube_pod_") && metric != "kube_pod_status_phase",
    ];
    for (part, keep) in (0..).zip(parts) {
        let is_kept = |labels: &Labels| labels.iter().any(|(name, value)| name == "__name__" && keep(value));
        let page: Page =
            over.iter().filter(|(labels, _)| is_kept(labels)).map(|(l, v)| (l.clone(), *v)).collect();
        for minute in 0..20 {
            watch.wait(1);
            watch.scrape(&page);
            assert!(watch.sent.is_empty() || (part == 0 && minute < 2), "{part}, {minute}: {:?}", watch.sent);
        }
    }
}

#[test]
fn a_condition_goes_by_the_labels_that_a_series_came_with() {
    let rename = support::relabel("{}", &[support::labeldrop("pod|exported_pod|job_name")]);
    let mut watch = watch_with(&[rename, drop_where(Condition { run_finished_for: None, ..finished() })]);
    watch.scrape(&[(container("sync-29707814-x7k2p"), 1.0), (container("web-7d764666f9-qdcxt"), 1.0)].into());
    assert_eq!(watch.sent.len(), 1);
}

/// What finished runs add up to goes from one group to another: nothing is in both, and nothing in none.
#[test]
fn a_series_that_a_condition_comes_to_hold_for_leaves_its_group_for_another() {
    let add_up = |name: &str| {
        let aggregation = Aggregation {
            keys: Keys::Without(vec!["job_name".into()]),
            kind: Some(MetricKind::Gauge),
            suffix: Some(format!(":{name}")),
            ..Aggregation::default()
        };
        support::policy(name, "kube_job_info", Action::Aggregate(aggregation.into()), Mode::Enforce)
    };
    let mut watch = watch_with(&[Definition { workload: Some(finished()), ..add_up("old") }, add_up("rest")]);
    let mut world = World::new(vec![Cron::keeping("sync", 4)]);
    let (mut found, mut expected) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..80 {
        world.live(&mut watch, 1);
        let minute = watch.now() / 60;
        let is_old = |run: &&Run| minute - due_of(&run.job.name) > 30;
        let old = world.crons[0].runs().filter(is_old).count();
        expected.insert((minute, "old"), old as f64);
        expected.insert((minute, "rest"), (world.crons[0].runs().count() - old) as f64);
        for (_, aggregator, points) in watch.gate.pipeline.collect() {
            let name = if &*aggregator.name == "old" { "old" } else { "rest" };
            for point in points {
                // at the end of the minute
                let minute = (point.ms / 60_000 - 1) as u32;
                assert_eq!(found.insert((minute, name), f64::from_bits(point.bits)), None);
            }
        }
    }
    for (at, value) in &found {
        assert_eq!(expected.get(at), Some(value), "{at:?}");
    }
    let groups = ["old", "rest"].map(|name| found.keys().filter(|(_, of)| *of == name).count());
    assert!(groups[0] > 40 && groups[1] > 70, "{groups:?}");
}

#[test]
fn labels_that_are_only_there_to_be_read_follow_the_owner() {
    let read =
        support::rule("replace", &["__workload_kind__", "__workload__"], "(.+);(.+)", "app", Some("$1/$2"));
    let named =
        support::policy("sync", "container_memory_rss{__workload__=\"sync\"}", Action::Drop, Mode::Enforce);
    let mut watch = watch_with(&[named, support::relabel("{}", &[read])]);
    let (hand, web) = (container("by-hand-x7k2p"), container("web-7d764666f9-qdcxt"));
    let sent_as = |watch: &Watch, series: &Labels| -> Vec<String> {
        let is_it = |sent: &&Labels| series.iter().all(|label| sent.contains(label));
        let app = |sent: &Labels| sent.iter().find(|(name, _)| name == "app").map(|(_, value)| value.clone());
        watch.sent.keys().filter(is_it).map(|sent| app(sent).unwrap_or_default()).collect()
    };
    let page: Page = [&hand, &web].map(|labels| (labels.clone(), 1.0)).into();
    watch.scrape(&page);
    assert_eq!(sent_as(&watch, &web), ["deployment/web"]);
    assert_eq!(sent_as(&watch, &hand), ["generated/by-hand"]);
    // whose it is comes later, and is true from the next sample on
    let owner = labels(&[
        ("__name__", "kube_pod_owner"),
        ("namespace", "shop"),
        ("pod", "by-hand-x7k2p"),
        ("owner_kind", "Job"),
        ("owner_name", "by-hand"),
    ]);
    let of_job = labels(&[
        ("__name__", "kube_job_owner"),
        ("namespace", "shop"),
        ("job_name", "by-hand"),
        ("owner_kind", "CronJob"),
        ("owner_name", "sync"),
    ]);
    let page: Page = [&hand, &web, &owner, &of_job].map(|labels| (labels.clone(), 1.0)).into();
    let mut ends = 0;
    for _ in 0..4 {
        watch.wait(1);
        watch.scrape(&page);
        assert_eq!(sent_as(&watch, &web), ["deployment/web"]);
        ends += watch.sent.values().filter(|value| value.to_bits() == STALE.to_bits()).count();
    }
    // it ended as what it was
    assert_eq!((ends, sent_as(&watch, &hand)), (1, Vec::new()));
}

/// Values that the gate keeps, and how many found no room.
fn values_kept(watch: &Watch) -> (usize, u64) {
    let usage = watch.gate.pipeline.tracker().usage();
    let values = usage.tables.into_iter().find(|table| table.what == "values").unwrap();
    (values.records, values.refused)
}

#[test]
fn one_value_that_changes_or_a_series_that_comes_keeps_a_run() {
    let memory_and_disk =
        support::policy("p", "{__name__=~\"container_(memory|fs)_.+\"}", Action::Drop, Mode::Enforce);
    let mut watch = watch_with(&[Definition { workload: Some(unchanged()), ..memory_and_disk }]);
    let pod = format!("sync-{}-x7k2p", watch.now() / 60 - 600);
    let of = |metric: &str, pod: &str| labels(&[("__name__", metric), ("namespace", "shop"), ("pod", pod)]);
    let (cpu, disk) = (of("container_cpu_usage_seconds_total", &pod), of("container_fs_usage_bytes", &pod));
    let (memory, late) = (of("container_memory_rss", &pod), of("container_memory_swap", &pod));
    let other = of("container_memory_rss", "web-7d764666f9-qdcxt");
    // by minute: memory, whether a series has come, which of disk and memory are sent
    let steps: [(std::ops::Range<u32>, f64, bool, [bool; 2]); 8] = [
        (0..30, 1.0, false, [true, true]),
        (30..50, 1.0, false, [false, false]),
        // who is decided first learns of it with its next sample
        (50..51, 2.0, false, [false, true]),
        (51..80, 2.0, false, [true, true]),
        (80..90, 2.0, false, [false, false]),
        (90..91, 2.0, true, [false, false]),
        (91..120, 2.0, true, [true, true]),
        (120..125, 2.0, true, [false, false]),
    ];
    for (minutes, value, has_come, expected) in steps {
        for minute in minutes {
            // what no such policy selects may change
            let mut page: Page =
                [(cpu.clone(), f64::from(minute)), (disk.clone(), 7.0), (memory.clone(), value)].into();
            page.insert(other.clone(), 1.0);
            page.extend(has_come.then(|| (late.clone(), 1.0)));
            watch.scrape(&page);
            let (gone, _) = withheld(&watch, &page);
            assert_eq!([&disk, &memory].map(|labels| !gone.contains(labels)), expected, "minute {minute}");
            assert!(!gone.contains(&cpu) && !gone.contains(&other));
            assert_eq!(values_kept(&watch), (2 + usize::from(has_come), 0));
            watch.wait(1);
        }
    }
    // nobody asks any more
    watch.gate.pipeline.replace_policies(support::set(&[]));
    watch.wait(30);
    assert_eq!(values_kept(&watch), (0, 0));
}

#[test]
fn an_exporter_that_was_away_is_no_change() {
    let mut watch = watch_with(&[drop_where(unchanged())]);
    let over = job(&format!("sync-{}", watch.now() / 60 - 40), State::Complete);
    for minute in 0..60 {
        watch.wait(1);
        let page = if (40..43).contains(&minute) { Page::new() } else { over.clone() };
        watch.scrape(&page);
        assert_eq!(watch.sent.is_empty(), minute > 30, "minute {minute}");
    }
}
