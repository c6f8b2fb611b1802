//! Runs that were guessed by a name because nothing was said of an owner, until something is: their series are looked at
//! again then, and go where they belong.
//!
//! Bounded: what was guessed for longest is forgotten first. Its series are looked at again in their next window.

use ahash::{AHashSet, RandomState};
use lru::LruCache;
use parking_lot::Mutex;

/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;
/// What one pod is guessed to be, by the labels beside its name. 0: none.
const GUESSES: usize = 2;

/// What one of those who wait takes, bytes: its place in the table.
const WAITING_BYTES: usize = 100;

type Shard = LruCache<u64, [u32; GUESSES], RandomState>;

/// Who waits for which owner.
pub(super) struct Waiting {
    shards: Box<[Mutex<Shard>]>,
    room: usize,
    due: Mutex<AHashSet<u32>>,
}

impl Waiting {
    /// For at most `max` owners.
    pub(super) fn new(max: usize) -> Self {
        let shard = |_| Mutex::new(LruCache::unbounded_with_hasher(RandomState::new()));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            room: max.div_ceil(SHARDS).max(1),
            due: Mutex::default(),
        }
    }

    /// Notes what was guessed for want of the owner with this key.
    pub(super) fn wait(&self, key: u64, unit: u32) {
        let mut shard = self.shard(key).lock();
        if let Some(guesses) = shard.get_mut(&key) {
            let at = guesses.iter().position(|guess| *guess == unit || *guess == 0);
            guesses[at.unwrap_or(GUESSES - 1)] = unit;
            return;
        }
        if shard.len() >= self.room {
            shard.pop_lru();
        }
        shard.put(key, [unit, 0]);
    }

    /// Notes that the owner with this key is known now.
    pub(super) fn come(&self, key: u64) {
        let Some(guesses) = self.shard(key).lock().pop(&key) else { return };
        self.due.lock().extend(guesses.into_iter().filter(|guess| *guess != 0));
    }

    /// The guesses of whose series more is known now; each is told once.
    pub(super) fn take_due(&self) -> AHashSet<u32> {
        std::mem::take(&mut self.due.lock())
    }

    /// Memory held, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len() * WAITING_BYTES).sum()
    }

    fn shard(&self, key: u64) -> &Mutex<Shard> {
        &self.shards[(key >> 60) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_longest_is_forgotten_first() {
        let waiting = Waiting::new(SHARDS * 2);
        for (key, unit) in [(1, 10), (1, 11), (1, 11), (1, 12), (2, 20), (3, 30)] {
            waiting.wait(key, unit);
        }
        (1..=4).for_each(|key| waiting.come(key));
        assert_eq!(waiting.take_due(), [20, 30].into());
        assert!(waiting.take_due().is_empty(), "told once");
        for (key, unit) in [(1, 10), (1, 11), (1, 11), (1, 12)] {
            waiting.wait(key, unit);
        }
        waiting.come(1);
        assert_eq!(waiting.take_due(), [10, 12].into());
    }
}
