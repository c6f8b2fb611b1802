//! What arrived of every series: how many samples, a sum that tells whether they are those that were sent, and whether
//! they came in order.

use serde::{Deserialize, Serialize};

use crate::identity::{self, ByHash};
use crate::rich::RichTotals;

/// One sample with its series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) identity: u64,
    pub(super) timestamp_ms: i64,
    pub(super) bits: u64,
}

/// What arrived of one series. Samples that had arrived already are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// Samples.
    pub count: u32,
    /// Samples that were there already, time and value alike.
    pub duplicates: u32,
    /// Samples with a time at which there was another value.
    pub conflicts: u32,
    /// Samples older than one before them.
    pub out_of_order: u32,
    /// Sum of [`identity::of_sample`].
    pub sum: u64,
    /// Time and value of the first that is no stale marker.
    pub first: (i64, u64),
    /// The last of them.
    pub last: (i64, u64),
    /// Times that the value was less than before.
    pub resets: u32,
    /// Time of the newest sample of any kind.
    newest_ms: i64,
    /// [`identity::of_sample`] of it.
    newest_mix: u64,
}

/// What arrived.
#[derive(Default)]
pub struct Ledger {
    series: ByHash<Arrived>,
    pub(super) out_of_order: u64,
    pub(super) duplicates: u64,
    /// Samples of series for which there was no room.
    pub(super) untracked: u64,
    /// Exemplars and native histograms.
    pub rich: (RichTotals, RichTotals),
}

impl Ledger {
    /// Takes in samples, of up to `max_series` series.
    pub(super) fn take(&mut self, entries: &[Entry], rich: (RichTotals, RichTotals), max_series: usize) {
        self.rich.0.merge(rich.0);
        self.rich.1.merge(rich.1);
        for entry in entries {
            if self.series.len() >= max_series && !self.series.contains_key(&entry.identity) {
                self.untracked += 1;
                continue;
            }
            let arrived = self.series.entry(entry.identity).or_default();
            let (duplicates, out_of_order) = (arrived.duplicates, arrived.out_of_order);
            arrived.take(entry);
            self.duplicates += u64::from(arrived.duplicates - duplicates);
            self.out_of_order += u64::from(arrived.out_of_order - out_of_order);
        }
    }

    /// Number of series.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// Samples of series for which there was no room.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// What arrived of each series.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Arrived)> {
        self.series.iter().map(|(identity, arrived)| (*identity, arrived))
    }

    /// What arrived of one series.
    pub fn of(&self, identity: u64) -> Option<&Arrived> {
        self.series.get(&identity)
    }

    /// Puts in what another ledger said of a series.
    pub(super) fn insert(&mut self, identity: u64, arrived: Arrived) {
        self.series.insert(identity, arrived);
    }
}

impl Arrived {
    /// All of it as numbers.
    pub(super) fn words(&self) -> [u64; 10] {
        let pair = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
        [
            pair(self.count, self.duplicates),
            pair(self.conflicts, self.out_of_order),
            u64::from(self.resets),
            self.sum,
            self.first.0.cast_unsigned(),
            self.first.1,
            self.last.0.cast_unsigned(),
            self.last.1,
            self.newest_ms.cast_unsigned(),
            self.newest_mix,
        ]
    }

    /// The reverse of [`Self::words`].
    pub(super) fn from_words(words: [u64; 10]) -> Self {
        let (high, low) = (|word: u64| (word >> 32) as u32, |word: u64| word as u32);
        Self {
            count: high(words[0]),
            duplicates: low(words[0]),
            conflicts: high(words[1]),
            out_of_order: low(words[1]),
            resets: low(words[2]),
            sum: words[3],
            first: (words[4].cast_signed(), words[5]),
            last: (words[6].cast_signed(), words[7]),
            newest_ms: words[8].cast_signed(),
            newest_mix: words[9],
        }
    }

    fn take(&mut self, entry: &Entry) {
        let known = self.count + self.duplicates > 0;
        if known && entry.timestamp_ms == self.newest_ms {
            // the only one that it can be told from without keeping them all: the newest
            if self.is_newest(entry) {
                self.duplicates += 1
            } else {
                self.conflicts += 1
            }
            return;
        }
        if known && entry.timestamp_ms < self.newest_ms {
            self.out_of_order += 1;
        }
        self.newest_ms = self.newest_ms.max(entry.timestamp_ms);
        self.count += 1;
        self.sum = self.sum.wrapping_add(identity::of_sample(entry.timestamp_ms, entry.bits));
        self.newest_mix = identity::of_sample(entry.timestamp_ms, entry.bits);
        self.follow(entry);
    }

    fn is_newest(&self, entry: &Entry) -> bool {
        self.newest_mix == identity::of_sample(entry.timestamp_ms, entry.bits)
    }

    fn follow(&mut self, entry: &Entry) {
        let value = f64::from_bits(entry.bits);
        if value.is_nan() {
            return;
        }
        if self.first.0 == 0 {
            self.first = (entry.timestamp_ms, entry.bits);
        } else if value < f64::from_bits(self.last.1) {
            self.resets += 1;
        }
        self.last = (entry.timestamp_ms, entry.bits);
    }
}
