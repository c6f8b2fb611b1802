//! What limits hold.

use std::sync::Arc;

use super::names;
use super::registry::Registry;
use crate::admission::Usage;
use crate::policy::Mode;

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
        let without_room = self.registry.counter(&names::LIMIT_WITHOUT_ROOM, &[("policy", policy)]);
        without_room.absolute(usage.without_room);
        let mode = if usage.is_enforced { Mode::Enforce } else { Mode::Preview };
        let groups = |state, value: u64| {
            let labels = [("policy", policy), ("mode", mode.as_str()), ("state", state)];
            self.registry.gauge(&names::LIMIT_GROUPS, &labels).set(value as f64);
        };
        groups("calm", usage.groups - usage.near - usage.full);
        groups("near", usage.near);
        groups("full", usage.full);
        // what it was in the other mode it is not any more
        let other = if usage.is_enforced { Mode::Preview } else { Mode::Enforce };
        for state in ["calm", "near", "full"] {
            let labels = [("policy", policy), ("mode", other.as_str()), ("state", state)];
            self.registry.gauge(&names::LIMIT_GROUPS, &labels).set(0.0);
        }
    }
}
