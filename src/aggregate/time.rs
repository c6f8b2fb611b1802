//! Windows close: by the time of the samples; by our clock only what has ended, and nothing ahead of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aggregator::Aggregator;
use super::close::{Closing, over_at, whole};
use super::engine::{Collected, Engine};
use super::group::{EndedGroup, Group, Named};
use super::pace::SILENT_MS;
use super::partition::Partition;
use super::point::Batch;
use super::tenant::Tenant;
use crate::clock::Now;
use crate::policy::Aggregation;

/// Windows held open at most, so that an outage does not take memory without bound; then the oldest closes.
const MOST_OPEN: i64 = 60;
/// Windows that end later than this after our clock's time were closed by a clock that was wrong, milliseconds.
const WRONG_MS: i64 = 60_000;
/// How long the last value of a counter that is gone is remembered, milliseconds.
pub(super) const TOMBSTONE_MS: i64 = 24 * 3_600_000;

/// A moment, as aggregations go by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// Unix milliseconds, by a clock that nobody has just set.
    pub(super) ms: i64,
    /// The later of that and what the wall clock shows.
    pub(super) latest_ms: i64,
    pub(super) mono_ms: i64,
}

/// Windows of `aggregation` up to this end are over, given up to when all is over and the newest sample.
pub(super) fn over(mark: i64, newest_ms: i64, aggregation: &Aggregation) -> i64 {
    let most = aggregation.interval_ms.saturating_mul(MOST_OPEN);
    over_at(mark, aggregation).max(whole(newest_ms.saturating_sub(most), aggregation))
}

/// The time of the newest samples of a request, but for a tenth that may have times of their own.
fn newest_but_strays(batch: &Batch) -> Option<i64> {
    let mut times: Vec<i64> = batch.samples.iter().map(|sample| sample.ms).collect();
    let last = times.len().checked_sub(1)?;
    Some(*times.select_nth_unstable(last - last / 10).1)
}

impl Engine {
    pub(super) fn time(&self, now: Now) -> Time {
        let ms = self.steady.lock().at(now);
        Time { ms, latest_ms: ms.max(now.unix_ms), mono_ms: now.mono_ms }
    }

    /// Notes of what time the samples of a request are.
    pub(super) fn hear(&self, batch: &Batch, now: Now) {
        self.steady.lock().hear(batch.sender, now, || newest_but_strays(batch));
    }

    /// Closes what is over by now, and hands out the points made: tenant, policy, points.
    pub fn collect(&self, now: Now) -> Vec<Collected> {
        let time = self.time(now);
        if let Some(by_ms) = self.steady.lock().take_difference(now) {
            let seconds = by_ms / 1000;
            tracing::warn!(
                seconds,
                "this machine's clock was set and is ahead (below 0: behind) of the samples that come; the clock as it was is kept"
            );
        }
        let tenants = self.tenants.read().clone();
        for tenant in &tenants {
            tenant.pass(time.mono_ms);
        }
        if tenants.iter().filter(|tenant| tenant.pull_back(time.ms + WRONG_MS, time.ms)).count() > 0 {
            tracing::warn!("the clock was ahead and was set back: aggregations go back with it");
        }
        self.collect_by(Aggregator::is_active, |aggregation, tenant, partition| {
            partition.pull_back(time.ms + WRONG_MS, time.ms, aggregation);
            Some((tenant.over(time.mono_ms, aggregation)?, i64::MAX))
        })
    }

    /// Closes all windows that had samples, over or not: the input has ended.
    pub fn finish(&self) -> Vec<Collected> {
        self.finish_at(|_| i64::MAX)
    }

    /// The same where the input goes on with another process: no point is later than the newest sample, so that what that
    /// process makes is later than this.
    ///
    /// Gauges end where members are seen beside their group until that process has learned what they are.
    pub fn stop(&self) -> Vec<Collected> {
        let mut made = self.finish_at(|newest_ms| newest_ms);
        made.extend(
            self.end_gauges(|aggregation| aggregation.learns_gauges() || aggregation.instance.is_some()),
        );
        made
    }

    /// Ends the gauges whose members go to other gates now, where they are seen in other groups.
    pub fn leave(&self) -> Vec<Collected> {
        self.end_gauges(|aggregation| aggregation.instance.is_some())
    }

    fn end_gauges(&self, of: impl Fn(&Aggregation) -> bool) -> Vec<Collected> {
        let mut collected = Vec::new();
        let is_of = |aggregator: &&Arc<Aggregator>| aggregator.is_active() && of(&aggregator.aggregation);
        for aggregator in self.aggregators().iter().filter(is_of) {
            for (number, partition) in aggregator.partitions() {
                let newest = self.tenant(number).pace(|pace| pace.newest_ms());
                let mut points = Vec::new();
                partition.shards.each().for_each(|mut shard| shard.end_gauges(newest.unwrap_or(i64::MAX)));
                partition.drain(&mut points);
                if !points.is_empty() {
                    collected.push((number, Arc::clone(aggregator), points));
                }
            }
        }
        collected
    }

    fn finish_at(&self, latest_ms: impl Fn(i64) -> i64) -> Vec<Collected> {
        // a bypass has no end for this process any more
        self.collect_by(
            |_| true,
            |aggregation, tenant, partition| {
                partition.settle_soon();
                let newest = tenant.pace(|pace| pace.newest_ms())?;
                let until = whole(newest.saturating_add(aggregation.interval_ms - 1), aggregation);
                Some((until, latest_ms(newest)))
            },
        )
    }

    /// Closes windows of some aggregations as far as `until` says: their last end, and the latest time of a point.
    fn collect_by(
        &self,
        of: impl Fn(&Aggregator) -> bool,
        until: impl Fn(&Aggregation, &Tenant, &Partition) -> Option<(i64, i64)>,
    ) -> Vec<Collected> {
        let mut collected = std::mem::take(&mut *self.leftover.lock());
        let idle_ms = self.settings().idle_ms;
        for aggregator in self.aggregators().iter().filter(|aggregator| of(aggregator)) {
            for (number, partition) in aggregator.partitions() {
                let (tenant, aggregation) = (self.tenant(number), &*aggregator.aggregation);
                if let Some((until, latest_ms)) = until(aggregation, &tenant, &partition) {
                    let gaps = tenant.pace(|pace| pace.gaps());
                    let starts = &self.starts;
                    let closing = Closing { until, latest_ms, aggregation, idle_ms, gaps: &gaps, starts };
                    partition.close_until(&closing);
                }
                let mut points = Vec::new();
                partition.drain(&mut points);
                if !points.is_empty() {
                    collected.push((number, Arc::clone(aggregator), points));
                }
            }
        }
        collected
    }

    /// Forgets what had no sample for long; to be called sixteen times in `series.idle_after`. Of a tenant that is kept
    /// from us nothing is forgotten; one that stays silent for `series.idle_after` ends. Returns the groups that are removed.
    pub fn expire(&self, now: Now, is_short: bool) -> Vec<EndedGroup> {
        let settings = self.settings();
        let mono = self.time(now).mono_ms;
        let rounds = TOMBSTONE_MS / (settings.idle_ms / 16).max(1);
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        self.types.expire();
        let (mut searching, mut ended) = (false, Vec::new());
        for aggregator in self.aggregators() {
            for (number, partition) in aggregator.partitions() {
                searching |= partition.is_searching();
                let tenant = self.tenant(number);
                if tenant.pace(|pace| pace.is_silent(mono, settings.idle_ms)) {
                    partition.end(&aggregator.aggregation, settings.idle_ms, &self.starts);
                } else if tenant.pace(|pace| pace.is_held_up(mono)) {
                    continue;
                }
                let (most, given_up) = (settings.max_tombstones, &tenant.given_up);
                for Group { labels, ended_ms, .. } in partition.expire(rounds, most, given_up, &self.starts) {
                    let definition = Arc::clone(&aggregator.definition);
                    let group = Named { definition, tenant: number, labels };
                    ended.push(EndedGroup { group, ended_ms });
                }
                if partition.is_emptied(&tenant, is_short) {
                    drop(partition);
                    self.forget_emptied(&aggregator, number, &tenant);
                }
            }
        }
        self.searching.store(searching, Ordering::Relaxed);
        self.tenants.read().iter().for_each(|tenant| tenant.expire(mono, settings.idle_ms));
        ended
    }

    /// From now on nothing is known of what was before: a series that comes for the first time need not be young.
    pub fn be_unsure(&self, now: Now) {
        self.unsure_until.fetch_max(now.mono_ms, Ordering::Relaxed);
    }

    /// For how long what came is known, milliseconds.
    pub(super) fn sure_ms(&self, mono_ms: i64) -> i64 {
        mono_ms.saturating_sub(self.unsure_until.load(Ordering::Relaxed))
    }
}

impl Tenant {
    /// Windows up to this end are over; `None` before the first sample.
    fn over(&self, mono_ms: i64, aggregation: &Aggregation) -> Option<i64> {
        self.pace(|pace| {
            let (mark, newest) = (pace.watermark()?, pace.newest_ms()?);
            let over = over(mark, newest, aggregation);
            // nothing more is on its way: what has ended waits for no delay
            let silent = pace.is_silent(mono_ms, SILENT_MS.max(aggregation.interval_ms));
            Some(if silent { over.max(whole(newest, aggregation)) } else { over })
        })
    }
}
