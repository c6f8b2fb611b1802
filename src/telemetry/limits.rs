//! What limits hold.

use std::sync::Arc;

use super::names;
use super::registry::Registry;
use crate::admission::Usage;

/// Handles of what is counted of limits.
pub struct LimitMetrics {
    registry: Arc<Registry>,
}

impl LimitMetrics {
    /// The handles of no limit yet.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry) }
    }

    /// Says what one limit holds.
    pub fn publish(&self, usage: &Usage) {
        let policy = &*usage.policy;
        let gauge = |metric, value: u64| self.registry.gauge(metric, &[("policy", policy)]).set(value as f64);
        gauge(&names::LIMIT_SERIES, usage.admitted);
        gauge(&names::LIMIT_BYTES, usage.bytes);
        let groups = |state, value: u64| {
            let labels = [("policy", policy), ("state", state)];
            self.registry.gauge(&names::LIMIT_GROUPS, &labels).set(value as f64);
        };
        groups("calm", usage.groups - usage.near - usage.full);
        groups("near", usage.near);
        groups("full", usage.full);
    }
}
