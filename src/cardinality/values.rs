//! The last values of series that policies with `unchanged_for` ask about, and of no others.
//!
//! What is noted when a series is decided is idempotent: a value that comes again is no news.

use std::sync::atomic::{AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;

/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;
/// Series of a shard: as many as a table of 32,768 places takes before it grows, so that all take 13 MiB at most.
const MOST: usize = 28_672;

/// A value of a series: when its sample was taken, Unix seconds, and its bits.
pub type TimedValue = (u32, u64);

/// The last value of each series.
pub(super) struct Values {
    shards: Box<[Mutex<AHashMap<u64, Noted>>]>,
    most: usize,
    refused: AtomicU64,
}

struct Noted {
    bits: u64,
    /// When its sample was taken, Unix seconds.
    at: u32,
    /// When it was last asked about, Unix seconds of our clock.
    heard: u32,
}

impl Values {
    pub(super) fn new() -> Self {
        Self::of(MOST)
    }

    /// A table of so many series in each shard.
    fn of(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, most, refused: AtomicU64::new(0) }
    }

    /// Takes in values of a series, oldest first; says when it changed last, if it did. One that is new has changed, and so
    /// has one that finds no room.
    pub(super) fn hear(&self, series: u64, values: &[TimedValue], now: u32) -> Option<u32> {
        let (first, last) = (values.first()?, values.last()?);
        let mut shard = self.shards[(series >> 60) as usize % SHARDS].lock();
        let is_new = !shard.contains_key(&series);
        if is_new && shard.len() >= self.most {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Some(last.0);
        }
        let make = || Noted { bits: first.1, at: first.0, heard: now };
        let noted = shard.entry(series).or_insert_with(make);
        noted.heard = now;
        let mut changed = is_new.then_some(first.0);
        for (at, bits) in values {
            // what is older than what is known says nothing of now
            if *at >= noted.at {
                if *bits != noted.bits {
                    changed = Some(*at);
                }
                (noted.at, noted.bits) = (*at, *bits);
            }
        }
        changed
    }

    /// Forgets series that nobody asked about since `horizon`, Unix seconds.
    pub(super) fn forget(&self, horizon: u32) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.retain(|_, noted| noted.heard >= horizon);
            if shard.len() * 4 < shard.capacity() {
                shard.shrink_to_fit();
            }
        }
    }

    /// How many there are, the bytes that they take, and how often there was no room.
    pub(super) fn usage(&self) -> (usize, usize, u64) {
        let of = |shard: &Mutex<AHashMap<u64, Noted>>| {
            let shard = shard.lock();
            // a table is seven eighths full at most, and has a byte beside each place
            (shard.len(), (shard.capacity() * 8).div_ceil(7) * (size_of::<(u64, Noted)>() + 1))
        };
        let (records, bytes) =
            self.shards.iter().map(of).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        (records, bytes, self.refused.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_700_000_000;

    #[test]
    fn a_series_changed_when_it_came_and_when_its_value_did() {
        let values = Values::new();
        for (what, heard, expected) in [
            ("it is new", &[(100, 7)][..], Some(100)),
            ("the same again", &[(100, 7)], None),
            ("the same later", &[(160, 7), (220, 7)], None),
            ("another", &[(280, 8)], Some(280)),
            ("the request again", &[(280, 8)], None),
            ("what is older", &[(250, 9)], None),
            ("there and back within a request", &[(300, 8), (310, 9), (320, 8), (330, 8)], Some(320)),
            ("another at the same moment", &[(330, 9)], Some(330)),
            ("no value", &[], None),
        ] {
            assert_eq!(values.hear(5, heard, NOW), expected, "{what}");
        }
        assert_eq!(values.hear(6, &[(100, 1), (160, 1)], NOW), Some(100));
    }

    #[test]
    fn what_finds_no_room_has_always_changed_and_what_nobody_asks_about_makes_room() {
        let values = Values::of(2);
        for at in [100, 160] {
            let heard = [1, 2, 3].map(|series| values.hear(series, &[(at, 7)], NOW + at));
            assert_eq!(heard, if at == 100 { [Some(100); 3] } else { [None, None, Some(160)] });
        }
        let (records, bytes, refused) = values.usage();
        assert_eq!((records, refused), (2, 2));
        assert!(bytes > 0);
        values.hear(2, &[(220, 7)], NOW + 220);
        values.forget(NOW + 200);
        assert_eq!(values.usage().0, 1);
        assert_eq!(values.hear(2, &[(280, 7)], NOW + 280), None);
        assert_eq!(values.hear(3, &[(280, 7)], NOW + 280), Some(280));
        assert_eq!(values.hear(3, &[(340, 7)], NOW + 340), None);
        values.forget(u32::MAX);
        assert_eq!(values.usage().1, 0);
    }

    #[test]
    fn all_of_them_take_so_many_bytes_at_most() {
        let values = Values::new();
        for series in 0..MOST as u64 + 10 {
            values.hear(series, &[(100, 7)], NOW);
        }
        let (records, bytes, refused) = values.usage();
        assert_eq!((records, refused), (MOST, 10));
        assert!(bytes <= (13 << 20) / SHARDS, "{bytes}");
    }
}
