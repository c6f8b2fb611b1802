//! Handles for the gate as a whole: index, loops, reloads.

use std::sync::Arc;

use metrics::{Counter, Gauge};

use super::names;
use super::registry::Registry;

/// What the runtime reports.
pub struct ProcessMetrics {
    registry: Arc<Registry>,
    /// Series in the index.
    pub active_series: Gauge,
    /// Series forgotten.
    pub expired_series: Counter,
    /// Bytes of the index.
    pub index_bytes: Gauge,
    /// Tenants told apart.
    pub tenants: Gauge,
    /// Decisions without their previews.
    pub preview_overflow: Gauge,
    /// Reloads that took effect (or found nothing changed).
    pub reloads_ok: Counter,
    /// Reloads refused.
    pub reloads_failed: Counter,
    /// Whether everything is in preview.
    pub bypass: Gauge,
}

impl ProcessMetrics {
    /// Registers the handles.
    pub fn new(registry: &Arc<Registry>) -> Self {
        registry.gauge(&names::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        Self {
            active_series: registry.gauge(&names::ACTIVE_SERIES, &[]),
            expired_series: registry.counter(&names::EXPIRED_SERIES, &[]),
            index_bytes: registry.gauge(&names::INDEX_BYTES, &[]),
            tenants: registry.gauge(&names::TENANTS, &[]),
            preview_overflow: registry.gauge(&names::PREVIEW_OVERFLOW, &[]),
            reloads_ok: registry.counter(&names::CONFIG_RELOADS, &[("result", "ok")]),
            reloads_failed: registry.counter(&names::CONFIG_RELOADS, &[("result", "failed")]),
            bypass: registry.gauge(&names::BYPASS, &[]),
            registry: Arc::clone(registry),
        }
    }

    /// Sets how long ago a loop was last active.
    pub fn loop_last_active(&self, name: &str, seconds: f64) {
        self.registry.gauge(&names::LOOP_LAST_ACTIVE, &[("loop", name)]).set(seconds);
    }

    /// Sets how many active series a policy saves.
    pub fn saved_series(&self, policy: &str, mode: &str, series: u64) {
        self.registry
            .gauge(&names::POLICY_SAVED_SERIES, &[("policy", policy), ("mode", mode)])
            .set(series as f64);
    }
}
