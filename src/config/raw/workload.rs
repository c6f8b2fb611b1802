//! `policies[].workload`: what a policy asks of the workload that a series is about.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::DurationText;
use crate::config::at::At;

/// Conditions by workload; all that are given have to hold.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawWorkload {
    /// What kind of object it is.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["deployment", "replicaset", "daemonset", "statefulset", "job", "indexed_job", "cronjob", "static_pod", "argo", "airflow", "spark", "tekton", "knative", "gitlab_runner", "generated"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<At<String>>,
    /// A regex that its whole name has to match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<At<String>>,
    /// The run ended so long ago or longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_finished_for: Option<At<DurationText>>,
    /// The run is over, and so many newer ones of the workload are reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_runs: Option<At<u64>>,
    /// The run was due, or else first seen, so long ago or longer, whether it goes on or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_older_than: Option<At<DurationText>>,
    /// No series of the run that such a policy asks about changed its value, or came, for so long. Only with `kind: cronjob` or `kind: job`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unchanged_for: Option<At<DurationText>>,
}
