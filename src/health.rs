//! Whether the gate's own loops still run, and whether it wants traffic.
//!
//! Liveness and readiness differ: a gate that drains is alive and not ready; one whose loop hangs is neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use hyper::StatusCode;
use parking_lot::Mutex;
use serde::Serialize;

use crate::clock;
use crate::memory::Status;

/// A loop's sign of life.
#[derive(Debug)]
pub struct Heartbeat {
    name: &'static str,
    threshold_seconds: f64,
    started: Instant,
    /// Milliseconds after `started`.
    last_ms: AtomicU64,
}

impl Heartbeat {
    /// Says that the loop runs.
    pub fn beat(&self) {
        self.last_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// The loop's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Seconds since the last sign of life.
    pub fn last_active_seconds(&self) -> f64 {
        let now = self.started.elapsed().as_millis() as u64;
        now.saturating_sub(self.last_ms.load(Ordering::Relaxed)) as f64 / 1000.0
    }
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Not listening yet.
    Starting,
    /// Wants traffic.
    Ready,
    /// Finishes what is in hand.
    Draining,
}

/// Health of one gate.
#[derive(Debug)]
pub struct Health {
    loops: Vec<Arc<Heartbeat>>,
    phase: AtomicU8,
    bypassed: AtomicBool,
    memory: Mutex<Status>,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    loops: Vec<LoopReport>,
    memory: MemoryReport,
}

#[derive(Serialize)]
struct MemoryReport {
    level: &'static str,
    used_bytes: usize,
    limit_bytes: usize,
}

#[derive(Serialize)]
struct LoopReport {
    name: &'static str,
    last_active_seconds: f64,
    threshold_seconds: f64,
}

impl Health {
    /// Health that watches loops of these names, each to show itself within its threshold (seconds).
    pub fn new(loops: &[(&'static str, f64)]) -> Self {
        let started = clock::monotonic();
        let heartbeat = |&(name, threshold_seconds): &(&'static str, f64)| {
            Arc::new(Heartbeat { name, threshold_seconds, started, last_ms: AtomicU64::new(0) })
        };
        Self {
            loops: loops.iter().map(heartbeat).collect(),
            phase: AtomicU8::new(Phase::Starting as u8),
            bypassed: AtomicBool::new(false),
            memory: Mutex::default(),
        }
    }

    /// The heartbeat of one loop.
    pub fn heartbeat(&self, name: &str) -> Option<Arc<Heartbeat>> {
        self.loops.iter().find(|beat| beat.name == name).cloned()
    }

    /// All loops.
    pub fn loops(&self) -> &[Arc<Heartbeat>] {
        &self.loops
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Whether what is in hand is being finished.
    pub fn is_draining(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Draining as u8
    }

    /// Loops that have not shown themselves for longer than they may.
    pub fn stuck(&self) -> Vec<&'static str> {
        let late = |beat: &&Arc<Heartbeat>| beat.last_active_seconds() > beat.threshold_seconds;
        self.loops.iter().filter(late).map(|beat| beat.name).collect()
    }

    /// Says whether all policies are in preview.
    pub fn set_bypassed(&self, on: bool) {
        self.bypassed.store(on, Ordering::Release);
    }

    /// Whether all policies are in preview.
    pub fn bypassed(&self) -> bool {
        self.bypassed.load(Ordering::Acquire)
    }

    /// Says how it stands with memory. A gate that gives something up for it is healthy.
    pub fn set_memory(&self, status: Status) {
        *self.memory.lock() = status;
    }

    /// How it stands with memory.
    pub fn memory(&self) -> Status {
        *self.memory.lock()
    }

    /// Status and JSON of `/-/healthy`.
    pub fn healthy(&self) -> (StatusCode, String) {
        let loops: Vec<LoopReport> = self
            .loops
            .iter()
            .map(|beat| LoopReport {
                name: beat.name,
                last_active_seconds: beat.last_active_seconds(),
                threshold_seconds: beat.threshold_seconds,
            })
            .collect();
        let stuck = loops.iter().any(|l| l.last_active_seconds > l.threshold_seconds);
        let (code, status) = match (stuck, self.bypassed()) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stuck"),
            (false, true) => (StatusCode::OK, "bypassed"),
            (false, false) => (StatusCode::OK, "ok"),
        };
        let Status { level, used, limit } = self.memory();
        let memory = MemoryReport { level: level.as_str(), used_bytes: used, limit_bytes: limit };
        let report = Report { status, loops, memory };
        (code, serde_json::to_string(&report).unwrap_or_else(|_| format!("{{\"status\":\"{status}\"}}")))
    }

    /// Status and text of `/-/ready`.
    pub fn ready(&self) -> (StatusCode, String) {
        let phase = self.phase.load(Ordering::Acquire);
        let (code, text) = if phase == Phase::Ready as u8 {
            (StatusCode::OK, "ready\n")
        } else if phase == Phase::Draining as u8 {
            (StatusCode::SERVICE_UNAVAILABLE, "draining: finishing requests in hand\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
        };
        (code, text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Level;

    #[test]
    fn a_loop_that_does_not_beat_is_stuck() {
        let health = Health::new(&[("slow", -1.0), ("fine", 1000.0)]);
        let (code, body) = health.healthy();
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body.starts_with(r#"{"status":"stuck","loops":[{"name":"slow","last_active_seconds":"#),
            "{body}"
        );
        assert_eq!(health.stuck(), ["slow"]);
    }

    #[test]
    fn a_gate_whose_memory_is_short_is_healthy_and_says_so() {
        let health = Health::new(&[]);
        health.set_memory(Status { level: Level::Closed, used: 900, limit: 1000 });
        let (code, body) = health.healthy();
        let memory = r#""memory":{"level":"closed","used_bytes":900,"limit_bytes":1000}"#;
        assert!(code == StatusCode::OK && body.contains(memory), "{body}");
    }

    #[test]
    fn ready_only_between_start_and_drain() {
        let health = Health::new(&[]);
        assert_eq!(health.ready().0, StatusCode::SERVICE_UNAVAILABLE);
        health.enter(Phase::Ready);
        assert_eq!(health.ready().0, StatusCode::OK);
        health.enter(Phase::Draining);
        assert_eq!(
            health.ready(),
            (StatusCode::SERVICE_UNAVAILABLE, "draining: finishing requests in hand\n".into())
        );
        assert_eq!(health.healthy().0, StatusCode::OK);
    }
}
