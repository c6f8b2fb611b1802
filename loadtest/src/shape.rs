//! Series in any number for measuring: pods with forty series each, and pods replaced at a given rate.
//!
//! Unlike [`crate::cluster`] nothing lives here: a series is a function of its number and of its pod's
//! incarnation, so a million of them need no memory.

use serde::{Deserialize, Serialize};

use crate::names::{self, Seed};

/// Series of one pod.
pub const SERIES_PER_POD: u64 = 40;

/// The labels of the series to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// 14 labels as a Kubernetes agent sends them: about 620 bytes a series.
    #[default]
    K8s14,
    /// 6 short labels, as an application exports them: about 190 bytes a series.
    Short6,
}

/// The series to send: how many, of which shape, and how fast their pods are replaced.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    /// Series in one scrape.
    pub series: u64,
    /// Their labels.
    pub shape: Shape,
    /// The share of pods replaced between two scrapes, 0 to 1.
    pub churn: f64,
    /// Where names and values come from.
    pub seed: Seed,
}

impl Population {
    /// Pods in one scrape; the last may have fewer series than the others.
    pub fn pods(&self) -> u64 {
        self.series.div_ceil(SERIES_PER_POD)
    }

    /// Series of pod `pod`.
    pub fn series_of(&self, pod: u64) -> u64 {
        SERIES_PER_POD.min(self.series.saturating_sub(pod * SERIES_PER_POD))
    }

    /// Whether pod `pod` was replaced just before scrape `scrape`.
    pub fn replaced(&self, pod: u64, scrape: u64) -> bool {
        scrape > 0 && self.seed.child(1).child(pod).child(scrape).unit() < self.churn
    }

    /// Shows series `wanted` of a pod: its number in the pod and its sorted labels.
    pub fn visit(
        &self,
        pod: u64,
        incarnation: u64,
        wanted: impl Fn(u64) -> bool,
        mut visit: impl FnMut(u64, &[(&str, &str)]),
    ) {
        let texts = PodTexts::new(self.seed, pod, incarnation);
        for index in (0..self.series_of(pod)).filter(|&index| wanted(index)) {
            match self.shape {
                Shape::K8s14 => visit(index, &texts.k8s14(index)),
                Shape::Short6 => visit(index, &texts.short6(index)),
            }
        }
    }
}

const METRICS: [&str; 10] = [
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_fs_reads_total",
    "container_network_receive_bytes_total",
    "kube_pod_container_status_restarts_total",
    "kube_pod_status_phase",
    "http_request_duration_seconds_bucket",
    "apiserver_request_duration_seconds_bucket",
    "container_fs_writes_bytes_total",
    "container_memory_rss",
];
const DEVICES: [&str; 4] = ["dev0", "dev1", "dev2", "dev3"];
const CODES: [&str; 4] = ["200", "301", "404", "503"];

/// What all series of a pod have in common. Every tenth pod belongs to a cronjob.
struct PodTexts {
    pod: String,
    job_name: String,
    namespace: String,
    node: String,
    cgroup: String,
    image: String,
}

impl PodTexts {
    fn new(seed: Seed, pod: u64, incarnation: u64) -> Self {
        let workload = seed.child(2).child(pod).below(300);
        let own = seed.child(3).child(pod).child(incarnation);
        let (job_name, pod_name) = if pod.is_multiple_of(10) {
            let minutes = 29_000_000 + i64::try_from(incarnation * 5).unwrap_or(0);
            let job = names::cron_job_run(&format!("sync-once-record-{workload}"), minutes * 60);
            let pod = names::generated(&job, own);
            (job, pod)
        } else {
            let name = format!("svc-{workload}");
            let hash = names::template_hash(&format!("{name}/{}/{incarnation}", pod / 3));
            let pod = names::generated(&format!("{name}-{hash}"), own);
            (name, pod)
        };
        let slice = names::uid(own.child(1)).replace('-', "_");
        Self {
            cgroup: format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-{}.scope",
                names::hex64(own.child(2))
            ),
            namespace: format!("team-{}", workload % 40),
            image: format!("registry.example.com/team/svc-{workload}:v1.{}.{}", workload % 7, workload % 13),
            node: format!("ip-10-0-{}-{}.ec2.internal", workload % 255, seed.child(4).child(pod).below(255)),
            pod: pod_name,
            job_name,
        }
    }

    fn k8s14(&self, index: u64) -> [(&str, &str); 14] {
        let index = index as usize;
        [
            ("__name__", METRICS[index % METRICS.len()]),
            ("cluster", "prod-cn-hangzhou-1"),
            ("container", "app"),
            ("device", DEVICES[index / METRICS.len() % DEVICES.len()]),
            ("endpoint", "https-metrics"),
            ("id", &self.cgroup),
            ("image", &self.image),
            ("instance", &self.node),
            ("job", "kubelet"),
            ("job_name", &self.job_name),
            ("metrics_path", "/metrics/cadvisor"),
            ("namespace", &self.namespace),
            ("node", &self.node),
            ("pod", &self.pod),
        ]
    }

    fn short6(&self, index: u64) -> [(&str, &str); 6] {
        let index = index as usize;
        [
            ("__name__", METRICS[index % METRICS.len()]),
            ("code", CODES[index / METRICS.len() % CODES.len()]),
            ("instance", &self.node),
            ("job", "app"),
            ("namespace", &self.namespace),
            ("pod", &self.pod),
        ]
    }
}
