//! The groups of one policy for one tenant: its shards, and which samples go where.

use parking_lot::Mutex;

use super::close::over_at;
use super::point::{Batch, Join, Point, Sample, Tally};
use super::shard::{Counts, Shard};
use crate::policy::Aggregation;
use crate::series::Fingerprint;

/// Shards of a partition. More of them mean shorter waits where a window is closed.
pub(super) const SHARDS: usize = 16;

/// The groups of one policy for one tenant.
pub(super) struct Partition {
    pub(super) shards: [Mutex<Shard>; SHARDS],
}

pub(super) fn shard_of(home: u32) -> usize {
    // the low bits choose the place in tables
    (home >> 28) as usize % SHARDS
}

impl Partition {
    /// `not_before`: up to then others sent for these groups, Unix milliseconds.
    pub(super) fn new(not_before: i64) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::new(Shard::new(not_before))) }
    }

    /// Makes series part of their groups. Returns how many groups and members are new.
    pub(super) fn join(
        &self,
        batch: &Batch,
        joins: &[&Join],
        born: impl Fn(&Join) -> bool,
    ) -> (usize, usize) {
        let mut new = (0, 0);
        for join in joins {
            let mut shard = self.shards[shard_of(join.home)].lock();
            let (groups, members) = shard.join(join, &batch.labels, born(join));
            new = (new.0 + groups, new.1 + members);
        }
        new
    }

    /// Takes in samples of one window, which ends at `end`; `watermark` is the newest sample time by then.
    pub(super) fn apply(
        &self,
        samples: &[Sample],
        end: i64,
        watermark: i64,
        aggregation: &Aggregation,
        idle_ms: i64,
        tally: &mut Tally,
        mut forgotten: impl FnMut(Fingerprint),
    ) {
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
        for (shard, bounds) in self.shards.iter().zip(starts.windows(2)) {
            let mine = &order[bounds[0] as usize..bounds[1] as usize];
            if mine.is_empty() {
                continue;
            }
            let mut shard = shard.lock();
            shard.close_until(over_at(watermark, aggregation), aggregation, idle_ms);
            let samples = mine.iter().map(|number| &samples[*number as usize]);
            shard.apply(samples, end, aggregation, tally, &mut forgotten);
        }
    }

    /// Closes the windows that end at `until` or before, a shard at a time.
    pub(super) fn close_until(&self, until: i64, aggregation: &Aggregation, idle_ms: i64) {
        for shard in &self.shards {
            shard.lock().close_until(until, aggregation, idle_ms);
        }
    }

    /// Takes away the points made so far.
    pub(super) fn drain(&self, into: &mut Vec<Point>) {
        for shard in &self.shards {
            let points = std::mem::take(&mut shard.lock().out);
            into.extend(points);
        }
    }

    pub(super) fn expire(&self, max_tombstones: usize) -> (usize, usize) {
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
