//! Records of things that have names, by number: bounded in number and in text, sharded, and forgotten when they are over.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;

/// The number of everything that has none of its own because the table is full.
pub(super) const OTHERS: u32 = 0;

/// More than there are workers, so that they seldom meet.
const SHARDS: u32 = 32;

/// Room for text that a table has however few records it may have, bytes.
const LEAST_TEXT: usize = 64 << 10;

/// A record whose text is what senders chose, of any length.
pub(super) trait Record {
    /// Room for text that a table has for each record that it may have, bytes.
    const TEXT: usize = 256;
    /// What a record takes on the heap beside its text, bytes, about: where most have it, and while it is counted in.
    const HEAP: usize = 0;
    /// Bytes of that text. It never changes.
    fn text_bytes(&self) -> usize;
}

/// A bounded set of records. A record is found by the hash of its name, and by its number from then on.
pub(super) struct RecordTable<R> {
    shards: Box<[Mutex<RecordShard<R>>]>,
    others: Mutex<R>,
    max: usize,
    len: AtomicUsize,
    text: AtomicUsize,
    refused: AtomicU64,
}

struct RecordShard<R> {
    numbers: AHashMap<u64, u32>,
    records: Vec<Option<(u64, R)>>,
    free: Vec<u32>,
}

impl<R: Record> RecordTable<R> {
    /// A table of at most `max` records and `max` times [`Record::TEXT`] bytes; `others` stands for what finds no room.
    pub(super) fn new(max: usize, others: R) -> Self {
        Self::sharded(SHARDS, max, others)
    }

    /// The same with no number above `max`: numbers of several shards are as far apart as there are shards, and no two
    /// shards are equally full.
    pub(super) fn dense(max: usize, others: R) -> Self {
        Self::sharded(1, max, others)
    }

    fn sharded(shards: u32, max: usize, others: R) -> Self {
        let shard =
            |_| Mutex::new(RecordShard { numbers: AHashMap::new(), records: Vec::new(), free: Vec::new() });
        Self {
            shards: (0..shards).map(shard).collect(),
            others: Mutex::new(others),
            max,
            len: AtomicUsize::new(0),
            text: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The number of the record with this key, made if it is not there and there is room. `touch` sees it either way.
    pub(super) fn number(&self, key: u64, make: impl FnOnce() -> R, touch: impl FnOnce(&mut R)) -> u32 {
        let shards = self.shards.len() as u32;
        let place = (key >> 59) as u32 % shards;
        let mut shard = self.shards[place as usize].lock();
        let local = match shard.numbers.get(&key) {
            Some(local) => *local,
            None => match self.make(make) {
                Some(record) => shard.add(key, record),
                None => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    drop(shard);
                    touch(&mut self.others.lock());
                    return OTHERS;
                }
            },
        };
        if let Some(Some((_, record))) = shard.records.get_mut(local as usize) {
            touch(record);
        }
        local * shards + place + 1
    }

    /// Does something with the record of this key, if there is one.
    pub(super) fn find<T>(&self, key: u64, what: impl FnOnce(&mut R) -> T) -> Option<T> {
        let place = (key >> 59) as u32 % self.shards.len() as u32;
        let RecordShard { numbers, records, .. } = &mut *self.shards[place as usize].lock();
        let local = *numbers.get(&key)?;
        records.get_mut(local as usize)?.as_mut().map(|(_, record)| what(record))
    }

    /// Makes a record and takes room for it, if there is some.
    fn make(&self, make: impl FnOnce() -> R) -> Option<R> {
        if !take(&self.len, 1, self.max) {
            return None;
        }
        let record = make();
        let room = self.max.saturating_mul(R::TEXT).max(LEAST_TEXT);
        if !take(&self.text, record.text_bytes(), room) {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(record)
    }

    /// Does something with a record. One that is gone is among the others.
    pub(super) fn with<T>(&self, number: u32, what: impl FnOnce(&mut R) -> T) -> T {
        if let Some(at) = number.checked_sub(1) {
            let shards = self.shards.len() as u32;
            let mut shard = self.shards[(at % shards) as usize].lock();
            if let Some(Some((_, record))) = shard.records.get_mut((at / shards) as usize) {
                return what(record);
            }
        }
        what(&mut self.others.lock())
    }

    /// Does something with the record of this key, where there is one.
    pub(super) fn peek<T>(&self, key: u64, what: impl FnOnce(&mut R) -> T) -> Option<T> {
        let shards = self.shards.len() as u32;
        let mut shard = self.shards[((key >> 59) as u32 % shards) as usize].lock();
        let local = *shard.numbers.get(&key)?;
        let (_, record) = shard.records.get_mut(local as usize)?.as_mut()?;
        Some(what(record))
    }

    /// Shows every record with its number, the others last.
    pub(super) fn each(&self, mut show: impl FnMut(u32, &mut R)) {
        let shards = self.shards.len() as u32;
        for (place, shard) in (0..).zip(&self.shards) {
            for (local, record) in (0..).zip(&mut shard.lock().records) {
                if let Some((_, record)) = record {
                    show(local * shards + place + 1, record);
                }
            }
        }
        show(OTHERS, &mut self.others.lock());
    }

    /// Forgets the records for which `keep` says no; their numbers are given out again.
    pub(super) fn retain(&self, mut keep: impl FnMut(&mut R) -> bool) {
        for shard in &self.shards {
            let RecordShard { numbers, records, free } = &mut *shard.lock();
            for (local, place) in (0..).zip(records.iter_mut()) {
                let Some((key, record)) = place else { continue };
                if !keep(record) {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    self.text.fetch_sub(record.text_bytes(), Ordering::Relaxed);
                    numbers.remove(key);
                    *place = None;
                    free.push(local);
                }
            }
            give_back(numbers, records, free);
        }
    }

    /// Memory held, bytes: of a record beside its text and [`Record::HEAP`] what its table takes.
    pub(super) fn bytes(&self) -> usize {
        let of = |shard: &Mutex<RecordShard<R>>| {
            let shard = shard.lock();
            shard.records.capacity() * size_of::<Option<(u64, R)>>()
                + shard.numbers.capacity() * (size_of::<(u64, u32)>() + 1)
                + shard.free.capacity() * size_of::<u32>()
        };
        self.shards.iter().map(of).sum::<usize>() + self.text_bytes() + self.len() * R::HEAP
    }

    /// Records, without the others.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Text of the records, bytes.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.load(Ordering::Relaxed)
    }

    /// How often a name found no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// What a storm has blown up is given back where the last places are free.
fn give_back<R>(numbers: &mut AHashMap<u64, u32>, records: &mut Vec<Option<(u64, R)>>, free: &mut Vec<u32>) {
    let used = records.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    if used < records.capacity() / 2 {
        records.truncate(used);
        records.shrink_to(used + used / 4);
        free.retain(|local| (*local as usize) < used);
        free.shrink_to_fit();
        let twice = 2 * numbers.len();
        numbers.shrink_to(twice);
    }
}

/// Adds to a sum, unless it would be more than `max`.
fn take(sum: &AtomicUsize, more: usize, max: usize) -> bool {
    let fits = sum.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= max;
    if !fits {
        sum.fetch_sub(more, Ordering::Relaxed);
    }
    fits
}

impl<R> RecordShard<R> {
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

    impl Record for u64 {
        fn text_bytes(&self) -> usize {
            0
        }
    }

    impl Record for String {
        fn text_bytes(&self) -> usize {
            self.len()
        }
    }

    #[test]
    fn long_names_fill_a_book_before_its_number_of_records_does() {
        let table = RecordTable::new(1000, String::new());
        let long = "n".repeat(4096);
        let numbers: Vec<u32> = (0..100).map(|i| table.number(key(i), || long.clone(), |_| {})).collect();
        let room = 1000 * String::TEXT;
        assert_eq!((table.len(), table.text_bytes(), table.refused()), (62, 62 * 4096, 38));
        assert!(room - table.text_bytes() < 4096);
        assert!(numbers[..62].iter().all(|n| *n != OTHERS) && numbers[62..].iter().all(|n| *n == OTHERS));
        // a short one still fits, and what is forgotten makes room
        assert_ne!(table.number(key(200), || "short".to_owned(), |_| {}), OTHERS);
        table.retain(|name| name.len() < 10);
        assert_eq!((table.len(), table.text_bytes()), (1, 5));
        assert_ne!(table.number(key(99), || long.clone(), |_| {}), OTHERS);
    }

    #[test]
    fn a_small_book_has_room_for_long_names_too() {
        let table = RecordTable::new(1, String::new());
        assert_ne!(table.number(key(0), || "n".repeat(3 * 4096), |_| {}), OTHERS);
    }

    fn key(i: u64) -> u64 {
        i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_name_keeps_its_number_and_a_full_book_counts_among_the_others() {
        let table = RecordTable::new(100, 0u64);
        let numbers: Vec<u32> = (0..150).map(|i| table.number(key(i), || 0, |_| {})).collect();
        assert_eq!((table.len(), table.refused()), (100, 50));
        assert!(numbers[..100].iter().all(|n| *n != OTHERS) && numbers[100..].iter().all(|n| *n == OTHERS));
        for number in &numbers {
            table.with(*number, |count| *count += 1);
        }
        let again: Vec<u32> = (0..100).map(|i| table.number(key(i), || 9, |_| {})).collect();
        assert_eq!(again, numbers[..100]);
        let mut seen = Vec::new();
        table.each(|number, count| seen.push((number, *count)));
        assert_eq!(seen.len(), 101);
        assert_eq!(seen.pop(), Some((OTHERS, 50)));
        assert!(seen.iter().all(|(_, count)| *count == 1));
    }

    #[test]
    fn numbers_of_a_dense_book_are_no_higher_than_its_records() {
        let table = RecordTable::dense(900, 0u64);
        let mut numbers: Vec<u32> = (0..900).map(|i| table.number(key(i), || 0, |_| {})).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=900).collect::<Vec<_>>());
        assert_eq!(table.number(key(900), || 0, |_| {}), OTHERS);
    }

    #[test]
    fn what_is_forgotten_makes_room() {
        let table = RecordTable::new(64, 0u64);
        for i in 0..64 {
            table.number(key(i), || i, |_| {});
        }
        table.retain(|i| *i % 2 == 0);
        assert_eq!(table.len(), 32);
        let kept = table.number(key(4), || 9, |_| {});
        assert_eq!(table.with(kept, |i| *i), 4);
        let fresh = table.number(key(1000), || 1000, |_| {});
        assert_eq!(table.with(fresh, |i| *i), 1000);
    }
}
