//! One connection's share of a blast: bodies in order, one at a time, tried again where that may help.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use hyper::StatusCode;
use tokio::time::sleep;

use super::prepare::Prepared;
use crate::body::Body;
use crate::client::{Client, Target};
use crate::clock;
use crate::protocol::Protocol;

/// Attempts for one body before it is given up.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// The longest one attempt may take, as Prometheus' default has it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What became of the bodies sent.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Attempts that were answered, by status.
    pub(super) codes: BTreeMap<u16, u64>,
    /// Attempts that ended without an answer.
    pub(super) broken: u64,
    /// Attempts beyond the first of a body.
    pub(super) retries: u64,
    /// Samples of bodies answered with 2xx.
    pub(super) accepted: u64,
    /// Samples of bodies refused for good, or given up after [`MAX_ATTEMPTS`].
    pub(super) refused: u64,
    /// Samples not tried because time was up.
    pub(super) unsent: u64,
    /// Nanoseconds of each answered attempt.
    pub(super) latencies_ns: Vec<u64>,
    /// One failure in words, for the user to start from.
    pub(super) last_error: Option<String>,
}

impl Outcome {
    pub(super) fn merge(&mut self, other: Self) {
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.broken += other.broken;
        self.retries += other.retries;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.unsent += other.unsent;
        self.latencies_ns.extend(other.latencies_ns);
        self.last_error = other.last_error.or(self.last_error.take());
    }
}

/// One share being sent.
pub(super) struct Connection {
    client: Client,
    protocol: Protocol,
    deadline: Instant,
    answered_samples: Arc<AtomicU64>,
    outcome: Outcome,
}

impl Connection {
    pub(super) fn new(
        target: Target,
        protocol: Protocol,
        deadline: Instant,
        answered_samples: Arc<AtomicU64>,
    ) -> Self {
        let (client, outcome) = (Client::new(target), Outcome::default());
        Self { client, protocol, deadline, answered_samples, outcome }
    }

    /// Sends one connection's bodies of some scrapes, a scrape every `pace` after `start`.
    pub(super) async fn send_all(
        mut self,
        prepared: Arc<Prepared>,
        share: usize,
        scrapes: Range<usize>,
        start: Instant,
        pace: Duration,
    ) -> Outcome {
        let first = scrapes.start;
        for scrape in scrapes {
            let due = start + pace * u32::try_from(scrape - first).unwrap_or(u32::MAX);
            tokio::time::sleep_until(due.min(self.deadline).into()).await;
            for body in prepared.bodies(share, scrape) {
                self.deliver(body).await;
            }
        }
        self.outcome
    }

    /// Sends one body until it is accepted, refused, or given up.
    async fn deliver(&mut self, body: &Body) {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 0..MAX_ATTEMPTS {
            if self.left().is_zero() {
                self.outcome.unsent += body.series;
                return;
            }
            if attempt > 0 {
                self.outcome.retries += 1;
            }
            match self.attempt(body).await {
                Ok((status, true)) if status.is_success() => {
                    self.outcome.accepted += body.series;
                    self.answered_samples.fetch_add(body.series, Relaxed);
                    return;
                }
                Ok((status, _)) if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() => {
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    self.outcome.broken += 1;
                    self.outcome.last_error = Some(format!("{error:#}"));
                }
            }
            sleep(backoff.min(self.left())).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
        self.outcome.refused += body.series;
        self.answered_samples.fetch_add(body.series, Relaxed);
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(clock::monotonic())
    }

    /// One request and its answer, counted; and whether a success takes all of it.
    async fn attempt(&mut self, body: &Body) -> Result<(StatusCode, bool)> {
        let limit = REQUEST_TIMEOUT.min(self.left());
        let answer = self.client.post(body.bytes.clone(), limit).await?;
        self.outcome.latencies_ns.push(u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX));
        *self.outcome.codes.entry(answer.status.as_u16()).or_default() += 1;
        if !answer.status.is_success() {
            self.outcome.last_error = Some(format!("{}: {}", answer.status, answer.excerpt()));
        }
        let taken = answer.takes(body.series, self.protocol);
        let is_taken = taken.is_ok();
        self.outcome.last_error = taken.err().or(self.outcome.last_error.take());
        Ok((answer.status, is_taken))
    }
}
