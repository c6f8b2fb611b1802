//! Forgets idle series, a shard at a time, and counts on the way what each policy saves.
//!
//! A full round takes a sixteenth of `series.idle_after`, 16 seconds at most: a series is forgotten that much
//! later than the setting says, at worst, and the saved-series gauges are that old.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Runtime;
use crate::intake::Heartbeat;
use crate::policy::{Action, PolicyIndex, VerdictId};

const LONGEST_ROUND: Duration = Duration::from_secs(16);
const SHORTEST_ROUND: Duration = Duration::from_millis(200);

/// Series by verdict, of one shard.
type Tally = BTreeMap<VerdictId, u64>;

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let shards = runtime.pipeline.index().shards();
    let mut tallies = vec![Tally::new(); shards];
    loop {
        let round = (runtime.idle_after() / 16).clamp(SHORTEST_ROUND, LONGEST_ROUND);
        for (shard, tally) in tallies.iter_mut().enumerate() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(round / shards as u32) => {}
            }
            sweep(&runtime, shard, tally);
            heartbeat();
        }
        publish(&runtime, &tallies);
    }
}

fn sweep(runtime: &Runtime, shard: usize, tally: &mut Tally) {
    tally.clear();
    let generation = runtime.pipeline.policies().generation;
    let idle = u32::try_from(runtime.idle_after().as_secs()).unwrap_or(u32::MAX).max(1);
    let horizon = runtime.pipeline.clock().unix_seconds().saturating_sub(idle);
    let expired = runtime.pipeline.index().expire(shard, horizon, |decided_under, verdict| {
        if decided_under == generation {
            *tally.entry(VerdictId::from_bits(verdict)).or_default() += 1;
        }
    });
    runtime.process.expired_series.increment(expired as u64);
}

fn publish(runtime: &Runtime, tallies: &[Tally]) {
    let policies = runtime.pipeline.policies();
    let all = policies.set.policies();
    let mut saved = vec![0u64; all.len()];
    for (verdict, series) in tallies.iter().flatten() {
        let row = policies.set.row(*verdict);
        for PolicyIndex(index) in row.ended_by.iter().chain(&row.previewed) {
            if let Some(count) = saved.get_mut(usize::from(*index)) {
                *count += series;
            }
        }
    }
    for (policy, series) in all.iter().zip(saved) {
        let series = if policy.action == Action::Drop { series } else { 0 };
        runtime.process.saved_series(&policy.name, policy.mode.as_str(), series);
    }
}
