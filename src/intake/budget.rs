//! How many bytes requests in hand may hold at one time.
//!
//! Nobody waits for the budget: what is not to be had at once is refused, and the sender comes again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::StatusCode;

use super::SenderReply;
use super::refusal::Refusal;
use crate::clock::Jitter;
use crate::memory::WritePort;
use crate::telemetry::{IntakeMetrics, Undecodable};

/// The budget of one gate.
pub(super) struct Budget {
    /// What it is used for is added up there.
    port: Arc<WritePort>,
    max: usize,
    metrics: Arc<IntakeMetrics>,
    jitter: Arc<Jitter>,
}

impl Budget {
    /// A budget of `max` bytes.
    pub(super) fn new(
        max: usize,
        port: Arc<WritePort>,
        metrics: Arc<IntakeMetrics>,
        jitter: Arc<Jitter>,
    ) -> Arc<Self> {
        metrics.in_flight_bytes_max.set(max as f64);
        Arc::new(Self { port, max, metrics, jitter })
    }

    /// What a single body could have at most.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// A hold on nothing yet.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        Hold { budget: Arc::clone(self), beside: 0, bytes: 0 }
    }

    /// What a request is told that the budget has no room for.
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::for_now(
            Undecodable::Overload,
            "too many bytes of requests in hand (listen.max_in_flight): come again".to_owned(),
            self.jitter.retry_after(),
        )
    }

    /// Takes more for a hold that has `held`.
    ///
    /// What is over the budget all by itself would never fit. It is let in when the others are within the budget, and
    /// nothing more is until it is gone: so one such request at a time, however busy the gate is.
    fn take(&self, held: usize, more: usize) -> bool {
        let alone = held.saturating_add(more) > self.max;
        let taken = self.port.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|sum| *sum <= self.max || (alone && used - held <= self.max))
        });
        if taken.is_ok() {
            self.metrics.in_flight_bytes.increment(more as f64);
        }
        taken.is_ok()
    }

    fn give(&self, bytes: usize) {
        if bytes > 0 {
            self.port.requests.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.in_flight_bytes.decrement(bytes as f64);
        }
    }
}

/// What one request has of the budget; given back when dropped.
pub struct Hold {
    budget: Arc<Budget>,
    /// What its connection holds for it; not part of `bytes`.
    beside: usize,
    bytes: usize,
}

impl Hold {
    /// Makes it `bytes` in all, beside what the connection holds, or leaves it as it is and says no; less is always granted.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        self.reset(self.beside, bytes)
    }

    /// Makes what the connection holds `beside` in all, or leaves it as it is and says no.
    #[must_use]
    pub(super) fn resize_beside(&mut self, beside: usize) -> bool {
        self.reset(beside, self.bytes)
    }

    fn reset(&mut self, beside: usize, bytes: usize) -> bool {
        let (old, new) = (self.beside + self.bytes, beside.saturating_add(bytes));
        if new > old && !self.budget.take(old, new - old) {
            return false;
        }
        self.budget.give(old.saturating_sub(new));
        (self.beside, self.bytes) = (beside, bytes);
        true
    }

    /// Adds `bytes`, or leaves it as it is and says no.
    #[must_use]
    pub fn add(&mut self, bytes: usize) -> bool {
        self.resize(self.bytes.saturating_add(bytes))
    }

    /// Bytes that all holds may have together.
    pub fn max(&self) -> usize {
        self.budget.max
    }

    /// What the sender is told where there is no room: 503, come again.
    pub fn refusal(&self) -> SenderReply {
        self.budget.refusal().into_answer()
    }

    /// What the sender is told where there will never be room for so many series in one request.
    pub fn refusal_of_many(&self) -> SenderReply {
        SenderReply::nothing_written(
            StatusCode::PAYLOAD_TOO_LARGE,
            None,
            format!(
                "this request needs more than {} bytes while it is decided (listen.max_in_flight): send fewer series in one",
                self.budget.max
            ),
        )
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("beside", &self.beside)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.give(self.beside + self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Registry;

    fn budget(max: usize) -> Arc<Budget> {
        let metrics = Arc::new(IntakeMetrics::new(&Arc::new(Registry::default())));
        Budget::new(max, Arc::default(), metrics, Arc::new(Jitter::new(1)))
    }

    #[test]
    fn what_is_held_is_given_back() {
        let budget = budget(100);
        let mut first = budget.hold();
        let mut second = budget.hold();
        assert!(first.resize(60) && !second.resize(41) && second.resize(40));
        assert!(!first.resize(61) && first.resize(10) && second.add(50) && !second.add(1));
        drop(first);
        assert!(second.resize(100));
        drop(second);
        assert_eq!(budget.port.request_bytes(), 0);
    }

    #[test]
    fn one_that_is_over_the_budget_by_itself_is_let_in_and_nobody_after_it() {
        let budget = budget(100);
        let [mut small, mut huge, mut other] = [budget.hold(), budget.hold(), budget.hold()];
        assert!(small.resize(70) && huge.resize(20));
        assert!(huge.resize(300), "the others are within the budget");
        assert!(huge.resize(310) && !other.resize(1) && !small.resize(71) && !other.resize(300));
        drop(huge);
        assert!(!other.resize(31) && other.resize(300));
        drop((small, other));
        assert_eq!(budget.port.request_bytes(), 0);
    }
}
