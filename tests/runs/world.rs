//! A small cluster, minute by minute.

use std::collections::BTreeMap;

use super::ksm::{About, Job, Pod, Scrape, State, indexed_pod_name, pod_name};
use super::rig::{Labels, Page, Watch};

/// A CronJob with its runs.
pub(crate) struct Cron {
    pub(crate) name: String,
    /// Minutes from run to run.
    pub(crate) every: u32,
    /// Pods that carry their index in their names; 0: one without.
    pub(crate) indexes: u32,
    /// How many finished runs are to be kept, of those that succeeded and those that failed.
    pub(crate) limits: [u32; 2],
    /// Whether nothing is cleaned up, whatever the limits.
    pub(crate) keeps_all: bool,
    /// Every so many runs one fails; 0: none does.
    pub(crate) fails: u32,
    runs: Vec<Run>,
    started: u32,
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) job: Job,
    pub(crate) pods: Vec<Pod>,
}

pub(crate) const NAMESPACE: &str = "shop";

impl Cron {
    pub(crate) fn new(name: &str, every: u32) -> Self {
        let (name, limits) = (name.to_owned(), [3, 1]);
        Self { name, every, indexes: 0, limits, keeps_all: false, fails: 0, runs: Vec::new(), started: 0 }
    }

    /// The same, but that all of its runs are kept.
    pub(crate) fn keeping(name: &str, every: u32) -> Self {
        Self { keeps_all: true, ..Self::new(name, every) }
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    fn advance(&mut self, minute: u32, node: &str) {
        for run in self.runs.iter_mut().filter(|run| run.job.state == State::Active) {
            self.started += 1;
            let fails = self.fails > 0 && self.started.is_multiple_of(self.fails);
            let (state, phase) =
                if fails { (State::Failed, "Failed") } else { (State::Complete, "Succeeded") };
            run.job.state = state;
            // as a scrape in this minute sees it
            run.job.completed = minute * 60 + 20;
            run.pods.iter_mut().for_each(|pod| pod.phase = phase);
        }
        if minute.is_multiple_of(self.every) {
            let job = format!("{}-{minute}", self.name);
            self.runs.push(Run::started(&job, Some(&self.name), self.indexes, node, u64::from(minute)));
        }
        if self.keeps_all {
            return;
        }
        let mut kept = [0, 0];
        let mut keep: Vec<bool> = Vec::new();
        for run in self.runs.iter().rev() {
            let of = match run.job.state {
                State::Active => {
                    keep.push(true);
                    continue;
                }
                State::Complete => 0,
                State::Failed => 1,
            };
            kept[of] += 1;
            keep.push(kept[of] <= self.limits[of]);
        }
        self.runs.retain(|_| keep.pop().unwrap());
    }
}

impl Run {
    pub(crate) fn started(job: &str, cronjob: Option<&str>, indexes: u32, node: &str, number: u64) -> Self {
        let name = |index: u32| match indexes {
            0 => pod_name(job, number),
            _ => indexed_pod_name(job, index, number),
        };
        let pod = |index| Pod {
            name: name(index),
            namespace: NAMESPACE,
            node: node.to_owned(),
            owner: ("Job", job.to_owned()),
            phase: "Running",
        };
        let job = Job {
            name: job.to_owned(),
            namespace: NAMESPACE,
            cronjob: cronjob.map(str::to_owned),
            state: State::Active,
            completed: 0,
        };
        Self { job, pods: (0..indexes.max(1)).map(pod).collect() }
    }
}

/// A Deployment of three pods.
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) set: String,
    pub(crate) pods: Vec<Pod>,
}

impl App {
    pub(crate) fn new(name: &str, nodes: &[&str]) -> Self {
        let set = format!("{name}-7d764666f9");
        let pod = |number: usize| Pod {
            name: pod_name(&set, number as u64),
            namespace: NAMESPACE,
            node: nodes[number % nodes.len()].to_owned(),
            owner: ("ReplicaSet", set.clone()),
            phase: "Running",
        };
        Self { name: name.to_owned(), pods: (0..3).map(pod).collect(), set }
    }

    /// Replaces the pods of a node, on another.
    pub(crate) fn leave(&mut self, node: &str, other: &str) {
        for (number, pod) in (100..).zip(&mut self.pods).filter(|(_, pod)| pod.node == node) {
            (pod.name, pod.node) = (pod_name(&self.set, number), other.to_owned());
        }
    }
}

/// All of it.
pub(crate) struct World {
    pub(crate) honors_labels: bool,
    /// Whether the limits of CronJobs are among what is scraped.
    pub(crate) tells_limits: bool,
    pub(crate) crons: Vec<Cron>,
    pub(crate) apps: Vec<App>,
    /// Jobs that people started, those of a CronJob among them.
    pub(crate) jobs: Vec<Run>,
    /// Pods that nobody owns.
    pub(crate) bare: Vec<Pod>,
    /// Nodes with their version.
    pub(crate) nodes: Vec<(&'static str, &'static str)>,
}

impl World {
    pub(crate) fn new(crons: Vec<Cron>) -> Self {
        let nodes = vec![("worker-1", "6.1"), ("worker-2", "6.1"), ("worker-3", "6.1"), ("worker-4", "6.1")];
        let names: Vec<&str> = nodes.iter().map(|(name, _)| *name).collect();
        let apps = ["web", "cart", "search", "stock", "mail"].map(|name| App::new(name, &names));
        Self {
            honors_labels: false,
            tells_limits: true,
            crons,
            apps: apps.into(),
            jobs: Vec::new(),
            bare: Vec::new(),
            nodes,
        }
    }

    /// What a scrape finds, and what each series is about.
    pub(crate) fn scrape(&self) -> (Page, BTreeMap<Labels, About>) {
        let mut scrape = Scrape::new(self.honors_labels);
        for (name, version) in &self.nodes {
            scrape.node(name, version);
        }
        for app in &self.apps {
            scrape.deployment(NAMESPACE, &app.name, &app.set);
            scrape.about = Some(("deployment", app.name.clone()));
            app.pods.iter().for_each(|pod| scrape.pod(pod));
            scrape.about = None;
        }
        for cron in &self.crons {
            if self.tells_limits {
                scrape.cronjob(NAMESPACE, &cron.name, cron.limits);
            }
        }
        let runs = self.crons.iter().flat_map(|cron| &cron.runs).chain(&self.jobs);
        for Run { job, pods } in runs {
            scrape.about = Some(match &job.cronjob {
                Some(cronjob) => ("cronjob", cronjob.clone()),
                None => ("job", job.name.clone()),
            });
            scrape.job(job);
            pods.iter().for_each(|pod| scrape.pod(pod));
            scrape.about = None;
        }
        for pod in &self.bare {
            scrape.about = Some(("generated", pod.name.clone()));
            scrape.pod(pod);
        }
        scrape.end()
    }

    /// The pods of all runs, each with its job.
    pub(crate) fn pods(&self) -> impl Iterator<Item = (String, String)> {
        let runs = self.crons.iter().flat_map(|cron| &cron.runs).chain(&self.jobs);
        runs.flat_map(|Run { job, pods }| pods.iter().map(|pod| (pod.name.clone(), job.name.clone())))
    }

    /// Lets it live for so many minutes before anybody looks.
    pub(crate) fn age(&mut self, watch: &Watch, minutes: u32) {
        let now = watch.now() / 60;
        for minute in now - minutes..=now {
            self.advance(minute);
        }
    }

    pub(crate) fn advance(&mut self, minute: u32) {
        let node = self.nodes[minute as usize % self.nodes.len()].0;
        self.crons.iter_mut().for_each(|cron| cron.advance(minute, node));
    }

    /// Lets it live for so many minutes, and scrapes it in each.
    pub(crate) fn live(&mut self, watch: &mut Watch, minutes: u32) {
        for _ in 0..minutes {
            watch.wait(1);
            self.advance(watch.now() / 60);
            watch.scrape(&self.scrape().0);
        }
    }
}
