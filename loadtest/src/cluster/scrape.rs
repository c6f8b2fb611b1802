//! Where the series of a scrape go through: labels put together and sorted on the stack, values made up.

use super::objects::Pod;
use super::spec::Detail;

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

/// What a series is, for those who need to know how its values move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while its pod lives.
    Counter,
    /// Goes up and down, or stays.
    Gauge,
}

/// Labels before they are sorted.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// One scrape under way.
pub(super) struct Exposition<'v> {
    cluster: &'v str,
    detail: Detail,
    now_s: i64,
    series: u64,
    visit: &'v mut dyn FnMut(&Labels<'_>, f64, Kind),
}

impl<'v> Exposition<'v> {
    pub(super) fn new(
        (cluster, detail): (&'v str, Detail),
        now_s: i64,
        visit: &'v mut dyn FnMut(&Labels<'_>, f64, Kind),
    ) -> Self {
        Self { cluster, detail, now_s, series: 0, visit }
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
    pub(super) fn put(&mut self, name: &str, base: &Labels<'_>, extra: &Labels<'_>, value: f64, kind: Kind) {
        if self.detail == Detail::Lean && LEAN.binary_search(&name).is_err() {
            return;
        }
        let mut labels = [("", ""); MAX_LABELS];
        let count = 2 + base.len() + extra.len();
        labels[0] = ("__name__", name);
        labels[1] = ("cluster", self.cluster);
        labels[2..2 + base.len()].copy_from_slice(base);
        labels[2 + base.len()..count].copy_from_slice(extra);
        let labels = &mut labels[..count];
        labels.sort_unstable_by_key(|label| label.0);
        (self.visit)(labels, value, kind);
        self.series += 1;
    }

    /// A gauge with this value.
    pub(super) fn gauge(&mut self, name: &str, base: &Labels<'_>, extra: &Labels<'_>, value: f64) {
        self.put(name, base, extra, value, Kind::Gauge);
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

    /// The value of a pod's series number `index`: a counter grows at its own rate while the pod lives,
    /// a gauge wobbles by a tenth around its own level.
    pub(super) fn pod_value(&self, pod: &Pod, index: u64, kind: Kind) -> f64 {
        let seed = pod.seed.child(1000 + index);
        let age_s = (self.now_s - pod.created_s).max(0);
        match kind {
            Kind::Counter => (age_s as f64 * (0.1 + seed.unit() * 20.0)).floor(),
            Kind::Gauge => {
                let level = 1e6 + seed.unit() * 1e8;
                let wobble = seed.child(age_s.unsigned_abs() / 15).unit() - 0.5;
                (level * (1.0 + wobble / 5.0)).round()
            }
        }
    }
}
