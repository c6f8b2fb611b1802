//! What is remembered of each series that is part of a group, and of those that were; 32 bytes each.

use crate::series::Fingerprint;
use crate::series::table::Slot;

/// A series of a group.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Member {
    high: u64,
    low: u32,
    /// Number of its group in the shard.
    pub(super) group: u32,
    /// From above: time of the newest sample in Unix milliseconds, the round in which that came, flags.
    stamp: u64,
    /// Bits of the last value of a counter, number of a gauge.
    pub(super) payload: u64,
}

/// A slot that holds something.
const LIVE: u64 = 1;
/// It had a sample, so that there is something to go on from.
const SAMPLED: u64 = 2;
/// It was born while we watched, so that it counts from zero.
const BORN: u64 = 4;
/// It is a gauge.
const GAUGE: u64 = 8;
/// The last sample came more than an interval after the one before, and so did that one.
const LATE_ONCE: u64 = 16;
const SLOW: u64 = 32;
const FLAGS: u64 = 0xff;
const ROUND_AT: u32 = 8;
const ROUND: u64 = 0xff << ROUND_AT;
const TIME_AT: u32 = 16;

/// Latest time that a stamp can hold, Unix milliseconds; far beyond the year 9999.
pub(super) const LATEST_MS: i64 = (1 << 47) - 1;

impl Member {
    pub(super) fn counter(series: Fingerprint, group: u32, round: u8, born: bool) -> Self {
        let born = if born { BORN } else { 0 };
        Self::new(series, group, round, born, 0)
    }

    pub(super) fn gauge(series: Fingerprint, group: u32, round: u8, number: u32) -> Self {
        Self::new(series, group, round, GAUGE, u64::from(number))
    }

    fn new(series: Fingerprint, group: u32, round: u8, flags: u64, payload: u64) -> Self {
        let stamp = LIVE | flags | u64::from(round) << ROUND_AT;
        Self { high: series.high, low: series.low, group, stamp, payload }
    }

    /// The same series, come back.
    pub(super) fn resume(&mut self, tombstone: &Tombstone) {
        self.payload = tombstone.value;
        self.stamp = self.stamp & !BORN | SAMPLED | (tombstone.newest_ms as u64) << TIME_AT;
    }

    /// Time of the newest sample, Unix milliseconds; `None` before the first.
    #[inline]
    pub(super) fn newest_ms(&self) -> Option<i64> {
        (self.stamp & SAMPLED != 0).then_some((self.stamp >> TIME_AT) as i64)
    }

    /// Notes the time of a sample.
    #[inline]
    pub(super) fn advance(&mut self, ms: i64, round: u8) {
        let kept = self.stamp & FLAGS & !BORN | SAMPLED;
        self.stamp = kept | u64::from(round) << ROUND_AT | (ms as u64) << TIME_AT;
    }

    /// It lives, whatever its samples are.
    #[inline]
    pub(super) fn touch(&mut self, round: u8) {
        self.stamp = self.stamp & !ROUND | u64::from(round) << ROUND_AT;
    }

    pub(super) fn round(&self) -> u8 {
        (self.stamp >> ROUND_AT) as u8
    }

    pub(super) fn is_born(&self) -> bool {
        self.stamp & BORN != 0
    }

    #[inline]
    pub(super) fn is_gauge(&self) -> bool {
        self.stamp & GAUGE != 0
    }

    /// Notes whether it is sampled slower than it should be; returns whether that is news: two long steps in a row.
    #[inline]
    pub(super) fn step(&mut self, long: bool) -> bool {
        if !long {
            self.stamp &= !LATE_ONCE;
            return false;
        }
        let news = self.stamp & (LATE_ONCE | SLOW) == LATE_ONCE;
        self.stamp |= if news { SLOW } else { LATE_ONCE };
        news
    }

    pub(super) fn parts(&self) -> (Fingerprint, u32, u64, u64) {
        (self.fingerprint(), self.group, self.stamp, self.payload)
    }

    pub(super) fn from_parts(series: Fingerprint, group: u32, stamp: u64, payload: u64) -> Self {
        Self { high: series.high, low: series.low, group, stamp: stamp | LIVE, payload }
    }
}

impl Slot for Member {
    type Aside = ();

    const EMPTY: Self = Self { high: 0, low: 0, group: 0, stamp: 0, payload: 0 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.stamp == 0
    }
}

/// A counter that is gone. If it comes back, it goes on from where it was.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Tombstone {
    high: u64,
    low: u32,
    /// When it was put up, in rounds; bounded by how many there may be.
    pub(super) round: u32,
    /// Bits of the last value.
    pub(super) value: u64,
    pub(super) newest_ms: i64,
}

impl Tombstone {
    /// Of a counter that had a sample.
    pub(super) fn of(member: &Member, round: u32) -> Option<Self> {
        let newest_ms = member.newest_ms().filter(|_| !member.is_gauge())?;
        Some(Self { high: member.high, low: member.low, round, value: member.payload, newest_ms })
    }

    pub(super) fn from_parts(series: Fingerprint, round: u32, value: u64, newest_ms: i64) -> Self {
        Self { high: series.high, low: series.low, round, value, newest_ms }
    }
}

impl Slot for Tombstone {
    type Aside = ();

    const EMPTY: Self = Self { high: 0, low: 0, round: 0, value: 0, newest_ms: -1 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.newest_ms < 0
    }
}
