//! Measures a receiver: prepares every body, then sends them over keep-alive connections as fast as they
//! are answered, and reads what it cost from the kernel.
//!
//! Each connection has one request in flight and owns the series it sends, as a shard of Prometheus does.
//! Latency is therefore that of a closed loop: a receiver that stalls is asked less often meanwhile.

mod connection;
mod prepare;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub use prepare::Prepared;
pub use report::{Latency, ProcessCost, Report};

use crate::client::{Client, Target};
use crate::clock;
use crate::names::Seed;
use crate::process::{self, Usage};
use crate::protocol::Protocol;
use crate::shape::{Population, Shape};
use connection::{Connection, Outcome};

/// How long the receiver may take to become idle, before and after the measured window.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// How long connecting may take.
const REACH_LIMIT: Duration = Duration::from_secs(10);

/// What to send, and what to watch meanwhile.
#[derive(Clone, Debug)]
pub struct BlastOptions {
    /// Series in one scrape.
    pub series: u64,
    /// Scrapes measured.
    pub scrapes: u32,
    /// Scrapes sent before the measurement starts.
    pub warm: u32,
    /// Connections, each with its own share of the series.
    pub connections: usize,
    /// Share of pods replaced between two scrapes, 0 to 1.
    pub churn: f64,
    /// Series in one request.
    pub batch_series: usize,
    /// How requests are written.
    pub protocol: Protocol,
    /// Labels of the series.
    pub shape: Shape,
    /// Where names and values come from.
    pub seed: u64,
    /// The receiver's process, if its CPU and memory are to be measured.
    pub pid: Option<u32>,
    /// Start of one scrape to the start of the next; zero for back to back.
    pub pace: Duration,
    /// The most that sending may take, warming up included.
    pub limit: Duration,
    /// The most memory that prepared bodies may take, in bytes.
    pub max_prepared_bytes: u64,
    /// Whether to say on stderr how far it is.
    pub progress: Progress,
}

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line on stderr every few seconds.
    Shown,
    /// Nothing.
    Hidden,
}

impl Default for BlastOptions {
    fn default() -> Self {
        Self {
            series: 100_000,
            scrapes: 5,
            warm: 1,
            connections: 4,
            churn: 0.0,
            batch_series: crate::body::DEFAULT_BATCH_SERIES,
            protocol: Protocol::V1,
            shape: Shape::K8s14,
            seed: 1,
            pid: None,
            pace: Duration::ZERO,
            limit: Duration::from_secs(600),
            max_prepared_bytes: 8 << 30,
            progress: Progress::Hidden,
        }
    }
}

/// Prepares, sends and measures. Fails if nothing can be sent at all; a receiver that answers with
/// errors is reported, not failed on.
pub async fn run(target: Target, options: BlastOptions) -> Result<Report> {
    if options.series == 0 || options.scrapes == 0 || options.connections == 0 {
        bail!("there must be at least one series, one scrape and one connection");
    }
    if let Some(pid) = options.pid {
        Usage::of(pid)?;
    }
    // found out now rather than after minutes of preparing
    Client::new(target.clone()).reach(REACH_LIMIT).await?;
    let preparing = options.clone();
    // timestamps end about now, so that a real backend takes them
    let now_ms = clock::unix_ms();
    let prepared = tokio::task::spawn_blocking(move || Prepared::new(&preparing, now_ms))
        .await
        .context("preparing the bodies failed")??;
    send(target, &options, Arc::new(prepared)).await
}

/// Sends what was prepared and measures it.
pub async fn send(target: Target, options: &BlastOptions, prepared: Arc<Prepared>) -> Result<Report> {
    let target = target.with_protocol(options.protocol);
    let sent = Arc::new(AtomicU64::new(0));
    let ticker = (options.progress == Progress::Shown)
        .then(|| tokio::spawn(show_progress(Arc::clone(&sent), prepared.total_samples())));
    let window = Window { target: &target, options, prepared: &prepared, sent: &sent };
    let deadline = clock::monotonic() + options.limit;
    let measured = window.measure(deadline).await;
    if let Some(ticker) = ticker {
        ticker.abort();
    }
    measured
}

/// Everything that one phase of sending needs.
struct Window<'a> {
    target: &'a Target,
    options: &'a BlastOptions,
    prepared: &'a Arc<Prepared>,
    sent: &'a Arc<AtomicU64>,
}

impl Window<'_> {
    async fn measure(&self, deadline: Instant) -> Result<Report> {
        let warm = self.options.warm as usize;
        let warmed = self.phase(0, warm, deadline).await?;
        let before = self.idle_usage().await?;
        let start = clock::monotonic();
        let outcome = self.phase(warm, warm + self.options.scrapes as usize, deadline).await?;
        let wall = start.elapsed();
        let after = self.idle_usage().await?;
        let cost = before.zip(after);
        Ok(Report::new(self.options, self.prepared, &warmed, outcome, wall, cost))
    }

    async fn idle_usage(&self) -> Result<Option<Usage>> {
        match self.options.pid {
            Some(pid) => process::when_idle(pid, IDLE_LIMIT).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends scrapes `from..to`, every connection its own bodies.
    async fn phase(&self, from: usize, to: usize, deadline: Instant) -> Result<Outcome> {
        let start = clock::monotonic();
        let tasks: Vec<_> = (0..self.options.connections)
            .map(|share| {
                let connection = Connection::new(
                    self.target.clone(),
                    self.options.protocol,
                    deadline,
                    Arc::clone(self.sent),
                );
                let (prepared, pace) = (Arc::clone(self.prepared), self.options.pace);
                tokio::spawn(connection.send_all(prepared, share, from..to, start, pace))
            })
            .collect();
        let mut all = Outcome::default();
        for task in tasks {
            all.merge(task.await.context("a sending task ended early")?);
        }
        Ok(all)
    }
}

async fn show_progress(sent: Arc<AtomicU64>, total: u64) {
    let start = clock::monotonic();
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let done = sent.load(Relaxed);
        eprintln!(
            "blast: {done} of {total} samples answered after {:.0}s ({:.0}%)",
            start.elapsed().as_secs_f64(),
            done as f64 * 100.0 / total.max(1) as f64
        );
    }
}

impl BlastOptions {
    /// The series these options describe.
    pub fn population(&self) -> Population {
        Population { series: self.series, shape: self.shape, churn: self.churn, seed: Seed::new(self.seed) }
    }
}
