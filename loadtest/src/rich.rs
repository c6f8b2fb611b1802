//! Exemplars and native histograms: what a series has of them, and how many there were.

use serde::{Deserialize, Serialize};

use crate::identity;
use crate::names::Seed;

/// Exemplars or native histograms that were sent, or that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichTotals {
    /// How many.
    pub count: u64,
    /// Sum of a hash of their messages.
    pub sum: u64,
}

impl RichTotals {
    /// Counts the message of an exemplar or a histogram.
    pub fn add(&mut self, message: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(identity::of_message(message));
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Takes away what was counted in with [`merge`](Self::merge).
    pub fn take(&mut self, other: Self) {
        self.count -= other.count;
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

/// What a series has instead of a plain sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rich {
    /// An exemplar with a trace's id, a new one each time. Prometheus sends it in a message of its own.
    Exemplar {
        /// Where ids and values come from.
        seed: Seed,
    },
    /// A native histogram of schema 3 with four buckets; counts grow from nothing, as whole numbers.
    Histogram {
        /// Unix seconds at which it was empty.
        since_s: i64,
        /// Observations per second.
        per_second: f64,
    },
}
