//! The gauges of a shard: what each was last, and how long that holds.

use super::group::NONE;
use super::member::{LONGEST_MS, period_of};
use crate::wire::v1::STALE_MARKER;

/// Nothing of a gauge, and a gauge without a value in a window: a NaN that no sender writes; one that does, loses that
/// sample.
pub(super) const ABSENT: u64 = 0xfff8_5e71_e59a_7e00;

/// How long a value holds where it is not known when the next one is due, milliseconds: as PromQL looks back.
const LOOKBACK_MS: i64 = 300_000;

/// One gauge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    /// Number of its group; `NONE`: nobody has this number.
    pub(super) group: u32,
    /// How far its samples are apart, see [`period_of`].
    pub(super) period: u8,
    /// Bits of its last value in windows that are closed.
    pub(super) bits: u64,
    /// The time of that, and the end of its window, Unix milliseconds.
    pub(super) ms: i64,
    pub(super) end: i64,
}

impl Gauge {
    fn of(group: u32) -> Self {
        Self { group, period: 0, bits: ABSENT, ms: i64::MIN, end: i64::MIN }
    }

    /// The value that it has in the window that ends then, and its time. It holds from the end of its own window on, where
    /// it stands for what was to come: so wherever in a window its samples are, one that is lost leaves no hole.
    pub(super) fn carried(&self, end: i64) -> Option<(u64, i64)> {
        // half a period longer than until the next is due
        let carry_ms = period_of(self.period).map_or(LOOKBACK_MS, |period| (period * 3 / 2).min(LONGEST_MS));
        let holds = end.saturating_sub(self.end) <= carry_ms;
        (holds && self.bits != ABSENT && self.bits != STALE_MARKER).then_some((self.bits, self.ms))
    }
}

/// Gauges by number.
#[derive(Default)]
pub(super) struct Gauges {
    all: Vec<Gauge>,
    free: Vec<u32>,
}

impl Gauges {
    /// Adds one of this group; returns its number.
    pub(super) fn add(&mut self, group: u32) -> u32 {
        let number = self.free.pop().unwrap_or(self.all.len() as u32);
        if number as usize == self.all.len() {
            self.all.push(Gauge::of(group));
        } else {
            self.all[number as usize] = Gauge::of(group);
        }
        number
    }

    /// Its number may be another's from now on.
    pub(super) fn remove(&mut self, number: u32) {
        self.all[number as usize] = Gauge::of(NONE);
        self.free.push(number);
        if self.free.len() == self.all.len() {
            *self = Self::default();
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Gauge> {
        self.all.get_mut(number as usize)
    }

    /// All that are somebody's, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Gauge)> {
        (0u32..).zip(&self.all).filter(|(_, gauge)| gauge.group != NONE)
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Gauge)> {
        (0u32..).zip(&mut self.all).filter(|(_, gauge)| gauge.group != NONE)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.all.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<Gauge>() + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of a period.
    fn code(ms: i64) -> u8 {
        (1..64).find(|code| period_of(*code).is_some_and(|period| period > ms)).unwrap()
    }

    #[test]
    fn a_value_holds_for_a_period_and_a_half_and_ten_minutes_at_most() {
        for (period, holds_ms) in [
            (0, LOOKBACK_MS),
            (code(20_000), period_of(code(20_000)).unwrap() * 3 / 2),
            (code(1_000), 1_536),
            (code(590_000), LONGEST_MS),
        ] {
            let gauge = Gauge { group: 0, period, bits: 7, ms: 0, end: 1_000 };
            assert_eq!(gauge.carried(1_000), Some((7, 0)), "{period}");
            assert_eq!(gauge.carried(1_000 + holds_ms), Some((7, 0)), "{period}");
            assert_eq!(gauge.carried(1_001 + holds_ms), None, "{period}");
        }
    }

    #[test]
    fn it_is_in_as_many_windows_more_as_a_period_and_a_half_has() {
        for (period_s, interval_s, windows) in [
            (5, 15, 0),
            (30, 60, 0),
            (10, 15, 1),
            (14, 15, 1),
            (15, 15, 1),
            (20, 15, 2),
            (60, 15, 6),
            (600, 60, 10),
        ] {
            let gauge = Gauge { group: 0, period: code(period_s * 1000), bits: 7, ms: 0, end: 0 };
            let carried = (1..).take_while(|window| gauge.carried(window * interval_s * 1000).is_some());
            assert_eq!(carried.count(), windows, "{period_s} s in windows of {interval_s} s");
        }
    }
}
