//! A few series of each kind, so that what is to be done against a finding can be tried before it is printed.
//!
//! There are two stores: by metric and workload, and by workload and the labels that name its pod or job. The first has many
//! keys and forgets soon; thanks to the second, no way in which a workload's series name it is forgotten with them. Both are
//! bounded in bytes, and what was not added to for longest goes first.

use std::collections::VecDeque;

use lru::LruCache;
use parking_lot::Mutex;

/// Memory of each store, bytes.
pub(super) const STORE_BYTES: usize = 4 << 20;
/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;
/// Examples of one key.
const EACH: usize = 4;
/// Where there are as many, a new one takes the place of the oldest if none came for so long, seconds.
const OLD: u32 = 60;
/// Labels that are longer, bytes, are not kept.
const LONGEST: usize = 4096;
/// What the tables take for a key, and for an example beside its labels, bytes.
const KEY_BYTES: usize = 192;
const EXAMPLE_BYTES: usize = 48;

/// A store of examples by some key.
pub(super) struct Examples {
    shards: Box<[Mutex<Shard>]>,
    /// Bytes that a shard may take.
    room: usize,
}

struct Shard {
    keys: LruCache<u64, Kept, ahash::RandomState>,
    bytes: usize,
}

/// The examples of one key, oldest first.
#[derive(Default)]
struct Kept {
    examples: VecDeque<Example>,
    /// When the last of them came, Unix seconds.
    last: u32,
}

/// Labels as they are on the wire, canonical, and the number of their tenant.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Example {
    pub(super) tenant: u32,
    pub(super) labels: Box<[u8]>,
}

impl Examples {
    pub(super) fn new(max_bytes: usize) -> Self {
        // `LruCache::new` would allocate all of its room at once
        let shard = |_| {
            let keys = LruCache::unbounded_with_hasher(ahash::RandomState::new());
            Mutex::new(Shard { keys, bytes: 0 })
        };
        Self { shards: (0..SHARDS).map(shard).collect(), room: max_bytes / SHARDS }
    }

    /// Keeps an example where one is wanted; says whether it was.
    pub(super) fn offer(&self, key: u64, now: u32, make: impl FnOnce() -> Example) -> bool {
        let mut shard = self.shards[(key >> 60) as usize % SHARDS].lock();
        let Shard { keys, bytes } = &mut *shard;
        let kept = keys.get_or_insert_mut(key, || {
            *bytes += KEY_BYTES;
            Kept::default()
        });
        let before = kept.bytes();
        let wanted = kept.offer(now, make);
        *bytes = *bytes + kept.bytes() - before;
        // a key without an example takes room too
        while *bytes > self.room
            && let Some((_, gone)) = keys.pop_lru()
        {
            *bytes -= KEY_BYTES + gone.bytes();
        }
        wanted
    }

    /// Copies of all examples. Each shard is locked for as long as its own are copied.
    pub(super) fn all(&self) -> impl Iterator<Item = Example> {
        self.shards.iter().flat_map(|shard| {
            let shard = shard.lock();
            shard.keys.iter().flat_map(|(_, kept)| &kept.examples).cloned().collect::<Vec<_>>()
        })
    }

    /// How many there are, and the bytes that they take.
    pub(super) fn usage(&self) -> (usize, usize) {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            (shard.keys.iter().map(|(_, kept)| kept.examples.len()).sum::<usize>(), shard.bytes)
        };
        self.shards.iter().map(of).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }
}

impl Kept {
    fn offer(&mut self, now: u32, make: impl FnOnce() -> Example) -> bool {
        let is_full = self.examples.len() >= EACH;
        if is_full && now < self.last.saturating_add(OLD) {
            return false;
        }
        let example = make();
        if example.labels.len() > LONGEST || self.examples.contains(&example) {
            return false;
        }
        if is_full {
            self.examples.pop_front();
        }
        self.examples.push_back(example);
        self.last = now;
        true
    }

    fn bytes(&self) -> usize {
        self.examples.iter().map(Example::bytes).sum()
    }
}

impl Example {
    fn bytes(&self) -> usize {
        EXAMPLE_BYTES + self.labels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str) -> Example {
        Example { tenant: 1, labels: text.as_bytes().into() }
    }

    fn texts(store: &Examples) -> Vec<String> {
        let mut all: Vec<_> =
            store.all().map(|example| String::from_utf8(example.labels.into()).unwrap()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_few_of_each_are_kept_and_old_ones_make_way() {
        let store = Examples::new(STORE_BYTES);
        let offer = |text: &str, now| store.offer(1, now, || example(text));
        assert_eq!(
            ["a", "a", "b", "c", "d", "e"].map(|text| offer(text, 10)),
            [true, false, true, true, true, false]
        );
        assert!(!offer("e", 69) && offer("e", 70) && !offer("f", 70));
        assert_eq!(texts(&store), ["b", "c", "d", "e"]);
        assert!(!store.offer(2, 70, || example(&"x".repeat(LONGEST + 1))));
    }

    #[test]
    fn a_store_takes_no_more_than_its_bytes_and_forgets_what_was_not_offered_for_longest() {
        let store = Examples::new(SHARDS * 10_000);
        let text = "y".repeat(1000);
        for key in 0..1000 {
            store.offer(key, 10, || example(&format!("{key:04}{text}")));
            store.offer(0, 10, || example(&format!("0000{text}")));
        }
        let (count, bytes) = store.usage();
        // all keys are small, so all are in one shard
        assert_eq!((count, bytes), (8, 8 * (KEY_BYTES + EXAMPLE_BYTES + 1004)));
        assert!(bytes <= 10_000);
        assert!(texts(&store)[0].starts_with("0000") && texts(&store)[1].starts_with("0993"));
        for key in 0..1000 {
            assert!(!store.offer(key, 10, || example(&"x".repeat(LONGEST + 1))));
        }
        assert!(store.usage().1 <= 10_000, "{:?}: keys without an example", store.usage());
    }
}
