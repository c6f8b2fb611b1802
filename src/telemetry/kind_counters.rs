//! The counters of one fate.

use metrics::Counter;

use super::names::{self, Metric};
use super::registry::Registry;
use crate::pipeline::{Counts, Fate};

/// One counter for each kind of data.
pub(super) struct KindCounters(pub(super) [Counter; 3]);

impl KindCounters {
    pub(super) fn new(registry: &Registry, fate: Fate, policy: &str) -> Self {
        let (fate, reason) = fate.labels();
        let labels = [("fate", fate), ("policy", policy), ("reason", reason)];
        Self(
            [&names::SAMPLES, &names::HISTOGRAMS, &names::EXEMPLARS]
                .map(|m: &Metric| registry.counter(m, &labels)),
        )
    }

    pub(super) fn add(&self, counts: Counts) {
        for (counter, by) in self.0.iter().zip([counts.samples, counts.histograms, counts.exemplars]) {
            if by > 0 {
                counter.increment(by);
            }
        }
    }
}
