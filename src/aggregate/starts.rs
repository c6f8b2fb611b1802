//! When pods and jobs were made, as kube-state-metrics says it in the stream: evidence that what they report was born
//! while we watched.

use std::num::NonZeroUsize;

use ahash::RandomState;
use lru::LruCache;
use parking_lot::Mutex;

use crate::series::Labels;

/// Pods and jobs remembered; the one not asked about for longest is forgotten first. It matters for a minute.
const KEPT: usize = 50_000;

/// Metrics whose value is when something was made (Unix seconds), and the label that names it.
const SAYING: [(&str, &str); 3] =
    [("kube_pod_created", "pod"), ("kube_job_created", "job_name"), ("kube_pod_start_time", "pod")];

/// Labels of other series that name a pod or a job.
const NAMED: [(&str, &str); 4] =
    [("exported_pod", "pod"), ("pod", "pod"), ("exported_job_name", "job_name"), ("job_name", "job_name")];

/// Times by a hash of what was made.
pub struct Created {
    times: Mutex<LruCache<u64, i64>>,
    hash: RandomState,
}

impl Default for Created {
    fn default() -> Self {
        let kept = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        Self { times: Mutex::new(LruCache::new(kept)), hash: RandomState::new() }
    }
}

impl Created {
    /// Takes in the value of a series, if it says when something was made.
    pub fn learn(&self, tenant: u32, labels: Labels<'_>, value: Option<f64>) {
        let Some((_, label)) = SAYING.iter().find(|(metric, _)| *metric == labels.metric()) else { return };
        let (name, Some(seconds)) = (labels.get(label), value.filter(|value| value.is_finite())) else {
            return;
        };
        let key = self.key(tenant, labels.get("namespace"), label, name);
        self.times.lock().put(key, (seconds * 1000.0) as i64);
    }

    /// When the pod or job that a series is of was made, Unix milliseconds.
    pub fn of(&self, tenant: u32, labels: Labels<'_>) -> Option<i64> {
        let found =
            NAMED.iter().map(|(label, kind)| (labels.get(label), *kind)).find(|(name, _)| !name.is_empty());
        let (name, kind) = found?;
        let namespace = ["exported_namespace", "namespace"].map(|label| labels.get(label));
        let namespace = namespace.into_iter().find(|namespace| !namespace.is_empty()).unwrap_or_default();
        self.times.lock().get(&self.key(tenant, namespace, kind, name)).copied()
    }

    fn key(&self, tenant: u32, namespace: &str, kind: &str, name: &str) -> u64 {
        self.hash.hash_one((tenant, namespace, kind, name))
    }
}
