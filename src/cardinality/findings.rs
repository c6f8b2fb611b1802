//! Who multiplies series, worst first: read out of the counts, without any configuration.
//!
//! What is named must have happened more than once, or be an event that explains many series at one stroke; a pod that is
//! replaced, a workload that is deployed or a job that runs once a day is nobody's fault.

mod by_label;
mod kept;
mod lost;
mod sentence;
mod worst;

use ahash::AHashMap;

use self::by_label::{by_label, names_a_pod};
pub use self::worst::WorstMetric;
use self::worst::worst;
use super::records::PodCounts;
use super::snapshot::{CauseLine, NodeLine, WorkloadLine};
use super::tracker::Tracker;
use crate::series::grammar::Kind;
use crate::series::{SubjectLabels, SubjectTable};

/// Fewer new series of a workload in an hour are not spoken of.
const FEW_SERIES: u64 = 30;
/// Fewer pods of an hour that are replaced, or in fewer stretches of five minutes, are not spoken of.
const FEW_PODS: u32 = 3;
const FEW_STRETCHES: u32 = 3;
/// So many are named: nobody reads more.
const MOST: usize = 1000;

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Runs that are over are still reported, and become more.
    StuckRuns,
    /// Each run names its series anew.
    Runs,
    /// A workload was rolled out, or came.
    Rollout,
    /// Pods of a workload are replaced again and again.
    Replaced,
    /// A label that belongs to no pod has ever new values.
    Labels,
    /// A node went away.
    NodeLost,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::StuckRuns, Self::Runs, Self::Rollout, Self::Replaced, Self::Labels, Self::NodeLost];

    /// As answers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StuckRuns => "stuck_runs",
            Self::Runs => "runs",
            Self::Rollout => "rollout",
            Self::Replaced => "replaced",
            Self::Labels => "labels",
            Self::NodeLost => "node_lost",
        }
    }
}

/// The workload of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Its cluster; may be empty.
    pub cluster: String,
    /// The label of its series that names the cluster; empty where there is none.
    pub cluster_label: &'static str,
    /// The labels by which its series name their pods and jobs.
    pub labels: Vec<SubjectLabels>,
    /// May be empty.
    pub namespace: String,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// One of those who multiply series.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is found.
    pub kind: FindingKind,
    /// Number of the tenant.
    pub tenant: u32,
    /// The workload whose series they are; none for a node, and for series that are not about a workload.
    pub culprit: Option<Culprit>,
    /// The node that is gone.
    pub node: Option<String>,
    /// Where most of it happens.
    pub worst: Option<WorstMetric>,
    /// The metrics of which a label has ever new values, of findings of labels; most new series first.
    pub metrics: Vec<String>,
    /// Minutes that the counts are over, 60 at most.
    pub minutes: u32,
    /// New series in that time; for a node, series that ended.
    pub series: u64,
    /// Pods of the workload that came and went in the last hour.
    pub pods: PodCounts,
    /// Runs that came in that time.
    pub new_runs: u32,
    /// Runs that are reported, and those of them that are over.
    pub runs: u32,
    /// See `runs`.
    pub runs_over: u32,
    /// Series of runs that are over.
    pub series_held: u64,
    /// Reported runs more each hour.
    pub growth_per_hour: Option<f64>,
    /// Hours until the reported runs are twice as many.
    pub doubles_in_hours: Option<f64>,
    /// A few runs that are over.
    pub examples: Vec<String>,
}

impl Finding {
    /// What is worst comes first: what is kept and grows without end, then by the series that it costs.
    fn weight(&self) -> (bool, u64) {
        (self.kind == FindingKind::StuckRuns, self.series.max(self.series_held))
    }
}

impl Tracker {
    /// Who multiplies series now, worst first.
    pub fn findings(&self, now: u32) -> Vec<Finding> {
        let minutes = (now.saturating_sub(self.started()) / 60).clamp(1, 60);
        find(&self.workloads(now), &self.causes(now), &self.nodes(), &self.subjects, minutes, now)
    }
}

/// Reads the findings out of the counts of the last `minutes`.
fn find(
    workloads: &[WorkloadLine],
    causes: &[CauseLine],
    nodes: &[NodeLine],
    subjects: &SubjectTable,
    minutes: u32,
    now: u32,
) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut of: AHashMap<u32, Vec<&CauseLine>> = AHashMap::new();
    causes.iter().for_each(|cause| of.entry(cause.workload).or_default().push(cause));
    for line in workloads.iter().filter(|line| line.number != 0) {
        let Some(kind) = of_workload(line, minutes, now) else { continue };
        let own = of.get(&line.number).into_iter().flatten().copied();
        let finding = about(line, kind, minutes);
        let finding = match kind {
            FindingKind::Replaced => {
                let own: Vec<_> = own.filter(|cause| names_a_pod(cause, subjects)).collect();
                let series = own.iter().map(|cause| cause.blamed_last_hour + cause.first_last_hour).sum();
                Finding { worst: worst(own.into_iter()), series, ..finding }
            }
            FindingKind::Rollout => {
                let series = u64::from(line.series_of_new_runs_last_hour);
                Finding { worst: worst(own), series, ..finding }
            }
            _ => Finding { worst: worst(own), ..finding },
        };
        if kind != FindingKind::Replaced || finding.series >= FEW_SERIES {
            found.push(finding);
        }
    }
    found.extend(by_label(workloads, causes, subjects, minutes));
    found.extend(lost::lost(nodes, now).into_iter().map(|(node, series)| Finding {
        kind: FindingKind::NodeLost,
        tenant: node.tenant,
        culprit: None,
        node: Some(node.name.clone()),
        series: u64::from(series),
        ..nothing(minutes)
    }));
    // what a rollout brought along does not end with it
    let exploding: Vec<Option<Culprit>> =
        found.iter().filter(|of| of.kind == FindingKind::Labels).map(|of| of.culprit.clone()).collect();
    let explodes = |of: &Finding| of.kind == FindingKind::Rollout && exploding.contains(&of.culprit);
    found.sort_unstable_by(|a, b| {
        let name =
            |finding: &Finding| finding.culprit.as_ref().map(|c| (c.namespace.clone(), c.name.clone()));
        let order = b.weight().cmp(&a.weight());
        explodes(a)
            .cmp(&explodes(b))
            .then(order)
            .then_with(|| (a.kind, name(a), &a.node).cmp(&(b.kind, name(b), &b.node)))
    });
    found.truncate(MOST);
    found
}

/// What there is to say of a workload as a whole.
fn of_workload(line: &WorkloadLine, minutes: u32, now: u32) -> Option<FindingKind> {
    let new = line.counts.new_last_hour;
    let of_new_runs = u64::from(line.series_of_new_runs_last_hour);
    if kept::beyond_limits(line, minutes, now) {
        return Some(FindingKind::StuckRuns);
    }
    if line.runs_end() {
        // one that deletes its finished runs is healthy, however often it runs
        if !kept::may_be_beyond_limits(line) {
            return None;
        }
        return (line.new_runs_last_hour >= 2 && new >= FEW_SERIES).then_some(FindingKind::Runs);
    }
    if of_new_runs >= FEW_SERIES {
        return Some(FindingKind::Rollout);
    }
    // series come and go for other reasons, too, and pods that only come are a workload that grows
    let pods = line.pods;
    let again = pods.stretches >= FEW_STRETCHES;
    (pods.came.min(pods.went) >= FEW_PODS && again).then_some(FindingKind::Replaced)
}

fn about(line: &WorkloadLine, kind: FindingKind, minutes: u32) -> Finding {
    let over = line.runs_over + line.runs_silent;
    let growth = kept::growth(line, minutes).filter(|_| line.runs_end());
    Finding {
        kind,
        tenant: line.tenant,
        culprit: Some(culprit(line)),
        series: line.counts.new_last_hour,
        pods: line.pods,
        new_runs: line.new_runs_last_hour,
        runs: line.runs,
        runs_over: over,
        series_held: if kind == FindingKind::StuckRuns { line.series_of_runs_over } else { 0 },
        growth_per_hour: growth,
        doubles_in_hours: growth.filter(|more| *more >= 1.0).map(|more| f64::from(line.runs) / more),
        examples: line.runs_over_examples.clone(),
        ..nothing(minutes)
    }
}

fn nothing(minutes: u32) -> Finding {
    Finding {
        kind: FindingKind::Labels,
        tenant: 0,
        culprit: None,
        node: None,
        worst: None,
        metrics: Vec::new(),
        minutes,
        series: 0,
        pods: PodCounts::default(),
        new_runs: 0,
        runs: 0,
        runs_over: 0,
        series_held: 0,
        growth_per_hour: None,
        doubles_in_hours: None,
        examples: Vec::new(),
    }
}

fn culprit(line: &WorkloadLine) -> Culprit {
    Culprit {
        cluster: line.cluster.clone(),
        cluster_label: line.cluster_label,
        labels: line.labels.clone(),
        namespace: line.namespace.clone(),
        kind: line.kind,
        name: line.name.clone(),
    }
}
