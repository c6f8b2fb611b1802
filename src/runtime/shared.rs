//! What the loops, the admin port and reloads have in common.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::access::Accesses;
use super::memory::Memory;
use super::parts::Parts;
use super::snapshots::Snapshots;
use crate::config::{Config, ConfigErrors, FilesRead, Loaded};
use crate::gate::Gate;
use crate::health::Health;
use crate::memory;
use crate::pipeline::Pipeline;
use crate::telemetry::{DataMetrics, LimitMetrics, ProcessMetrics, Registry, TrackingMetrics};

/// Where the config comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, read again on reload.
    File(PathBuf),
    /// Made in the program; there is nothing to read again.
    Fixed,
}

impl Source {
    pub(super) fn load(&self) -> Option<Result<Loaded, ConfigErrors>> {
        match self {
            Source::File(path) => Some(Config::load(path, &|name| std::env::var(name).ok())),
            Source::Fixed => None,
        }
    }
}

/// The parts of a running gate that reloads, loops and the admin port share.
pub struct Runtime {
    /// Health of the loops.
    pub health: Arc<Health>,
    /// The data path.
    pub pipeline: Arc<Pipeline>,
    pub(super) registry: Arc<Registry>,
    pub(super) process: ProcessMetrics,
    pub(super) memory: Memory,
    pub(super) tracking: TrackingMetrics,
    pub(super) limits: LimitMetrics,
    pub(super) data: Arc<DataMetrics>,
    pub(super) gate: Arc<Gate>,
    pub(super) reports: Arc<Semaphore>,
    pub(super) source: Source,
    pub(super) config: ArcSwap<Config>,
    /// The config of the start, which holds on for what no reload changes.
    pub(super) started: Arc<Config>,
    /// The files last looked at, good or bad; held for the length of a reload, so they come one by one.
    pub(super) seen: Mutex<FilesRead>,
    pub(super) seed: u64,
    /// Where the state of aggregations is kept; `None`: in memory only.
    pub(super) snapshots: Option<Arc<Snapshots>>,
    /// Who may use the ports.
    pub(super) accesses: Accesses,
}

impl Runtime {
    pub(super) fn new(loaded: Loaded, source: Source, parts: Parts) -> Self {
        let Parts { registry, data, process, health, pipeline, gate, snapshots, accesses, seed, intake: _ } =
            parts;
        let started = Arc::new(loaded.config);
        Self {
            health,
            pipeline,
            memory: Memory::new(memory::limit(started.memory.limit_bytes)),
            tracking: TrackingMetrics::new(&registry),
            limits: LimitMetrics::new(&registry),
            registry,
            process,
            data,
            gate,
            reports: Arc::new(Semaphore::new(1)),
            source,
            config: ArcSwap::new(Arc::clone(&started)),
            started,
            seen: Mutex::new(loaded.files),
            seed,
            snapshots,
            accesses,
        }
    }

    /// After how long without a sample a series is forgotten, as configured.
    pub(super) fn idle_after(&self) -> Duration {
        self.config.load().series.idle_after
    }

    /// The same as it is now: sooner where memory is short.
    pub(super) fn idle_now(&self) -> Duration {
        self.memory.idle_after(self.idle_after())
    }
}
