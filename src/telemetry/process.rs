//! Handles for the gate as a whole: index, loops, reloads.

use std::sync::Arc;

use metrics::{Counter, Gauge};

use super::names;
use super::registry::Registry;
use crate::memory::Level;
use crate::version;

/// What the runtime reports.
pub struct ProcessMetrics {
    registry: Arc<Registry>,
    /// Series in the index.
    pub active_series: Gauge,
    /// Series forgotten.
    pub expired_series: Counter,
    /// Series forgotten early for want of memory.
    pub evicted_series: Counter,
    /// What is given up for want of memory.
    pub memory_level: Gauge,
    /// Memory that the process may use.
    pub memory_limit: Gauge,
    /// Memory that it has of the machine.
    pub resident_bytes: Gauge,
    /// Bytes of the index.
    pub index_bytes: Gauge,
    /// Identities upstream that are noted to belong to a series.
    pub claims: Gauge,
    /// Series held back because their identity upstream is another's.
    pub contested_series: Gauge,
    /// Series that go under other labels.
    pub rewritten_series: Gauge,
    /// Different edits of label sets.
    pub label_edits: Gauge,
    /// Tenants told apart.
    pub tenants: Gauge,
    /// Tenants forgotten.
    pub tenants_forgotten: Counter,
    /// Decisions without their previews.
    pub preview_overflow: Gauge,
    /// Reloads that took effect (or found nothing changed).
    pub reloads_ok: Counter,
    /// Reloads refused.
    pub reloads_failed: Counter,
    /// Whether the last config that was read took effect.
    pub last_reload_ok: Gauge,
    /// When one last took effect.
    pub last_reload_ok_at: Gauge,
    /// Whether everything is in preview.
    pub bypass: Gauge,
}

impl ProcessMetrics {
    /// Registers the handles.
    pub fn new(registry: &Arc<Registry>) -> Self {
        for level in &Level::ALL[1..] {
            registry.counter(&names::MEMORY_ENTERED, &[("level", level.as_str())]).increment(0);
        }
        registry
            .gauge(&names::BUILD_INFO, &[("version", version::VERSION), ("commit", version::COMMIT)])
            .set(1.0);
        Self {
            active_series: registry.gauge(&names::ACTIVE_SERIES, &[]),
            expired_series: registry.counter(&names::EXPIRED_SERIES, &[]),
            evicted_series: registry.counter(&names::EVICTED_SERIES, &[]),
            memory_level: registry.gauge(&names::MEMORY_LEVEL, &[]),
            memory_limit: registry.gauge(&names::MEMORY_LIMIT, &[]),
            resident_bytes: registry.gauge(&names::MEMORY_RESIDENT, &[]),
            index_bytes: registry.gauge(&names::INDEX_BYTES, &[]),
            claims: registry.gauge(&names::CLAIMS, &[]),
            contested_series: registry.gauge(&names::CONTESTED_SERIES, &[]),
            rewritten_series: registry.gauge(&names::REWRITTEN_SERIES, &[]),
            label_edits: registry.gauge(&names::LABEL_EDITS, &[]),
            tenants: registry.gauge(&names::TENANTS, &[]),
            tenants_forgotten: registry.counter(&names::TENANTS_FORGOTTEN, &[]),
            preview_overflow: registry.gauge(&names::PREVIEW_OVERFLOW, &[]),
            reloads_ok: registry.counter(&names::CONFIG_RELOADS, &[("result", "ok")]),
            reloads_failed: registry.counter(&names::CONFIG_RELOADS, &[("result", "failed")]),
            last_reload_ok: registry.gauge(&names::CONFIG_LAST_OK, &[]),
            last_reload_ok_at: registry.gauge(&names::CONFIG_LAST_OK_AT, &[]),
            bypass: registry.gauge(&names::BYPASS, &[]),
            registry: Arc::clone(registry),
        }
    }

    /// Says that a config took effect, at the start too.
    pub fn config_took_effect(&self, at: u32) {
        self.last_reload_ok.set(1.0);
        self.last_reload_ok_at.set(f64::from(at));
    }

    /// Says what a part of the gate holds.
    pub fn held(&self, part: &'static str, bytes: usize) {
        self.registry.gauge(&names::MEMORY_HELD, &[("part", part)]).set(bytes as f64);
    }

    /// Counts that a level was entered.
    pub fn entered(&self, level: Level) {
        self.registry.counter(&names::MEMORY_ENTERED, &[("level", level.as_str())]).increment(1);
    }

    /// Sets how long ago a loop was last active.
    pub fn loop_last_active(&self, name: &str, seconds: f64) {
        self.registry.gauge(&names::LOOP_LAST_ACTIVE, &[("loop", name)]).set(seconds);
    }
}
