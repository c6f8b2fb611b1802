//! A small simulated Kubernetes cluster, seen through what an agent would scrape from it.
//!
//! Nothing here reads a clock: [`Cluster::scrape`] is told the time and moves the cluster there, so weeks
//! of cronjob runs pass in milliseconds. Values are computed from the seed and the time, not stored: a
//! million series cost the names of their pods and nothing else.

mod app;
mod cadvisor;
mod objects;
mod scrape;
mod spec;
mod state_metrics;

use objects::{Pod, PodPlan, Run};
use scrape::Exposition;

pub use scrape::Kind;
pub use spec::{ClusterSpec, CronJob, DaemonSet, Deployment};

use crate::names::{self, Seed};

/// Finished runs that Kubernetes keeps by itself (`successfulJobsHistoryLimit`).
const RUNS_KEPT: usize = 3;

/// Deployments, a daemonset and cronjobs on a few nodes at one moment.
pub struct Cluster {
    spec: ClusterSpec,
    seed: Seed,
    started_s: i64,
    now_s: i64,
    nodes: Vec<String>,
    /// One entry per deployment of the spec: its rollout and pods.
    rollouts: Vec<Rollout>,
    daemons: Vec<Pod>,
    /// One entry per cronjob of the spec: the runs that are still reported, oldest first.
    runs: Vec<Vec<Run>>,
}

/// What a deployment currently runs.
struct Rollout {
    generation: u64,
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
            spec,
            seed,
            started_s,
            now_s: started_s,
            nodes,
            rollouts: Vec::new(),
            daemons: Vec::new(),
            runs,
        };
        cluster.daemons = cluster.daemon_pods();
        cluster.rollouts =
            (0..cluster.spec.deployments.len()).map(|index| cluster.rollout(index, 0)).collect();
        cluster
    }

    /// Moves the cluster to a time: rolls deployments, starts and ends cronjob runs. Time never goes back.
    pub fn advance(&mut self, now_ms: i64) {
        let from_s = self.now_s;
        self.now_s = self.now_s.max(now_ms.div_euclid(1000));
        for index in 0..self.rollouts.len() {
            let generation = self.generation(index);
            if generation != self.rollouts[index].generation {
                self.rollouts[index] = self.rollout(index, generation);
            }
        }
        for index in 0..self.spec.cronjobs.len() {
            self.start_runs(index, from_s);
            if !self.spec.keep_past_runs {
                self.forget_runs(index);
            }
        }
    }

    /// Moves to `now_ms` and shows every series the agent would report then: its labels sorted by
    /// name with `__name__` among them, its value, and what kind it is. Returns how many there were.
    pub fn scrape(&mut self, now_ms: i64, mut visit: impl FnMut(&[(&str, &str)], f64, Kind)) -> u64 {
        self.advance(now_ms);
        let mut out = Exposition::new(&self.spec.name, self.now_s, &mut visit);
        for (deployment, rollout) in self.spec.deployments.iter().zip(&self.rollouts) {
            state_metrics::deployment(&mut out, deployment, &rollout.replica_set, self.started_s);
            for pod in &rollout.pods {
                state_metrics::pod(&mut out, pod);
                cadvisor::container(&mut out, pod);
                app::requests(&mut out, pod, &deployment.name);
            }
        }
        for pod in &self.daemons {
            state_metrics::pod(&mut out, pod);
            cadvisor::container(&mut out, pod);
        }
        for (cronjob, runs) in self.spec.cronjobs.iter().zip(&self.runs) {
            state_metrics::cronjob(&mut out, cronjob, runs, self.started_s);
            for run in runs {
                state_metrics::job(&mut out, run, &cronjob.name);
                state_metrics::pod(&mut out, &run.pod);
                if run.pod.is_running(out.now_s()) {
                    cadvisor::container(&mut out, &run.pod);
                }
            }
        }
        out.series()
    }

    /// The time the cluster is at, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_s * 1000
    }

    /// Pods that run now.
    pub fn running_pods(&self) -> usize {
        self.pods().filter(|pod| pod.is_running(self.now_s)).count()
    }

    /// Cronjob runs that are over and still reported.
    pub fn finished_runs(&self) -> usize {
        self.runs.iter().flatten().filter(|run| !run.pod.is_running(self.now_s)).count()
    }

    fn pods(&self) -> impl Iterator<Item = &Pod> {
        let deployed = self.rollouts.iter().flat_map(|rollout| &rollout.pods);
        deployed.chain(&self.daemons).chain(self.runs.iter().flatten().map(|run| &run.pod))
    }

    fn node(&self, seed: Seed) -> &str {
        &self.nodes[seed.child(91).below(self.nodes.len() as u64) as usize]
    }

    /// How often a deployment has been rolled out by now.
    fn generation(&self, deployment: usize) -> u64 {
        let every_s = i64::from(self.spec.deployments[deployment].rollout_every_minutes) * 60;
        if every_s == 0 { 0 } else { ((self.now_s - self.started_s) / every_s).unsigned_abs() }
    }

    fn rollout(&self, index: usize, generation: u64) -> Rollout {
        let spec = &self.spec.deployments[index];
        let every_s = i64::from(spec.rollout_every_minutes) * 60;
        let created_s = self.started_s + every_s * i64::try_from(generation).unwrap_or(0);
        let seed = self.seed.named("deployment").named(&spec.namespace).named(&spec.name).child(generation);
        let template = format!("{}/{}/{generation}/{}", spec.namespace, spec.name, self.spec.seed);
        let replica_set = format!("{}-{}", spec.name, names::template_hash(&template));
        let pods = (0..spec.replicas).map(|replica| {
            let seed = seed.child(u64::from(replica));
            PodPlan {
                name: names::generated(&replica_set, seed),
                namespace: &spec.namespace,
                owner: ("ReplicaSet", &replica_set),
                container: &spec.name,
                image_tag: generation,
                node: self.node(seed),
                created_s,
            }
            .build(seed)
        });
        Rollout { generation, pods: pods.collect(), replica_set: replica_set.clone() }
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

    /// Starts the runs of a cronjob that were due after `from_s` and up to now.
    fn start_runs(&mut self, index: usize, from_s: i64) {
        let spec = &self.spec.cronjobs[index];
        let every_s = i64::from(spec.every_minutes.max(1)) * 60;
        let mut due_s = (from_s.div_euclid(every_s) + 1) * every_s;
        let mut started = Vec::new();
        while due_s <= self.now_s {
            let seed = self.seed.named("cronjob").named(&spec.name).child(due_s.unsigned_abs());
            started.push(Run::start(spec, due_s, self.node(seed), seed));
            due_s += every_s;
        }
        self.runs[index].append(&mut started);
    }

    /// Drops the finished runs that Kubernetes' own history limit removes.
    fn forget_runs(&mut self, index: usize) {
        let now_s = self.now_s;
        let runs = &mut self.runs[index];
        let finished = runs.iter().filter(|run| !run.pod.is_running(now_s)).count();
        let mut excess = finished.saturating_sub(RUNS_KEPT);
        runs.retain(|run| {
            let forget = excess > 0 && !run.pod.is_running(now_s);
            excess -= usize::from(forget);
            !forget
        });
    }
}
