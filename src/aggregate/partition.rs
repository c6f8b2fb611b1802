//! The groups of one policy for one tenant: its shards, and which samples go where.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::apply::Moment;
use super::birth::Open;
use super::close::Closing;
use super::given_up::GivenUp;
use super::group::Group;
use super::locked::{Locked, Shards, Totals};
use super::member::Tombstone;
use super::point::{Batch, Join, Point, Sample, SampleCounts};
use super::shard::{Counts, GroupShard, IDLE_ROUNDS};
use super::starts::Starts;
use crate::policy::Aggregation;
use crate::series::Fingerprint;

/// Shards of a partition. More of them mean shorter waits where a window is closed.
pub(super) const SHARDS: usize = 16;

/// The groups of one policy for one tenant.
pub(super) struct Partition {
    pub(super) shards: Shards<SHARDS>,
    /// Expiries for which series that come anew may be members elsewhere: the index does not know them any more.
    search_rounds: AtomicU32,
}

pub(super) fn shard_of(group_key: u32) -> usize {
    // the low bits choose the place in tables
    (group_key >> 28) as usize % SHARDS
}

impl Partition {
    /// `not_before`: up to then others sent for these groups, Unix milliseconds; `others_until`: up to then another process
    /// may have done so.
    pub(super) fn new((not_before, others_until): (i64, i64), totals: Arc<Totals>) -> Self {
        let shards = Shards::new(totals, || GroupShard::new(not_before, others_until));
        Self { shards, search_rounds: AtomicU32::new(0) }
    }

    /// Its members are from a snapshot, and the index is empty.
    pub(super) fn was_restored(&self) {
        self.search_rounds.store(u32::from(IDLE_ROUNDS) + 1, Ordering::Relaxed);
    }

    /// Whether some of its members may not be known to the index.
    pub(super) fn is_searching(&self) -> bool {
        self.search_rounds.load(Ordering::Relaxed) > 0
    }

    /// Counters whose start is open wait anew for what says when it was.
    pub(super) fn wait_anew(&self, now_ms: i64) {
        for mut shard in self.shards.each().filter(|shard| !shard.doubts.is_empty()) {
            shard.wait_anew(now_ms);
        }
    }

    /// Brings what is known of a series to the shard of its group, if it was in a group elsewhere. `leaves` is shown the
    /// shard of that.
    fn fetch(&self, series: Fingerprint, own: usize, leaves: impl FnOnce(&mut GroupShard)) {
        if self.shards.lock(own).is_none_or(|mut shard| shard.knows(series)) {
            return;
        }
        for at in (0..SHARDS).filter(|at| *at != own) {
            let Some(mut shard) = self.shards.lock(at) else { continue };
            if !shard.knows(series) {
                continue;
            }
            leaves(&mut shard);
            let tombstone = shard.give_up(series).and_then(|(tombstone, _)| tombstone);
            drop(shard);
            if let (Some(tombstone), Some(mut own)) = (tombstone, self.shards.lock(own)) {
                own.tombstones.insert(tombstone, ());
            }
            return;
        }
    }

    /// Makes series part of their groups. `open` says what is open of a new counter; see [`GroupShard::join`] for `close`.
    pub(super) fn join(
        &self,
        batch: &Batch,
        joins: &[&Join],
        open: impl Fn(&Join) -> Option<Open>,
        close: impl Fn(&mut GroupShard, i64),
    ) {
        let searching = self.is_searching();
        for join in joins {
            let own = shard_of(join.group_key);
            if !join.unknown || searching {
                self.fetch(join.series, own, |shard| shard.close_for(join, &close));
            }
            if let Some(mut shard) = self.shards.lock(own) {
                shard.join(join, &batch.labels, &open, &close);
            }
        }
    }

    /// Takes in samples of one window; windows up to `closing.until` are over. Those of a shard that is retired find their
    /// series forgotten.
    pub(super) fn apply(
        &self,
        samples: &[Sample],
        moment: Moment<'_>,
        closing: &Closing<'_>,
        sample_counts: &mut SampleCounts,
        mut forgotten: impl FnMut(Fingerprint),
    ) {
        let order = ByShard::of(samples);
        let mut take = |shard: Option<Locked<'_>>, mine: &[u32]| {
            let samples = mine.iter().map(|number| &samples[*number as usize]);
            let Some(mut shard) = shard else {
                sample_counts.forgotten += mine.len() as u64;
                samples.for_each(|sample| forgotten(sample.series));
                return;
            };
            // Closing is left to the loop that does nothing else, unless it falls behind: windows that are over by the
            // time of the samples are over for them, closed or not.
            let behind = shard.closed.saturating_add(2 * closing.aggregation.interval_ms);
            if shard.closed == i64::MIN || closing.until >= behind {
                shard.close_until(closing);
            }
            shard.apply(samples, moment, sample_counts, &mut forgotten);
        };
        // who closes windows has one shard at a time: that one comes last
        let mut busy = [false; SHARDS];
        for at in (0..SHARDS).filter(|at| !order.of_shard(*at).is_empty()) {
            match self.shards.try_lock(at) {
                Ok(shard) => take(shard, order.of_shard(at)),
                Err(_) => busy[at] = true,
            }
        }
        for at in (0..SHARDS).filter(|at| busy[*at]) {
            take(self.shards.lock(at), order.of_shard(at));
        }
    }

    /// Gives up counters that were not heard of since then; see [`GroupShard::give_up_older`].
    pub(super) fn give_up_older(&self, than_ms: i64, given_up: &GivenUp) {
        for mut shard in self.shards.each() {
            shard.give_up_older(than_ms, given_up);
        }
    }

    /// Closes windows, a shard at a time.
    pub(super) fn close_until(&self, closing: &Closing<'_>) {
        // a shard that is only looked at has not changed
        for mut shard in self.shards.each().filter(|shard| shard.closed < closing.until) {
            shard.close_until(closing);
        }
    }

    /// Nothing more comes: what is in doubt counts as the next windows close.
    pub(super) fn settle_soon(&self) {
        for mut shard in self.shards.each().filter(|shard| !shard.doubts.is_empty()) {
            shard.settle_soon();
        }
    }

    /// Closes all windows that had samples and ends all groups, a shard at a time.
    pub(super) fn end(&self, aggregation: &Aggregation, idle_ms: i64, starts: &Starts) {
        for mut shard in self.shards.each().filter(|shard| shard.goes_on()) {
            shard.end(aggregation, idle_ms, i64::MAX, starts);
        }
    }

    /// Opens again what a wrong clock closed; see [`GroupShard::pull_back`].
    pub(super) fn pull_back(&self, beyond: i64, to: i64, aggregation: &Aggregation) {
        for mut shard in self.shards.each().filter(|shard| shard.closed > beyond) {
            shard.pull_back(beyond, to, aggregation);
        }
    }

    /// The labels of its groups' outputs.
    pub(super) fn groups(&self) -> Vec<Box<[Arc<[u8]>]>> {
        let mut all = Vec::new();
        for shard in self.shards.each() {
            all.extend(shard.groups.iter().map(|(_, group)| group.labels.clone()));
        }
        all
    }

    /// Takes away the points made so far.
    pub(super) fn drain(&self, into: &mut Vec<Point>) {
        for mut shard in self.shards.each().filter(|shard| !shard.out.is_empty()) {
            into.append(&mut shard.out);
        }
    }

    /// Forgets what is silent. Tombstones stay for `rounds`, `most` of them in all, the latest; the others are given up.
    ///
    /// Returns the groups that are removed.
    pub(super) fn expire(&self, rounds: u32, most: usize, given_up: &GivenUp, starts: &Starts) -> Vec<Group> {
        let left = |rounds: u32| rounds.checked_sub(1);
        let _was = self.search_rounds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        let mut removed = Vec::new();
        for mut shard in self.shards.each() {
            removed.append(&mut shard.expire(rounds, given_up, starts));
        }
        self.bound_tombstones(most, given_up);
        removed
    }

    /// A group and its members are in one shard, so that it is all shards together that have a bound.
    fn bound_tombstones(&self, most: usize, given_up: &GivenUp) {
        let mut ages: Vec<u32> = Vec::new();
        for shard in self.shards.each() {
            let round = shard.round;
            shard.tombstones.for_each(|tombstone| ages.push(round.wrapping_sub(tombstone.round)));
        }
        if ages.len() <= most {
            return;
        }
        let mut excess = ages.len() - most;
        ages.sort_unstable();
        // all that are older go, and as many of this age as must
        let age = ages[most];
        let mut of_this_age = excess - (ages.len() - ages.partition_point(|other| *other <= age));
        for mut shard in self.shards.each() {
            let round = shard.round;
            let goes = |tombstone: &Tombstone| {
                let mine = round.wrapping_sub(tombstone.round);
                let goes = excess > 0 && (mine > age || mine == age && of_this_age > 0);
                excess -= usize::from(goes);
                of_this_age -= usize::from(goes && mine == age);
                goes
            };
            shard.give_up_tombstones(goes, given_up);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in self.shards.each() {
            counts += shard.counts();
        }
        counts
    }
}

/// The numbers of samples by shard, so that each shard is locked once.
struct ByShard {
    order: Vec<u32>,
    starts: [u32; SHARDS + 1],
}

impl ByShard {
    fn of(samples: &[Sample]) -> Self {
        let mut starts = [0u32; SHARDS + 1];
        for sample in samples {
            starts[shard_of(sample.group_key) + 1] += 1;
        }
        for shard in 0..SHARDS {
            starts[shard + 1] += starts[shard];
        }
        let mut order = vec![0u32; samples.len()];
        let mut next = starts;
        for (number, sample) in (0u32..).zip(samples) {
            let slot = &mut next[shard_of(sample.group_key)];
            order[*slot as usize] = number;
            *slot += 1;
        }
        Self { order, starts }
    }

    fn of_shard(&self, shard: usize) -> &[u32] {
        &self.order[self.starts[shard] as usize..self.starts[shard + 1] as usize]
    }
}
