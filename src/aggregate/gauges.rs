//! The gauges of a shard: what each was last, and how long that holds.

use super::group::NONE;
use super::member::{LONGEST_MS, period_of};

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

    /// The value at the end of a window in which none came, and its time.
    pub(super) fn carried(&self, end: i64, interval_ms: i64) -> Option<(u64, i64)> {
        // half a period longer than until the next is due
        let carry_ms = period_of(self.period).map_or(LOOKBACK_MS, |period| (period * 3 / 2).min(LONGEST_MS));
        let holds = end.saturating_sub(self.end) <= carry_ms.max(interval_ms);
        (holds && self.bits != ABSENT).then_some((self.bits, self.ms))
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

    /// Puts one back where it was; returns whether that can be.
    pub(super) fn restore(&mut self, number: u32, gauge: Gauge) -> bool {
        let at = number as usize;
        if number > 1 << 30 || self.all.get(at).is_some_and(|there| there.group != NONE) {
            return false;
        }
        if self.all.len() <= at {
            self.all.resize(at + 1, Gauge::of(NONE));
        }
        self.all[at] = gauge;
        true
    }

    /// After the last [`Gauges::restore`].
    pub(super) fn restored(&mut self) {
        let free = |at: &u32| self.all[*at as usize].group == NONE;
        self.free = (0..self.all.len() as u32).filter(free).collect();
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<Gauge>() + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_for_a_period_and_a_half_an_interval_at_least_and_ten_minutes_at_most() {
        let code = |ms| (1..64).find(|code| period_of(*code).is_some_and(|period| period >= ms)).unwrap();
        for (period, interval_ms, holds_ms) in [
            (0, 5_000, LOOKBACK_MS),
            (code(20_000), 5_000, period_of(code(20_000)).unwrap() * 3 / 2),
            (code(1_000), 60_000, 60_000),
            (code(590_000), 5_000, LONGEST_MS),
        ] {
            let gauge = Gauge { group: 0, period, bits: 7, ms: 0, end: 1_000 };
            assert_eq!(gauge.carried(1_000 + holds_ms, interval_ms), Some((7, 0)), "{period}");
            assert_eq!(gauge.carried(1_001 + holds_ms, interval_ms), None, "{period}");
        }
    }
}
