//! Handles for one upstream.

use std::sync::Arc;

use metrics::Counter;

use super::names;
use super::registry::{ByCode, Registry};

/// What one upstream client counts.
pub struct EgressMetrics {
    registry: Arc<Registry>,
    requests: ByCode,
    /// Body bytes sent.
    pub bytes: Counter,
    /// Requests sent again on a fresh connection.
    pub retries: Counter,
    /// Requests split after a 413.
    pub splits: Counter,
    /// Times kept connections were left for new ones.
    pub aged: Counter,
}

impl EgressMetrics {
    /// Registers the handles of the upstream called `name`.
    pub fn new(registry: &Arc<Registry>, name: &str) -> Self {
        let labels = [("upstream", name)];
        Self {
            requests: ByCode::new(&names::UPSTREAM_REQUESTS, Some(("upstream", name.to_owned())))
                .expect(registry, 204),
            bytes: registry.counter(&names::UPSTREAM_BYTES, &labels),
            retries: registry.counter(&names::UPSTREAM_RETRIES, &labels),
            aged: registry.counter(&names::UPSTREAM_AGED, &labels),
            splits: registry.counter(&names::UPSTREAM_SPLITS, &labels),
            registry: Arc::clone(registry),
        }
    }

    /// Counts one request by the status it got; 0 = no answer.
    pub fn answered(&self, code: u16) {
        self.requests.increment(&self.registry, code);
    }
}
