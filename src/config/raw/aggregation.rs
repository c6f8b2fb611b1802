//! `aggregation`: what all `aggregate` policies have in common, and their limits.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::DurationText;
use crate::config::at::At;

/// What all policies that aggregate have in common, and what they may take.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAggregation {
    /// Labels that tell the replicas of one agent apart. They are never aggregated away: two replicas send the same data.
    pub(crate) replica_labels: Vec<At<String>>,
    /// Label that marks whose output a series is; needed where several gates aggregate for one backend. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance_label: Option<At<String>>,
    /// Value of `instance_label`; absent: the host name (in Kubernetes the pod's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<At<String>>,
    /// Series sent for groups at most, over all policies; a series whose group has no room passes as it is, and is counted.
    pub(crate) max_groups: At<u64>,
    /// Series that are gone and whose last value is remembered, at most, so that one that comes back goes on from there.
    pub(crate) max_tombstones: At<u64>,
    /// Metrics at most whose type is remembered.
    pub(crate) max_types: At<u64>,
    /// Samples at most that wait to be sent; above it requests that feed them are answered 503.
    pub(crate) max_pending_samples: At<u64>,
    /// Samples that are further ahead of our clock than this are dropped, and counted.
    pub(crate) max_future: At<DurationText>,
}

impl Default for RawAggregation {
    fn default() -> Self {
        Self {
            replica_labels: crate::policy::REPLICA_LABELS.map(At::default_value).into(),
            instance_label: None,
            instance: None,
            max_groups: At::default_value(200_000_u64),
            max_tombstones: At::default_value(500_000_u64),
            max_types: At::default_value(50_000_u64),
            max_pending_samples: At::default_value(1_000_000_u64),
            max_future: At::default_value("10m"),
        }
    }
}
