//! Whether the sender could have sent more: a measurement that the sender limited says nothing about the receiver.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::send_counts::{Percentiles, SendCounts};
use crate::clock;

/// A thread that is busier than this may have been the limit.
const BUSY: f64 = 0.9;
/// Being late by less than this is the timer's grain and the scheduler's.
const GRAIN_MS: f64 = 10.0;
/// A scrape that is planned later than this delays its first bodies.
const PLANNED_LATE: Duration = Duration::from_millis(50);

/// What the sender could still have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Headroom {
    /// The share of one core that each sending thread used, 0 to 1.
    pub threads: Vec<f64>,
    /// By how much bodies were late although their lane was free.
    pub late: Percentiles,
    /// Why the result is not to be trusted, if so.
    pub limit: Option<Lateness>,
}

/// What makes a result the sender's, not the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lateness {
    /// A sending thread had no time left: fewer samples were offered than asked for.
    Busy,
    /// What was new in a scrape could not be prepared before it was due.
    Unprepared,
    /// Bodies went out so late, with free lanes, that latencies are mostly the sender's own.
    Late,
}

impl std::fmt::Display for Lateness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Busy => "a sending thread had no time left; use more --sender-threads, or another machine",
            Self::Unprepared => "new series could not be prepared in time; use less churn or a longer --every",
            Self::Late => {
                "bodies went out late although their lanes were free: the machine has no time for the sender; \
                 use a lower rate, or another machine"
            }
        })
    }
}

impl Headroom {
    pub(super) fn judge(&mut self, send_counts: &SendCounts) {
        self.late = send_counts.late.percentiles();
        let latency = send_counts.latency.percentiles();
        if self.threads.iter().any(|share| *share > BUSY) {
            self.limit = Some(Lateness::Busy);
        } else if send_counts.planned_late > PLANNED_LATE {
            self.limit = Some(Lateness::Unprepared);
        } else if self.late.p99_ms > GRAIN_MS && self.late.p99_ms > latency.p99_ms / 2.0 {
            self.limit = Some(Lateness::Late);
        }
    }

    /// What the busiest thread had left, 0 to 1.
    pub fn left(&self) -> f64 {
        1.0 - self.threads.iter().copied().fold(0.0, f64::max)
    }
}

/// CPU time of a thread in a span of time.
pub(super) struct ThreadTime {
    wall: Instant,
    cpu: Duration,
    share: f64,
}

impl ThreadTime {
    pub(super) fn start() -> Self {
        Self { wall: clock::monotonic(), cpu: clock::thread_cpu(), share: 0.0 }
    }

    pub(super) fn stop(&mut self) {
        let cpu = clock::thread_cpu().saturating_sub(self.cpu);
        self.share = cpu.as_secs_f64() / self.wall.elapsed().as_secs_f64().max(1e-9);
    }

    pub(super) fn share(&self) -> f64 {
        self.share
    }
}
