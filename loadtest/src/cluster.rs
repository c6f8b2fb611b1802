//! A small simulated Kubernetes cluster, seen through what an agent would scrape from it.
//!
//! Nothing here reads a clock: [`Cluster::scrape`] is told the time and moves the cluster there, so weeks
//! of cronjob runs pass in milliseconds. Values are computed from the seed and the time, not stored: a
//! million series cost the names of their pods and nothing else.

mod advance;
mod agent;
mod app;
mod cadvisor;
mod objects;
mod scrape;
mod spec;
mod state_metrics;

use std::collections::BTreeSet;

use objects::{Pod, PodPlan, Run};
use scrape::Exposition;

pub use agent::Agent;
pub use scrape::Visit;
pub use spec::{ClusterSpec, CronJob, DaemonSet, Deployment, Detail, Event, Happening, Job, StatefulSet};

use crate::law::{Kind, Law};
use crate::names::{self, Seed};

/// Deployments, daemonsets, statefulsets, jobs and cronjobs on some nodes at one moment.
pub struct Cluster {
    spec: ClusterSpec,
    seed: Seed,
    started_s: i64,
    now_s: i64,
    nodes: Vec<String>,
    /// Nodes that are gone.
    lost: BTreeSet<String>,
    /// What is still to happen, last first.
    ahead: Vec<advance::Ahead>,
    /// One entry per deployment of the spec: its rollout and pods.
    rollouts: Vec<Rollout>,
    daemons: Vec<Pod>,
    /// One entry per statefulset of the spec.
    stateful: Vec<Vec<Pod>>,
    /// Those of the spec's jobs that have started.
    jobs: Vec<Run>,
    /// One entry per cronjob of the spec: the runs that are still reported, oldest first.
    runs: Vec<Vec<Run>>,
}

/// Sees every series as its value at one moment.
struct Values<F> {
    now_s: i64,
    visit: F,
}

impl<F: FnMut(&[(&str, &str)], f64, Kind)> Visit for Values<F> {
    fn series(&mut self, labels: &[(&str, &str)], law: &Law) {
        (self.visit)(labels, law.at(self.now_s), law.kind());
    }
}

/// What a deployment currently runs.
struct Rollout {
    /// Rollouts by the clock, and by events.
    generation: (u64, u64),
    replica_set: String,
    pods: Vec<Pod>,
}

impl Cluster {
    /// A cluster at the time `start_ms` (Unix milliseconds), before any cronjob ran.
    pub fn new(spec: ClusterSpec, start_ms: i64) -> Self {
        let seed = Seed::new(spec.seed).named(&spec.name);
        let started_s = start_ms.div_euclid(1000);
        let nodes: Vec<String> = (0..spec.nodes.max(1)).map(names::node).collect();
        let runs = spec.cronjobs.iter().map(|_| Vec::new()).collect();
        let mut cluster = Self {
            ahead: advance::in_order(&spec),
            spec,
            seed,
            started_s,
            now_s: started_s,
            nodes,
            lost: BTreeSet::new(),
            rollouts: Vec::new(),
            daemons: Vec::new(),
            stateful: Vec::new(),
            jobs: Vec::new(),
            runs,
        };
        cluster.daemons = cluster.daemon_pods();
        cluster.stateful =
            (0..cluster.spec.statefulsets.len()).map(|set| cluster.stateful_pods(set)).collect();
        cluster.rollouts = (0..cluster.spec.deployments.len())
            .map(|index| cluster.rollout(index, (0, 0), started_s))
            .collect();
        cluster
    }

    /// Moves to `now_ms` and shows every series the agent would report then: its labels sorted by
    /// name with `__name__` among them, its value, and what kind it is. Returns how many there were.
    pub fn scrape(&mut self, now_ms: i64, visit: impl FnMut(&[(&str, &str)], f64, Kind)) -> u64 {
        self.advance(now_ms);
        self.objects(&mut Values { now_s: self.now_s, visit })
    }

    /// Shows what an agent would report now, object by object. Returns how many series were shown.
    pub fn objects(&self, visit: &mut dyn Visit) -> u64 {
        let mut out = Exposition::new(&self.spec, self.now_s, visit);
        for (deployment, rollout) in self.spec.deployments.iter().zip(&self.rollouts) {
            state_metrics::deployment(&mut out, deployment, &rollout.replica_set, self.started_s);
            for pod in &rollout.pods {
                self.running(&mut out, pod);
                if !self.lost.contains(&pod.node) {
                    app::requests(&mut out, pod, &deployment.name);
                }
            }
        }
        for pod in &self.daemons {
            self.running(&mut out, pod);
        }
        for (set, pods) in self.spec.statefulsets.iter().zip(&self.stateful) {
            state_metrics::statefulset(&mut out, set, self.started_s);
            pods.iter().for_each(|pod| self.running(&mut out, pod));
        }
        for run in &self.jobs {
            self.run(&mut out, run, None);
        }
        for (cronjob, runs) in self.spec.cronjobs.iter().zip(&self.runs) {
            state_metrics::cronjob(&mut out, cronjob, runs, self.started_s);
            for run in runs {
                self.run(&mut out, run, Some(&cronjob.name));
            }
        }
        out.series()
    }

    /// What is said of a pod by kube-state-metrics, and by its node's kubelet where there still is one.
    fn running(&self, out: &mut Exposition<'_>, pod: &Pod) {
        state_metrics::pod(out, pod);
        if pod.is_running(out.now_s()) && !self.lost.contains(&pod.node) {
            cadvisor::container(out, pod);
        }
    }

    fn run(&self, out: &mut Exposition<'_>, run: &Run, cronjob: Option<&str>) {
        state_metrics::job(out, run, cronjob);
        run.pods.iter().for_each(|pod| self.running(out, pod));
    }

    /// The time the cluster is at, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_s * 1000
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Name of the node of this index.
    pub fn node_name(&self, index: usize) -> Option<&str> {
        self.nodes.get(index).map(String::as_str)
    }

    /// Pods that run now.
    pub fn running_pods(&self) -> usize {
        self.pods().filter(|pod| pod.is_running(self.now_s)).count()
    }

    /// Cronjob runs that are over and still reported.
    pub fn finished_runs(&self) -> usize {
        self.runs.iter().flatten().filter(|run| !run.is_running(self.now_s)).count()
    }

    fn pods(&self) -> impl Iterator<Item = &Pod> {
        let deployed = self.rollouts.iter().flat_map(|rollout| &rollout.pods);
        let started = self.jobs.iter().chain(self.runs.iter().flatten()).flat_map(|run| &run.pods);
        deployed.chain(&self.daemons).chain(self.stateful.iter().flatten()).chain(started)
    }

    /// The node for a pod: one that is there.
    fn node(&self, seed: Seed) -> &str {
        let first = seed.child(91).below(self.nodes.len() as u64) as usize;
        let from_there = self.nodes.iter().cycle().skip(first).take(self.nodes.len());
        from_there.into_iter().find(|node| !self.lost.contains(*node)).map_or("", String::as_str)
    }

    fn rollout(&self, index: usize, generation: (u64, u64), created_s: i64) -> Rollout {
        let spec = &self.spec.deployments[index];
        let number = generation.0 + (generation.1 << 32);
        let template = format!("{}/{}/{number}/{}", spec.namespace, spec.name, self.spec.seed);
        let replica_set = format!("{}-{}", spec.name, names::template_hash(&template));
        let pods = (0..spec.replicas)
            .map(|replica| self.replica(index, &replica_set, number, replica, 0, created_s));
        Rollout { generation, pods: pods.collect(), replica_set: replica_set.clone() }
    }

    /// A pod of a deployment; `life` counts how often it was replaced.
    fn replica(&self, index: usize, set: &str, number: u64, replica: u32, life: u64, created_s: i64) -> Pod {
        let spec = &self.spec.deployments[index];
        let seed = self.seed.named("deployment").named(&spec.namespace).named(&spec.name).child(number);
        let seed = seed.child(u64::from(replica) + (life << 32));
        PodPlan {
            name: names::generated(set, seed),
            namespace: &spec.namespace,
            owner: ("ReplicaSet", set),
            container: &spec.name,
            image_tag: number,
            node: self.node(seed),
            created_s,
        }
        .build(seed)
    }

    fn daemon_pods(&self) -> Vec<Pod> {
        let mut pods = Vec::new();
        for spec in &self.spec.daemonsets {
            for node in &self.nodes {
                let seed = self.seed.named("daemonset").named(&spec.name).named(node);
                let plan = PodPlan {
                    name: names::generated(&spec.name, seed),
                    namespace: &spec.namespace,
                    owner: ("DaemonSet", &spec.name),
                    container: &spec.name,
                    image_tag: 0,
                    node,
                    created_s: self.started_s,
                };
                pods.push(plan.build(seed));
            }
        }
        pods
    }

    fn stateful_pods(&self, set: usize) -> Vec<Pod> {
        let replicas = self.spec.statefulsets[set].replicas;
        (0..replicas).map(|ordinal| self.stateful_pod(set, ordinal, 0, self.started_s)).collect()
    }

    /// A pod of a statefulset; `life` counts how often it was replaced, which its name does not tell.
    fn stateful_pod(&self, set: usize, ordinal: u32, life: u64, created_s: i64) -> Pod {
        let spec = &self.spec.statefulsets[set];
        let seed = self.seed.named("statefulset").named(&spec.namespace).named(&spec.name);
        let seed = seed.child(u64::from(ordinal) + (life << 32));
        PodPlan {
            name: format!("{}-{ordinal}", spec.name),
            namespace: &spec.namespace,
            owner: ("StatefulSet", &spec.name),
            container: &spec.name,
            image_tag: 0,
            node: self.node(seed),
            created_s,
        }
        .build(seed)
    }
}
