//! How many bytes of request bodies may be held at one time.
//!
//! Nobody waits for the budget: what is not to be had at once is refused, and the sender comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::IntakeMetrics;

/// Where neither cgroup nor machine tells its memory: what a small sidecar has.
const ASSUMED_MEMORY_BYTES: u64 = 1 << 30;

/// The budget of one gate.
pub(super) struct Budget {
    used: AtomicUsize,
    max: usize,
    metrics: Arc<IntakeMetrics>,
}

impl Budget {
    /// `max` from the config; absent: a quarter of the memory limit.
    pub(super) fn new(max: Option<usize>, metrics: Arc<IntakeMetrics>) -> Arc<Self> {
        let max = max.unwrap_or_else(|| {
            let memory = super::memory::memory_limit_bytes().unwrap_or(ASSUMED_MEMORY_BYTES);
            usize::try_from(memory / 4).unwrap_or(usize::MAX)
        });
        metrics.in_flight_bytes_max.set(max as f64);
        Arc::new(Self { used: AtomicUsize::new(0), max, metrics })
    }

    /// What a single body could have at most.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// A hold on nothing yet.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        Hold { budget: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= self.max)
        });
        if taken.is_ok() {
            self.metrics.in_flight_bytes.increment(bytes as f64);
        }
        taken.is_ok()
    }
}

/// Bytes taken from the budget; given back when dropped.
pub(super) struct Hold {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Hold {
    /// Makes it `bytes` in all, or leaves it as it is and says no.
    #[must_use]
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let granted = more == 0 || self.budget.take(more);
        if granted {
            self.bytes = self.bytes.max(bytes);
        }
        granted
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
            self.budget.metrics.in_flight_bytes.decrement(self.bytes as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Registry;

    #[test]
    fn what_is_held_is_given_back() {
        let metrics = Arc::new(IntakeMetrics::new(&Arc::new(Registry::default())));
        let budget = Budget::new(Some(100), metrics);
        let mut first = budget.hold();
        let mut second = budget.hold();
        assert!(first.grow_to(60) && !second.grow_to(41) && second.grow_to(40));
        assert!(!first.grow_to(61) && first.grow_to(10));
        drop(first);
        assert!(second.grow_to(100));
        drop(second);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
