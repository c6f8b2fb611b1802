//! Forgets idle series, a shard at a time, and counts on the way what each policy saves. After each round the buffers
//! that no request uses go back to the allocator.
//!
//! A full round takes a sixteenth of `series.idle_after`, 16 seconds at most: a series is forgotten that much
//! later than the setting says, at worst, and the saved-series gauges are that old.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::shared::Runtime;
use crate::cardinality::Walk;
use crate::intake::Heartbeat;
use crate::policy::{PolicyIndex, VerdictId};
use crate::series::Departed;

const LONGEST_ROUND: Duration = Duration::from_secs(16);
const SHORTEST_ROUND: Duration = Duration::from_millis(200);

/// Reading the culprits out of all counts takes up to a tenth of a second with 50,000 workloads: not each round.
const TRACKING_EVERY_SECONDS: u32 = 60;

/// Room for forgotten series that is kept from shard to shard.
const DEPARTED_KEPT: usize = 4096;

/// Series by verdict, of one shard, and the generation whose verdicts they are.
#[derive(Clone, Default)]
struct VerdictCounts {
    generation: u32,
    series: BTreeMap<VerdictId, u64>,
}

/// What one round hands on to the next.
#[derive(Default)]
struct Round {
    /// Series that were forgotten.
    departed: Vec<Departed>,
    /// Series that go under other labels.
    rewritten: usize,
    /// What it has found of the series that stay.
    walk: Option<Walk>,
    /// Whether somebody has been told that series are held back.
    warned: bool,
}

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let shards = runtime.pipeline.index().shards();
    let mut counts_by_shard = vec![VerdictCounts::default(); shards];
    let mut round = Round::default();
    let mut tracked_at = 0;
    let mut tracking: Option<JoinHandle<()>> = None;
    loop {
        let length = (runtime.idle_now() / 16).clamp(SHORTEST_ROUND, LONGEST_ROUND);
        for (shard, counts) in counts_by_shard.iter_mut().enumerate() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(length / shards as u32) => {}
            }
            round.sweep(&runtime, shard, counts);
            heartbeat();
        }
        publish(&runtime, &counts_by_shard);
        round.end(&runtime);
        let now = runtime.pipeline.clock().unix_seconds();
        let is_due = now.saturating_sub(tracked_at) >= TRACKING_EVERY_SECONDS;
        if is_due && tracking.as_ref().is_none_or(JoinHandle::is_finished) {
            tracked_at = now;
            tracking = Some(tokio::spawn(publish_tracking(Arc::clone(&runtime))));
        }
    }
}

impl Round {
    fn sweep(&mut self, runtime: &Runtime, shard: usize, counts: &mut VerdictCounts) {
        let generation = runtime.pipeline.policies().generation;
        *counts = VerdictCounts { generation, series: BTreeMap::new() };
        let now = runtime.pipeline.clock().unix_seconds();
        let before =
            |idle: Duration| now.saturating_sub(u32::try_from(idle.as_secs()).unwrap_or(u32::MAX).max(1));
        let (horizon, usual) = (before(runtime.idle_now()), before(runtime.idle_after()));
        let visit = |decided_under, verdict| {
            if decided_under == generation {
                *counts.series.entry(VerdictId::from_bits(verdict)).or_default() += 1;
            }
        };
        let index = runtime.pipeline.index();
        let found = index.expire(shard, (horizon, now), &mut self.departed, visit);
        let early = self.departed.iter().filter(|series| series.last_seen >= usual).count();
        let tracker = runtime.pipeline.tracker();
        runtime.pipeline.series_expired(&self.departed, now);
        let walk = self.walk.get_or_insert_with(|| tracker.begin_walk(now));
        tracker.walk(walk, index, shard);
        self.departed.clear();
        self.departed.shrink_to(DEPARTED_KEPT);
        self.rewritten += found.rewritten;
        runtime.process.expired_series.increment((found.series - early) as u64);
        runtime.process.evicted_series.increment(early as u64);
    }

    fn end(&mut self, runtime: &Runtime) {
        runtime.gate.let_go();
        runtime.memory.end_round(runtime.idle_after());
        let pipeline = &runtime.pipeline;
        if let Some(walk) = self.walk.take() {
            pipeline.tracker().end_walk(walk);
        }
        let now = pipeline.clock().unix_seconds();
        pipeline.tracker().sweep(now);
        pipeline.limits().sweep(now, u32::try_from(runtime.idle_after().as_secs()).unwrap_or(u32::MAX));
        if pipeline.renew_edits(self.rewritten) {
            tracing::debug!(rewritten = self.rewritten, "label edits of series that are gone were dropped");
        }
        let contested = pipeline.index().contested();
        if contested > 0 && !self.warned {
            tracing::warn!(
                series = contested,
                "relabel policies give series an identity that another series has; those that came later are held \
                 back (seriesgate_contested_series)"
            );
        }
        self.warned = contested > 0;
        runtime.process.rewritten_series.set(self.rewritten as f64);
        self.rewritten = 0;
    }
}

/// Not on a worker, and not beside a report: both read all counts.
async fn publish_tracking(runtime: Arc<Runtime>) {
    let turn = Arc::clone(&runtime.reports).acquire_owned().await;
    let work = move || {
        let _turn = turn;
        let (tracker, now) = (runtime.pipeline.tracker(), runtime.pipeline.clock().unix_seconds());
        runtime.tracking.publish(tracker.is_warming_up(now), &tracker.usage(), &tracker.findings(now));
    };
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!(%error, "what is tracked was not published");
    }
}

fn publish(runtime: &Runtime, counts_by_shard: &[VerdictCounts]) {
    let policies = runtime.pipeline.policies();
    let all = policies.set.policies();
    let mut saved = vec![0u64; all.len()];
    // other policies have come since a shard was looked at: its verdicts mean something else now
    let current = counts_by_shard.iter().filter(|counts| counts.generation == policies.generation);
    for (verdict, series) in current.flat_map(|counts| &counts.series) {
        let row = policies.set.row(*verdict);
        for (PolicyIndex(index), effect) in &row.matched {
            if let Some(count) = saved.get_mut(usize::from(*index))
                && effect.withholds()
            {
                *count += series;
            }
        }
    }
    // what groups save their own counts say
    let by_groups = |index| policies.set.aggregation(index).is_some() && policies.set.limit(index).is_none();
    let numbered = (0..).map(PolicyIndex).zip(all.iter().zip(saved));
    for (index, (policy, series)) in numbered.filter(|(index, _)| !by_groups(*index)) {
        let made = if policies.set.keeps_input(index) { u64::MAX } else { policies.preview_groups(index) };
        runtime.data.policies().account(policy).saves(series.saturating_sub(made));
    }
}
