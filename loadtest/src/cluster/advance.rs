//! How the cluster moves in time: everything happens at its own moment, however far one goes at once.

use super::objects::{Pod, RunPlan};
use super::spec::{ClusterSpec, Happening};
use super::{Cluster, Rollout, names};

/// Finished runs of a cronjob that Kubernetes keeps by itself (`successfulJobsHistoryLimit`, `failedJobsHistoryLimit`).
const SUCCEEDED_KEPT: usize = 3;
const FAILED_KEPT: usize = 1;
/// From the loss of a node until its pods are given up (`tolerationSeconds` of `unreachable`).
const GIVEN_UP_AFTER_S: i64 = 300;

/// Something that is still to happen, at a time (Unix seconds).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    at_s: i64,
    what: Next,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Event(Happening),
    /// The pods of the node of this index are replaced.
    GiveUp(usize),
    /// The job of this index starts.
    Start(usize),
}

/// What a spec says is to happen, last first.
pub(super) fn in_order(spec: &ClusterSpec) -> Vec<Ahead> {
    let events = spec.events.iter().map(|event| Ahead { at_s: event.at_s, what: Next::Event(event.what) });
    let jobs =
        spec.jobs.iter().enumerate().map(|(i, job)| Ahead { at_s: job.starts_s, what: Next::Start(i) });
    let mut ahead: Vec<Ahead> = events.chain(jobs).collect();
    ahead.sort_by_key(|next| std::cmp::Reverse(next.at_s));
    ahead
}

impl Cluster {
    /// Moves the cluster to a time (Unix milliseconds). Time never goes back.
    pub fn advance(&mut self, now_ms: i64) {
        let target_s = self.now_s.max(now_ms.div_euclid(1000));
        while let Some(next) = self.ahead.pop_if(|next| next.at_s <= target_s) {
            self.pass(next.at_s.max(self.now_s));
            self.happen(next);
        }
        self.pass(target_s);
    }

    /// Moves to a time before which nothing else happens but what goes by the clock.
    fn pass(&mut self, to_s: i64) {
        let from_s = std::mem::replace(&mut self.now_s, to_s);
        for index in 0..self.rollouts.len() {
            let (by_clock, by_event) = self.rollouts[index].generation;
            let every_s = i64::from(self.spec.deployments[index].rollout_every_minutes) * 60;
            let due = if every_s == 0 { 0 } else { (to_s - self.started_s) / every_s };
            if due.unsigned_abs() != by_clock {
                let created_s = self.started_s + every_s * due;
                self.rollouts[index] = self.rollout(index, (due.unsigned_abs(), by_event), created_s);
            }
        }
        for index in 0..self.spec.cronjobs.len() {
            self.start_runs(index, from_s);
            if !self.spec.keep_past_runs {
                self.forget_runs(index);
            }
        }
    }

    fn happen(&mut self, Ahead { at_s, what }: Ahead) {
        match what {
            Next::Event(Happening::Rollout(index)) if index < self.rollouts.len() => {
                let (by_clock, by_event) = self.rollouts[index].generation;
                self.rollouts[index] = self.rollout(index, (by_clock, by_event + 1), at_s);
            }
            Next::Event(Happening::NodeLost(node)) if node < self.nodes.len() => {
                self.lost.insert(self.nodes[node].clone());
                self.ahead.push(Ahead { at_s: at_s + GIVEN_UP_AFTER_S, what: Next::GiveUp(node) });
                self.ahead.sort_by_key(|next| std::cmp::Reverse(next.at_s));
            }
            Next::Event(Happening::KeepPastRuns) => self.spec.keep_past_runs = true,
            Next::Event(_) => {}
            Next::GiveUp(node) => self.give_up(node, at_s),
            Next::Start(job) => {
                let spec = &self.spec.jobs[job];
                let plan = RunPlan {
                    job: spec.name.clone(),
                    namespace: &spec.namespace,
                    container: &spec.name,
                    starts_s: spec.starts_s,
                    run_seconds: spec.run_seconds,
                    indexes: spec.indexes,
                };
                let seed = self.seed.named("job").named(&spec.namespace).named(&spec.name);
                self.jobs.push(plan.start(seed, |seed| self.node(seed)));
            }
        }
    }

    /// Replaces the pods of a lost node: under new names, but for a statefulset's. A daemonset's are not missed.
    fn give_up(&mut self, node: usize, at_s: i64) {
        let gone = self.nodes[node].clone();
        let there = |pods: &[Pod]| -> Vec<usize> {
            pods.iter().enumerate().filter(|(_, pod)| pod.node == gone).map(|(i, _)| i).collect()
        };
        let life = at_s.unsigned_abs();
        for index in 0..self.rollouts.len() {
            for replica in there(&self.rollouts[index].pods) {
                let Rollout { generation, replica_set, .. } = &self.rollouts[index];
                let number = generation.0 + (generation.1 << 32);
                let pod = self.replica(index, replica_set, number, replica as u32, life, at_s);
                self.rollouts[index].pods[replica] = pod;
            }
        }
        for set in 0..self.stateful.len() {
            for ordinal in there(&self.stateful[set]) {
                self.stateful[set][ordinal] = self.stateful_pod(set, ordinal as u32, life, at_s);
            }
        }
        self.daemons.retain(|pod| pod.node != gone);
    }

    /// Starts the runs of a cronjob that were due after `from_s` and up to now.
    fn start_runs(&mut self, index: usize, from_s: i64) {
        let spec = &self.spec.cronjobs[index];
        let every_s = i64::from(spec.every_minutes.max(1)) * 60;
        let mut due_s = (from_s.div_euclid(every_s) + 1) * every_s;
        let mut started = Vec::new();
        while due_s <= self.now_s {
            let plan = RunPlan {
                job: names::cron_job_run(&spec.name, due_s),
                namespace: &spec.namespace,
                container: &spec.name,
                starts_s: due_s,
                run_seconds: spec.run_seconds,
                indexes: 0,
            };
            let seed = self.seed.named("cronjob").named(&spec.name).child(due_s.unsigned_abs());
            started.push(plan.start(seed, |seed| self.node(seed)));
            due_s += every_s;
        }
        self.runs[index].append(&mut started);
    }

    /// Drops the finished runs that Kubernetes' own history limits remove.
    fn forget_runs(&mut self, index: usize) {
        let now_s = self.now_s;
        let (mut succeeded, mut failed) = (0, 0);
        let mut keep: Vec<bool> = Vec::with_capacity(self.runs[index].len());
        // the newest first
        for run in self.runs[index].iter().rev() {
            keep.push(if run.is_running(now_s) {
                true
            } else if run.fails() {
                failed += 1;
                failed <= FAILED_KEPT
            } else {
                succeeded += 1;
                succeeded <= SUCCEEDED_KEPT
            });
        }
        self.runs[index].retain(|_| keep.pop().unwrap_or(true));
    }
}
