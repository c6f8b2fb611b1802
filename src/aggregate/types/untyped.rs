//! Metrics that pass because nobody said what they are, by name: a bounded number, the one heard of least lately goes.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

/// Metrics that are told apart.
const MOST: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
/// A longer name, bytes, is not told.
const LONGEST: usize = 1024;
/// What a name takes beside its text, bytes.
const NAME_BYTES: usize = 96;
/// Rounds, sixteen in `series.idle_after`, after which a metric that did not pass again is forgotten. Series that pass are
/// asked about again each minute.
const FORGOTTEN_AFTER: u32 = 32;

struct Names {
    /// How often it passed, and in which round last.
    times: LruCache<Box<str>, (u64, u32)>,
    round: u32,
}

pub(super) struct Untyped {
    names: Mutex<Names>,
}

impl Default for Untyped {
    fn default() -> Self {
        Self { names: Mutex::new(Names { times: LruCache::new(MOST), round: 0 }) }
    }
}

impl Untyped {
    pub(super) fn note(&self, metric: &str) {
        if metric.len() > LONGEST {
            return;
        }
        let mut names = self.names.lock();
        let round = names.round;
        if let Some((times, last)) = names.times.get_mut(metric) {
            (*times, *last) = (*times + 1, round);
        } else {
            names.times.put(metric.into(), (1, round));
        }
    }

    pub(super) fn most(&self, most: usize) -> Vec<(Box<str>, u64)> {
        let names = self.names.lock();
        let mut all: Vec<_> = names.times.iter().map(|(name, (times, _))| (name.clone(), *times)).collect();
        all.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        all.truncate(most);
        all
    }

    /// Memory held, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        let names = self.names.lock();
        names.times.iter().map(|(name, _)| name.len()).sum::<usize>() + names.times.len() * NAME_BYTES
    }

    pub(super) fn expire(&self) {
        let mut names = self.names.lock();
        names.round = names.round.wrapping_add(1);
        while let Some((_, (_, last))) = names.times.peek_lru()
            && names.round.wrapping_sub(*last) > FORGOTTEN_AFTER
        {
            names.times.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lately_heard_of_goes_and_silence_ends_a_name() {
        let untyped = Untyped::default();
        for number in 0..1001 {
            untyped.note(&format!("m{number}"));
        }
        untyped.note("m1000");
        assert_eq!(untyped.most(1), [("m1000".into(), 2)]);
        assert!(untyped.most(2000).iter().all(|(name, _)| **name != *"m0"));
        for _ in 0..=FORGOTTEN_AFTER {
            untyped.note("m5");
            untyped.expire();
        }
        assert_eq!(untyped.most(2).len(), 1);
    }
}
