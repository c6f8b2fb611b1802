//! What the tracker counts of the series that pass: births, ends, owners, causes, runs, values.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use seriesgate::cardinality::{Counts, WorkloadLine};
use seriesgate::pipeline::{Origin, Outcome, Scratch};
use seriesgate::series::grammar::Kind;
use seriesgate::series::index::WINDOW_SECONDS;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use support::{Gate, expire, series};

const STALE: u64 = 0x7ff0_0000_0000_0002;
const WARMUP: i64 = 300;

/// A gate that has done its warming up.
fn watching() -> Gate {
    let mut gate = Gate::with(&[], |settings| {
        settings.max_tracked = 100_000;
        settings.limits.max_labels = 32;
    });
    // one series from the sender, so that it is no new one either
    send(&mut gate, vec![series(&[("__name__", "up"), ("job", "node")])]);
    wait(&gate, WARMUP + 1);
    gate
}

fn wait(gate: &Gate, seconds: i64) {
    gate.pipeline.clock().advance_ms(seconds * 1000);
    gate.pipeline.tracker().sweep(now(gate));
}

fn now(gate: &Gate) -> u32 {
    gate.pipeline.clock().unix_seconds()
}

fn send(gate: &mut Gate, timeseries: Vec<TimeSeries>) {
    gate.pass("", &WriteRequest::of(timeseries));
}

fn valued(labels: &[(&str, &str)], value: f64) -> TimeSeries {
    let mut series = series(labels);
    series.samples[0].value = value;
    series
}

fn stale(labels: &[(&str, &str)]) -> TimeSeries {
    valued(labels, f64::from_bits(STALE))
}

fn metric(gate: &Gate, name: &str) -> Counts {
    let lines = gate.pipeline.tracker().metrics(now(gate));
    lines.into_iter().find(|line| line.name == name).map(|line| line.counts).unwrap_or_default()
}

fn workload(gate: &Gate, name: &str) -> Option<WorkloadLine> {
    gate.pipeline.tracker().workloads(now(gate)).into_iter().find(|line| line.name == name)
}

fn sorted<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    pairs
}

#[test]
fn first_sights_are_learned_after_the_start_and_of_new_senders() {
    let mut gate = Gate::new(&[]);
    send(&mut gate, vec![series(&[("__name__", "up"), ("pod", "a")])]);
    assert_eq!((metric(&gate, "up").learned, metric(&gate, "up").new), (1, 0));
    wait(&gate, WARMUP + 1);
    send(&mut gate, vec![series(&[("__name__", "up"), ("pod", "b")])]);
    let counts = metric(&gate, "up");
    assert_eq!((counts.active, counts.learned, counts.new, counts.new_last_hour), (2, 1, 1, 1));

    let from = |gate: &mut Gate, last: u8, pod: &str| {
        let request = WriteRequest::of(vec![series(&[("__name__", "up"), ("pod", pod)])]);
        let origin = Origin {
            scope: "",
            sender: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))),
            ..Origin::default()
        };
        let (mut scratch, mut outcome) = Default::default();
        gate.pipeline.decide(origin, &encode_snappy(&request), &mut scratch, &mut outcome).unwrap();
        gate.pipeline.commit(&outcome)
    };
    let learned =
        |committed: seriesgate::pipeline::Committed| (committed.new_series, committed.learned_series);
    assert_eq!(learned(from(&mut gate, 1, "c")), (1, 1), "a sender that comes");
    wait(&gate, WARMUP + 1);
    assert_eq!(learned(from(&mut gate, 1, "d")), (1, 0), "it has been here for a while");
    wait(&gate, 1201);
    assert_eq!(
        learned(from(&mut gate, 1, "e")),
        (1, 1),
        "it was silent for longer than series are remembered"
    );
    let senders = gate.pipeline.tracker().senders(now(&gate));
    let sender = senders.iter().find(|line| line.name == "10.0.0.1").unwrap();
    assert_eq!((sender.counts.active, sender.counts.learned, sender.counts.new), (3, 2, 1));
}

/// As many senders as there may be: each has a number that the index can keep.
#[test]
fn every_sender_is_charged_with_its_own_series() {
    let mut gate = Gate::with(&[], |settings| settings.max_tracked = 100_000);
    let address = |i: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + i));
    let from = |gate: &mut Gate, i: u32, name: &str| {
        let one = series(&[("__name__", name), ("job", &format!("of-{i}"))]);
        let origin = Origin { scope: "", sender: Some(address(i)), ..Origin::default() };
        let (mut scratch, mut outcome) = Default::default();
        let body = encode_snappy(&WriteRequest::of(vec![one]));
        gate.pipeline.decide(origin, &body, &mut scratch, &mut outcome).unwrap();
        gate.pipeline.commit(&outcome);
    };
    (0..900).for_each(|i| from(&mut gate, i, "learned"));
    wait(&gate, WARMUP + 1);
    (0..900).for_each(|i| from(&mut gate, i, "new"));
    expire(&gate, 10_000);
    let senders = gate.pipeline.tracker().senders(now(&gate));
    for i in 0..900 {
        let sender = senders.iter().find(|line| line.name == address(i).to_string()).unwrap();
        let Counts { active, learned, new, .. } = sender.counts;
        assert_eq!((active, learned, new), (2, 1, 1), "{i}");
    }
    // and each is taken from whom it was charged to
    wait(&gate, 2000);
    expire(&gate, 1200);
    let senders = gate.pipeline.tracker().senders(now(&gate));
    assert!(senders.iter().all(|line| line.counts.active == 0));
    assert_eq!(
        senders.iter().map(|line| line.counts.expired).collect::<Vec<_>>(),
        [[2; 900].as_slice(), &[0]].concat()
    );
}

#[test]
fn a_sender_comes_back_also_when_its_series_were_forgotten_a_moment_ago() {
    let mut gate = watching();
    let up = series(&[("__name__", "up"), ("pod", "a")]);
    send(&mut gate, vec![up.clone()]);
    wait(&gate, 1260);
    expire(&gate, 1200);
    wait(&gate, 60);
    send(&mut gate, vec![up]);
    let counts = metric(&gate, "up");
    assert_eq!((counts.expired, counts.new, counts.learned), (2, 1, 2), "it is no birth to come back");
}

#[test]
fn a_request_sent_again_counts_its_births_once() {
    let mut gate = watching();
    let run = |i: u32| {
        let pod = format!("sync-2970781{i}-x7k2p");
        series(&[("__name__", "kube_pod_info"), ("namespace", "team-7"), ("pod", &pod)])
    };
    for i in 0..3 {
        let body = encode_snappy(&WriteRequest::of(vec![run(i)]));
        for _ in 0..4 {
            // the upstream does not answer
            gate.decide("", &body).unwrap();
            gate.pipeline.refuse(&gate.outcome);
        }
        gate.decide("", &body).unwrap();
        assert_eq!(metric(&gate, "kube_pod_info").new, u64::from(i));
        gate.pipeline.commit(&gate.outcome);
        gate.pipeline.commit(&gate.outcome);
        wait(&gate, 300);
    }
    let line = workload(&gate, "sync").unwrap();
    assert_eq!((line.kind, line.counts.new, line.new_runs_last_hour, line.runs), (Kind::Cronjob, 3, 3, 3));
    let causes = gate.pipeline.tracker().causes(now(&gate));
    assert_eq!(causes.iter().map(|c| c.blamed_last_hour + c.first_last_hour).sum::<u64>(), 3);
    let labels = gate.pipeline.tracker().labels(10);
    let pods = labels.iter().find(|line| line.name == "pod").unwrap();
    assert_eq!((pods.values, pods.series), (3.0, 3), "five times decided, once counted");
}

#[test]
fn a_new_series_that_comes_again_before_it_is_known_has_its_values_counted_once() {
    let mut gate = watching();
    // an agent that catches up sends several scrapes in one request, and two agents the same at one time
    let up = || series(&[("__name__", "up"), ("pod", "web-0")]);
    let body = encode_snappy(&WriteRequest::of(vec![up(), up(), up()]));
    gate.decide("", &body).unwrap();
    let mut other = Outcome::default();
    gate.pipeline.decide("", &body, &mut Scratch::default(), &mut other).unwrap();
    gate.pipeline.commit(&gate.outcome);
    gate.pipeline.commit(&other);
    let labels = gate.pipeline.tracker().labels(10);
    let pods = labels.iter().find(|line| line.name == "pod").unwrap();
    assert_eq!((pods.values, pods.series, metric(&gate, "up").new), (1.0, 1, 1));
}

#[test]
fn stale_markers_are_counted_once_and_a_return_is_no_birth() {
    let mut gate = watching();
    let labels = [("__name__", "up"), ("pod", "web-0")];
    send(&mut gate, vec![series(&labels)]);
    for _ in 0..3 {
        send(&mut gate, vec![stale(&labels)]);
    }
    assert_eq!((metric(&gate, "up").ended, metric(&gate, "up").new), (1, 1));
    send(&mut gate, vec![series(&labels)]);
    send(&mut gate, vec![stale(&labels)]);
    assert_eq!((metric(&gate, "up").ended, metric(&gate, "up").new), (2, 1));
    // the end of what we never saw is no birth either
    send(&mut gate, vec![stale(&[("__name__", "up"), ("pod", "web-1")])]);
    assert_eq!((metric(&gate, "up").learned, metric(&gate, "up").new, metric(&gate, "up").ended), (2, 1, 2));
}

#[test]
fn what_is_idle_leaves_its_lifetime_and_samples() {
    let mut gate = watching();
    let labels = [("__name__", "job_up"), ("namespace", "a"), ("pod", "sync-29707814-x7k2p")];
    for _ in 0..5 {
        send(&mut gate, vec![series(&labels)]);
        wait(&gate, 60);
    }
    wait(&gate, 1200);
    expire(&gate, 1200);
    let counts = metric(&gate, "job_up");
    assert_eq!((counts.active, counts.expired, counts.samples_per_series), (0, 1, Some(5.0)));
    assert_eq!(counts.lifetimes.unwrap().p50, Some(300), "240 seconds");
    let line = workload(&gate, "sync").unwrap();
    assert_eq!((line.counts.active, line.runs, line.counts.expired), (0, 0, 1));
    // forgotten itself two hours later
    wait(&gate, 7201);
    wait(&gate, 301);
    assert!(workload(&gate, "sync").is_none());
}

fn owner(pod: &'static str, kind: &'static str, name: &'static str) -> TimeSeries {
    series(&[
        ("__name__", "kube_pod_owner"),
        ("namespace", "ops"),
        ("owner_kind", kind),
        ("owner_name", name),
        ("pod", pod),
    ])
}

#[test]
fn owners_beat_the_grammar_also_for_series_that_came_before_them() {
    let mut gate = watching();
    let cpu = |pod| series(&[("__name__", "cpu"), ("namespace", "ops"), ("pod", pod)]);
    send(&mut gate, vec![cpu("agent-x7k2p"), cpu("migrate-b2c4d")]);
    let line = workload(&gate, "agent").unwrap();
    assert_eq!((line.kind, line.counts.new), (Kind::Generated, 1));
    let job = [("__name__", "kube_job_owner"), ("job_name", "migrate"), ("namespace", "ops")];
    send(
        &mut gate,
        vec![
            owner("agent-x7k2p", "DaemonSet", "agent"),
            owner("migrate-b2c4d", "Job", "migrate"),
            series(&job),
        ],
    );
    send(&mut gate, vec![cpu("agent-x7k2p"), cpu("migrate-b2c4d")]);
    let lines = gate.pipeline.tracker().workloads(now(&gate));
    let of = |name: &str| -> BTreeMap<&str, (u64, u64)> {
        let named = lines.iter().filter(|line| line.name == name && line.counts.active > 0);
        named.map(|line| (line.kind.as_str(), (line.counts.active, line.counts.new))).collect()
    };
    assert_eq!(of("agent"), BTreeMap::from([("daemonset", (2, 2))]));
    assert_eq!(of("migrate"), BTreeMap::from([("job", (3, 3))]));
    let causes = gate.pipeline.tracker().causes(now(&gate));
    let daemons = lines.iter().find(|line| line.kind == Kind::Daemonset).unwrap().number;
    let moved = causes.iter().find(|cause| cause.metric == "cpu" && cause.workload == daemons).unwrap();
    assert_eq!(moved.blamed_last_hour + moved.first_last_hour, 1);
}

#[test]
fn a_cronjob_is_resolved_through_its_job_and_a_deployment_through_its_replicaset() {
    let mut gate = watching();
    let owned = |metric: &'static str,
                 label: &'static str,
                 name: &'static str,
                 kind: &'static str,
                 by: &'static str| {
        series(&sorted(&[
            ("__name__", metric),
            (label, name),
            ("namespace", "ops"),
            ("owner_kind", kind),
            ("owner_name", by),
        ]))
    };
    send(
        &mut gate,
        vec![
            // names that say nothing by themselves
            owned("kube_job_owner", "job_name", "nightly-manual", "CronJob", "nightly"),
            owned("kube_replicaset_owner", "replicaset", "shop-canary", "Deployment", "shop"),
            owner("one-of-them", "Job", "nightly-manual"),
            owner("another", "ReplicaSet", "shop-canary"),
        ],
    );
    let cpu = |pod| series(&[("__name__", "cpu"), ("namespace", "ops"), ("pod", pod)]);
    send(&mut gate, vec![cpu("one-of-them"), cpu("another")]);
    let kinds = |name| workload(&gate, name).map(|line| (line.kind, line.runs, line.counts.active));
    assert_eq!(kinds("nightly"), Some((Kind::Cronjob, 1, 3)));
    assert_eq!(kinds("shop"), Some((Kind::Deployment, 1, 2)));
}

#[test]
fn labels_that_change_together_are_blamed_together() {
    let mut gate = watching();
    let phases = |run: u32, uid: &str| -> Vec<TimeSeries> {
        let pod = format!("sync-{}-x7k2p", 29_707_814 + run);
        ["Failed", "Running", "Succeeded"]
            .map(|phase| {
                series(&[
                    ("__name__", "kube_pod_status_phase"),
                    ("namespace", "team-7"),
                    ("phase", phase),
                    ("pod", &pod),
                    ("uid", uid),
                ])
            })
            .to_vec()
    };
    for run in 0..10 {
        let uid = format!("6b7d2f0e-3c1a-4f57-9a43-0d6f7b1e2c{run:02}");
        // its series come in several requests
        for series in phases(run, &uid) {
            send(&mut gate, vec![series]);
        }
        wait(&gate, 300);
    }
    let causes = gate.pipeline.tracker().causes(now(&gate));
    let cause = &causes[0];
    assert_eq!(
        (cause.metric.as_str(), &cause.labels[..]),
        ("kube_pod_status_phase", &["pod".into(), "uid".into()][..])
    );
    // the first run was all new, and the rest of the second was new by itself
    assert_eq!((cause.blamed_last_hour, cause.pattern.as_str()), (24, "sync-<minutes>-<5>"));
    let findings = gate.pipeline.tracker().findings(now(&gate));
    assert_eq!(
        findings.iter().map(|finding| finding.sentence()).collect::<Vec<_>>(),
        [
            "10 of 10 reported runs are over, 30 series of theirs are still sent, and there are 12 more each hour (twice as \
          many in 0.8 h), CronJob sync in team-7; 30 new series in 55 minutes from 10 runs in 55 minutes; most in \
          `kube_pod_status_phase`: 30 new series in 55 minutes, 80% because of `pod`+`uid`, pattern \
          `sync-<minutes>-<5>`"
        ]
    );
}

#[test]
fn a_label_that_belongs_to_no_pod_is_found() {
    let mut gate = watching();
    for user in 0..200 {
        let user = format!("u{user}");
        let labels = [("__name__", "logins_total"), ("job", "auth"), ("user", &user)];
        send(&mut gate, vec![series(&labels)]);
        if user == "u0" {
            // the metric itself is new for three minutes
            wait(&gate, 200);
        }
    }
    let findings = gate.pipeline.tracker().findings(now(&gate));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].kind.as_str(), "labels");
    assert_eq!(
        findings[0].sentence(),
        "199 new series in 8 minutes; most in `logins_total`: 199 new series in 8 minutes, 99% because of `user`, \
         pattern `u1`"
    );
}

#[test]
fn runs_end_by_the_state_of_their_job_or_their_pod() {
    let mut gate = watching();
    let base = [("namespace", "ops"), ("job_name", "sync-29707814")];
    let complete = |value| {
        valued(&sorted(&[("__name__", "kube_job_complete"), ("condition", "true"), base[0], base[1]]), value)
    };
    send(&mut gate, vec![series(&sorted(&[("__name__", "kube_job_info"), base[0], base[1]])), complete(0.0)]);
    let over = |gate: &Gate, name| workload(gate, name).map(|line| (line.runs, line.runs_over));
    assert_eq!(over(&gate, "sync"), Some((1, 0)));
    send(&mut gate, vec![complete(1.0)]);
    assert_eq!(over(&gate, "sync"), Some((1, 1)));
    send(&mut gate, vec![complete(1.0)]);
    assert_eq!(over(&gate, "sync"), Some((1, 1)), "said once");

    let phase = |phase, value| {
        let labels = [
            ("__name__", "kube_pod_status_phase"),
            ("namespace", "ops"),
            ("phase", phase),
            ("pod", "copy-29707814-x7k2p"),
        ];
        valued(&labels, value)
    };
    send(&mut gate, vec![phase("Running", 1.0), phase("Succeeded", 0.0), phase("Failed", 0.0)]);
    assert_eq!(over(&gate, "copy"), Some((1, 0)));
    send(&mut gate, vec![phase("Running", 0.0), phase("Succeeded", 1.0), phase("Failed", 0.0)]);
    assert_eq!(over(&gate, "copy"), Some((1, 1)));
    assert_eq!(workload(&gate, "copy").unwrap().runs_over_examples, ["copy-29707814"]);
    wait(&gate, 1300);
    expire(&gate, 1200);
    assert_eq!(over(&gate, "copy"), Some((0, 0)));
}

#[test]
fn values_are_counted_in_every_window_for_as_long_as_they_are_there() {
    let mut gate = watching();
    let all = |count: u32| -> Vec<TimeSeries> {
        (0..count)
            .map(|i| series(&[("__name__", "up"), ("pod", &format!("web-{i}")), ("zone", "a")]))
            .collect()
    };
    let counted = |gate: &Gate, name: &str| {
        let labels = gate.pipeline.tracker().labels(3);
        labels.into_iter().find(|line| line.name == name).map(|line| (line.values, line.series))
    };
    for minute in 0..200 {
        send(&mut gate, all(500));
        wait(&gate, 60);
        let (pods, series) = counted(&gate, "pod").unwrap();
        assert_eq!(pods, 500.0, "minute {minute}");
        assert!((450..=500).contains(&series), "minute {minute}: {series}");
    }
    assert_eq!(metric(&gate, "up").new, 500, "looking again is no birth");
    for _ in 0..2 * WINDOW_SECONDS / 60 + 35 {
        send(&mut gate, all(20));
        wait(&gate, 60);
    }
    assert_eq!(counted(&gate, "pod").unwrap().0, 20.0, "what went is forgotten after two windows");
    let top = gate.pipeline.tracker().labels(3).into_iter().find(|line| line.name == "zone").unwrap().top;
    assert_eq!(top, [("a".to_owned(), 20, 0)]);
}

#[derive(Clone, Debug)]
enum Step {
    Send(u8, u8),
    Lose(u8, u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..4, 0u8..12).prop_map(|(metric, pod)| Step::Send(metric, pod)),
        2 => (0u8..4, 0u8..12).prop_map(|(metric, pod)| Step::Lose(metric, pod)),
        2 => (1u16..900).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Active, new and expired series of metrics and workloads, against a map of what was last seen when.
    #[test]
    fn counts_agree_with_a_map(steps in proptest::collection::vec(step(), 1..200)) {
        let mut gate = watching();
        let mut last_seen: BTreeMap<(u8, u8), u32> = BTreeMap::new();
        let (mut new, mut expired) = (BTreeMap::<u8, u64>::new(), BTreeMap::<u8, u64>::new());
        for step in steps {
            match step {
                Step::Send(metric, pod) | Step::Lose(metric, pod) => {
                    let (metric_name, pod_name) = (format!("m{metric}"), format!("sync-2970{pod:04}-x7k2p"));
                    let labels = [("__name__", metric_name.as_str()), ("namespace", "a"), ("pod", &pod_name)];
                    let body = encode_snappy(&WriteRequest::of(vec![series(&labels)]));
                    gate.decide("", &body).unwrap();
                    if matches!(step, Step::Send(..)) {
                        let outcome: &Outcome = &gate.outcome;
                        gate.pipeline.commit(outcome);
                        let now = now(&gate);
                        if last_seen.insert((metric, pod), now).is_none() {
                            *new.entry(metric).or_default() += 1;
                        }
                    } else if let Some(seen) = last_seen.get_mut(&(metric, pod)) {
                        *seen = now(&gate);
                    }
                }
                Step::Wait(seconds) => {
                    wait(&gate, i64::from(seconds));
                    expire(&gate, 1200);
                    let horizon = now(&gate) - 1200;
                    last_seen.retain(|(metric, _), seen| {
                        let keep = *seen >= horizon;
                        *expired.entry(*metric).or_default() += u64::from(!keep);
                        keep
                    });
                }
            }
        }
        for number in 0..4u8 {
            let counts = metric(&gate, &format!("m{number}"));
            let active = last_seen.keys().filter(|(metric, _)| *metric == number).count() as u64;
            let expected =
                (active, new.get(&number).copied().unwrap_or(0), expired.get(&number).copied().unwrap_or(0));
            // a metric without series may be forgotten as a whole
            if counts != Counts::default() || active > 0 {
                prop_assert_eq!(counts.active, expected.0);
            }
            if active > 0 {
                prop_assert!(counts.new + counts.learned <= expected.1 && counts.expired <= expected.2);
            }
        }
        let runs = last_seen.keys().map(|(_, pod)| pod).collect::<std::collections::BTreeSet<_>>().len();
        if let Some(line) = workload(&gate, "sync") {
            prop_assert_eq!((line.counts.active, line.runs), (last_seen.len() as u64, runs as u32));
        } else {
            prop_assert!(last_seen.is_empty());
        }
    }
}

#[test]
fn a_run_without_state_is_over_when_it_is_past_due_and_still() {
    let mut gate = watching();
    // due when the test begins
    let (still, moving) = ("copy-28333333-x7k2p", "tail-28333333-x7k2p");
    let silent =
        |gate: &Gate, name| workload(gate, name).map(|line| (line.runs, line.runs_over, line.runs_silent));
    for minute in 0..160 {
        let of = |pod, value: f64| {
            let series = |metric| valued(&[("__name__", metric), ("namespace", "ops"), ("pod", pod)], value);
            [series("rows_total"), series("bytes_total"), series("errors_total")]
        };
        send(&mut gate, [of(still, 7.0), of(moving, f64::from(minute))].concat());
        wait(&gate, 60);
        if minute == 30 {
            assert_eq!(silent(&gate, "copy"), Some((1, 0, 0)), "it may still be running");
        }
    }
    assert_eq!(silent(&gate, "copy"), Some((1, 0, 1)));
    assert_eq!(silent(&gate, "tail"), Some((1, 0, 0)));
}

#[test]
fn what_finds_no_room_is_counted_among_the_others() {
    let mut gate = Gate::with(&[], |settings| {
        settings.max_tracked = 1000;
        settings.tracking.max_metrics = 3;
        settings.tracking.max_workloads = 2;
        settings.tracking.max_labels = 1;
    });
    let named: Vec<String> = (0..10).map(|i| format!("m{i}")).collect();
    let all =
        |metric: &str| series(&[("__name__", metric), ("namespace", "a"), ("pod", &format!("{metric}-0"))]);
    send(&mut gate, named.iter().map(|metric| all(metric)).collect());
    let tracker = gate.pipeline.tracker();
    let lines = tracker.metrics(now(&gate));
    assert_eq!(lines.len(), 4, "three, and the others");
    assert_eq!(lines.iter().map(|line| line.counts.active).sum::<u64>(), 10);
    assert_eq!(lines.iter().find(|line| line.name.is_empty()).unwrap().counts.active, 7);
    let of: u64 = tracker.workloads(now(&gate)).iter().map(|line| line.counts.active).sum();
    assert_eq!((of, tracker.labels(1).len()), (10, 1));
    let refused: BTreeMap<_, _> =
        tracker.usage().tables.into_iter().map(|table| (table.what, table.refused)).collect();
    assert!(refused["metrics"] >= 7 && refused["workloads"] >= 8 && refused["labels"] > 0, "{refused:?}");
    // and taken away from there
    wait(&gate, 2000);
    expire(&gate, 1200);
    assert_eq!(
        gate.pipeline.tracker().metrics(now(&gate)).iter().map(|line| line.counts.active).sum::<u64>(),
        0
    );
}

#[test]
fn workloads_say_by_which_labels_their_series_named_them() {
    let mut gate = watching();
    const TARGET: [(&str, &str); 2] = [("namespace", "monitoring"), ("pod", "kube-state-metrics-0")];
    let of = |pairs: &[(&'static str, &'static str)]| series(&sorted(&[pairs, &TARGET].concat()));
    let shop = ("exported_namespace", "shop");
    send(
        &mut gate,
        vec![
            of(&[("__name__", "kube_pod_info"), shop, ("exported_pod", "sync-29707814-x7k2p")]),
            of(&[("__name__", "kube_job_info"), shop, ("job_name", "sync-29707814")]),
            of(&[("__name__", "kube_deployment_created"), shop, ("deployment", "web")]),
            of(&[("__name__", "kube_node_info"), ("node", "worker-1")]),
            of(&[("__name__", "kube_state_metrics_list_total"), ("resource", "pods")]),
            series(&[
                ("__name__", "app_requests_total"),
                ("k8s_cluster_name", "west"),
                ("kubernetes_pod_name", "copy-29707814-x7k2p"),
                ("namespace", "shop"),
            ]),
        ],
    );
    let lines = gate.pipeline.tracker().workloads(now(&gate));
    let told: BTreeMap<String, (u64, Vec<String>)> = lines
        .iter()
        .filter(|line| line.number > 0)
        .map(|line| {
            let names = line
                .labels
                .iter()
                .map(|labels| format!("{}+{}", labels.namespace.as_deref().unwrap_or_default(), labels.name));
            let whose = format!("{}:{}/{}/{}", line.cluster_label, line.cluster, line.namespace, line.name);
            (whose, (line.counts.active, names.collect()))
        })
        .collect();
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [
        (":/monitoring/kube-state-metrics", (1, labels(&["namespace+pod"]))),
        (":/shop/sync", (2, labels(&["exported_namespace+exported_pod", "exported_namespace+job_name"]))),
        ("k8s_cluster_name:west/shop/copy", (1, labels(&["namespace+kubernetes_pod_name"]))),
    ];
    assert_eq!(told, expected.map(|(whose, what)| (whose.to_owned(), what)).into());
}

#[test]
fn what_nobody_owns_stands_for_itself_whatever_its_name_looks_like() {
    let mut gate = watching();
    let job = series(&[("__name__", "kube_job_owner"), ("job_name", "sync-29707814"), ("namespace", "ops")]);
    let set = [("__name__", "kube_replicaset_owner"), ("namespace", "ops"), ("replicaset", "web-7d764666f9")];
    let bare = |pod| series(&[("__name__", "kube_pod_owner"), ("namespace", "ops"), ("pod", pod)]);
    send(
        &mut gate,
        vec![
            job,
            series(&set),
            owner("web-7d764666f9-x7k2p", "ReplicaSet", "web-7d764666f9"),
            bare("copy-29707814-x7k2p"),
            bare("runner-abc123-project-7-concurrent-0-x7k2pbcd"),
        ],
    );
    let lines = gate.pipeline.tracker().workloads(now(&gate));
    let told: std::collections::BTreeSet<(&str, &str)> = lines
        .iter()
        .filter(|line| line.number > 0 && line.counts.active > 0)
        .map(|line| (line.kind.as_str(), line.name.as_str()))
        .collect();
    let expected = [
        ("job", "sync-29707814"),
        ("replicaset", "web-7d764666f9"),
        ("generated", "copy-29707814-x7k2p"),
        ("gitlab_runner", "runner-abc123-project-7"),
    ];
    assert_eq!(told, expected.into());
}
