//! The groups of one policy for one tenant: its shards, and which samples go where.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use parking_lot::Mutex;

use super::close::over_at;
use super::point::{Batch, Join, Point, Sample, Tally};
use super::shard::{Counts, IDLE_ROUNDS, Shard};
use crate::policy::Aggregation;
use crate::series::Fingerprint;

/// Shards of a partition. More of them mean shorter waits where a window is closed.
pub(super) const SHARDS: usize = 16;

/// When samples come in, and by which rules they are taken.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// End of the window they belong to, Unix milliseconds.
    pub(super) end: i64,
    /// The newest sample time by then.
    pub(super) watermark: i64,
    pub(super) aggregation: &'a Aggregation,
    /// After how long without samples a group ends, milliseconds.
    pub(super) idle_ms: i64,
}

/// The groups of one policy for one tenant.
pub(super) struct Partition {
    pub(super) shards: [Mutex<Shard>; SHARDS],
    /// Expiries for which series that come anew may be members elsewhere: the index does not know them any more.
    search_rounds: AtomicU32,
    /// Since when its policy is asked about this tenant's samples, Unix milliseconds of sample time; `i64::MIN`: always.
    began_ms: AtomicI64,
}

pub(super) fn shard_of(home: u32) -> usize {
    // the low bits choose the place in tables
    (home >> 28) as usize % SHARDS
}

impl Partition {
    /// `not_before`: up to then others sent for these groups, Unix milliseconds.
    pub(super) fn new(not_before: i64, began_ms: i64) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard::new(not_before)));
        Self { shards, search_rounds: AtomicU32::new(0), began_ms: AtomicI64::new(began_ms) }
    }

    pub(super) fn began_ms(&self) -> i64 {
        self.began_ms.load(Ordering::Relaxed)
    }

    /// Its members are from a snapshot, and the index is empty.
    pub(super) fn was_restored(&self, began_ms: i64) {
        self.began_ms.store(began_ms, Ordering::Relaxed);
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
        born: impl Fn(&Join) -> bool,
    ) -> (isize, isize) {
        let mut new = (0, 0);
        let searching = self.search_rounds.load(Ordering::Relaxed) > 0;
        for join in joins {
            let home = shard_of(join.home);
            if !join.unknown || searching {
                new.1 -= self.fetch(join.series, home);
            }
            let mut shard = self.shards[home].lock();
            let (groups, members) = shard.join(join, &batch.labels, born(join));
            new = (new.0 + groups as isize, new.1 + members as isize);
        }
        new
    }

    /// Takes in samples of one window. Returns how many points were made on the way.
    pub(super) fn apply(
        &self,
        samples: &[Sample],
        moment: Moment<'_>,
        tally: &mut Tally,
        mut forgotten: impl FnMut(Fingerprint),
    ) -> usize {
        let Moment { end, watermark, aggregation, idle_ms } = moment;
        let mut made = 0;
        // each shard is locked once
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
        let of = |shard: usize| &order[starts[shard] as usize..starts[shard + 1] as usize];
        let over = over_at(watermark, aggregation);
        let mut take = |shard: &mut Shard, mine: &[u32]| {
            // Closing is left to the loop that does nothing else, unless it falls behind: windows that are over by the
            // time of the samples are over for them, closed or not.
            if shard.closed == i64::MIN || over - shard.closed >= 2 * aggregation.interval_ms {
                made += shard.close_until(over, aggregation, idle_ms);
            }
            let samples = mine.iter().map(|number| &samples[*number as usize]);
            shard.apply(samples, (end, over), aggregation, tally, &mut forgotten);
        };
        // who closes windows has one shard at a time: that one comes last
        let mut busy = [false; SHARDS];
        for (at, shard) in self.shards.iter().enumerate().filter(|(at, _)| !of(*at).is_empty()) {
            match shard.try_lock() {
                Some(mut shard) => take(&mut shard, of(at)),
                None => busy[at] = true,
            }
        }
        for (at, shard) in self.shards.iter().enumerate().filter(|(at, _)| busy[*at]) {
            take(&mut shard.lock(), of(at));
        }
        made
    }

    /// Closes the windows that end at `until` or before, a shard at a time. Returns how many points that made.
    pub(super) fn close_until(&self, until: i64, aggregation: &Aggregation, idle_ms: i64) -> usize {
        self.shards.iter().map(|shard| shard.lock().close_until(until, aggregation, idle_ms)).sum()
    }

    /// The labels of its groups' outputs.
    pub(super) fn groups(&self) -> Vec<Box<[Arc<[u8]>]>> {
        let of = |shard: &Mutex<Shard>| {
            shard.lock().groups.iter().map(|(_, group)| group.labels.clone()).collect::<Vec<_>>()
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

    pub(super) fn expire(&self, max_tombstones: usize) -> (usize, usize) {
        let left = |rounds: u32| rounds.checked_sub(1);
        let _was = self.search_rounds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        let mut gone = (0, 0);
        for shard in &self.shards {
            let (groups, members) = shard.lock().expire(max_tombstones.div_ceil(SHARDS));
            gone = (gone.0 + groups, gone.1 + members);
        }
        gone
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            counts += shard.lock().counts();
        }
        counts
    }
}
