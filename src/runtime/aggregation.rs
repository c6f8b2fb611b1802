//! Closes the windows of aggregations and hands on what they made; forgets what is idle.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Runtime;
use crate::clock;
use crate::intake::Heartbeat;
use crate::telemetry::UNTYPED_NAMED;

/// How often windows are looked at. Requests close those that their own time has passed.
const EVERY: Duration = Duration::from_millis(500);
/// Idle series are looked for this many times in `series.idle_after`.
const ROUNDS: u32 = 16;
/// A crash costs at most what came since the last snapshot.
const SNAPSHOT_EVERY_MS: i64 = 10_000;
/// How often silent scopes are looked for.
const TENANTS_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let started = runtime.pipeline.clock().unix_ms();
    let (mut expired_at, mut saved_at) = (started, started);
    let mut warned = 0;
    let (mut tenants_at, mut overflowed) = (clock::monotonic(), 0);
    loop {
        heartbeat();
        let made = aside(&runtime, collect).await;
        let now = runtime.pipeline.clock().unix_ms();
        if made || now - saved_at >= SNAPSHOT_EVERY_MS {
            saved_at = now;
            save(&runtime).await;
        }
        runtime.gate.outbox().release();
        let round = clock::milliseconds(runtime.idle_after() / ROUNDS).max(1);
        if now - expired_at >= round {
            expired_at = now;
            aside(&runtime, |runtime| {
                runtime.pipeline.engine().expire(runtime.pipeline.clock().now());
                runtime.pipeline.claim_groups();
                publish(runtime);
            })
            .await;
            warned = warn(&runtime, warned);
        }
        if tenants_at.elapsed() >= TENANTS_EVERY {
            tenants_at = clock::monotonic();
            overflowed = aside(&runtime, move |runtime| look_after_tenants(runtime, overflowed)).await;
        }
        tokio::select! {
            () = stop.cancelled() => {
                aside(&runtime, collect).await;
                save(&runtime).await;
                runtime.gate.outbox().release();
                return;
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Runs work that takes tens of milliseconds with many groups on a thread that no request needs.
async fn aside<T: Default + Send + 'static>(
    runtime: &Arc<Runtime>,
    work: impl FnOnce(&Runtime) -> T + Send + 'static,
) -> T {
    let shared = Arc::clone(runtime);
    tokio::task::spawn_blocking(move || work(&shared)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "closing or forgetting windows failed");
        T::default()
    })
}

/// Takes what windows made; returns whether that was anything.
fn collect(runtime: &Runtime) -> bool {
    let engine = runtime.pipeline.engine();
    let collected = engine.collect(runtime.pipeline.clock().now());
    let made = !collected.is_empty();
    for (tenant, aggregator, points) in collected {
        let metrics = runtime.gate.aggregation();
        metrics.made(&points);
        runtime.data.policies().made(&aggregator.name, points.len() as u64);
        runtime.gate.outbox().push(tenant, points);
    }
    made
}

/// Writes a snapshot. What was made is sent only after this, so that no value upstream is ever ahead of the state that
/// a restart begins from: a counter that is continued never falls.
pub(super) async fn save(runtime: &Arc<Runtime>) {
    if runtime.snapshots.is_none() || runtime.pipeline.engine().is_idle() {
        return;
    }
    let began = clock::monotonic();
    let shared = Arc::clone(runtime);
    let written = tokio::task::spawn_blocking(move || {
        let names = shared.pipeline.tenants().names();
        let snapshots = shared.snapshots.as_ref()?;
        Some(snapshots.write(shared.pipeline.engine(), &names, shared.gate.outbox()))
    });
    let metrics = runtime.gate.aggregation();
    match written.await {
        Ok(Some(Ok(bytes))) => {
            metrics.snapshots.increment(1);
            metrics.snapshot_bytes.set(bytes as f64);
            metrics.snapshot_seconds.set(began.elapsed().as_secs_f64());
        }
        Ok(None) => {}
        Ok(Some(Err(error))) => {
            metrics.snapshot_failures.increment(1);
            tracing::error!(%error, "no snapshot of aggregations could be written; after a crash counters may fall");
        }
        Err(error) => {
            metrics.snapshot_failures.increment(1);
            tracing::error!(%error, "writing the snapshot of aggregations failed");
        }
    }
}

/// Forgets silent scopes, and says so when others found no room; `before` is how often that was at the last look.
fn look_after_tenants(runtime: &Runtime, before: u64) -> u64 {
    let pipeline = &runtime.pipeline;
    pipeline.forget_silent_tenants(|number| runtime.gate.outbox().holds(number));
    let requests = pipeline.tenants().overflowed();
    if requests > before {
        tracing::warn!(
            requests = requests - before,
            told_apart = pipeline.tenants().len(),
            "requests of tenants beyond `tenant.max`, or of a scope too long to remember, are passed through: no policy \
             applies to them"
        );
    }
    requests
}

/// Says so when series are found to be sampled slower than their policy's interval; returns how many there are.
fn warn(runtime: &Runtime, before: u64) -> u64 {
    let aggregators = runtime.pipeline.engine().aggregators();
    let slow = aggregators.iter().map(|aggregator| (aggregator.name.clone(), aggregator.counts().slow));
    let slow: Vec<_> = slow.filter(|(_, slow)| *slow > 0).collect();
    let all = slow.iter().map(|(_, slow)| slow).sum();
    // each time there are twice as many, not each time
    if all > 2 * before {
        for (policy, series) in slow {
            tracing::warn!(
                policy = &*policy,
                series,
                "series are sampled slower than the interval of the policy that aggregates them; gauges of theirs come \
                 and go: give it a longer `interval`"
            );
        }
        return all;
    }
    before
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
    metrics.publish_untyped(&engine.types.most_untyped(UNTYPED_NAMED));
    metrics.pending.set(runtime.gate.outbox().len() as f64);
    metrics.overflowed(runtime.gate.outbox().lost());
    metrics.refused(engine.types.refused(), engine.forgotten_senders());
    metrics.restarted.absolute(runtime.pipeline.restarted());
}
