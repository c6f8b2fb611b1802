//! Closes the windows of aggregations and hands on what they made; forgets what is idle.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Runtime;
use crate::intake::Heartbeat;
use crate::telemetry::UNTYPED_NAMED;

/// How often windows are looked at. Requests close those that their own time has passed.
const EVERY: Duration = Duration::from_millis(500);
/// Idle series are looked for this many times in `series.idle_after`.
const ROUNDS: u32 = 16;

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let started = runtime.pipeline.clock().unix_ms();
    let mut expired_at = started;
    loop {
        heartbeat();
        collect(&runtime);
        let now = runtime.pipeline.clock().unix_ms();
        let round = i64::try_from((runtime.idle_after() / ROUNDS).as_millis()).unwrap_or(i64::MAX).max(1);
        if now - expired_at >= round {
            expired_at = now;
            runtime.pipeline.engine().expire();
            publish(&runtime);
        }
        tokio::select! {
            () = stop.cancelled() => {
                collect(&runtime);
                return;
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Takes what windows made and lets it be sent.
fn collect(runtime: &Runtime) {
    let engine = runtime.pipeline.engine();
    for (tenant, aggregator, points) in engine.collect(runtime.pipeline.clock().unix_ms()) {
        let metrics = runtime.gate.aggregation();
        metrics.made(&points);
        runtime.data.policies().made(&aggregator.name, points.len() as u64);
        runtime.gate.outbox().push(tenant, points);
    }
    runtime.gate.outbox().release();
}

/// Says what aggregations hold.
pub(super) fn publish(runtime: &Runtime) {
    let metrics = runtime.gate.aggregation();
    let engine = runtime.pipeline.engine();
    for aggregator in engine.aggregators() {
        let counts = aggregator.counts();
        metrics.publish(&aggregator.name, &counts);
        let saved = counts.members.saturating_sub(counts.groups);
        runtime.data.policies().aggregation_saves(&aggregator.name, saved as u64);
    }
    metrics.publish_untyped(&engine.most_untyped(UNTYPED_NAMED));
    metrics.pending.set(runtime.gate.outbox().len() as f64);
    metrics.overflowed(runtime.gate.outbox().lost());
    metrics.restarted.absolute(runtime.pipeline.restarted());
}
