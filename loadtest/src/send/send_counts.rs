//! What became of what was sent: in all, and second by second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that is told from longer ones: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Times in microseconds, to three digits.
#[derive(Clone, Debug)]
pub struct Delays(Histogram<u64>);

impl Default for Delays {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("three digits are allowed"))
    }
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        self.0.saturating_record(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
    }

    /// Its percentiles.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: self.0.max() as f64 / 1000.0,
        }
    }
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50_ms: f64,
    /// 9 of 10 were faster.
    pub p90_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// 999 of 1000 were faster.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What became of a body.
pub(super) enum Fate {
    Accepted,
    /// Refused for good.
    Refused,
    /// Time was up.
    Unknown,
}

/// What became of the bodies of a phase.
#[derive(Clone, Debug, Default)]
pub struct SendCounts {
    /// Samples in bodies that were taken.
    pub accepted: u64,
    /// Samples in bodies that were refused for good.
    pub refused: u64,
    /// Samples in bodies of which nobody knows.
    pub unknown: u64,
    /// Exemplars and native histograms in bodies that were taken.
    pub rich: u64,
    /// Bodies.
    pub bodies: u64,
    /// Compressed bytes of all attempts.
    pub wire_bytes: u64,
    /// Bytes of all attempts before compression.
    pub raw_bytes: u64,
    /// Attempts by status.
    pub codes: BTreeMap<u16, u64>,
    /// Attempts without an answer.
    pub broken: u64,
    /// Attempts beyond the first of a body, and samples in them.
    pub retries: u64,
    /// Samples in them.
    pub resent: u64,
    /// From when a body was due to its last answer.
    pub latency: Delays,
    /// By how much bodies were late although their lane was free.
    pub late: Delays,
    /// The most that a scrape was planned after it was due.
    pub planned_late: Duration,
    /// When the last answer came.
    pub last_answer: Option<Instant>,
    /// One failure in words.
    pub last_error: Option<String>,
}

/// One second of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the first body was due.
    pub at_s: f64,
    /// Samples due in it.
    pub offered: u64,
    /// Samples taken in it.
    pub accepted: u64,
    /// Attempts that failed in it.
    pub failed: u64,
    /// Of bodies answered in it.
    pub latency: Percentiles,
}
