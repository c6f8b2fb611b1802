//! The groups of one policy for one tenant: its shards, and which samples go where.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::close::over_at;
use super::locked::{Locked, Shards, Totals};
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
    pub(super) shards: Shards<SHARDS>,
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
    pub(super) fn new(not_before: i64, began_ms: i64, totals: Arc<Totals>) -> Self {
        let shards = Shards::new(totals, || Shard::new(not_before));
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

    /// Brings what is known of a series to the shard of its group, if it was in a group elsewhere.
    fn fetch(&self, series: Fingerprint, home: usize) {
        if self.shards.lock(home).is_none_or(|mut shard| shard.knows(series)) {
            return;
        }
        for at in (0..SHARDS).filter(|at| *at != home) {
            let given_up = self.shards.lock(at).and_then(|mut shard| shard.give_up(series));
            let Some((tombstone, _)) = given_up else { continue };
            if let (Some(tombstone), Some(mut home)) = (tombstone, self.shards.lock(home)) {
                home.tombstones.insert(tombstone, ());
            }
            return;
        }
    }

    /// Makes series part of their groups.
    pub(super) fn join(&self, batch: &Batch, joins: &[&Join], born: impl Fn(&Join) -> bool) {
        let searching = self.search_rounds.load(Ordering::Relaxed) > 0;
        for join in joins {
            let home = shard_of(join.home);
            if !join.unknown || searching {
                self.fetch(join.series, home);
            }
            if let Some(mut shard) = self.shards.lock(home) {
                shard.join(join, &batch.labels, born(join));
            }
        }
    }

    /// Takes in samples of one window. Those of a shard that is retired find their series forgotten.
    pub(super) fn apply(
        &self,
        samples: &[Sample],
        moment: Moment<'_>,
        tally: &mut Tally,
        mut forgotten: impl FnMut(Fingerprint),
    ) {
        let Moment { end, watermark, aggregation, idle_ms } = moment;
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
        let mut take = |shard: Option<Locked<'_>>, mine: &[u32]| {
            let samples = mine.iter().map(|number| &samples[*number as usize]);
            let Some(mut shard) = shard else {
                tally.forgotten += mine.len() as u64;
                samples.for_each(|sample| forgotten(sample.series));
                return;
            };
            // Closing is left to the loop that does nothing else, unless it falls behind: windows that are over by the
            // time of the samples are over for them, closed or not.
            if shard.closed == i64::MIN || over - shard.closed >= 2 * aggregation.interval_ms {
                shard.close_until(over, aggregation, idle_ms);
            }
            shard.apply(samples, (end, over), aggregation, tally, &mut forgotten);
        };
        // who closes windows has one shard at a time: that one comes last
        let mut busy = [false; SHARDS];
        for at in (0..SHARDS).filter(|at| !of(*at).is_empty()) {
            match self.shards.try_lock(at) {
                Ok(shard) => take(shard, of(at)),
                Err(_) => busy[at] = true,
            }
        }
        for at in (0..SHARDS).filter(|at| busy[*at]) {
            take(self.shards.lock(at), of(at));
        }
    }

    /// Closes the windows that end at `until` or before, a shard at a time.
    pub(super) fn close_until(&self, until: i64, aggregation: &Aggregation, idle_ms: i64) {
        // a shard that is only looked at has not changed
        for mut shard in self.shards.each().filter(|shard| shard.closed < until) {
            shard.close_until(until, aggregation, idle_ms);
        }
    }

    /// The identities of its groups.
    pub(super) fn groups(&self) -> Vec<Fingerprint> {
        let mut all = Vec::new();
        for shard in self.shards.each() {
            all.extend(shard.groups.iter().map(|(_, group)| group.series));
        }
        all
    }

    /// Takes away the points made so far.
    pub(super) fn drain(&self, into: &mut Vec<Point>) {
        for mut shard in self.shards.each().filter(|shard| !shard.out.is_empty()) {
            into.append(&mut shard.out);
        }
    }

    /// Forgets what is idle.
    pub(super) fn expire(&self, max_tombstones: usize) {
        let left = |rounds: u32| rounds.checked_sub(1);
        let _was = self.search_rounds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        for mut shard in self.shards.each() {
            shard.expire(max_tombstones.div_ceil(SHARDS));
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
