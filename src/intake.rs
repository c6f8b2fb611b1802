//! The write port: listener, negotiation, limits, replies.
//!
//! `intake` never reads a body it will refuse, and knows nothing of policies or upstreams: it hands an
//! [`Inbound`] to a [`Handler`] and writes the [`SenderReply`].

mod accept;
mod activity;
mod body;
mod budget;
mod connection;
mod entry;
mod files;
mod io;
mod listener;
mod negotiate;
mod preface;
mod refusal;
mod reply;
mod route;
mod service;
mod share;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use tokio_util::sync::CancellationToken;

pub use budget::Hold;
pub use files::{FileLimit, raise_file_limit};
pub use listener::{BindError, Listener, bind};
pub use refusal::TurnedAway;

use crate::access::WriteAccess;
use crate::config::{Listen, Tenant};
use crate::memory::WritePort;
use crate::pipeline::Counts;
use crate::telemetry::IntakeMetrics;
use crate::wire::Message;

/// What a request says its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Remote write, or nothing.
    Right,
    /// Something that senders of remote write were seen to say: the body tells.
    Vague,
}

/// One write request, its body read and within the limits, not yet decoded.
#[derive(Debug)]
pub struct Inbound {
    /// The tenant header's value; empty where the header is absent.
    pub tenant: String,
    /// Address of the sender, or of what stands between; `None` where the connection has none.
    pub peer: Option<IpAddr>,
    /// The body as it came, snappy block format.
    pub body: Bytes,
    /// What its type says of the body.
    pub typed: Typed,
    /// Which message the body is, as the type says.
    pub message: Message,
    /// The query string as it came, without `?`.
    pub query: Option<String>,
    /// Request headers that may go upstream (docs/config.md: Scopes); `Authorization` among them, egress decides.
    pub headers: HeaderMap,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderReply {
    /// Status code.
    pub status: StatusCode,
    /// Sent as `Retry-After`, whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Plain text for the sender's log; empty with 204.
    pub message: String,
    /// What was written; said to senders of remote write 2.0. What policies disposed of counts.
    pub written: Counts,
}

impl SenderReply {
    /// An answer that nothing was written.
    pub fn nothing_written(
        status: StatusCode,
        retry_after: Option<Duration>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, retry_after, message: message.into(), written: Counts::default() }
    }
}

/// Whoever decides about a request. Dropping the future means that the sender hung up.
pub trait Handler: Send + Sync + 'static {
    /// Decides, forwards and says what the sender is told. `hold` has the size of the body; what is held beside it or
    /// instead of it is to be charged there.
    fn handle(&self, inbound: Inbound, hold: &mut Hold) -> impl Future<Output = SenderReply> + Send;
    /// Told of each request that the write port turned away by itself.
    fn turned_away(&self, _request: &TurnedAway<'_>) {}
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
    /// Who may write, and under which certificate; may be replaced while the port is served.
    pub access: Arc<WriteAccess>,
    /// Memory that the process may use, bytes.
    pub memory_limit: usize,
    /// Adds up what the port holds.
    pub port: Arc<WritePort>,
    /// Spreads retries and connection ages; any number, another for each gate.
    pub seed: u64,
}

/// Called by the accept loop at least once a second, from start to the end of the drain.
pub type Heartbeat = Arc<dyn Fn() + Send + Sync>;

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections cut because `listen.drain_timeout` had passed.
    pub aborted: usize,
}

/// Serves the write port until `shutdown` is cancelled, then finishes what is in hand.
///
/// Fails at once where the socket cannot be registered with the runtime or the tenant header has no valid name;
/// once it runs, nothing makes it fail.
pub async fn serve<H: Handler>(
    listener: Listener,
    settings: Settings,
    handler: Arc<H>,
    metrics: Arc<IntakeMetrics>,
    heartbeat: Heartbeat,
    shutdown: CancellationToken,
) -> std::io::Result<Drained> {
    let shared = Arc::new(service::Shared::new(&settings, handler, metrics, shutdown)?);
    let source = listener.into_tokio()?;
    Ok(accept::Acceptor::new(&settings.listen, shared, heartbeat).run(source).await)
}
