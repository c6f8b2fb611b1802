use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::cardinality::tracker::Settings;
use crate::series::Fingerprint;

const START: u32 = 1_767_225_600;

const METRICS: [&str; 12] = [
    "up",
    "container_memory_rss",
    "container_fs_reads_total",
    "kube_pod_info",
    "kube_pod_owner",
    "kube_pod_status_phase",
    "kube_job_owner",
    "kube_job_status_active",
    "kube_replicaset_owner",
    "kube_node_info",
    "kube_deployment_created",
    "kube_cronjob_spec_failed_job_history_limit",
];

/// Labels and values of which some say whose a series is, and some do not.
const LABELS: [(&str, &[&str]); 16] = [
    ("cluster", &["", "one", "two"]),
    ("container", &["", "app"]),
    ("cronjob", &["", "sync"]),
    ("device", &["", "sda", "sdb", "sdc"]),
    ("exported_node", &["", "n7"]),
    ("exported_pod", &["", "web-7d764666f9-qdcxt", "sync-29453765-x7k2p"]),
    ("instance", &["", "10.0.0.1:9100", "worker-1"]),
    ("job", &["", "kubelet", "kube-state-metrics"]),
    ("job_name", &["", "sync-29453765", "sync-29453770"]),
    ("namespace", &["", "shop", "web"]),
    ("node", &["", "worker-1", "worker-2"]),
    ("owner_kind", &["", "Job", "CronJob", "ReplicaSet", "Deployment"]),
    ("owner_name", &["", "sync", "sync-29453765", "web-7d764666f9", "web"]),
    ("phase", &["", "Succeeded", "Failed"]),
    (
        "pod",
        &["", "web-7d764666f9-qdcxt", "web-7d764666f9-zzxct", "kube-proxy-worker-1", "sync-29453765-x7k2p"],
    ),
    ("replicaset", &["", "web-7d764666f9"]),
];

#[derive(Clone, Debug)]
struct Came {
    metric: &'static str,
    /// Which of its values each label has.
    values: [usize; LABELS.len()],
    value: f64,
    ends: bool,
    /// Whether it is known by then.
    again: bool,
}

impl Came {
    fn pairs(&self) -> Vec<(&'static str, &'static str)> {
        let labels = LABELS.iter().zip(self.values).map(|((name, values), at)| (*name, values[at]));
        let mut pairs: Vec<_> = labels.filter(|(_, value)| !value.is_empty()).collect();
        pairs.push(("__name__", self.metric));
        pairs.sort_unstable();
        pairs
    }

    fn first(&self, tracker: &Tracker) -> SeriesState {
        let high = tracker.hash.hash_one(self.pairs());
        let series = Fingerprint { high, ..Fingerprint::default() };
        SeriesState { series, value: Some(self.value), ends: self.ends, at: START }
    }
}

/// Labels that have another value and the metric, if it is another; then the value of the sample, and what kind of sight it is.
type Step = ((Vec<(usize, usize)>, &'static str, bool), u8, u8);

/// Requests of series that differ from the one before in a label or two, or in all.
fn requests() -> impl Strategy<Value = Vec<Vec<Came>>> {
    let label = (0..LABELS.len()).prop_flat_map(|at| (Just(at), 0..LABELS[at].1.len()));
    let change = (proptest::collection::vec(label, 0..4), select(&METRICS[..]), any::<bool>());
    let step = (change, 0u8..8, 0u8..10);
    proptest::collection::vec(proptest::collection::vec(step, 1..40), 1..4).prop_map(|requests| {
        let mut values = [0; LABELS.len()];
        let mut metric = "up";
        let of = |steps: Vec<Step>| {
            let each = steps.into_iter().map(|((changes, other, also), value, kind)| {
                changes.into_iter().for_each(|(at, to)| values[at] = to);
                metric = if also { other } else { metric };
                Came {
                    metric,
                    values,
                    value: f64::from(value),
                    ends: kind < 2,
                    again: kind == 1 || kind == 2,
                }
            });
            each.collect()
        };
        requests.into_iter().map(of).collect()
    })
}

/// All that a tracker has counted.
fn told(tracker: &Tracker, now: u32) -> String {
    let mut out = String::new();
    tracker.metrics.each(|number, metric| writeln!(out, "{number} {metric:?}").unwrap());
    tracker.workloads.each(|number, workload| writeln!(out, "{number} {workload:?}").unwrap());
    tracker.units.each(|number, unit| writeln!(out, "{number} {unit:?}").unwrap());
    tracker.senders.each(|number, sender| writeln!(out, "{number} {sender:?}").unwrap());
    tracker.nodes.each(|number, node| writeln!(out, "{number} {node:?}").unwrap());
    tracker.causes.each(|number, cause| writeln!(out, "{number} {cause:?}").unwrap());
    tracker.labels.each(|number, label| {
        let top = crate::cardinality::sketch::Top::larger(&label.top[0], &label.top[1], 100);
        writeln!(out, "{number} {} {} {top:?}", label.name, label.values[0].estimate()).unwrap();
    });
    let mut examples = Vec::new();
    tracker.each_example(|tenant, labels| examples.push(format!("{tenant} {labels}")));
    examples.sort_unstable();
    writeln!(out, "{} and {} due at {now}", examples.join("\n"), tracker.waiting.take_due().len()).unwrap();
    out
}

/// Shows a tracker the series of a request, to one observer or each to another, and counts them.
fn show(tracker: &Tracker, request: &[Came], alone: bool, now: u32) -> Vec<Observation> {
    let context = tracker.sender_context(1, None, now);
    let pairs: Vec<_> = request.iter().map(Came::pairs).collect();
    let (mut keys, mut observations) = (Vec::new(), Vec::new());
    let mut look =
        |observer: &mut Observer<'_, 'static>, came: &Came, pairs: &[(&'static str, &'static str)]| {
            let first = came.first(tracker);
            if came.again {
                observer.observe_again(pairs, first, if came.ends { START + 1 } else { 0 });
                return;
            }
            let start = keys.len();
            let observation = observer.observe(pairs, first, &mut keys);
            observations.push((observation, start..keys.len()));
        };
    let mut scratch = ObserveScratch::default();
    if alone {
        for (came, pairs) in request.iter().zip(&pairs) {
            look(&mut tracker.observer(context, &mut ObserveScratch::default(), now), came, pairs);
        }
    } else {
        let mut observer = tracker.observer(context, &mut scratch, now);
        request.iter().zip(&pairs).for_each(|(came, pairs)| look(&mut observer, came, pairs));
    }
    let each = observations.iter().map(|(observation, at)| (observation, &keys[at.clone()]));
    if alone {
        each.for_each(|one| tracker.series_added(std::iter::once(one), now));
    } else {
        tracker.series_added(each, now);
    }
    observations.into_iter().map(|(observation, _)| observation).collect()
}

proptest! {
    #[test]
    fn neighbours_are_seen_as_each_would_be_alone(requests in requests(), warmup in select(vec![0, 90])) {
        let settings = Settings { warmup, ..Settings::default() };
        let together = Tracker::new(&settings, START);
        let mut alone = Tracker::new(&settings, START);
        alone.hash = together.hash.clone();
        for tracker in [&together, &alone] {
            tracker.sweep(START - 2 * WINDOW_SECONDS);
            tracker.sweep(START);
        }
        for (request, now) in requests.iter().zip((START..).step_by(200)) {
            prop_assert_eq!(show(&together, request, false, now), show(&alone, request, true, now));
            let (told, expected) = (told(&together, now), told(&alone, now));
            for (line, expected) in told.lines().zip(expected.lines()) {
                prop_assert_eq!(line, expected);
            }
            prop_assert_eq!(told.len(), expected.len());
        }
    }
}

#[test]
fn a_request_of_ever_new_names_takes_no_more_than_others() {
    let tracker = Tracker::new(&Settings::default(), START);
    let many = 3 * shapes::MOST / 2;
    let names: Vec<[String; 3]> =
        (0..many).map(|i| ["m", "l", "p"].map(|kind| format!("{kind}{i}"))).collect();
    let (mut scratch, mut keys) = (ObserveScratch::default(), Vec::new());
    let mut observer = tracker.observer(tracker.sender_context(1, None, START), &mut scratch, START);
    for ([metric, label, pod], high) in names.iter().zip(1..) {
        let pairs = [("__name__", &**metric), (&**label, "v"), ("pod", pod)];
        let series = Fingerprint { high, ..Fingerprint::default() };
        let first = SeriesState { series, value: None, ends: false, at: START };
        observer.observe(&pairs, first, &mut keys);
    }
    drop(observer);
    assert!(scratch.shapes.len() <= shapes::MOST && scratch.memory.len() <= memory::MOST);
    assert_eq!((tracker.metrics.len(), tracker.labels.refused()), (many, (many - 999) as u64));
}
