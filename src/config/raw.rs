//! The file as typed text: which keys exist, of what kind, with what default.
//!
//! Nothing is judged here that YAML's types do not judge; `check` does. The comments on the fields are the
//! descriptions in `config/schema.json`, and each default stands here once, as a user would write it.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::at::At;
use super::position::Position;

mod access;
mod aggregation;
mod listen;
mod oauth2;
mod policy;
mod queue;
mod rule;
mod subject;
mod text;
mod tracking;
mod upstream;
mod workload;

pub(crate) use access::{Login, RawAdminUser, RawAuth, RawServerTls, RawUser, Section};
pub(crate) use aggregation::RawAggregation;
pub(crate) use listen::RawListen;
pub(crate) use oauth2::RawOauth2;
pub(crate) use policy::{LATER_POLICY_KEYS, MatchText, RawPolicy};
pub(crate) use queue::RawQueue;
pub(crate) use rule::{Given, RawRule};
pub(crate) use subject::RawSubjectLabels;
pub(crate) use text::{DurationText, SecretText, SizeText};
pub(crate) use tracking::RawTracking;
#[cfg(feature = "schema")]
pub(crate) use upstream::Pairs;
pub(crate) use upstream::{RawBasicAuth, RawTls, RawUpstream};
pub(crate) use workload::RawWorkload;

/// Configuration of seriesgate, a remote-write proxy that keeps the number of series under control.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(title = "seriesgate"))]
pub(crate) struct RawConfig {
    /// The write port: where agents send, and what they may send.
    #[serde(default)]
    pub(crate) listen: RawListen,
    /// The admin port: metrics, health, reload.
    #[serde(default)]
    pub(crate) admin: RawAdmin,
    /// How requests name their tenant.
    #[serde(default)]
    pub(crate) tenant: RawTenant,
    /// Directory for snapshots, queue and history. Absent: memory only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<At<String>>,
    /// Where samples go. Exactly one in this version.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1, max = 1)))]
    pub(crate) upstreams: Option<At<Vec<At<RawUpstream>>>>,
    /// The memory of the process.
    #[serde(default)]
    pub(crate) memory: RawMemory,
    /// The memory of series, and the limits of one series.
    #[serde(default)]
    pub(crate) series: RawSeries,
    /// What reports tell apart.
    #[serde(default)]
    pub(crate) tracking: RawTracking,
    /// What all policies that aggregate have in common, and what they may take.
    #[serde(default)]
    pub(crate) aggregation: RawAggregation,
    /// What may pass, first to last. A series that no policy matches is forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policies: Option<Vec<At<RawPolicy>>>,
}

/// The admin port.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAdmin {
    /// IP address and port. Keep it away from strangers: it can turn all policies off.
    pub(crate) address: At<String>,
    /// Who may read metrics and reports, and who may reload and bypass. `/-/healthy` and `/-/ready` answer everybody. Absent:
    /// everybody may all of it.
    pub(crate) auth: Section<RawAuth<RawAdminUser>>,
    /// TLS of the port. Absent: it has none.
    pub(crate) tls: Section<RawServerTls>,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self {
            address: At::default_value("127.0.0.1:9202"),
            auth: Section::default(),
            tls: Section::default(),
        }
    }
}

/// How requests name their tenant.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTenant {
    /// Request header that holds the tenant. A request without it belongs to the empty tenant.
    pub(crate) header: At<String>,
    /// Scopes told apart at most: tenants, accounts, databases, query strings. Further ones share one overflow tenant,
    /// which is only passed through.
    pub(crate) max: At<u64>,
}

impl Default for RawTenant {
    fn default() -> Self {
        Self { header: At::default_value("X-Scope-OrgID"), max: At::default_value(1000_u64) }
    }
}

/// The memory of the process.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawMemory {
    /// Memory that the process may use; from three quarters of it on, less is remembered. Absent: the tightest limit of cgroup
    /// v2, cgroup v1 and the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<At<SizeText>>,
}

impl RawMemory {
    /// Where the limit stands.
    pub(crate) fn position(&self) -> Position {
        self.limit.as_ref().map_or_else(Position::default, |limit| limit.position)
    }
}

/// The memory of series, and the limits of one series.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSeries {
    /// A series not seen for this long is forgotten.
    pub(crate) idle_after: At<DurationText>,
    /// Series remembered at most; further ones are decided anew at each sample, and counted.
    pub(crate) max_tracked: At<u64>,
    /// For this long after start, series seen for the first time count as learned, not as new.
    pub(crate) warmup: At<DurationText>,
    /// Samples that are further ahead of the gate's clock are taken out and rejected; `0s` = none.
    pub(crate) max_future: At<DurationText>,
    /// A series that policies withhold from now on, or send under other labels, ends with a stale marker.
    pub(crate) stale_markers: At<bool>,
    /// Labels of one series at most, the metric name included.
    pub(crate) max_labels: At<u64>,
    /// Size of a label name at most.
    pub(crate) max_label_name_size: At<SizeText>,
    /// Size of a label value at most.
    pub(crate) max_label_value_size: At<SizeText>,
    /// Labels that name the pod or the job that a series is about, asked before the known ones; 32 entries at most.
    #[cfg_attr(feature = "schema", schemars(length(max = 32)))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subject_labels: Vec<At<RawSubjectLabels>>,
}

impl Default for RawSeries {
    fn default() -> Self {
        Self {
            idle_after: At::default_value("20m"),
            max_tracked: At::default_value(2_000_000_u64),
            warmup: At::default_value("5m"),
            max_future: At::default_value("0s"),
            stale_markers: At::default_value(true),
            max_labels: At::default_value(256_u64),
            max_label_name_size: At::default_value("4KiB"),
            max_label_value_size: At::default_value("64KiB"),
            subject_labels: Vec::new(),
        }
    }
}
