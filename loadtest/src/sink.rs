//! A backend that counts: it accepts remote write 1.0 and 2.0 on any path, in snappy or zstd, and says what arrived.
//!
//! `GET /stats` answers with [`Stats`] as JSON. What a body holds is found by this crate's own walk, so
//! that its count and the proxy's never share a mistake. At [`Level::Verify`] it keeps what arrived of every series, to be
//! compared with what was sent; and on a schedule it behaves as backends do on a bad day.

mod behaviour;
mod ledger;
mod remote;
mod server;
mod talk;
mod totals;
mod unpack;
mod walk;
mod writes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use behaviour::{Act, Episode, parse as parse_episode};
pub use ledger::{Arrived, Ledger};
pub use remote::{Backend, OnThread};
pub use totals::{Level, Stats};

use crate::protocol::{Encoding, Version};
use server::Shared;
use walk::Labels;

/// How the sink counts and answers.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// How closely bodies are looked at.
    pub level: Level,
    /// Also count distinct series by the values of this label (needs [`Level::Series`]).
    pub group_by: Option<String>,
    /// Time to let pass before each answer.
    pub delay: Duration,
    /// Distinct series that are told apart at most; samples of others are counted as untracked.
    pub max_series: usize,
    /// What it does to its senders, and when, counted from its start.
    pub episodes: Vec<Episode>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            level: Level::Series,
            group_by: None,
            delay: Duration::ZERO,
            max_series: 20_000_000,
            episodes: Vec::new(),
        }
    }
}

/// Starts sinks.
pub struct Sink;

impl Sink {
    /// Listens on `addr` (port 0 for any free one) and serves until the handle is shut down or dropped.
    pub async fn start(addr: SocketAddr, options: SinkOptions) -> std::io::Result<SinkHandle> {
        Self::serve(TcpListener::bind(addr).await?, options)
    }

    /// Serves on a listener that is bound already.
    pub fn serve(listener: TcpListener, options: SinkOptions) -> std::io::Result<SinkHandle> {
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(server::accept(listener, Arc::clone(&shared), stopped));
        Ok(SinkHandle { addr, shared, stop, task })
    }
}

/// A running sink. Dropping it stops it.
pub struct SinkHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl SinkHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where to write to: `http://ADDR/api/v1/write`.
    pub fn write_url(&self) -> String {
        format!("http://{}/api/v1/write", self.addr)
    }

    /// What has arrived so far.
    pub fn stats(&self) -> Stats {
        self.shared.totals.stats()
    }

    /// Shows what arrived of every series, at [`Level::Verify`].
    pub fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.shared.totals.ledger(look)
    }

    /// Behaves so from now on, whatever was said before.
    pub fn behave(&self, episodes: Vec<Episode>) {
        self.shared.behave(episodes);
    }

    /// Forgets everything counted so far.
    pub fn reset(&self) {
        self.shared.totals.reset(false);
    }

    /// The same; from now on series of the same labels under different [scopes](crate::scope) are different ones.
    pub fn reset_scoped(&self) {
        self.shared.totals.reset(true);
    }

    /// Answers writes with this status from now on. Only bodies answered with 2xx are counted as arrived.
    pub fn answer_with(&self, status: StatusCode) {
        self.shared.status.send_replace(status);
    }

    /// Stops listening, closes all connections, and says what had arrived.
    pub async fn shutdown(self) -> Stats {
        drop(self.stop);
        // the task ends by itself; that it was cancelled with its runtime is no failure of ours
        self.task.await.ok();
        self.shared.totals.stats()
    }
}

/// Shows the series of a body of a version, compressed or not: labels, and times in Unix milliseconds with values.
pub fn read_body(
    body: &[u8],
    version: Version,
    mut visit: impl FnMut(&[(&[u8], &[u8])], &[(i64, f64)]),
) -> Result<(), String> {
    let raw = unpack::unpack(body, Encoding::of_body(body));
    let raw = raw.as_deref().unwrap_or(body);
    let mut samples = Vec::new();
    walk::each_series(raw, version, Labels::Read, |series| {
        samples.clear();
        samples
            .extend(series.samples.iter().map(|&(timestamp_ms, bits)| (timestamp_ms, f64::from_bits(bits))));
        visit(&series.labels, &samples);
    })
    .map_err(|error| error.to_string())
}
