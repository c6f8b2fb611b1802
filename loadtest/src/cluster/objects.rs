//! Pods and cronjob runs, with every text their series need made once.

use crate::names::{self, Seed};

/// A pod with one container.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) node: String,
    pub(super) ip: String,
    /// Where the application inside listens: `ip:8080`.
    pub(super) instance: String,
    pub(super) owner_kind: &'static str,
    pub(super) owner: String,
    pub(super) container: String,
    pub(super) image: String,
    pub(super) image_id: String,
    /// 64 hexadecimal digits, which cAdvisor calls the container's name.
    pub(super) container_hash: String,
    /// The same as kube-state-metrics has it: `containerd://…`.
    pub(super) container_id: String,
    /// The container's control group, which cAdvisor calls its id.
    pub(super) cgroup: String,
    pub(super) seed: Seed,
    /// Unix seconds.
    pub(super) created_s: i64,
    /// Unix seconds; `None` for a pod that runs until it is replaced.
    pub(super) finishes_s: Option<i64>,
    /// How it ends.
    pub(super) ending: Ending,
}

/// How a pod that ends does so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeds,
    Fails,
}

/// What has to be decided about a pod before the rest follows from its seed.
pub(super) struct PodPlan<'a> {
    pub(super) name: String,
    pub(super) namespace: &'a str,
    /// Kind and name of what made it.
    pub(super) owner: (&'static str, &'a str),
    pub(super) container: &'a str,
    pub(super) image_tag: u64,
    pub(super) node: &'a str,
    pub(super) created_s: i64,
}

impl PodPlan<'_> {
    pub(super) fn build(self, seed: Seed) -> Pod {
        let uid = names::uid(seed.child(1));
        let hash = names::hex64(seed.child(2));
        let ip = format!("10.1.{}.{}", seed.child(3).below(256), seed.child(4).below(254) + 1);
        let slice = uid.replace('-', "_");
        let template = Seed::new(self.image_tag).named(self.container);
        Pod {
            namespace: self.namespace.into(),
            node: self.node.into(),
            instance: format!("{ip}:8080"),
            ip,
            owner_kind: self.owner.0,
            owner: self.owner.1.into(),
            image: format!("registry.example.com/team/{}:v1.{}", self.container, self.image_tag),
            image_id: format!(
                "registry.example.com/team/{}@sha256:{}",
                self.container,
                names::hex64(template)
            ),
            container: self.container.into(),
            container_id: format!("containerd://{hash}"),
            cgroup: format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-{hash}.scope"
            ),
            container_hash: hash,
            uid,
            name: self.name,
            seed,
            created_s: self.created_s,
            finishes_s: None,
            ending: Ending::Succeeds,
        }
    }
}

impl Pod {
    /// Whether it has not ended by `now_s` (Unix seconds).
    pub(super) fn is_running(&self, now_s: i64) -> bool {
        self.finishes_s.is_none_or(|end| now_s < end)
    }

    /// The phase Kubernetes reports at `now_s`.
    pub(super) fn phase(&self, now_s: i64) -> &'static str {
        match (self.is_running(now_s), self.ending) {
            (true, _) => "Running",
            (false, Ending::Succeeds) => "Succeeded",
            (false, Ending::Fails) => "Failed",
        }
    }
}

/// A job that was started, by a cronjob or by hand, and its pods.
pub(super) struct Run {
    pub(super) job: String,
    pub(super) namespace: String,
    /// Unix seconds at which it was due.
    pub(super) scheduled_s: i64,
    /// At least one.
    pub(super) pods: Vec<Pod>,
}

/// What a job is made from.
pub(super) struct RunPlan<'a> {
    pub(super) job: String,
    pub(super) namespace: &'a str,
    pub(super) container: &'a str,
    /// Unix seconds.
    pub(super) starts_s: i64,
    pub(super) run_seconds: u32,
    /// Pods with an index in their names; 0: one without.
    pub(super) indexes: u32,
}

impl RunPlan<'_> {
    /// The job, its pods on the nodes that `node` says. About one in twenty fails.
    pub(super) fn start<'n>(self, seed: Seed, node: impl Fn(Seed) -> &'n str) -> Run {
        let pods = (0..self.indexes.max(1)).map(|index| {
            let seed = if index == 0 { seed } else { seed.child(100 + u64::from(index)) };
            let name = match self.indexes {
                0 => names::generated(&self.job, seed),
                _ => names::generated(&format!("{}-{index}", self.job), seed),
            };
            let plan = PodPlan {
                name,
                namespace: self.namespace,
                owner: ("Job", &self.job),
                container: self.container,
                image_tag: 0,
                node: node(seed),
                created_s: self.starts_s,
            };
            let mut pod = plan.build(seed);
            let run_s = u64::from(self.run_seconds);
            let takes_s = run_s + seed.child(5).below(run_s / 4 + 1);
            pod.finishes_s = Some(self.starts_s + i64::try_from(takes_s).unwrap_or(0));
            if seed.child(6).below(20) == 0 {
                pod.ending = Ending::Fails;
            }
            pod
        });
        let pods = pods.collect();
        Run { pods, namespace: self.namespace.into(), scheduled_s: self.starts_s, job: self.job }
    }
}

impl Run {
    /// Whether a pod of it runs at `now_s` (Unix seconds).
    pub(super) fn is_running(&self, now_s: i64) -> bool {
        self.pods.iter().any(|pod| pod.is_running(now_s))
    }

    /// When the last pod ends, Unix seconds.
    pub(super) fn finishes_s(&self) -> Option<i64> {
        self.pods.iter().filter_map(|pod| pod.finishes_s).max()
    }

    /// Whether a pod of it fails.
    pub(super) fn fails(&self) -> bool {
        self.pods.iter().any(|pod| pod.ending == Ending::Fails)
    }
}
