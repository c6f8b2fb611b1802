//! Clusters as a scenario describes them: groups of like objects instead of one by one.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Span;
use crate::cluster::{
    ClusterSpec, CronJob, DaemonSet, Deployment, Detail, Event, Happening, Job, StatefulSet,
};
use crate::source::Flood;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    /// Value of the `cluster` label; with copies, a number is added.
    #[serde(default = "prod")]
    pub name: String,
    /// Clusters of this kind, each with pods of its own.
    #[serde(default = "one")]
    pub copies: u32,
    /// Machines.
    pub nodes: u32,
    /// Replicated applications.
    #[serde(default)]
    pub deployments: Vec<GroupFile>,
    /// One pod on every node for each.
    #[serde(default)]
    pub daemonsets: Vec<GroupFile>,
    /// Pods that keep their names.
    #[serde(default)]
    pub statefulsets: Vec<GroupFile>,
    /// Jobs started on a schedule.
    #[serde(default)]
    pub cronjobs: Vec<RunFile>,
    /// Jobs started once.
    #[serde(default)]
    pub jobs: Vec<RunFile>,
    /// The agent goes on reporting every run there ever was.
    #[serde(default)]
    pub keep_past_runs: bool,
    /// About a sixth of the series of each object.
    #[serde(default)]
    pub lean: bool,
    /// A classic histogram for each application's methods.
    #[serde(default)]
    pub histograms: bool,
    /// An exemplar for each application's pod.
    #[serde(default)]
    pub exemplars: bool,
    /// A native histogram for each application's pod.
    #[serde(default)]
    pub native_histograms: bool,
    /// What happens.
    #[serde(default)]
    pub events: Vec<EventFile>,
    /// An application that makes a series for each user.
    #[serde(default)]
    pub flood: Option<FloodFile>,
}

/// Like workloads: `name-0`, `name-1`, …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// What their names begin with.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// Namespaces that they are spread over.
    #[serde(default = "one")]
    pub namespaces: u32,
    /// Pods of each.
    #[serde(default = "one")]
    pub replicas: u32,
    /// How often all pods are replaced (deployments).
    #[serde(default)]
    pub rollout_every: Option<Span>,
}

/// Like jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// What their names begin with.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// Namespaces that they are spread over.
    #[serde(default = "one")]
    pub namespaces: u32,
    /// How often they start (cronjobs), in minutes.
    #[serde(default)]
    pub every: Option<Span>,
    /// When they start (jobs), from the first scrape.
    #[serde(default)]
    pub at: Option<Span>,
    /// How long a run takes.
    pub takes: Span,
    /// Pods with an index in their names (jobs).
    #[serde(default)]
    pub indexes: u32,
}

/// Something that happens, some time after the first scrape. All that is named happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFile {
    /// When.
    pub at: Span,
    /// All pods of the deployments are replaced whose names begin so; `all` for all of them.
    #[serde(default)]
    pub rollout: Option<String>,
    /// The node of this number is lost.
    #[serde(default)]
    pub lose_node: Option<usize>,
    /// The agent forgets no run any more.
    #[serde(default)]
    pub keep_past_runs: bool,
}

/// An application that makes a new series for each user it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloodFile {
    /// When it begins, from the first scrape.
    pub at: Span,
    /// Series born before each scrape.
    pub series_per_scrape: u64,
    /// The label whose values never repeat.
    #[serde(default = "user_id")]
    pub label: String,
}

fn one() -> u32 {
    1
}
fn prod() -> String {
    "prod-1".into()
}
fn user_id() -> String {
    "user_id".into()
}

fn seconds(span: Span) -> i64 {
    span.0.as_secs().cast_signed()
}

impl ClusterFile {
    /// The cluster that this describes, at a start (Unix seconds).
    pub fn spec(&self, seed: u64, start_s: i64) -> Result<ClusterSpec> {
        let deployments: Vec<Deployment> = each(&self.deployments, |group, namespace, name| Deployment {
            namespace,
            name,
            replicas: group.replicas,
            rollout_every_minutes: group.rollout_every.map_or(0, minutes),
        });
        let mut events = Vec::new();
        for event in &self.events {
            let at_s = start_s + seconds(event.at);
            let mut happens = |what| events.push(Event { at_s, what });
            if let Some(prefix) = &event.rollout {
                let meant = |name: &str| prefix == "all" || name.starts_with(prefix.as_str());
                let indexes =
                    deployments.iter().enumerate().filter(|(_, deployment)| meant(&deployment.name));
                let count = indexes.map(|(index, _)| happens(Happening::Rollout(index))).count();
                anyhow::ensure!(count > 0, "no deployment's name begins with {prefix:?}");
            }
            if let Some(node) = event.lose_node {
                happens(Happening::NodeLost(node));
            }
            if event.keep_past_runs {
                happens(Happening::KeepPastRuns);
            }
        }
        let mut cronjobs = Vec::new();
        for group in &self.cronjobs {
            let every = group.every.with_context(|| format!("cronjob {}: every is missing", group.name))?;
            cronjobs.extend(runs(group, |namespace, name| CronJob {
                namespace,
                name,
                every_minutes: minutes(every),
                run_seconds: seconds(group.takes) as u32,
            }));
        }
        let jobs = self.jobs.iter().flat_map(|group| {
            runs(group, |namespace, name| Job {
                namespace,
                name,
                starts_s: start_s + group.at.map_or(0, seconds),
                run_seconds: seconds(group.takes) as u32,
                indexes: group.indexes,
            })
        });
        Ok(ClusterSpec {
            name: self.name.clone(),
            seed,
            nodes: self.nodes,
            daemonsets: each(&self.daemonsets, |_, namespace, name| DaemonSet { namespace, name }),
            statefulsets: each(&self.statefulsets, |group, namespace, name| StatefulSet {
                namespace,
                name,
                replicas: group.replicas,
            }),
            jobs: jobs.collect(),
            deployments,
            cronjobs,
            keep_past_runs: self.keep_past_runs,
            events,
            detail: if self.lean { Detail::Lean } else { Detail::Full },
            histograms: self.histograms,
        })
    }
}

impl FloodFile {
    pub(super) fn flood(&self, start_s: i64) -> Flood {
        let from_s = start_s + seconds(self.at);
        Flood { from_s, series_per_scrape: self.series_per_scrape, label: self.label.clone() }
    }
}

/// Whole minutes, at least one.
fn minutes(span: Span) -> u32 {
    u32::try_from(span.0.as_secs() / 60).unwrap_or(u32::MAX).max(1)
}

fn each<T>(groups: &[GroupFile], make: impl Fn(&GroupFile, String, String) -> T) -> Vec<T> {
    let one = |group: &GroupFile, number| {
        let namespace = namespace(number, group.namespaces);
        make(group, namespace, numbered(&group.name, group.count, number))
    };
    groups
        .iter()
        .flat_map(|group| (0..group.count).map(move |number| (group, number)))
        .map(|(g, n)| one(g, n))
        .collect()
}

fn runs<T>(group: &RunFile, make: impl Fn(String, String) -> T) -> Vec<T> {
    let one = |number| make(namespace(number, group.namespaces), numbered(&group.name, group.count, number));
    (0..group.count).map(one).collect()
}

fn namespace(number: u32, of: u32) -> String {
    format!("team-{}", number % of.max(1))
}

fn numbered(name: &str, count: u32, number: u32) -> String {
    if count == 1 { name.to_owned() } else { format!("{name}-{number}") }
}
