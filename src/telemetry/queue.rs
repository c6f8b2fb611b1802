//! Handles for the queue of one upstream.

use metrics::{Counter, Gauge};

use super::names;
use super::registry::Registry;

/// What one queue counts.
#[derive(Clone)]
pub struct QueueMetrics {
    requests: Gauge,
    samples: Gauge,
    bytes: Gauge,
    /// Bytes that it may have.
    pub max_bytes: Gauge,
    oldest: Gauge,
    /// Samples put into it.
    pub appended: Counter,
    /// Samples that the upstream took.
    pub delivered: Counter,
    /// Requests that found it full.
    pub refused: Counter,
    /// Times the disk did not take something.
    pub failures: Counter,
    /// Places that could not be read.
    pub damaged: Counter,
    /// Times it waited for the disk.
    pub syncs: Counter,
    /// Requests that are sent again.
    pub retries: Counter,
    /// Bytes of dead letters.
    pub dead_letter_bytes: Gauge,
    /// Samples that the upstream refused for good.
    pub dropped_as_refused: Counter,
    /// Samples that the upstream does not take even alone.
    pub dropped_as_too_large: Counter,
    age: Counter,
    room: Counter,
    damage: Counter,
}

impl QueueMetrics {
    /// Registers the handles of the queue of the upstream called `name`.
    pub fn new(registry: &Registry, name: &str) -> Self {
        let labels = [("upstream", name)];
        let dropped =
            |reason| registry.counter(&names::QUEUE_DROPPED, &[("upstream", name), ("reason", reason)]);
        Self {
            requests: registry.gauge(&names::QUEUE_RECORDS, &labels),
            samples: registry.gauge(&names::QUEUE_SAMPLES, &labels),
            bytes: registry.gauge(&names::QUEUE_BYTES, &labels),
            max_bytes: registry.gauge(&names::QUEUE_BYTES_MAX, &labels),
            oldest: registry.gauge(&names::QUEUE_OLDEST, &labels),
            appended: registry.counter(&names::QUEUE_APPENDED, &labels),
            delivered: registry.counter(&names::QUEUE_DELIVERED, &labels),
            refused: registry.counter(&names::QUEUE_REFUSED, &labels),
            failures: registry.counter(&names::QUEUE_FAILURES, &labels),
            damaged: registry.counter(&names::QUEUE_DAMAGED, &labels),
            syncs: registry.counter(&names::QUEUE_SYNCS, &labels),
            retries: registry.counter(&names::QUEUE_RETRIES, &labels),
            dead_letter_bytes: registry.gauge(&names::DEAD_LETTER_BYTES, &labels),
            dropped_as_refused: dropped("refused"),
            dropped_as_too_large: dropped("too_large"),
            age: dropped("age"),
            room: dropped("full"),
            damage: dropped("damaged"),
        }
    }

    /// Shows what waits: requests, samples, bytes of all files, and when the oldest came (Unix seconds).
    pub fn show(&self, requests: u64, samples: u64, bytes: u64, oldest: Option<u32>) {
        self.requests.set(requests as f64);
        self.samples.set(samples as f64);
        self.bytes.set(bytes as f64);
        self.oldest.set(oldest.map_or(0.0, f64::from));
    }

    /// Samples that were older than `queue.max_age`.
    pub fn dropped_for_age(&self, samples: u64) {
        self.age.increment(samples);
    }

    /// Samples let go of to make room for others.
    pub fn dropped_for_room(&self, samples: u64) {
        self.room.increment(samples);
    }

    /// Samples that could not be read any more.
    pub fn dropped_for_damage(&self, samples: u64) {
        self.damage.increment(samples);
    }
}
