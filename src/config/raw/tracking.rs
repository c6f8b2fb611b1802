//! `tracking`: what reports tell apart.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::SizeText;
use crate::config::at::At;

/// What is told apart in reports. What is more than a limit is counted together, and how often that happened.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTracking {
    /// Metrics told apart at most.
    pub(crate) max_metrics: At<u64>,
    /// Workloads told apart at most.
    pub(crate) max_workloads: At<u64>,
    /// Runs of workloads (jobs, ReplicaSets) told apart at most.
    pub(crate) max_runs: At<u64>,
    /// Senders told apart at most.
    pub(crate) max_senders: At<u64>,
    /// Nodes told apart at most.
    pub(crate) max_nodes: At<u64>,
    /// Owners of pods, jobs and ReplicaSets remembered at most; of what is more, the one not asked about for longest is forgotten.
    pub(crate) max_owners: At<u64>,
    /// Causes of new series (metric, workload and changed labels) told apart at most.
    pub(crate) max_causes: At<u64>,
    /// Label names whose values are counted at most.
    pub(crate) max_labels: At<u64>,
    /// Values of a label counted one by one; of what is more, those with most series are found with a known error.
    pub(crate) values_per_label: At<u64>,
    /// Memory at most for telling new label values from known ones.
    pub(crate) filter_size: At<SizeText>,
}

impl Default for RawTracking {
    fn default() -> Self {
        Self {
            max_metrics: At::default_value(50_000_u64),
            max_workloads: At::default_value(50_000_u64),
            max_runs: At::default_value(200_000_u64),
            max_senders: At::default_value(900_u64),
            max_nodes: At::default_value(10_000_u64),
            max_owners: At::default_value(200_000_u64),
            max_causes: At::default_value(8192_u64),
            max_labels: At::default_value(1000_u64),
            values_per_label: At::default_value(100_u64),
            filter_size: At::default_value("64MiB"),
        }
    }
}
