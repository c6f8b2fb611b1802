//! The write port: listener, negotiation, limits, replies.
//!
//! `intake` never reads a body it will refuse, and knows nothing of policies or upstreams: it hands an
//! [`Inbound`] to a [`Handler`] and writes the [`Answer`].

#[allow(dead_code)] // used by the accept loop, next
mod files;
#[allow(dead_code)]
mod jitter;
#[allow(dead_code)]
mod listener;
mod memory;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

pub use files::{FileLimit, raise_file_limit};
pub use listener::{BindError, Listener, bind};
pub use memory::memory_limit_bytes;

use crate::config::{Listen, Tenant};

/// One write request, its body read and within the limits, not yet decoded.
#[derive(Debug)]
pub struct Inbound {
    /// The tenant header's value; empty where the header is absent.
    pub tenant: String,
    /// The body as it came, snappy block format.
    pub body: Bytes,
    /// The query string as it came, without `?`.
    pub query: Option<String>,
    /// Request headers that may go upstream (CONTRACT: Write port); `Authorization` among them, egress decides.
    pub headers: HeaderMap,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Sent as `Retry-After`, whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Plain text for the sender's log; empty with 204.
    pub message: String,
}

/// Whoever decides about a request. Dropping the future means that the sender hung up.
pub trait Handler: Send + Sync + 'static {
    /// Decides, forwards and says what the sender is told.
    fn handle(&self, inbound: Inbound) -> impl Future<Output = Answer> + Send;
    /// Status and JSON body of `/-/healthy`.
    fn healthy(&self) -> (StatusCode, String);
    /// Status and text of `/-/ready`.
    fn ready(&self) -> (StatusCode, String);
}

/// What the write port is told about itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits and deadlines.
    pub listen: Listen,
    /// Which header names the tenant.
    pub tenant: Tenant,
    /// Spreads retries and connection ages; any number, another for each gate.
    pub seed: u64,
}
