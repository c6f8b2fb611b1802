//! Where the series of a scrape go through: labels put together and sorted on the stack, values made up.

use super::objects::Pod;
use super::spec::{ClusterSpec, Detail};
use crate::law::{Kind, Law};
use crate::names::Seed;
use crate::rich::Rich;

/// The most labels a series of the simulator has.
const MAX_LABELS: usize = 24;

/// The metrics of a lean cluster, sorted.
const LEAN: [&str; 21] = [
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
    "go_goroutines",
    "kube_cronjob_info",
    "kube_deployment_spec_replicas",
    "kube_job_complete",
    "kube_job_failed",
    "kube_job_info",
    "kube_job_owner",
    "kube_job_status_active",
    "kube_job_status_completion_time",
    "kube_pod_completion_time",
    "kube_pod_container_info",
    "kube_pod_container_status_restarts_total",
    "kube_pod_created",
    "kube_pod_info",
    "kube_pod_owner",
    "kube_pod_status_phase",
    "kube_replicaset_owner",
    "process_cpu_seconds_total",
];

/// Who looks at a scrape.
pub trait Visit {
    /// The series of an object come next. `id` is the object's for as long as it lives, `state` changes when its series or
    /// what they say changes by more than their laws tell. They are only shown if this returns true.
    fn object(&mut self, _id: u64, _state: u64) -> bool {
        true
    }

    /// One series of the last object: its labels sorted by name with `__name__` among them, and how its value moves.
    fn series(&mut self, labels: &[(&str, &str)], law: &Law);

    /// A series of the last object that has no plain samples.
    fn rich(&mut self, _labels: &[(&str, &str)], _what: Rich) {}
}

/// Labels before they are sorted.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// One scrape under way.
pub(super) struct Exposition<'v> {
    spec: &'v ClusterSpec,
    now_s: i64,
    series: u64,
    wanted: bool,
    visit: &'v mut dyn Visit,
}

impl<'v> Exposition<'v> {
    pub(super) fn new(spec: &'v ClusterSpec, now_s: i64, visit: &'v mut dyn Visit) -> Self {
        Self { spec, now_s, series: 0, wanted: true, visit }
    }

    /// What follows are the series of the object that is told by `id`, in this state.
    pub(super) fn object(&mut self, id: Seed, state: u64) -> bool {
        self.wanted = self.visit.object(id.value(), state);
        self.wanted
    }

    /// Whether applications have histograms.
    pub(super) fn histograms(&self) -> bool {
        self.spec.histograms
    }

    /// Unix seconds of the scrape.
    pub(super) fn now_s(&self) -> i64 {
        self.now_s
    }

    /// Series shown so far.
    pub(super) fn series(&self) -> u64 {
        self.series
    }

    /// Shows one series: `name`, the cluster, and two groups of labels in any order.
    pub(super) fn put(&mut self, name: &str, base: &Labels<'_>, extra: &Labels<'_>, law: Law) {
        if !self.wanted || (self.spec.detail == Detail::Lean && LEAN.binary_search(&name).is_err()) {
            return;
        }
        let mut labels = [("", ""); MAX_LABELS];
        let count = 2 + base.len() + extra.len();
        labels[0] = ("__name__", name);
        labels[1] = ("cluster", &self.spec.name);
        labels[2..2 + base.len()].copy_from_slice(base);
        labels[2 + base.len()..count].copy_from_slice(extra);
        let labels = &mut labels[..count];
        labels.sort_unstable_by_key(|label| label.0);
        self.visit.series(labels, &law);
        self.series += 1;
    }

    /// A gauge with this value.
    pub(super) fn gauge(&mut self, name: &str, base: &Labels<'_>, extra: &Labels<'_>, value: f64) {
        self.put(name, base, extra, Law::Constant(value));
    }

    /// One series for each member of a state set: 1 for the current one, 0 for the others.
    pub(super) fn state_set<'a>(
        &mut self,
        name: &str,
        base: &Labels<'_>,
        label: &'a str,
        members: &[&'a str],
        current: &str,
    ) {
        for member in members {
            self.gauge(name, base, &[(label, member)], f64::from(u8::from(*member == current)));
        }
    }

    /// How a pod's series number `index` moves: a counter grows at its own rate while the pod lives, a gauge
    /// wobbles by a tenth around its own level.
    pub(super) fn pod_law(pod: &Pod, index: u64, kind: Kind) -> Law {
        let seed = pod.seed.child(1000 + index);
        match kind {
            Kind::Counter => Law::Counter { since_s: pod.created_s, per_second: 0.1 + seed.unit() * 20.0 },
            Kind::Gauge => Law::Gauge { since_s: pod.created_s, level: 1e6 + seed.unit() * 1e8, seed },
        }
    }
}
