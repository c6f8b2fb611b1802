//! Which counters' last values were given up: none of them counts as born when it comes again.
//!
//! A Bloom filter, so that it is small whatever there was. It only ever says yes to more: when 100,000 were given up, one in
//! a hundred others is taken for one of them, and later all are. Such a one counts from zero only if it was made since.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::series::Fingerprint;

/// 128 KiB for each tenant, made when its first series is given up.
const WORDS: usize = 1 << 14;
/// Bits set for each series.
const PROBES: u64 = 6;

/// The filter.
pub(super) struct GivenUp {
    words: OnceLock<Box<[AtomicU64]>>,
    series: AtomicU64,
    newest_ms: AtomicI64,
}

impl Default for GivenUp {
    fn default() -> Self {
        Self { words: OnceLock::new(), series: AtomicU64::new(0), newest_ms: AtomicI64::new(i64::MIN) }
    }
}

fn places(series: Fingerprint) -> impl Iterator<Item = (usize, u64)> {
    // both parts are good hashes already
    let step = u64::from(series.low) << 1 | 1;
    (0..PROBES).map(move |probe| {
        let bit = series.high.wrapping_add(probe.wrapping_mul(step.wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 8;
        ((bit / 64) as usize % WORDS, 1 << (bit % 64))
    })
}

impl GivenUp {
    /// Adds a series whose newest sample is of this time, Unix milliseconds.
    pub(super) fn add(&self, series: Fingerprint, newest_ms: i64) {
        self.newest_ms.fetch_max(newest_ms, Ordering::Relaxed);
        let words = self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
        places(series).for_each(|(word, bit)| {
            words[word].fetch_or(bit, Ordering::Relaxed);
        });
        self.series.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has(&self, series: Fingerprint) -> bool {
        let Some(words) = self.words.get() else { return false };
        places(series).all(|(word, bit)| words[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// Counts series that others with this number gave up.
    pub(super) fn count(&self, series: u64) {
        self.series.fetch_add(series, Ordering::Relaxed);
    }

    /// How many were given up so far.
    pub(super) fn series(&self) -> u64 {
        self.series.load(Ordering::Relaxed)
    }

    /// The newest sample of all that were given up, Unix milliseconds.
    pub(super) fn newest_ms(&self) -> i64 {
        self.newest_ms.load(Ordering::Relaxed)
    }

    /// Its words, for a snapshot; none where nothing was given up.
    pub(super) fn words(&self) -> Vec<u64> {
        let words = self.words.get().into_iter().flatten();
        words.map(|word| word.load(Ordering::Relaxed)).collect()
    }

    /// Goes on from a snapshot; returns whether it can be one.
    pub(super) fn restore(&self, series: u64, newest_ms: i64, saved: &[u64]) -> bool {
        if saved.is_empty() {
            return true;
        }
        if saved.len() != WORDS {
            return false;
        }
        let words = self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
        words.iter().zip(saved).for_each(|(word, saved)| {
            word.fetch_or(*saved, Ordering::Relaxed);
        });
        self.series.fetch_add(series, Ordering::Relaxed);
        self.newest_ms.fetch_max(newest_ms, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(number: u64) -> Fingerprint {
        crate::series::Fingerprinter::from_seed(3).fingerprint(&number.to_le_bytes(), Default::default())
    }

    #[test]
    fn all_that_were_given_up_are_known_and_few_others() {
        let filter = GivenUp::default();
        assert!(!filter.has(series(0)));
        (0..100_000).for_each(|number| filter.add(series(number), number as i64));
        assert!((0..100_000).all(|number| filter.has(series(number))));
        let others = (1_000_000..1_100_000).filter(|number| filter.has(series(*number))).count();
        assert!(others < 1500, "{others}");
        filter.add(series(5), 5);
        assert_eq!(filter.newest_ms(), 99_999);
        let copy = GivenUp::default();
        assert!(copy.restore(filter.series(), 7, &filter.words()) && copy.has(series(7)));
        assert_eq!(copy.newest_ms(), 7);
        assert!(!copy.restore(1, 0, &[0; 3]));
    }
}
