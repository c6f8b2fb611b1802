//! The accept loop: takes connections until told to stop, whatever accept() says, then waits for those in hand.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Deadlines};
use super::connection::{self, Limits, Orders, read_buffer_bytes};
use super::files::{file_limit, open_files};
use super::service::Shared;
use super::{Drained, Handler, Heartbeat};
use crate::clock::LogInterval;
use crate::config::Listen;
use crate::telemetry::{IntakeMetrics, RefusedConnection};

/// The heartbeat's period, and the longest wait after an accept error: together below a second.
const TICK: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_millis(250);
const BACKOFF_MIN: Duration = Duration::from_millis(5);
/// Descriptors are counted every this many ticks.
const FILES_EVERY_TICKS: u32 = 10;

/// Where connections come from; a test's source fails at will.
pub(super) trait Source: Send {
    /// The next connection. Dropping the future loses none.
    fn next(&mut self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl Source for TcpListener {
    async fn next(&mut self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// The loop and what it hands to each connection.
pub(super) struct Acceptor<H> {
    shared: Arc<Shared<H>>,
    deadlines: Deadlines,
    http2: bool,
    max_age: Option<Duration>,
    drain_timeout: Duration,
    connections: TaskTracker,
    abort: CancellationToken,
    pulse: Pulse,
    /// Lines about connections that are refused.
    refusals: LogInterval,
}

impl<H: Handler> Acceptor<H> {
    pub(super) fn new(listen: &Listen, shared: Arc<Shared<H>>, heartbeat: Heartbeat) -> Self {
        Self {
            deadlines: Deadlines::of(listen),
            http2: listen.http2,
            max_age: Some(listen.max_connection_age).filter(|age| !age.is_zero()),
            drain_timeout: listen.drain_timeout,
            connections: TaskTracker::new(),
            abort: CancellationToken::new(),
            pulse: Pulse::new(heartbeat, Arc::clone(&shared.metrics)),
            refusals: LogInterval::default(),
            shared,
        }
    }

    /// Accepts until shutdown, then drains.
    pub(super) async fn run(mut self, source: impl Source) -> Drained {
        self.accept(source).await;
        self.drain().await
    }

    async fn accept(&mut self, mut source: impl Source) {
        let shutdown = self.shared.shutdown.clone();
        let mut backoff = Duration::ZERO;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.pulse.tick() => continue,
                accepted = source.next() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    backoff = Duration::ZERO;
                    self.admit(stream);
                }
                Err(error) => {
                    self.shared.metrics.accept_errors.increment(1);
                    // one connection gone before we took it says nothing about the next
                    if error.kind() == io::ErrorKind::ConnectionAborted {
                        continue;
                    }
                    if backoff.is_zero() {
                        tracing::warn!(%error, "accept failed, connections wait");
                    }
                    // out of descriptors or memory: at once, the same error would come again and again
                    backoff = (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
                    sleep(backoff).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream) {
        let shared = Arc::clone(&self.shared);
        shared.metrics.accepted.increment(1);
        if self.connections.len() >= shared.max_connections {
            shared.metrics.refused(RefusedConnection::TooMany);
            if let Some(others) = self.refusals.turn(crate::clock::monotonic()) {
                let sender = stream
                    .peer_addr()
                    .map_or_else(|_| "unknown".to_owned(), |peer| peer.ip().to_canonical().to_string());
                let max = shared.max_connections;
                tracing::warn!(sender, others, "connection closed: {max} are open (listen.max_connections)");
            }
            return;
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection gone before it was served");
            return;
        }
        // an IPv4 sender on a socket for both is known by its own address
        let peer = stream.peer_addr().ok().map(|address| address.ip().to_canonical());
        let max_age = self.max_age.map(|age| shared.jitter.around(age));
        let activity = Activity::new(peer, max_age, Arc::clone(&shared.port));
        let orders = Orders { drain: shared.shutdown.child_token(), abort: self.abort.child_token() };
        let read_buffer_bytes = read_buffer_bytes(shared.budget.max(), self.connections.len() + 1);
        let limits = Limits { deadlines: self.deadlines, http2: self.http2, read_buffer_bytes };
        let open = OpenConnection::new(Arc::clone(&shared.metrics));
        self.connections.spawn(async move {
            let _open = open;
            connection::serve(stream, shared, activity, limits, orders).await;
        });
    }

    /// Waits for the connections in hand, and stops those that take longer than allowed.
    async fn drain(mut self) -> Drained {
        self.connections.close();
        let deadline = Instant::now() + self.drain_timeout;
        loop {
            tokio::select! {
                biased;
                () = self.connections.wait() => return Drained { aborted: 0 },
                () = tokio::time::sleep_until(deadline) => break,
                () = self.pulse.tick() => {}
            }
        }
        let aborted = self.connections.len();
        tracing::warn!(aborted, "drain timeout, connections cut");
        self.abort.cancel();
        self.connections.wait().await;
        Drained { aborted }
    }
}

/// Counts a connection as open while it lives.
struct OpenConnection(Arc<IntakeMetrics>);

impl OpenConnection {
    fn new(metrics: Arc<IntakeMetrics>) -> Self {
        metrics.connections.increment(1.0);
        Self(metrics)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.decrement(1.0);
    }
}

/// The loop's sign of life and the gauges that go with it.
struct Pulse {
    ticks: Interval,
    count: u32,
    heartbeat: Heartbeat,
    metrics: Arc<IntakeMetrics>,
}

impl Pulse {
    fn new(heartbeat: Heartbeat, metrics: Arc<IntakeMetrics>) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, count: 0, heartbeat, metrics }
    }

    async fn tick(&mut self) {
        self.ticks.tick().await;
        (self.heartbeat)();
        if self.count == 0 {
            let metrics = Arc::clone(&self.metrics);
            // the listing blocks for milliseconds where there are thousands of descriptors
            tokio::task::spawn_blocking(move || refresh_files(&metrics));
        }
        self.count = (self.count + 1) % FILES_EVERY_TICKS;
    }
}

fn refresh_files(metrics: &IntakeMetrics) {
    if let Some(open) = open_files() {
        metrics.open_files.set(open as f64);
    }
    metrics.max_files.set(file_limit().map_or(f64::INFINITY, |limit| limit as f64));
}

#[cfg(test)]
mod tests;
