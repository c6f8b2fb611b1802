//! A few series of each kind, so that what is to be done against a finding can be tried before it is printed.
//!
//! There are two stores: by metric and workload, and by workload and the labels that name its pod or job. The first has many
//! keys and forgets soon; thanks to the second, no way in which a workload's series name it is forgotten with them. Both are
//! bounded in bytes, and what was not added to for longest goes first. Where there are more keys than room, examples would take
//! turns at every series: so a crowded store takes only a few a second.

use std::collections::VecDeque;

use lru::LruCache;
use parking_lot::Mutex;

use crate::series::Labels;
use crate::wire::labels::{canonical_len, put_canonical};

/// Memory of each store, bytes.
pub(super) const STORE_BYTES: usize = 4 << 20;
/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;
/// Examples of one key.
const EACH: usize = 4;
/// Where there are as many, a new one takes the place of the oldest if none came for so long, seconds.
const OLD: u32 = 60;
/// Examples that a shard looks at in a second once it had to forget some.
const A_SECOND: u32 = 4;
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
    /// Whether it had to forget some for others.
    is_crowded: bool,
    /// When it was last asked, Unix seconds, and how many examples it looked at then.
    taken: (u32, u32),
}

/// What became of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    Kept,
    /// It is there already, or too long.
    Unfit,
    /// There are enough of its key for now.
    Full,
    /// The store has looked at what it looks at in a second.
    Later,
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
            Mutex::new(Shard { keys, bytes: 0, is_crowded: false, taken: (0, 0) })
        };
        Self { shards: (0..SHARDS).map(shard).collect(), room: max_bytes / SHARDS }
    }

    /// Keeps an example where one is wanted.
    pub(super) fn offer(&self, key: u64, now: u32, make: impl FnOnce() -> Example) -> Offered {
        let mut shard = self.shards[(key >> 60) as usize % SHARDS].lock();
        let Shard { keys, bytes, is_crowded, taken } = &mut *shard;
        if taken.0 != now {
            *taken = (now, 0);
        }
        if *is_crowded && taken.1 >= A_SECOND {
            let is_full = keys.get(&key).is_some_and(|kept| kept.is_full(now));
            return if is_full { Offered::Full } else { Offered::Later };
        }
        let kept = keys.get_or_insert_mut(key, || {
            *bytes += KEY_BYTES;
            Kept::default()
        });
        let before = kept.bytes();
        let offered = kept.offer(now, make);
        *bytes = *bytes + kept.bytes() - before;
        taken.1 += u32::from(offered != Offered::Full);
        // a key without an example takes room too
        while *bytes > self.room
            && let Some((_, gone)) = keys.pop_lru()
        {
            *bytes -= KEY_BYTES + gone.bytes();
            *is_crowded = true;
        }
        offered
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
    fn offer(&mut self, now: u32, make: impl FnOnce() -> Example) -> Offered {
        if self.is_full(now) {
            return Offered::Full;
        }
        let example = make();
        if example.labels.len() > LONGEST || self.examples.contains(&example) {
            return Offered::Unfit;
        }
        if self.examples.len() >= EACH {
            self.examples.pop_front();
        }
        self.examples.push_back(example);
        self.last = now;
        Offered::Kept
    }

    fn is_full(&self, now: u32) -> bool {
        self.examples.len() >= EACH && now < self.last.saturating_add(OLD)
    }

    fn bytes(&self) -> usize {
        self.examples.iter().map(Example::bytes).sum()
    }
}

impl Example {
    pub(super) fn of(tenant: u32, labels: Labels<'_>) -> Self {
        let length = |(name, value): (&str, &str)| canonical_len(name.len(), value.len());
        let mut encoded = Vec::with_capacity(labels.iter().map(length).sum());
        labels.iter().for_each(|(name, value)| put_canonical(&mut encoded, name, value));
        Self { tenant, labels: encoded.into() }
    }

    fn bytes(&self) -> usize {
        EXAMPLE_BYTES + self.labels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Offered::{Full, Kept, Later, Unfit};
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
            [Kept, Unfit, Kept, Kept, Kept, Full]
        );
        assert_eq!([("e", 69), ("e", 70), ("f", 70)].map(|(text, now)| offer(text, now)), [Full, Kept, Full]);
        assert_eq!(texts(&store), ["b", "c", "d", "e"]);
        assert_eq!(store.offer(2, 70, || example(&"x".repeat(LONGEST + 1))), Unfit);
    }

    #[test]
    fn a_store_takes_no_more_than_its_bytes_and_forgets_what_was_not_offered_for_longest() {
        let store = Examples::new(SHARDS * 10_000);
        let text = "y".repeat(1000);
        for key in 0..1000 {
            let now = 10 + key as u32;
            store.offer(key, now, || example(&format!("{key:04}{text}")));
            store.offer(0, now, || example(&format!("0000{text}")));
        }
        let (count, bytes) = store.usage();
        // all keys are small, so all are in one shard
        assert_eq!((count, bytes), (8, 8 * (KEY_BYTES + EXAMPLE_BYTES + 1004)));
        assert!(bytes <= 10_000);
        assert!(texts(&store)[0].starts_with("0000") && texts(&store)[1].starts_with("0993"));
        for key in 0..1000 {
            let now = 2000 + key as u32;
            assert_eq!(store.offer(key, now, || example(&"x".repeat(LONGEST + 1))), Unfit);
        }
        assert!(store.usage().1 <= 10_000, "{:?}: keys without an example", store.usage());
    }

    #[test]
    fn a_crowded_store_takes_a_few_a_second_and_still_knows_what_it_has_enough_of() {
        let store = Examples::new(SHARDS * 10_000);
        let text = "y".repeat(1000);
        let offer = |key, now| store.offer(key, now, || example(&format!("{key:04}{text}")));
        // room is for eight: the ninth shows that it is crowded
        assert!((0..8).all(|key| offer(key, 10) == Kept));
        assert_eq!([8, 9, 10].map(|key| offer(key, 10)), [Kept, Later, Later]);
        assert_eq!((11..=16).filter(|key| offer(*key, 11) == Kept).count(), A_SECOND as usize);
        for round in 0..3 {
            assert_eq!(store.offer(14, 12, || example(&round.to_string())), Kept);
        }
        assert_eq!([98, 14, 99].map(|key| offer(key, 12)), [Kept, Full, Later]);
        assert_eq!(offer(99, 13), Kept);
    }
}
