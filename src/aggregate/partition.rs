//! The groups of one policy for one tenant: its shards, and which samples go where.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::apply::Moment;
use super::birth::Start;
use super::close::Closing;
use super::point::{Batch, Join, Point, Sample, Tally};
use super::shard::{Counts, IDLE_ROUNDS, Shard};
use crate::policy::Aggregation;
use crate::series::Fingerprint;

/// Shards of a partition. More of them mean shorter waits where a window is closed.
pub(super) const SHARDS: usize = 16;

/// The groups of one policy for one tenant.
pub(super) struct Partition {
    pub(super) shards: [Mutex<Shard>; SHARDS],
    /// Expiries for which series that come anew may be members elsewhere: the index does not know them any more.
    search_rounds: AtomicU32,
}

pub(super) fn shard_of(home: u32) -> usize {
    // the low bits choose the place in tables
    (home >> 28) as usize % SHARDS
}

impl Partition {
    /// `not_before`: up to then others sent for these groups, Unix milliseconds.
    pub(super) fn new(not_before: i64) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard::new(not_before)));
        Self { shards, search_rounds: AtomicU32::new(0) }
    }

    /// Its members are from a snapshot, and the index is empty.
    pub(super) fn was_restored(&self) {
        self.search_rounds.store(u32::from(IDLE_ROUNDS) + 1, Ordering::Relaxed);
    }

    /// Brings what is known of a series to the shard of its group, if it was in a group elsewhere. Returns how many
    /// members are gone elsewhere.
    fn fetch(&self, series: Fingerprint, home: usize) -> isize {
        if self.shards[home].lock().knows(series) {
            return 0;
        }
        for shard in self.shards.iter().enumerate().filter(|(at, _)| *at != home).map(|(_, shard)| shard) {
            let Some((tombstone, members)) = shard.lock().give_up(series) else { continue };
            if let Some(tombstone) = tombstone {
                self.shards[home].lock().tombstones.insert(tombstone, ());
            }
            return members as isize;
        }
        0
    }

    /// Makes series part of their groups. Returns how many groups and members are new.
    pub(super) fn join(
        &self,
        batch: &Batch,
        joins: &[&Join],
        start: impl Fn(&Join) -> Start,
    ) -> (isize, isize) {
        let mut new = (0, 0);
        let searching = self.search_rounds.load(Ordering::Relaxed) > 0;
        for join in joins {
            let home = shard_of(join.home);
            if !join.unknown || searching {
                new.1 -= self.fetch(join.series, home);
            }
            let mut shard = self.shards[home].lock();
            let (groups, members) = shard.join(join, &batch.labels, start(join));
            new = (new.0 + groups as isize, new.1 + members as isize);
        }
        new
    }

    /// Takes in samples of one window; windows up to `closing.until` are over. Returns how many points were made on the
    /// way.
    pub(super) fn apply(
        &self,
        samples: &[Sample],
        moment: Moment<'_>,
        closing: &Closing<'_>,
        tally: &mut Tally,
        mut forgotten: impl FnMut(Fingerprint),
    ) -> usize {
        let mut made = 0;
        let order = ByShard::of(samples);
        let mut take = |shard: &mut Shard, mine: &[u32]| {
            // Closing is left to the loop that does nothing else, unless it falls behind: windows that are over by the
            // time of the samples are over for them, closed or not.
            let behind = shard.closed.saturating_add(2 * closing.aggregation.interval_ms);
            if shard.closed == i64::MIN || closing.until >= behind {
                made += shard.close_until(closing);
            }
            let samples = mine.iter().map(|number| &samples[*number as usize]);
            shard.apply(samples, moment, tally, &mut forgotten);
        };
        // who closes windows has one shard at a time: that one comes last
        let mut busy = [false; SHARDS];
        for (at, shard) in self.shards.iter().enumerate().filter(|(at, _)| !order.of_shard(*at).is_empty()) {
            match shard.try_lock() {
                Some(mut shard) => take(&mut shard, order.of_shard(at)),
                None => busy[at] = true,
            }
        }
        for (at, shard) in self.shards.iter().enumerate().filter(|(at, _)| busy[*at]) {
            take(&mut shard.lock(), order.of_shard(at));
        }
        made
    }

    /// Closes windows, a shard at a time. Returns how many points that made.
    pub(super) fn close_until(&self, closing: &Closing<'_>) -> usize {
        self.shards.iter().map(|shard| shard.lock().close_until(closing)).sum()
    }

    /// Closes all windows that had samples and ends all groups, a shard at a time. Returns how many points that made, and
    /// the time of the last.
    pub(super) fn end(&self, aggregation: &Aggregation, idle_ms: i64) -> (usize, i64) {
        let mut made = (0, i64::MIN);
        for shard in &self.shards {
            let mut shard = shard.lock();
            let until = shard.closed.saturating_add(shard.open.len() as i64 * aggregation.interval_ms);
            let before = shard.out.len();
            shard.close_until(&Closing { until, aggregation, idle_ms, gaps: &[] });
            shard.end_all(until.saturating_add(1));
            // who comes back begins after that
            shard.not_before = shard.not_before.max(until.saturating_add(1));
            made = (made.0 + shard.out.len() - before, made.1.max(until.saturating_add(1)));
        }
        made
    }

    /// Opens again what a wrong clock closed; see [`Shard::pull_back`].
    pub(super) fn pull_back(&self, beyond: i64, to: i64, aggregation: &Aggregation) {
        self.shards.iter().for_each(|shard| shard.lock().pull_back(beyond, to, aggregation));
    }

    /// The identities of its groups.
    pub(super) fn groups(&self) -> Vec<Fingerprint> {
        let of = |shard: &Mutex<Shard>| {
            shard.lock().groups.iter().map(|(_, group)| group.series).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// Takes away the points made so far.
    pub(super) fn drain(&self, into: &mut Vec<Point>) {
        for shard in &self.shards {
            let points = std::mem::take(&mut shard.lock().out);
            into.extend(points);
        }
    }

    /// Forgets what is silent. Tombstones stay for `rounds`, `most` of them in all, the latest; the series of the others
    /// are added to `given_up`. Returns how many groups and members are gone.
    pub(super) fn expire(&self, rounds: u32, most: usize, given_up: &mut Vec<Fingerprint>) -> (usize, usize) {
        let left = |rounds: u32| rounds.checked_sub(1);
        let _was = self.search_rounds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        let mut gone = (0, 0);
        for shard in &self.shards {
            let (groups, members) = shard.lock().expire(rounds, given_up);
            gone = (gone.0 + groups, gone.1 + members);
        }
        self.bound_tombstones(most, given_up);
        gone
    }

    /// Gives all tombstones up; their series are added to `given_up`.
    pub(super) fn give_up(&self, given_up: &mut Vec<Fingerprint>) {
        self.shards.iter().for_each(|shard| shard.lock().give_up_tombstones(|_| true, given_up));
    }

    /// A group and its members are in one shard, so that it is all shards together that have a bound.
    fn bound_tombstones(&self, most: usize, given_up: &mut Vec<Fingerprint>) {
        let mut ages: Vec<u32> = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
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
        for shard in &self.shards {
            let mut shard = shard.lock();
            let round = shard.round;
            let goes = |tombstone: &super::member::Tombstone| {
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
        for shard in &self.shards {
            counts += shard.lock().counts();
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
            starts[shard_of(sample.home) + 1] += 1;
        }
        for shard in 0..SHARDS {
            starts[shard + 1] += starts[shard];
        }
        let mut order = vec![0u32; samples.len()];
        let mut next = starts;
        for (number, sample) in (0u32..).zip(samples) {
            let slot = &mut next[shard_of(sample.home)];
            order[*slot as usize] = number;
            *slot += 1;
        }
        Self { order, starts }
    }

    fn of_shard(&self, shard: usize) -> &[u32] {
        &self.order[self.starts[shard] as usize..self.starts[shard + 1] as usize]
    }
}
