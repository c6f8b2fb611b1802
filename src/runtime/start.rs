//! From a config to a gate that listens.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reload::{Runtime, Source};
use super::snapshots::Snapshots;
use super::{aggregation as windows, janitor, watcher};
use crate::admin::{self, Health, Phase};
use crate::aggregate::{self, Restored, Snapshot};
use crate::cardinality;
use crate::clock::{Clock, milliseconds};
use crate::config::{Config, Loaded};
use crate::egress::{Client, EgressError};
use crate::gate::{Aggregating, Gate, Upstream, flush};
use crate::intake::{self, BindError, Drained};
use crate::pipeline::{self, Pipeline};
use crate::policy::{CompileError, PolicySet, Run};
use crate::series::{Fingerprinter, Tenant};
use crate::telemetry::{
    AggregationMetrics, DataMetrics, EgressMetrics, IntakeMetrics, ProcessMetrics, Registry,
};

/// Loops that must show themselves, and within how many seconds.
const LOOPS: [(&str, f64); 5] =
    [("accept", 30.0), ("expiry", 30.0), ("config", 30.0), ("aggregation", 60.0), ("flush", 90.0)];
/// Metrics are folded this often, scraped or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Why a gate could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The write port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin port.
    #[error("{0}")]
    Admin(String),
    /// The upstream's settings.
    #[error("upstream `{0}`: {1}")]
    Upstream(String, EgressError),
    /// A policy.
    #[error("policy {}: {}", .0.policy + 1, .0.message)]
    Policy(CompileError),
    /// The directory for snapshots.
    #[error("data_dir `{0}`: {1}; it must be a directory that this user can write to")]
    DataDir(String, std::io::Error),
    /// No source of random numbers for the keys of the identity hash.
    #[error("cannot draw the keys of the series hash: {0}")]
    Random(#[from] getrandom::Error),
    /// The operating system refuses something else (a listener's address, the signal handler).
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// A gate that runs.
pub struct Running {
    /// Where the write port listens.
    pub write_address: SocketAddr,
    /// Where the admin port listens.
    pub admin_address: SocketAddr,
    /// The parts, for reload and reports.
    pub runtime: Arc<Runtime>,
    stop: CancellationToken,
    stop_admin: CancellationToken,
    write: JoinHandle<std::io::Result<Drained>>,
    loops: Vec<JoinHandle<()>>,
    flush: JoinHandle<()>,
    stop_flush: CancellationToken,
}

impl Running {
    /// Stops accepting, finishes what is in hand (`listen.drain_timeout` at most) and ends all loops.
    pub async fn shutdown(self) -> Drained {
        self.runtime.health.enter(Phase::Draining);
        self.stop.cancel();
        let drained = match self.write.await {
            Ok(Ok(drained)) => drained,
            Ok(Err(error)) => {
                tracing::error!(%error, "the write port failed");
                Drained { aborted: 0 }
            }
            Err(error) => {
                tracing::error!(%error, "the write port's task failed");
                Drained { aborted: 0 }
            }
        };
        // the admin port answers until the drain is over
        self.stop_admin.cancel();
        for task in self.loops {
            if let Err(error) = task.await {
                tracing::error!(%error, "a loop failed");
            }
        }
        // last: what the others still made is sent if the upstream takes it
        self.stop_flush.cancel();
        if let Err(error) = self.flush.await {
            tracing::error!(%error, "the loop that sends aggregated samples failed");
        }
        windows::save(&self.runtime).await;
        drained
    }
}

/// Makes the upstream client of a config.
pub(super) fn upstream(config: &Config, registry: &Arc<Registry>, seed: u64) -> Result<Upstream, StartError> {
    let metrics = Arc::new(EgressMetrics::new(registry, &config.upstream.name));
    let client = Client::new(&config.upstream, Arc::clone(&metrics), seed)
        .map_err(|error| StartError::Upstream(config.upstream.name.clone(), error))?;
    Ok(Upstream { client, metrics })
}

/// What the pipeline takes from a config.
pub(crate) fn pipeline_settings(config: &Config) -> pipeline::Settings {
    pipeline::Settings {
        max_tracked: config.series.max_tracked,
        max_tenants: config.tenant.max,
        max_decoded_bytes: config.listen.max_decoded_bytes,
        limits: config.series.limits(),
        stale_markers: config.series.stale_markers,
        tracking: tracking(config),
        aggregation: aggregation(config),
    }
}

fn aggregation(config: &Config) -> aggregate::Settings {
    aggregate::Settings {
        max_groups: config.aggregation.max_groups,
        max_members: config.series.max_tracked,
        max_tombstones: config.aggregation.max_tombstones,
        max_types: config.aggregation.max_types,
        max_future_ms: milliseconds(config.aggregation.max_future),
        idle_ms: milliseconds(config.series.idle_after),
    }
}

fn tracking(config: &Config) -> cardinality::Settings {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let tracking = &config.tracking;
    cardinality::Settings {
        warmup: seconds(config.series.warmup),
        idle_after: seconds(config.series.idle_after),
        max_metrics: tracking.max_metrics,
        max_workloads: tracking.max_workloads,
        max_runs: tracking.max_runs,
        max_senders: tracking.max_senders,
        max_nodes: tracking.max_nodes,
        max_owners: tracking.max_owners,
        max_causes: tracking.max_causes,
        max_labels: tracking.max_labels,
        values_per_label: tracking.values_per_label,
        filter_bytes: tracking.filter_bytes,
    }
}

/// Starts a gate: binds both ports, then runs until [`Running::shutdown`].
///
/// # Errors
/// If a port cannot be bound, or the config cannot be carried out on this machine.
pub async fn start(loaded: Loaded, source: Source, clock: Clock) -> Result<Running, StartError> {
    let config = loaded.config.clone();
    let registry = Arc::new(Registry::default());
    let intake_metrics = Arc::new(IntakeMetrics::new(&registry));
    let data = Arc::new(DataMetrics::new(&registry));
    let process = ProcessMetrics::new(&registry);
    let health = Arc::new(Health::new(&LOOPS));
    let seed = u64::from(getrandom::u32()?);
    let hangups = watcher::hangups()?;

    let set = PolicySet::compile(&config.policies, Run::AsConfigured).map_err(StartError::Policy)?;
    data.know(set.policies());
    let snapshot = config.data_dir.as_deref().and_then(Snapshots::read);
    let keys =
        snapshot.as_ref().map_or_else(Fingerprinter::draw_keys, |snapshot| Ok(snapshot.keys.clone()))?;
    let prints = Fingerprinter::from_keys(&keys);
    let snapshots = match &config.data_dir {
        Some(dir) => Some(
            Snapshots::new(dir, keys)
                .map_err(|error| StartError::DataDir(dir.display().to_string(), error))?,
        ),
        None => None,
    };
    let pipeline = Arc::new(Pipeline::new(pipeline_settings(&config), set, prints.clone(), clock));
    let upstream = upstream(&config, &registry, seed)?;
    let gate = Arc::new(Gate::new(
        Arc::clone(&pipeline),
        upstream,
        Arc::clone(&data),
        Arc::clone(&intake_metrics),
        Arc::clone(&health),
        Aggregating {
            metrics: AggregationMetrics::new(&registry),
            tenant_header: config.tenant.header.clone(),
            max_pending_samples: config.aggregation.max_pending_samples,
        },
    ));

    if let (Some(snapshot), Some(dir)) = (snapshot, &config.data_dir) {
        restore(&snapshot, dir, &pipeline, &prints, &gate);
    } else if snapshots.is_none() && !pipeline.engine().is_idle() {
        tracing::warn!("no data_dir: a restart makes aggregated counters begin at zero again");
    }

    let listener = intake::bind(&config.listen)?;
    let write_address = listener.local_addr()?;
    let admin_listener = admin::bind(config.admin.address).await.map_err(StartError::Admin)?;
    let admin_address = admin_listener.local_addr()?;

    let settings = intake::Settings { listen: config.listen.clone(), tenant: config.tenant.clone(), seed };
    let runtime = Arc::new(Runtime::new(
        loaded,
        source,
        registry,
        data,
        process,
        health,
        pipeline,
        Arc::clone(&gate),
        seed,
        snapshots,
    ));
    let (stop, stop_admin) = (CancellationToken::new(), CancellationToken::new());

    let heartbeat = beat(&runtime, "accept");
    let write =
        tokio::spawn(intake::serve(listener, settings, gate, intake_metrics, heartbeat, stop.clone()));
    let loops = vec![
        tokio::spawn(admin::serve(admin_listener, Arc::clone(&runtime), stop_admin.clone())),
        tokio::spawn(windows::run(Arc::clone(&runtime), beat(&runtime, "aggregation"), stop_admin.clone())),
        tokio::spawn(janitor::run(Arc::clone(&runtime), beat(&runtime, "expiry"), stop_admin.clone())),
        tokio::spawn(watcher::run(
            Arc::clone(&runtime),
            hangups,
            beat(&runtime, "config"),
            stop_admin.clone(),
        )),
        tokio::spawn(upkeep(Arc::clone(&runtime), stop_admin.clone())),
    ];
    let stop_flush = CancellationToken::new();
    let heartbeat = beat(&runtime, "flush");
    let flush = tokio::spawn(flush::run(Arc::clone(&runtime.gate), move || heartbeat(), stop_flush.clone()));
    runtime.health.enter(Phase::Ready);
    Ok(Running { write_address, admin_address, runtime, stop, stop_admin, write, loops, flush, stop_flush })
}

/// Goes on from where the last run was.
fn restore(snapshot: &Snapshot, dir: &Path, pipeline: &Pipeline, prints: &Fingerprinter, gate: &Gate) {
    let register = |name: &str| match pipeline.tenants().resolve(name, prints) {
        Tenant::Known { group, .. } => Some(group),
        Tenant::Overflow => None,
    };
    match pipeline.engine().restore(snapshot, pipeline.clock().unix_ms(), gate.outbox(), register) {
        Ok(restored) => {
            let Restored { policies, unknown, members, groups } = restored;
            pipeline.claim_groups();
            tracing::info!(policies, members, groups, "aggregations go on from the snapshot");
            if unknown > 0 {
                tracing::warn!(
                    policies = unknown,
                    "policies of the snapshot are gone or changed; their aggregations are left"
                );
            }
        }
        Err(error) => {
            pipeline.engine().forget_all();
            Snapshots::set_aside(dir, &error);
        }
    }
}

fn beat(runtime: &Arc<Runtime>, name: &'static str) -> intake::Heartbeat {
    match runtime.health.heartbeat(name) {
        Some(heartbeat) => Arc::new(move || heartbeat.beat()),
        None => Arc::new(|| {}),
    }
}

async fn upkeep(runtime: Arc<Runtime>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_EVERY) => runtime.registry.upkeep(),
        }
    }
}
