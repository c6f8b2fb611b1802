//! `upstreams[].queue`: what is kept on disk for an upstream, and for how long.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, SizeText};
use crate::config::at::At;

/// The queue on disk, with `delivery: queue`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawQueue {
    /// Bytes of its files at most.
    pub(crate) max_size: At<SizeText>,
    /// What happens above that: `refuse` = senders are told 503 and keep what they have, `drop_oldest` = what waits longest is lost.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["refuse", "drop_oldest"])))]
    pub(crate) when_full: At<String>,
    /// What waits longer is not delivered any more.
    pub(crate) max_age: At<DurationText>,
    /// Requests that wait behind each other go out as one, up to this size (compressed).
    pub(crate) max_request_size: At<SizeText>,
    /// After a failure it is tried again after a random time, of which the longest doubles up to this.
    pub(crate) max_retry_wait: At<DurationText>,
    /// Bytes at most of what the upstream refuses for good and is kept to be looked at; `0B` = none is.
    pub(crate) dead_letters: At<SizeText>,
}

impl Default for RawQueue {
    fn default() -> Self {
        Self {
            max_size: At::default_value("4GiB"),
            when_full: At::default_value("refuse"),
            max_age: At::default_value("1d"),
            max_request_size: At::default_value("512KiB"),
            max_retry_wait: At::default_value("30s"),
            dead_letters: At::default_value("64MiB"),
        }
    }
}
