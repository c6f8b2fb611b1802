//! `listen`: the write port.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, RawAuth, RawServerTls, RawUser, Section, SizeText};
use crate::config::at::At;

/// The write port: where agents send, and what they may send.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawListen {
    /// IP address and port.
    pub(crate) address: At<String>,
    /// Who may write. Absent: everybody.
    pub(crate) auth: Section<RawAuth<RawUser>>,
    /// TLS of the port. Absent: it has none.
    pub(crate) tls: Section<RawServerTls>,
    /// Write paths beside `/api/v1/write`, `/api/v1/push`, `/api/prom/push` and `/write`.
    pub(crate) paths: Vec<At<String>>,
    /// Also speak HTTP/2 without TLS (h2c with prior knowledge).
    pub(crate) http2: bool,
    /// Connections the kernel holds until they are accepted; capped by `net.core.somaxconn`.
    pub(crate) backlog: At<u64>,
    /// Open connections at most. Absent: as many as the file limit has descriptors for, two each, and an eighth of the memory
    /// limit has room for, 24 KiB each. More than there are descriptors for is lowered to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_connections: Option<At<u64>>,
    /// Compressed request body at most.
    pub(crate) max_body_size: At<SizeText>,
    /// Decoded request body at most.
    pub(crate) max_decoded_size: At<SizeText>,
    /// What all requests in hand may hold at one time. Absent: a quarter of the memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_in_flight: Option<At<SizeText>>,
    /// From the accepted connection to its first byte.
    pub(crate) first_byte_timeout: At<DurationText>,
    /// From the first byte of a request to the end of its headers.
    pub(crate) header_timeout: At<DurationText>,
    /// From the end of the headers to the end of the body.
    pub(crate) body_timeout: At<DurationText>,
    /// Bytes a second at which a body has to come once it is five seconds behind; `0B` = any.
    pub(crate) min_body_rate: At<SizeText>,
    /// What a sender is told of series that cannot be accepted: `report` (400; the third time it sends the very same, 204, as it
    /// would go on for ever), `accept` (204), `always_report` (400).
    pub(crate) invalid: At<String>,
    /// Between a response and the next request on the connection. At least 6m.
    pub(crate) idle_timeout: At<DurationText>,
    /// A connection older than this (±10%) is closed with its next response; `0s` = never.
    pub(crate) max_connection_age: At<DurationText>,
    /// How long a shutdown may take: three quarters for requests in hand, the rest for aggregated samples.
    pub(crate) drain_timeout: At<DurationText>,
}

impl Default for RawListen {
    fn default() -> Self {
        Self {
            address: At::default_value("0.0.0.0:9201"),
            auth: Section::default(),
            tls: Section::default(),
            paths: Vec::new(),
            http2: false,
            backlog: At::default_value(4096_u64),
            max_connections: None,
            max_body_size: At::default_value("32MiB"),
            max_decoded_size: At::default_value("128MiB"),
            max_in_flight: None,
            first_byte_timeout: At::default_value("10s"),
            header_timeout: At::default_value("10s"),
            body_timeout: At::default_value("30s"),
            min_body_rate: At::default_value("1KiB"),
            invalid: At::default_value("report"),
            idle_timeout: At::default_value("10m"),
            max_connection_age: At::default_value("30m"),
            drain_timeout: At::default_value("25s"),
        }
    }
}
