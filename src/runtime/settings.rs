//! What the parts of a gate take from a config.

use std::sync::Arc;
use std::time::Duration;

use crate::access::WriteAccess;
use crate::clock::milliseconds;
use crate::config::Config;
use crate::memory::{self, WritePort};
use crate::{aggregate, cardinality, intake, pipeline};

/// What the pipeline takes from a config.
pub(crate) fn pipeline_settings(config: &Config) -> pipeline::Settings {
    pipeline::Settings {
        max_tracked: config.series.max_tracked,
        max_tenants: config.tenant.max,
        max_decoded_bytes: config.listen.max_decoded_bytes,
        limits: config.series.limits(),
        max_future_ms: config.series.max_future.map(milliseconds),
        validation: config.upstream.validation,
        long_values: config.upstream.long_values,
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
        subjects: Arc::clone(&config.series.subjects),
    }
}

/// What the write port takes from a config. Of `listen.drain_timeout` a quarter is left for what aggregations made.
pub(super) fn intake_settings(
    config: &Config,
    access: Arc<WriteAccess>,
    port: Arc<WritePort>,
    seed: u64,
) -> intake::Settings {
    let mut listen = config.listen.clone();
    listen.drain_timeout = listen.drain_timeout * 3 / 4;
    let memory_limit = memory::limit(config.memory.limit_bytes);
    intake::Settings { listen, tenant: config.tenant.clone(), access, memory_limit, port, seed }
}
