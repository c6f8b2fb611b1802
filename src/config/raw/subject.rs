//! `series.subject_labels`: labels that name the pod or the job of a series.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::at::At;

/// Labels that go together; `pod` or `job` is needed.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSubjectLabels {
    /// The label that holds the name of a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<At<String>>,
    /// The label that holds the name of a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<At<String>>,
    /// The label that holds their namespace; `namespace` where a series lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<At<String>>,
    /// The label that holds the name of the pod's container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<At<String>>,
}
