//! Handles for one upstream.

use std::sync::Arc;
use std::time::Instant;

use metrics::{Counter, Gauge};

use super::durations::Durations;
use super::names;
use super::registry::{ByCode, Registry};

/// Of an upstream that was not sent a body of a form yet.
const NOT_KNOWN: f64 = -1.0;

/// What one upstream client counts.
pub struct EgressMetrics {
    registry: Arc<Registry>,
    name: String,
    requests: ByCode,
    took: Arc<Durations>,
    /// Body bytes sent.
    pub bytes: Counter,
    /// Requests sent again on a fresh connection.
    pub retries: Counter,
    /// Requests split after a 413.
    pub splits: Counter,
    /// Requests split to find what is refused.
    pub bisections: Counter,
    /// Times kept connections were left for new ones.
    pub aged: Counter,
    /// Requests sent again in plain because the upstream did not take their form.
    pub fallbacks: Counter,
    /// Series of remote write 2.0 sent as 1.0, which has no place for their start timestamps.
    pub lost_starts: Counter,
    /// Metrics whose type, help and unit it did not take.
    pub lost_metadata: Counter,
    /// Whether it takes remote write 2.0.
    pub takes_v2: Gauge,
    /// Whether it takes zstd.
    pub takes_zstd: Gauge,
}

impl EgressMetrics {
    /// Registers the handles of the upstream called `name`.
    pub fn new(registry: &Arc<Registry>, name: &str) -> Self {
        let labels = [("upstream", name)];
        let lost =
            |what| registry.counter(&names::UPSTREAM_NOT_CARRIED, &[("upstream", name), ("what", what)]);
        let takes = |protocol| {
            let gauge = registry.gauge(&names::UPSTREAM_TAKES, &[("upstream", name), ("protocol", protocol)]);
            gauge.set(NOT_KNOWN);
            gauge
        };
        Self {
            requests: ByCode::new(&names::UPSTREAM_REQUESTS, Some(("upstream", name.to_owned())))
                .expect(registry, 204),
            took: registry.durations(&names::UPSTREAM_DURATION, &labels),
            bytes: registry.counter(&names::UPSTREAM_BYTES, &labels),
            retries: registry.counter(&names::UPSTREAM_RETRIES, &labels),
            aged: registry.counter(&names::UPSTREAM_AGED, &labels),
            bisections: registry.counter(&names::UPSTREAM_BISECTIONS, &labels),
            fallbacks: registry.counter(&names::UPSTREAM_FALLBACKS, &labels),
            lost_starts: lost("start_timestamp"),
            lost_metadata: lost("metadata"),
            takes_v2: takes("v2"),
            takes_zstd: takes("zstd"),
            splits: registry.counter(&names::UPSTREAM_SPLITS, &labels),
            registry: Arc::clone(registry),
            name: name.to_owned(),
        }
    }

    /// Counts one question for a token, and whether there was one.
    pub fn tokens(&self, given: bool) {
        let result = if given { "ok" } else { "failed" };
        let labels = [("upstream", self.name.as_str()), ("result", result)];
        self.registry.counter(&names::UPSTREAM_TOKENS, &labels).increment(1);
    }

    /// Counts one request by the status it got, and how long it took; 0 = no answer.
    pub fn answered(&self, code: u16, began: Instant) {
        self.requests.increment(&self.registry, code);
        self.took.record(began.elapsed());
    }
}
