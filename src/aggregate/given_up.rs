//! Which counters' last values were given up: none of them counts as born when it comes again.
//!
//! A list of the first, then a Bloom filter, so that it is small whatever there was. It only ever says yes to more: when 100,000 were given up, one in
//! a hundred others is taken for one of them, and later all are. Such a one counts from zero only if it was made since.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::series::Fingerprint;

/// Series of a tenant that are listed before there is a filter.
const FEW: usize = 512;
/// 128 KiB for each tenant, made when it gives up more.
const WORDS: usize = 1 << 14;
/// Bits set for each series.
const PROBES: u64 = 6;

/// The filter.
pub(super) struct GivenUp {
    /// The first ones themselves, until they are too many: most scopes give up few.
    few: Mutex<Vec<Fingerprint>>,
    words: OnceLock<Box<[AtomicU64]>>,
    series: AtomicU64,
    newest_ms: AtomicI64,
}

impl Default for GivenUp {
    fn default() -> Self {
        Self {
            few: Mutex::default(),
            words: OnceLock::new(),
            series: AtomicU64::new(0),
            newest_ms: AtomicI64::new(i64::MIN),
        }
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

fn note(words: &[AtomicU64], series: Fingerprint) {
    places(series).for_each(|(word, bit)| {
        words[word].fetch_or(bit, Ordering::Relaxed);
    });
}

impl GivenUp {
    /// Adds a series whose newest sample is of this time, Unix milliseconds.
    pub(super) fn add(&self, series: Fingerprint, newest_ms: i64) {
        self.newest_ms.fetch_max(newest_ms, Ordering::Relaxed);
        self.series.fetch_add(1, Ordering::Relaxed);
        if self.words.get().is_none() {
            let mut few = self.few.lock();
            if !few.contains(&series) {
                few.push(series);
            }
            if few.len() <= FEW {
                return;
            }
            let words = self.words();
            few.iter().for_each(|series| note(words, *series));
            // who finds nothing here looks there
            *few = Vec::new();
        }
        note(self.words(), series);
    }

    fn words(&self) -> &[AtomicU64] {
        self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn has(&self, series: Fingerprint) -> bool {
        if self.few.lock().contains(&series) {
            return true;
        }
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

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        let few = self.few.lock().capacity() * size_of::<Fingerprint>();
        few + self.words.get().map_or(0, |words| size_of_val(&**words))
    }

    /// Its words, for a snapshot; none where nothing was given up.
    pub(super) fn saved(&self) -> Vec<u64> {
        let few = self.few.lock();
        let words = self.words.get().into_iter().flatten();
        let mut words: Vec<u64> = words.map(|word| word.load(Ordering::Relaxed)).collect();
        if !few.is_empty() {
            words.resize(WORDS, 0);
        }
        few.iter().flat_map(|series| places(*series)).for_each(|(word, bit)| words[word] |= bit);
        words
    }

    /// Goes on from a snapshot; returns whether it can be one.
    pub(super) fn restore(&self, series: u64, newest_ms: i64, saved: &[u64]) -> bool {
        if saved.is_empty() {
            return true;
        }
        if saved.len() != WORDS {
            return false;
        }
        self.words().iter().zip(saved).for_each(|(word, saved)| {
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
    fn a_few_take_little_and_are_known_exactly_after_a_restart_too() {
        let few = GivenUp::default();
        (0..FEW as u64).for_each(|number| few.add(series(number), 3));
        few.add(series(0), 3);
        assert!(few.bytes() <= FEW * size_of::<Fingerprint>(), "{}", few.bytes());
        assert!((0..FEW as u64).all(|number| few.has(series(number))) && !few.has(series(FEW as u64)));
        let copy = GivenUp::default();
        assert!(
            copy.restore(few.series(), 3, &few.saved()) && copy.has(series(7)) && !copy.has(series(5000))
        );
        few.add(series(FEW as u64), 3);
        assert!(few.bytes() == WORDS * 8 && (0..=FEW as u64).all(|number| few.has(series(number))));
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
        assert!(copy.restore(filter.series(), 7, &filter.saved()) && copy.has(series(7)));
        assert_eq!(copy.newest_ms(), 7);
        assert!(!copy.restore(1, 0, &[0; 3]));
    }
}
