//! Who made a pod, a job or a ReplicaSet, as kube-state-metrics says it in the stream.
//!
//! Bounded: the owner that was not asked about for longest is forgotten first. What is still reported is told again
//! once a window, so an owner that nobody mentions any more is forgotten by age too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lru::LruCache;
use parking_lot::Mutex;

use crate::series::{Labels, SubjectTable};

/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;

/// What an owner takes, bytes, about: its place in the table and its name.
const OWNER_BYTES: usize = 150;

/// What kind of object made something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerKind {
    /// Of a Deployment, mostly.
    ReplicaSet,
    /// One, or one run of a CronJob.
    Job,
    /// Of a job.
    CronJob,
    /// Of a ReplicaSet; also an Argo Rollout, which does the same.
    Deployment,
    /// Of a pod.
    DaemonSet,
    /// Of a pod.
    StatefulSet,
    /// Of a static pod: the kubelet itself.
    Node,
    /// Of a pod.
    ArgoWorkflow,
    /// Of a pod.
    TektonRun,
    /// Of a driver's pod.
    SparkApplication,
    /// Of an executor's pod: its driver.
    Pod,
    /// Nothing did: somebody made it by hand, or a program without an owner reference.
    Nobody,
    /// Something else.
    Other,
}

/// What made something, and its name.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) kind: OwnerKind,
    pub(super) name: Arc<str>,
    /// Whether it is an owner that controls nothing: there may be another.
    vague: bool,
    /// When it was last said, Unix seconds.
    said: u32,
}

/// What has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owned {
    Pod,
    Job,
    ReplicaSet,
}

/// Something that was said about an owner, found in the labels of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) owned: Owned,
    /// Name of what is owned.
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    kind: OwnerKind,
    owner: &'a str,
    /// Whether it is an owner that controls nothing: there may be another.
    vague: bool,
}

impl<'a> Said<'a> {
    /// Reads the series of kube-state-metrics that name owners.
    pub(super) fn read(labels: Labels<'a>, subjects: &SubjectTable) -> Option<Self> {
        let metric = labels.metric();
        let (owned, kind, owner) = match metric {
            "kube_pod_owner" => (Owned::Pod, "owner_kind", "owner_name"),
            "kube_pod_info" => (Owned::Pod, "created_by_kind", "created_by_name"),
            "kube_job_owner" => (Owned::Job, "owner_kind", "owner_name"),
            "kube_replicaset_owner" => (Owned::ReplicaSet, "owner_kind", "owner_name"),
            _ => return None,
        };
        let about = subjects.about(labels);
        let (name, namespace) = match owned {
            Owned::Pod => about.pod.map(|pod| (pod.name, pod.namespace))?,
            Owned::Job => about.job.map(|job| (job.name, job.namespace))?,
            Owned::ReplicaSet => (replica_set(labels)?, about.namespace),
        };
        let kind = kind_of(labels.get(kind));
        // only the other three say that there is no owner
        if metric == "kube_pod_info" && kind == OwnerKind::Nobody {
            return None;
        }
        let vague = labels.get("owner_is_controller") == "false";
        Some(Self { owned, name, namespace, kind, owner: labels.get(owner), vague })
    }
}

/// Whether the series of a metric may name owners.
pub(super) fn names_owners(metric: &str) -> bool {
    matches!(metric, "kube_pod_owner" | "kube_pod_info" | "kube_job_owner" | "kube_replicaset_owner")
}

fn replica_set(labels: Labels<'_>) -> Option<&str> {
    let names = ["exported_replicaset", "replicaset"].map(|label| labels.get(label));
    names.into_iter().find(|name| !name.is_empty())
}

fn kind_of(text: &str) -> OwnerKind {
    match text {
        "ReplicaSet" => OwnerKind::ReplicaSet,
        "Job" => OwnerKind::Job,
        "CronJob" => OwnerKind::CronJob,
        "Deployment" | "Rollout" => OwnerKind::Deployment,
        "DaemonSet" => OwnerKind::DaemonSet,
        "StatefulSet" => OwnerKind::StatefulSet,
        "Node" => OwnerKind::Node,
        "Workflow" => OwnerKind::ArgoWorkflow,
        "TaskRun" | "PipelineRun" => OwnerKind::TektonRun,
        "SparkApplication" => OwnerKind::SparkApplication,
        "Pod" => OwnerKind::Pod,
        // kube-state-metrics 1 wrote `<none>`, 2 writes nothing
        "" | "<none>" => OwnerKind::Nobody,
        _ => OwnerKind::Other,
    }
}

/// All owners that were said.
pub(super) struct Owners {
    shards: Box<[Mutex<OwnerShard>]>,
    room: usize,
    /// Changes with what is known.
    version: AtomicU32,
    /// Whether anything was ever said, and whether somebody was told so.
    spoken: AtomicBool,
    told: AtomicBool,
}

type OwnerShard = LruCache<u64, Owner, ahash::RandomState>;

impl Owners {
    /// Room for `max` owners.
    pub(super) fn new(max: usize) -> Self {
        // `LruCache::new` would allocate all of its room at once
        let shard = |_| Mutex::new(LruCache::unbounded_with_hasher(ahash::RandomState::new()));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            room: max.div_ceil(SHARDS).max(1),
            version: AtomicU32::new(0),
            spoken: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Remembers what was said of the thing with this key. What is vague does not take back what is not. Returns whether
    /// nothing was known of it before.
    pub(super) fn learn(&self, key: u64, said: &Said<'_>, now: u32) -> bool {
        self.spoken.store(true, Ordering::Relaxed);
        let mut shard = self.shard(key).lock();
        if let Some(owner) = shard.get_mut(&key) {
            owner.said = now;
            if (owner.vague || !said.vague) && (owner.kind != said.kind || &*owner.name != said.owner) {
                (owner.kind, owner.name) = (said.kind, Arc::from(said.owner));
                self.version.fetch_add(1, Ordering::Relaxed);
            }
            owner.vague &= said.vague;
            return false;
        }
        if shard.len() >= self.room {
            shard.pop_lru();
        }
        shard.put(key, Owner { kind: said.kind, name: Arc::from(said.owner), vague: said.vague, said: now });
        // before the lock is given up: who finds the number as it was has not asked yet
        self.version.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// A number that is another once more is known.
    pub(super) fn version(&self) -> u32 {
        self.version.load(Ordering::Relaxed)
    }

    /// Whether anybody names owners here: else nothing more will be known of a series than its labels say.
    pub(super) fn are_said(&self) -> bool {
        self.spoken.load(Ordering::Relaxed)
    }

    /// Whether owners are named since just now; said once.
    pub(super) fn have_come(&self) -> bool {
        self.are_said() && !self.told.load(Ordering::Relaxed) && !self.told.swap(true, Ordering::Relaxed)
    }

    /// The owner of the thing with this key.
    pub(super) fn of(&self, key: u64) -> Option<Owner> {
        if !self.are_said() {
            return None;
        }
        self.shard(key).lock().get(&key).cloned()
    }

    /// Forgets what was not said since `horizon`, Unix seconds.
    pub(super) fn forget(&self, horizon: u32) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let old: Vec<u64> = shard.iter().filter(|(_, o)| o.said < horizon).map(|(key, _)| *key).collect();
            for key in old {
                shard.pop(&key);
            }
        }
    }

    /// Memory held, bytes, about; names are mostly short.
    pub(super) fn bytes(&self) -> usize {
        self.len() * OWNER_BYTES
    }

    /// Owners known.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, key: u64) -> &Mutex<OwnerShard> {
        &self.shards[(key >> 60) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<'a>(vague: bool, kind: &str, owner: &'a str) -> Said<'a> {
        Said { owned: Owned::Pod, name: "web-0", namespace: "shop", kind: kind_of(kind), owner, vague }
    }

    #[test]
    fn the_least_recently_asked_owner_goes_first_and_age_takes_the_rest() {
        let owners = Owners::new(SHARDS * 2);
        let pairs = [
            ("__name__", "kube_pod_owner"),
            ("exported_namespace", "shop"),
            ("exported_pod", "web-0"),
            ("namespace", "monitoring"),
            ("owner_kind", "Job"),
            ("owner_name", "sync-1"),
            ("pod", "kube-state-metrics-0"),
        ];
        let job = Said::read(Labels::from_sorted(&pairs), &SubjectTable::default()).unwrap();
        assert_eq!((job.owned, job.name, job.namespace), (Owned::Pod, "web-0", "shop"));
        for key in 0..3 {
            owners.learn(key, &job, 10);
            owners.of(0);
        }
        assert_eq!(owners.len(), 2);
        assert!(owners.of(0).is_some() && owners.of(1).is_none() && owners.of(2).is_some());
        owners.learn(2, &job, 50);
        owners.forget(20);
        assert!(owners.of(0).is_none() && owners.of(2).is_some());
    }

    #[test]
    fn what_is_vague_takes_back_nothing_and_nobody_is_believed() {
        let owners = Owners::new(100);
        let of = |said: &Said<'_>| {
            owners.learn(1, said, 10);
            let owner = owners.of(1).unwrap();
            (owner.kind, owner.name.to_string())
        };
        assert_eq!(of(&said(true, "", "")).0, OwnerKind::Nobody);
        assert_eq!(of(&said(true, "Other", "x")).0, OwnerKind::Other);
        let set = (OwnerKind::StatefulSet, "web".to_owned());
        assert_eq!(of(&said(false, "StatefulSet", "web")), set);
        assert_eq!(of(&said(true, "<none>", "")), set);
        // a pod of the same name, made by hand
        assert_eq!(of(&said(false, "", "")).0, OwnerKind::Nobody);
    }
}
