//! What is known at one moment, as plain data for reports.

mod read;

use super::records::PodCounts;
use super::series_counts::Lifetimes;
use crate::series::SubjectLabels;
use crate::series::grammar::Kind;

/// Counts of the series of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Series in the index now.
    pub active: u64,
    /// Series first seen while learning, since the start.
    pub learned: u64,
    /// New series since the start.
    pub new: u64,
    /// New series in the last full minute or the one under way, whichever is more.
    pub new_last_minute: u64,
    /// New series in the last hour.
    pub new_last_hour: u64,
    /// Stale markers since the start.
    pub ended: u64,
    /// Series forgotten since the start.
    pub expired: u64,
    /// How long the forgotten ones had lived.
    pub lifetimes: Option<Lifetimes>,
    /// Samples that the forgotten ones had, on average.
    pub samples_per_series: Option<f64>,
}

/// A metric or a sender, with its counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Number of the tenant.
    pub tenant: u32,
    /// Its name; empty for all that found no room.
    pub name: String,
    /// Of its series.
    pub counts: Counts,
}

/// A workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadLine {
    /// Its number, as causes name it; 0 for series that are not about a workload.
    pub number: u32,
    /// Number of the tenant.
    pub tenant: u32,
    /// Its cluster; may be empty.
    pub cluster: String,
    /// The label of its series that names the cluster; empty where there is none.
    pub cluster_label: &'static str,
    /// The labels by which its series name their pods and jobs.
    pub labels: Vec<SubjectLabels>,
    /// Where it lives; may be empty.
    pub namespace: String,
    /// What it is.
    pub kind: Kind,
    /// Its name; empty for series that are not about a workload.
    pub name: String,
    /// Of its series.
    pub counts: Counts,
    /// Whether all who send its series end what is gone with stale markers, as far as they were seen to.
    pub is_marked: bool,
    /// Runs that are reported now, where it has runs.
    pub runs: u32,
    /// Those of them that are over, as their state says.
    pub runs_over: u32,
    /// Those of them that were seen lately, those that succeeded and those that failed.
    pub runs_kept: [u32; 2],
    /// How many of these are to be kept.
    pub history_limits: [u32; 2],
    /// Since when there are more, Unix seconds.
    pub beyond_limits_since: Option<u32>,
    /// What became of runs that ended, those that succeeded and those that failed.
    pub ended_runs: [EndedRuns; 2],
    /// In how many of the last twelve stretches of five minutes a run ended and was kept at first.
    pub stretches_with_ended_runs: usize,
    /// Those of them that are not said to be over, but are past due and do not move any more.
    pub runs_silent: u32,
    /// Those of them of which nothing says how they stand.
    pub runs_untold: u32,
    /// Series of these two that have not ended with a stale marker.
    pub series_of_runs_over: u64,
    /// Runs that came in the last seven minutes.
    pub newest_runs: u32,
    /// Runs that came in the last hour.
    pub new_runs_last_hour: u32,
    /// Series that came in the last hour with runs that were new themselves.
    pub series_of_new_runs_last_hour: u32,
    /// Its pods that came and went.
    pub pods: PodCounts,
    /// Reported runs more each hour; none before it has been watched for twenty minutes.
    pub runs_growth_per_hour: Option<f64>,
    /// The newest runs that are over and still reported, three at most.
    pub runs_over_examples: Vec<String>,
}

impl WorkloadLine {
    /// Whether its runs are meant to end.
    pub fn runs_end(&self) -> bool {
        self.kind.runs_end() || self.runs_over > 0
    }
}

/// Runs of the last hour that ended in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedRuns {
    /// Those that ended and were kept at first.
    pub kept: u32,
    /// Those that were kept and went, whenever they ended.
    pub cleaned: u32,
}

/// What new series of a metric and a workload are new by.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseLine {
    /// Number of the tenant.
    pub tenant: u32,
    /// The metric.
    pub metric: String,
    /// Number of the workload; 0: none.
    pub workload: u32,
    /// The labels that changed, in name order; none: known values in a new combination.
    pub labels: Vec<String>,
    /// What the values of the most telling of them look like.
    pub pattern: String,
    /// New series of the last hour that nothing else was new about.
    pub blamed_last_hour: u64,
    /// New series of the last hour whose other labels were new too.
    pub first_last_hour: u64,
}

/// A label name, with its values as the sketches of the last one to two windows have them.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelLine {
    /// Number of the tenant.
    pub tenant: u32,
    /// The name.
    pub name: String,
    /// Different values.
    pub values: f64,
    /// Series that have the label.
    pub series: u64,
    /// Values with the most series: the value, its series, and by how much that may be too many.
    pub top: Vec<(String, u64, u64)>,
    /// Memory of its sketches, bytes.
    pub bytes: usize,
}

/// A node of which series have ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeLine {
    /// Number of the tenant.
    pub tenant: u32,
    /// Its cluster; may be empty.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Of the series that come from it.
    pub from: LossLine,
    /// Of the series that kube-state-metrics has of it and its pods.
    pub of: LossLine,
    /// Whether a series says that there is such a node.
    pub exists: bool,
    /// When the last series has ended that said that there is such a node, Unix seconds; 0: none has.
    pub gone_since: u32,
}

/// Series that have ended while none came.
#[derive(Clone, Debug, PartialEq)]
pub struct LossLine {
    /// Series seen in the last one to two windows.
    pub reported: u32,
    /// Series that ended since the last one came.
    pub losing: u32,
    /// Workloads they were of, 64 at most.
    pub workloads: usize,
    /// When the first of them ended, Unix seconds.
    pub since: u32,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUsage {
    /// Of what.
    pub what: &'static str,
    /// How many are in it.
    pub records: usize,
    /// Their names, or label sets, or all of it where they have none, bytes.
    pub text_bytes: usize,
    /// How often there was no room.
    pub refused: u64,
}

/// How full everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Metrics, workloads and so on.
    pub tables: [TableUsage; 9],
    /// Owners known.
    pub owners: usize,
    /// Memory of sketches and filters, bytes.
    pub sketch_bytes: usize,
    /// How often known label values were forgotten early because the filters were full.
    pub filters_dropped: u64,
}
