//! When pods, containers, processes and counters began, as series in the stream say it: evidence for and against a birth.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, Ordering};

use ahash::RandomState;
use lru::LruCache;
use parking_lot::Mutex;

use crate::series::{Labels, grammar};

/// Starts remembered; the one not asked about for longest is forgotten first. It matters for a minute.
const KEPT: usize = 50_000;
/// Unix seconds that can be meant: from 2001 to 5138. An exporter without a clock says 0.
const MEANT: std::ops::Range<f64> = 1e9..1e11;

/// Labels that agents use to tell clusters apart.
const CLUSTER: [&str; 4] = ["cluster", "cluster_id", "cluster_name", "k8s_cluster_name"];

/// What began; its number is a bit. The nearer it is to a counter, the more it says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    /// The counter itself, by its `_created`.
    Counter = 1,
    /// The machine, of a target that counts since then.
    Machine = 2,
    /// The process of the target.
    Process = 4,
    Container = 8,
    Pod = 16,
    Job = 32,
}

/// Starts by a hash of what began.
pub struct Starts {
    times: Mutex<LruCache<u64, i64>>,
    hash: RandomState,
    /// Which kinds there are at all.
    kinds: AtomicU8,
}

impl Default for Starts {
    fn default() -> Self {
        let kept = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        Self { times: Mutex::new(LruCache::new(kept)), hash: RandomState::new(), kinds: AtomicU8::new(0) }
    }
}

impl Starts {
    /// Whether the value of a metric of this name says when something began.
    pub fn tells(metric: &str) -> bool {
        metric.ends_with("_created") || metric.ends_with("_time_seconds") || metric == "kube_pod_start_time"
    }

    /// Takes in the value of a series, if it says when something began.
    pub fn learn(&self, tenant: u32, labels: Labels<'_>, value: Option<f64>) {
        let Some(seconds) = value.filter(|seconds| MEANT.contains(seconds)) else { return };
        let told = match labels.metric() {
            "kube_pod_created" | "kube_pod_start_time" => Of::Pod,
            "kube_job_created" => Of::Job,
            "container_start_time_seconds" => Of::Container,
            "process_start_time_seconds" => Of::Process,
            "node_boot_time_seconds" => Of::Machine,
            metric if metric.ends_with("_created") => Of::Counter,
            _ => return,
        };
        let Some(key) = self.key(tenant, told, labels) else { return };
        self.kinds.fetch_or(told as u8, Ordering::Relaxed);
        self.times.lock().put(key, (seconds * 1000.0) as i64);
    }

    /// When a series began, by what is nearest to it, Unix milliseconds.
    pub fn of(&self, tenant: u32, labels: Labels<'_>) -> Option<i64> {
        let kinds = self.kinds.load(Ordering::Relaxed);
        let nearest = [Of::Counter, Of::Machine, Of::Process, Of::Container, Of::Pod, Of::Job];
        let mut told = nearest.into_iter().filter(|of| kinds & *of as u8 != 0).peekable();
        told.peek()?;
        let mut times = self.times.lock();
        told.filter_map(|of| self.key(tenant, of, labels)).find_map(|key| times.get(&key).copied())
    }

    /// When the run was due that a series is of, Unix milliseconds.
    pub fn due(labels: Labels<'_>) -> Option<i64> {
        Some(grammar::of_series(labels)?.scheduled? * 1000)
    }

    /// What stands for the thing of this kind that a series is of; the same for who tells and for who asks. Names are
    /// unique within a cluster.
    fn key(&self, tenant: u32, of: Of, labels: Labels<'_>) -> Option<u64> {
        let tenant = (tenant, CLUSTER.map(|label| labels.get(label)));
        let about = About::of(labels);
        Some(match of {
            Of::Counter => {
                let own = labels.iter().filter(|(name, _)| !["__name__", "le", "quantile"].contains(name));
                self.hash.hash_one((tenant, of, stem(labels.metric()), own.collect::<Vec<_>>()))
            }
            Of::Machine | Of::Process => {
                let target = ["job", "instance", "namespace", "pod"].map(|label| labels.get(label));
                // an exporter's own process says nothing of what it tells of others
                if about.exported || target.iter().all(|value| value.is_empty()) {
                    return None;
                }
                self.hash.hash_one((tenant, of, target))
            }
            Of::Container => {
                let container = labels.get(if about.exported { "exported_container" } else { "container" });
                let pod = about.pod.filter(|_| !container.is_empty())?;
                self.hash.hash_one((tenant, of, about.namespace, pod, container))
            }
            Of::Pod => self.hash.hash_one((tenant, of, about.namespace, about.pod?)),
            Of::Job => self.hash.hash_one((tenant, of, about.namespace, about.job?)),
        })
    }
}

/// The pod or job that a series is about. Where a scrape renamed labels that were there already (Prometheus without
/// `honor_labels`), `exported_namespace` goes with `exported_pod` and with `job_name`.
struct About<'l> {
    exported: bool,
    namespace: &'l str,
    pod: Option<&'l str>,
    job: Option<&'l str>,
}

impl<'l> About<'l> {
    fn of(labels: Labels<'l>) -> Self {
        let given = |label| Some(labels.get(label)).filter(|value| !value.is_empty());
        let exported = ["exported_namespace", "exported_pod", "exported_job_name"].map(given);
        let job = given("exported_job_name").or(given("job_name"));
        if exported.iter().any(Option::is_some) {
            let namespace = given("exported_namespace").or(given("namespace")).unwrap_or_default();
            return Self { exported: true, namespace, pod: given("exported_pod"), job };
        }
        Self { exported: false, namespace: labels.get("namespace"), pod: given("pod"), job }
    }
}

/// The name that the parts of one metric have in common.
fn stem(metric: &str) -> &str {
    let endings = ["_created", "_total", "_bucket", "_sum", "_count"];
    endings.iter().find_map(|ending| metric.strip_suffix(ending)).unwrap_or(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn of(told: &[(Pairs, f64)], asked: Pairs) -> Option<i64> {
        let starts = Starts::default();
        for (pairs, value) in told {
            assert!(Starts::tells(Labels::from_sorted(pairs).metric()));
            starts.learn(0, Labels::from_sorted(pairs), Some(*value));
        }
        starts.of(0, Labels::from_sorted(asked)).map(|ms| ms / 1000)
    }

    const POD: (Pairs, f64) = (&[("__name__", "kube_pod_created"), ("namespace", "n"), ("pod", "a")], 1.5e9);

    #[test]
    fn a_pod_is_known_under_both_pairs_of_labels() {
        let exported: (Pairs, f64) = (
            &[
                ("__name__", "kube_pod_created"),
                ("exported_namespace", "n"),
                ("exported_pod", "a"),
                ("namespace", "monitoring"),
                ("pod", "ksm"),
            ],
            1.5e9,
        );
        let plain: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
        for told in [POD, exported] {
            assert_eq!(of(&[told], plain), Some(1_500_000_000));
        }
        assert_eq!(
            of(&[exported], &[("__name__", "x_total"), ("namespace", "monitoring"), ("pod", "ksm")]),
            None
        );
        assert_eq!(of(&[POD], &[("__name__", "x_total"), ("namespace", "other"), ("pod", "a")]), None);
        let elsewhere: Pairs = &[("__name__", "x_total"), ("cluster", "b"), ("namespace", "n"), ("pod", "a")];
        assert_eq!(of(&[POD], elsewhere), None);
        let job: Pairs = &[
            ("__name__", "kube_job_created"),
            ("exported_namespace", "n"),
            ("job_name", "j"),
            ("pod", "ksm"),
        ];
        let asked: Pairs = &[("__name__", "x_total"), ("job_name", "j"), ("namespace", "n")];
        assert_eq!(of(&[(job, 1.6e9)], asked), Some(1_600_000_000));
    }

    #[test]
    fn the_nearest_start_counts() {
        const TARGET: Pairs = &[
            ("__name__", "process_start_time_seconds"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const ASKED: Pairs = &[
            ("__name__", "x_total"),
            ("code", "200"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const OWN: Pairs = &[
            ("__name__", "x_created"),
            ("code", "200"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const BOOT: Pairs = &[
            ("__name__", "node_boot_time_seconds"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        let all = [POD, (TARGET, 1.6e9), (BOOT, 1.2e9), (OWN, 1.7e9)];
        let found: Vec<_> = (1..=4).map(|told| of(&all[..told], ASKED).unwrap()).collect();
        // an exporter that counts for its machine says what its machine's start is
        assert_eq!(found, [1_500_000_000, 1_600_000_000, 1_200_000_000, 1_700_000_000]);
    }

    #[test]
    fn an_exporter_speaks_of_itself_only_and_times_that_nobody_means_are_none() {
        const KUBELET: Pairs =
            &[("__name__", "process_start_time_seconds"), ("instance", "i"), ("job", "kubelet")];
        const CADVISOR: Pairs = &[
            ("__name__", "container_cpu_usage_seconds_total"),
            ("container", "c"),
            ("instance", "i"),
            ("job", "kubelet"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const CONTAINER: Pairs = &[
            ("__name__", "container_start_time_seconds"),
            ("container", "c"),
            ("instance", "i"),
            ("job", "kubelet"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        assert_eq!(of(&[(KUBELET, 1.4e9)], CADVISOR), None);
        assert_eq!(of(&[(KUBELET, 1.4e9), POD, (CONTAINER, 1.55e9)], CADVISOR), Some(1_550_000_000));
        for odd in [0.0, f64::NAN, f64::INFINITY, -1.0, 1e15] {
            assert_eq!(of(&[(CONTAINER, odd)], CADVISOR), None);
        }
        let run: Pairs = &[("__name__", "x_total"), ("pod", "sync-29707814-x7k2p")];
        assert_eq!(of(&[], run), None);
        assert_eq!(Starts::due(Labels::from_sorted(run)), Some(29_707_814 * 60_000));
    }

    #[test]
    fn what_one_exporter_one_container_or_one_tenant_says_is_said_of_no_other() {
        const TARGET: [(&str, &str); 4] =
            [("instance", "i"), ("job", "ksm"), ("namespace", "m"), ("pod", "ksm")];
        const PROCESS: Pairs =
            &[("__name__", "process_start_time_seconds"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
        const OTHERS: Pairs = &[
            ("__name__", "x_total"),
            ("exported_container", "c"),
            ("exported_namespace", "n"),
            ("exported_pod", "a"),
            TARGET[0],
            TARGET[1],
            TARGET[2],
            TARGET[3],
        ];
        const OWN: Pairs = &[("__name__", "x_total"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
        assert_eq!(
            (of(&[(PROCESS, 1.6e9)], OTHERS), of(&[(PROCESS, 1.6e9)], OWN)),
            (None, Some(1_600_000_000))
        );
        const CONTAINER: Pairs = &[
            ("__name__", "container_start_time_seconds"),
            ("container", "c"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        assert_eq!(of(&[(CONTAINER, 1.55e9)], OTHERS), Some(1_550_000_000));
        let starts = Starts::default();
        const PLAIN: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
        starts.learn(1, Labels::from_sorted(POD.0), Some(POD.1));
        starts.learn(1, Labels::from_sorted(PROCESS), Some(1.6e9));
        for asked in [PLAIN, OWN] {
            assert!(starts.of(1, Labels::from_sorted(asked)).is_some());
            assert_eq!(starts.of(0, Labels::from_sorted(asked)), None);
        }
    }

    #[test]
    fn a_histogram_says_when_all_of_its_buckets_began() {
        let created: (Pairs, f64) = (&[("__name__", "h_created"), ("code", "200")], 1.7e9);
        for asked in [
            &[("__name__", "h_bucket"), ("code", "200"), ("le", "1")][..],
            &[("__name__", "h"), ("code", "200"), ("quantile", "0.5")],
            &[("__name__", "h_count"), ("code", "200")],
        ] {
            assert_eq!(of(&[created], asked), Some(1_700_000_000));
        }
        assert_eq!(of(&[created], &[("__name__", "h_bucket"), ("code", "500"), ("le", "1")]), None);
    }
}
