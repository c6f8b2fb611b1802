//! Closes the windows of aggregations and hands on what they made; forgets what is idle.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::shared::Runtime;
use crate::aggregate::Collected;
use crate::clock;
use crate::intake::Heartbeat;
use crate::telemetry::UNTYPED_NAMED;

/// How often windows are looked at. Requests close those that their own time has passed.
const EVERY: Duration = Duration::from_millis(500);
/// Idle series are looked for this many times in `series.idle_after`.
const ROUNDS: u32 = 16;
/// How often silent scopes are looked for.
const TENANTS_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let mut expired_at = runtime.pipeline.clock().mono_ms();
    let mut warned = 0;
    let (mut tenants_at, mut overflowed) = (clock::monotonic(), 0);
    loop {
        heartbeat();
        aside(&runtime, collect).await;
        save(&runtime, false).await;
        let now = runtime.pipeline.clock().mono_ms();
        let round = clock::milliseconds(runtime.idle_now() / ROUNDS).max(1);
        if now - expired_at >= round {
            expired_at = now;
            aside(&runtime, |runtime| {
                runtime.pipeline.expire_groups();
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
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Takes what windows made when no request comes any more. Without a `data_dir` nothing goes on from here: windows are
/// closed that still wait, and the open ones too.
pub(super) async fn last(runtime: &Arc<Runtime>) {
    if runtime.snapshots.is_none() {
        aside(runtime, |runtime| take(runtime, runtime.pipeline.engine().stop())).await;
    } else {
        aside(runtime, collect).await;
        aside(runtime, |runtime| take(runtime, runtime.pipeline.engine().leave())).await;
    }
    save(runtime, true).await;
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

/// Takes what windows made.
fn collect(runtime: &Runtime) {
    take(runtime, runtime.pipeline.collect());
}

fn take(runtime: &Runtime, collected: Vec<Collected>) {
    for (tenant, aggregator, points) in collected {
        runtime.gate.aggregation().made(&points);
        runtime.data.policies().made(&aggregator.name, points.len() as u64);
        runtime.gate.outbox().push(tenant, points);
    }
}

/// Writes what has to be written, with `all` whatever changed. What was made is sent only after this, so that no value
/// upstream is ever ahead of the state that a restart begins from: a counter that is continued never falls. What could not
/// be written holds its points back.
pub(super) async fn save(runtime: &Arc<Runtime>, all: bool) {
    let Some(snapshots) = &runtime.snapshots else {
        runtime.gate.outbox().release_all();
        return;
    };
    let began = clock::monotonic();
    let snapshots = Arc::clone(snapshots);
    let saved = aside(runtime, move |runtime| {
        let (pipeline, outbox) = (&runtime.pipeline, runtime.gate.outbox());
        let names = pipeline.tenants().names();
        snapshots.save(pipeline.engine(), &names, outbox, pipeline.clock().unix_ms(), all)
    })
    .await;
    let metrics = runtime.gate.aggregation();
    if saved.written.tenants > 0 {
        metrics.snapshots.increment(1);
        metrics.snapshot_written.increment(saved.written.bytes);
        metrics.snapshot_seconds.set(began.elapsed().as_secs_f64());
    }
    metrics.snapshot_bytes.set(saved.all_bytes as f64);
    if let Some(error) = saved.failed {
        metrics.snapshot_failures.increment(1);
        if !saved.failed_before {
            tracing::error!(
                %error,
                "snapshots of aggregations cannot be written; what they made is held back until they can"
            );
        }
    } else if saved.failed_before && saved.written.tenants > 0 {
        tracing::info!("snapshots of aggregations are written again");
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
            "nothing is remembered of requests of tenants beyond `tenant.max` or that came while memory was short, or of a scope too \
             long to remember: policies drop, pass and relabel their series, and aggregate nothing"
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
                "series are sampled slower than the interval of the policy that aggregates them; their gauges are \
                 carried on by their own period: give it a longer `interval` if that is not meant"
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
    let policies = runtime.pipeline.policies();
    let limiting: Vec<_> = policies.set.limiting().into_iter().flatten().map(|limit| limit.name).collect();
    for aggregator in engine.aggregators() {
        let counts = aggregator.counts();
        metrics.publish(&aggregator.name, &counts);
        // of a limit the series that it does not admit are counted, whether they are added up or not
        if limiting.contains(&aggregator.name) {
            continue;
        }
        let saved = counts.members.saturating_sub(counts.groups);
        runtime.data.policies().aggregation_saves(&aggregator.name, saved as u64);
    }
    metrics.publish_untyped(&engine.types.most_untyped(UNTYPED_NAMED));
    metrics.pending.set(runtime.gate.outbox().len() as f64);
    metrics.overflowed(runtime.gate.outbox().lost());
    metrics.held.set(runtime.gate.outbox().held() as f64);
    metrics.refused(engine.types.given_up(), engine.forgotten_senders());
    metrics.given_up(engine.given_up());
    metrics.restarted.absolute(runtime.pipeline.restarted());
}
