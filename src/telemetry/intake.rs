//! Handles for the write port.

use std::sync::Arc;
use std::time::Instant;

use metrics::{Counter, Gauge};

use super::durations::Durations;
use super::names;
use super::registry::{ByCode, Registry};

/// Why a request's samples could not even be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Undecodable {
    Method,
    ContentType,
    ContentEncoding,
    TooLarge,
    BodyTimeout,
    BodyTooSlow,
    BodyCutOff,
    Snappy,
    Zstd,
    Protobuf,
    Outgrown,
    Overload,
    PeerShare,
    TooMany,
    Path,
    Tenant,
    Loop,
    Unauthorized,
    Forbidden,
}

impl Undecodable {
    /// All reasons, for registration.
    pub const ALL: [Self; 19] = [
        Self::Method,
        Self::ContentType,
        Self::ContentEncoding,
        Self::TooLarge,
        Self::BodyTimeout,
        Self::BodyTooSlow,
        Self::BodyCutOff,
        Self::Snappy,
        Self::Zstd,
        Self::Protobuf,
        Self::Outgrown,
        Self::Overload,
        Self::PeerShare,
        Self::TooMany,
        Self::Path,
        Self::Tenant,
        Self::Loop,
        Self::Unauthorized,
        Self::Forbidden,
    ];

    /// The `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::ContentType => "content_type",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyCutOff => "body_cut_off",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Protobuf => "protobuf",
            Self::Outgrown => "outgrown",
            Self::Overload => "overload",
            Self::PeerShare => "peer_share",
            Self::TooMany => "too_many",
            Self::Path => "path",
            Self::Tenant => "tenant",
            Self::Loop => "loop",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
        }
    }
}

/// Why a connection was closed without serving a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RefusedConnection {
    TooMany,
    FirstByteTimeout,
    HeaderTimeout,
    Plaintext,
    TlsHandshake,
}

/// Classes of the status codes that the write port answers.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// What the write port counts.
pub struct IntakeMetrics {
    registry: Arc<Registry>,
    requests: ByCode,
    took: [Arc<Durations>; CLASSES.len()],
    undecodable: [Counter; Undecodable::ALL.len()],
    refused: [Counter; 5],
    /// Body bytes read.
    pub request_bytes: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections closed for age.
    pub aged: Counter,
    /// accept() failures.
    pub accept_errors: Counter,
    /// Descriptors in use.
    pub open_files: Gauge,
    /// Descriptors allowed.
    pub max_files: Gauge,
    /// Bytes of bodies held.
    pub in_flight_bytes: Gauge,
    /// Bytes of bodies that may be held.
    pub in_flight_bytes_max: Gauge,
}

impl IntakeMetrics {
    /// Registers everything, so that each series is there, at zero, from the start.
    pub fn new(registry: &Arc<Registry>) -> Self {
        let reason = |metric, reason| registry.counter(metric, &[("reason", reason)]);
        Self {
            requests: ByCode::new(&names::REQUESTS, None).expect(registry, 204),
            took: CLASSES.map(|class| registry.durations(&names::WRITE_DURATION, &[("code", class)])),
            undecodable: Undecodable::ALL.map(|r| reason(&names::UNDECODABLE, r.as_str())),
            refused: ["too_many", "first_byte_timeout", "header_timeout", "plaintext", "tls_handshake"]
                .map(|r| reason(&names::CONNECTIONS_REFUSED, r)),
            request_bytes: registry.counter(&names::REQUEST_BYTES, &[]),
            connections: registry.gauge(&names::CONNECTIONS, &[]),
            accepted: registry.counter(&names::CONNECTIONS_ACCEPTED, &[]),
            aged: registry.counter(&names::CONNECTIONS_AGED, &[]),
            accept_errors: registry.counter(&names::ACCEPT_ERRORS, &[]),
            open_files: registry.gauge(&names::OPEN_FILES, &[]),
            max_files: registry.gauge(&names::MAX_FILES, &[]),
            in_flight_bytes: registry.gauge(&names::IN_FLIGHT_BYTES, &[]),
            in_flight_bytes_max: registry.gauge(&names::IN_FLIGHT_BYTES_MAX, &[]),
            registry: Arc::clone(registry),
        }
    }

    /// Counts one answer, and how long it took.
    pub fn answered(&self, code: u16, began: Instant) {
        self.requests.increment(&self.registry, code);
        let [good, refused, failed] = &self.took;
        let took = match code {
            ..400 => good,
            400..500 => refused,
            500.. => failed,
        };
        took.record(began.elapsed());
    }

    /// Counts a request whose samples we never saw.
    pub fn undecodable(&self, reason: Undecodable) {
        self.undecodable[reason as usize].increment(1);
    }

    /// Counts a connection we closed.
    pub fn refused(&self, reason: RefusedConnection) {
        self.refused[reason as usize].increment(1);
    }
}
