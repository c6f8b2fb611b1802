//! Records of things that have names, by number: bounded, sharded, and forgotten when they are over.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;

/// The number of everything that has none of its own because the book is full.
pub(super) const OTHERS: u32 = 0;

/// More than there are workers, so that they seldom meet.
const SHARDS: u32 = 32;

/// A bounded set of records. A record is found by the hash of its name, and by its number from then on.
pub(super) struct Book<R> {
    shards: Box<[Mutex<Shard<R>>]>,
    others: Mutex<R>,
    max: usize,
    len: AtomicUsize,
    refused: AtomicU64,
}

struct Shard<R> {
    numbers: AHashMap<u64, u32>,
    records: Vec<Option<(u64, R)>>,
    free: Vec<u32>,
}

impl<R> Book<R> {
    /// A book of at most `max` records; `others` stands for what finds no room.
    pub(super) fn new(max: usize, others: R) -> Self {
        let shard = |_| Mutex::new(Shard { numbers: AHashMap::new(), records: Vec::new(), free: Vec::new() });
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            others: Mutex::new(others),
            max,
            len: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The number of the record with this key, made if it is not there and there is room. `touch` sees it either way.
    pub(super) fn number(&self, key: u64, make: impl FnOnce() -> R, touch: impl FnOnce(&mut R)) -> u32 {
        let place = (key >> 59) as u32 % SHARDS;
        let mut shard = self.shards[place as usize].lock();
        let local = match shard.numbers.get(&key) {
            Some(local) => *local,
            None => {
                if self.len.fetch_add(1, Ordering::Relaxed) >= self.max {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    drop(shard);
                    touch(&mut self.others.lock());
                    return OTHERS;
                }
                shard.add(key, make())
            }
        };
        if let Some(Some((_, record))) = shard.records.get_mut(local as usize) {
            touch(record);
        }
        local * SHARDS + place + 1
    }

    /// Does something with a record. One that is gone is among the others.
    pub(super) fn with<T>(&self, number: u32, what: impl FnOnce(&mut R) -> T) -> T {
        if let Some(at) = number.checked_sub(1) {
            let mut shard = self.shards[(at % SHARDS) as usize].lock();
            if let Some(Some((_, record))) = shard.records.get_mut((at / SHARDS) as usize) {
                return what(record);
            }
        }
        what(&mut self.others.lock())
    }

    /// Shows every record with its number, the others last.
    pub(super) fn each(&self, mut show: impl FnMut(u32, &mut R)) {
        for (place, shard) in (0..).zip(&self.shards) {
            for (local, record) in (0..).zip(&mut shard.lock().records) {
                if let Some((_, record)) = record {
                    show(local * SHARDS + place + 1, record);
                }
            }
        }
        show(OTHERS, &mut self.others.lock());
    }

    /// Forgets the records for which `keep` says no; their numbers are given out again.
    pub(super) fn retain(&self, mut keep: impl FnMut(&mut R) -> bool) {
        for shard in &self.shards {
            let Shard { numbers, records, free } = &mut *shard.lock();
            for (local, place) in (0..).zip(records.iter_mut()) {
                let Some((key, record)) = place else { continue };
                if !keep(record) {
                    numbers.remove(key);
                    *place = None;
                    free.push(local);
                    self.len.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Records, without the others.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// How often a name found no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl<R> Shard<R> {
    fn add(&mut self, key: u64, record: R) -> u32 {
        let local = self.free.pop().unwrap_or(self.records.len() as u32);
        match self.records.get_mut(local as usize) {
            Some(place) => *place = Some((key, record)),
            None => {
                // doubling would waste a third on average, and records are large
                if self.records.len() == self.records.capacity() {
                    self.records.reserve_exact(self.records.len() / 4 + 4);
                }
                self.records.push(Some((key, record)));
            }
        }
        self.numbers.insert(key, local);
        local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u64) -> u64 {
        i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_name_keeps_its_number_and_a_full_book_counts_among_the_others() {
        let book = Book::new(100, 0u64);
        let numbers: Vec<u32> = (0..150).map(|i| book.number(key(i), || 0, |_| {})).collect();
        assert_eq!((book.len(), book.refused()), (100, 50));
        assert!(numbers[..100].iter().all(|n| *n != OTHERS) && numbers[100..].iter().all(|n| *n == OTHERS));
        for number in &numbers {
            book.with(*number, |count| *count += 1);
        }
        let again: Vec<u32> = (0..100).map(|i| book.number(key(i), || 9, |_| {})).collect();
        assert_eq!(again, numbers[..100]);
        let mut seen = Vec::new();
        book.each(|number, count| seen.push((number, *count)));
        assert_eq!(seen.len(), 101);
        assert_eq!(seen.pop(), Some((OTHERS, 50)));
        assert!(seen.iter().all(|(_, count)| *count == 1));
    }

    #[test]
    fn what_is_forgotten_makes_room() {
        let book = Book::new(64, 0u64);
        for i in 0..64 {
            book.number(key(i), || i, |_| {});
        }
        book.retain(|i| *i % 2 == 0);
        assert_eq!(book.len(), 32);
        let kept = book.number(key(4), || 9, |_| {});
        assert_eq!(book.with(kept, |i| *i), 4);
        let fresh = book.number(key(1000), || 1000, |_| {});
        assert_eq!(book.with(fresh, |i| *i), 1000);
    }
}
