//! The parts of a gate, made of a config: nothing listens yet, and nothing runs.

use std::sync::Arc;

use super::access::Accesses;
use super::error::StartError;
use super::queues;
use super::settings::pipeline_settings;
use super::snapshots::{Last, Snapshots};
use crate::admission;
use crate::aggregate::Restored;
use crate::clock::Clock;
use crate::config::Config;
use crate::egress::Client;
use crate::gate::{Aggregating, Gate, Upstream};
use crate::health::Health;
use crate::pipeline::Pipeline;
use crate::policy::{PolicySet, Run};
use crate::series::Fingerprinter;
use crate::telemetry::{
    AggregationMetrics, DataMetrics, EgressMetrics, IntakeMetrics, ProcessMetrics, Registry,
};

/// Loops that must show themselves, and within how many seconds; where there is a queue, what delivers it and what writes it.
const LOOPS: [(&str, f64); 7] = [
    ("accept", 30.0),
    ("expiry", 30.0),
    ("memory", 30.0),
    ("config", 30.0),
    ("aggregation", 60.0),
    ("limits", 60.0),
    ("flush", 90.0),
];
const QUEUE_LOOPS: [(&str, f64); 2] = [("queue", 90.0), ("disk", 90.0)];

/// What a gate consists of.
pub(super) struct Parts {
    pub(super) registry: Arc<Registry>,
    pub(super) intake: Arc<IntakeMetrics>,
    pub(super) data: Arc<DataMetrics>,
    pub(super) process: ProcessMetrics,
    pub(super) health: Arc<Health>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) gate: Arc<Gate>,
    pub(super) snapshots: Option<Arc<Snapshots>>,
    pub(super) accesses: Accesses,
    /// Any number, another for each gate.
    pub(super) seed: u64,
}

impl Parts {
    pub(super) fn new(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let registry = Arc::new(Registry::default());
        let intake = Arc::new(IntakeMetrics::new(&registry));
        let data = Arc::new(DataMetrics::new(&registry));
        let process = ProcessMetrics::new(&registry);
        process.config_took_effect(clock.unix_seconds());
        let accesses = Accesses::new(config).map_err(StartError::Access)?;
        let seed = u64::from(getrandom::u32()?);

        let set = PolicySet::compile(&config.policies, Run::AsConfigured).map_err(StartError::Policy)?;
        data.know(set.policies());
        let snapshots = open(config)?;
        let prints = match &snapshots {
            Some((snapshots, _)) => Fingerprinter::from_keys(snapshots.keys()),
            None => Fingerprinter::random()?,
        };
        let pipeline = Arc::new(Pipeline::new(pipeline_settings(config), set, prints, clock));
        let spool = queues::open(config, &registry)?;
        let loops = [&LOOPS[..], if spool.is_some() { &QUEUE_LOOPS } else { &[] }].concat();
        let health = Arc::new(Health::new(&loops));
        let gate = Gate::new(
            Arc::clone(&pipeline),
            upstream(config, &registry, seed)?,
            Arc::clone(&data),
            Arc::clone(&intake),
            Arc::clone(&health),
            Aggregating {
                metrics: AggregationMetrics::new(&registry),
                tenant_header: config.tenant.header.clone(),
                max_pending_samples: config.aggregation.max_pending_samples,
            },
            config.listen.on_invalid,
        );
        let gate = Arc::new(gate.with_spool(spool));
        let snapshots = snapshots.map(|(snapshots, last)| {
            keep_places(&snapshots, &pipeline, config);
            go_on(&snapshots, &last, &pipeline, &gate, config);
            Arc::new(snapshots)
        });
        if snapshots.is_none() && !pipeline.engine().is_idle() {
            tracing::warn!("no data_dir: a restart makes aggregated counters begin at zero again");
        }
        if snapshots.is_none() && !pipeline.limits().all().is_empty() {
            tracing::warn!("no data_dir: after a restart limits admit all that comes within series.warmup");
        }
        Ok(Self { registry, intake, data, process, health, pipeline, gate, snapshots, accesses, seed })
    }
}

fn open(config: &Config) -> Result<Option<(Snapshots, Last)>, StartError> {
    let open = |dir: &std::path::PathBuf| {
        Snapshots::open(dir).map_err(|error| StartError::DataDir(dir.display().to_string(), error))
    };
    config.data_dir.as_ref().map(open).transpose()
}

/// Has limits go on from where the last run was.
fn keep_places(snapshots: &Snapshots, pipeline: &Pipeline, config: &Config) {
    let idle = u32::try_from(config.series.idle_after.as_secs()).unwrap_or(u32::MAX);
    let restored = snapshots.restore_limits(pipeline.limits(), pipeline.clock().unix_seconds(), idle);
    if restored.limits > 0 {
        let admission::Restored { limits, series } = restored;
        tracing::info!(limits, series, "limits know whom they admitted before the restart");
    }
}

/// Goes on from where the last run was.
fn go_on(snapshots: &Snapshots, last: &Last, pipeline: &Pipeline, gate: &Gate, config: &Config) {
    let restored = snapshots.restore(last, pipeline, gate.outbox(), &config.policies);
    if restored == Restored::default() {
        return;
    }
    let Restored { policies, unknown, members, groups } = restored;
    pipeline.claim_groups();
    pipeline.date_restored_tenants();
    tracing::info!(aggregations = policies, members, groups, "aggregations go on from the snapshot");
    if unknown > 0 {
        tracing::warn!(
            aggregations = unknown,
            "policies of the snapshot are gone or changed; their windows are closed and their groups end"
        );
    }
}

/// Makes the upstream client of a config.
pub(super) fn upstream(config: &Config, registry: &Arc<Registry>, seed: u64) -> Result<Upstream, StartError> {
    let metrics = Arc::new(EgressMetrics::new(registry, &config.upstream.name));
    let client = Client::new(&config.upstream, Arc::clone(&metrics), seed)
        .map_err(|error| StartError::Upstream(config.upstream.name.clone(), error))?;
    Ok(Upstream { client, metrics })
}
