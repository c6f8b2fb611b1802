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
    /// From above: time of the newest sample in Unix milliseconds, the round in which that came, the period, flags.
    stamp: u64,
    /// Bits of the last value of a counter, number of a gauge.
    pub(super) payload: u64,
}

/// A slot that holds something.
const LIVE: u64 = 1;
/// It had a sample, so that there is something to go on from.
const SAMPLED: u64 = 2;
/// It is a gauge.
const GAUGE: u64 = 8;
/// It is known to be sampled slower than the interval.
const SLOW: u64 = 16;
const FLAGS: u64 = LIVE | SAMPLED | GAUGE | SLOW;
/// How many samples in a row came much later than its period says.
const LATE_AT: u32 = 5;
const LATE: u64 = 7 << LATE_AT;
const PERIOD_AT: u32 = 8;
const PERIOD: u64 = 0x3f << PERIOD_AT;
const ROUND_AT: u32 = 14;
const ROUND: u64 = 0xff << ROUND_AT;
const TIME_AT: u32 = 22;

/// Latest time that a stamp can hold, Unix milliseconds: in the year 2109.
pub(super) const LATEST_MS: i64 = (1 << 42) - 1;

/// After a silence longer than this nothing is known of the period, milliseconds.
pub(super) const LONGEST_MS: i64 = 600_000;

/// How many samples must be late in a row until the period is believed to be longer; a lost scrape makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Patience {
    /// Where a period that is too long does no harm.
    Usual = 2,
    /// Where what is missing may have gone to another gate.
    Long = 7,
}

impl Member {
    pub(super) fn counter(series: Fingerprint, group: u32, round: u8) -> Self {
        Self::new(series, group, round, 0, 0)
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
        self.stamp = self.stamp | SAMPLED | (tombstone.newest_ms as u64) << TIME_AT;
    }

    /// Time of the newest sample, Unix milliseconds; `None` before the first.
    #[inline]
    pub(super) fn newest_ms(&self) -> Option<i64> {
        (self.stamp & SAMPLED != 0).then_some((self.stamp >> TIME_AT) as i64)
    }

    /// How far its samples are apart, milliseconds, rounded up by a quarter at most; `None` before the second.
    #[inline]
    pub(super) fn period_ms(&self) -> Option<i64> {
        period_of(self.period())
    }

    /// The same as a code, see [`period_of`].
    #[inline]
    pub(super) fn period(&self) -> u8 {
        ((self.stamp & PERIOD) >> PERIOD_AT) as u8
    }

    /// Whether a sample of this time comes much later than the next one should.
    #[inline]
    pub(super) fn is_late(&self, ms: i64) -> bool {
        let (Some(newest), Some(period)) = (self.newest_ms(), self.period_ms()) else { return false };
        ms - newest > period * 3 / 2
    }

    /// Notes the time of a sample.
    #[inline]
    pub(super) fn advance(&mut self, ms: i64, round: u8, patience: Patience) {
        let mut kept = self.stamp & (FLAGS | PERIOD | LATE) | SAMPLED;
        if let Some(newest) = self.newest_ms() {
            let late = ((kept & LATE) >> LATE_AT) + 1;
            kept &= !LATE;
            if ms - newest > LONGEST_MS {
                kept &= !PERIOD;
            } else if self.is_late(ms) && late < patience as u64 {
                kept |= late << LATE_AT;
            } else {
                let code = code_of(ms - newest).max(self.least_period(patience));
                kept = kept & !PERIOD | code << PERIOD_AT;
            }
        }
        self.stamp = kept | u64::from(round) << ROUND_AT | (ms as u64) << TIME_AT;
    }

    /// The shortest period that the next sample can make of the one that there is. Of samples at uneven times (cAdvisor's
    /// own, say) the long gaps count: one short gap does not tell that the next is short.
    #[inline]
    fn least_period(&self, patience: Patience) -> u64 {
        match patience {
            Patience::Usual => u64::from(self.period().saturating_sub(1)),
            Patience::Long => 0,
        }
    }

    /// Notes the time of a stale marker: it says nothing of how far samples are apart.
    pub(super) fn end(&mut self, ms: i64, round: u8) {
        let kept = self.stamp & (FLAGS | PERIOD | LATE) | SAMPLED;
        self.stamp = kept | u64::from(round) << ROUND_AT | (ms as u64) << TIME_AT;
    }

    /// Its last sample had a time that is not to be believed: it goes on from this one.
    pub(super) fn pull_back(&mut self, ms: i64, round: u8) {
        let kept = self.stamp & FLAGS;
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

    #[inline]
    pub(super) fn is_gauge(&self) -> bool {
        self.stamp & GAUGE != 0
    }

    /// Notes that it is sampled slower than the interval; returns whether that is news.
    #[inline]
    pub(super) fn is_slow(&mut self) -> bool {
        let news = self.stamp & SLOW == 0;
        self.stamp |= SLOW;
        news
    }

    pub(super) fn parts(&self) -> (Fingerprint, u32, u64, u64) {
        (self.fingerprint(), self.group, self.stamp, self.payload)
    }

    /// A stamp as version 1 of snapshots has it: flags, round, time.
    pub(super) fn stamp_of_version_1(stamp: u64) -> u64 {
        let (flags, slow) = (stamp & (LIVE | SAMPLED | GAUGE), (stamp >> 5) & 1);
        let (round, ms) = ((stamp >> 8) & 0xff, stamp >> 16);
        flags | (slow * SLOW) | (round << ROUND_AT) | (ms.min(LATEST_MS as u64) << TIME_AT)
    }

    pub(super) fn from_parts(series: Fingerprint, group: u32, stamp: u64, payload: u64) -> Self {
        Self { high: series.high, low: series.low, group, stamp: stamp | LIVE, payload }
    }
}

/// Periods are kept to a quarter of an octave, from 64 ms on.
fn code_of(ms: i64) -> u64 {
    let ms = ms.max(64) as u64;
    let octave = u64::from(ms.ilog2());
    (4 * (octave - 6) + (ms >> (octave - 2) & 3) + 1).min(PERIOD >> PERIOD_AT)
}

/// The longest period that a code stands for, milliseconds; 0 stands for none.
pub(super) fn period_of(code: u8) -> Option<i64> {
    let step = code.checked_sub(1)?;
    Some(i64::from(5 + (step & 3)) << (step / 4 + 4))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_rounded_up_by_a_quarter_at_most() {
        for ms in [64, 65, 100, 999, 1000, 15_000, 30_000, 60_000, 65_536, 300_000, 3_000_000] {
            let period = period_of(code_of(ms) as u8).unwrap();
            assert!(ms < period && period <= ms + ms / 4, "{ms}: {period}");
        }
        assert_eq!(period_of(0), None);
        assert_eq!(code_of(i64::MAX), 63);
    }

    #[test]
    fn a_lost_sample_does_not_make_a_member_slow_and_two_do() {
        let mut member = Member::counter(Fingerprint::default(), 0, 0);
        let mut after = |seconds: &[i64]| {
            seconds.iter().for_each(|second| member.advance(second * 1000, 7, Patience::Usual));
            (member.period_ms().map(|ms| ms / 1000), member.newest_ms().unwrap(), member.round())
        };
        assert_eq!(after(&[100]), (None, 100_000, 7));
        assert_eq!(after(&[115, 130]), (Some(16), 130_000, 7));
        assert_eq!(after(&[160]), (Some(16), 160_000, 7));
        assert_eq!(after(&[175, 205]), (Some(16), 205_000, 7));
        assert_eq!(after(&[235]), (Some(32), 235_000, 7));
        // and it takes some to make it fast again
        assert_eq!(after(&[250]), (Some(28), 250_000, 7));
        assert_eq!(after(&[265, 280, 295]), (Some(16), 295_000, 7));
        // where it may have been elsewhere, more is needed
        for step in 1..=7 {
            member.advance(295_000 + step * 30_000, 7, Patience::Long);
            assert_eq!(
                member.period_ms().map(|ms| ms / 1000),
                Some(if step < 7 { 16 } else { 32 }),
                "{step}"
            );
        }
    }

    #[test]
    fn a_stale_marker_right_after_a_sample_does_not_make_a_member_fast() {
        let mut member = Member::gauge(Fingerprint::default(), 0, 0, 0);
        [0, 15_000, 30_000].iter().for_each(|ms| member.advance(*ms, 0, Patience::Usual));
        member.end(30_500, 3);
        assert_eq!((member.period_ms(), member.newest_ms(), member.round()), (Some(16_384), Some(30_500), 3));
    }

    #[test]
    fn a_sample_is_late_after_a_period_and_a_half_and_a_long_silence_leaves_no_period() {
        let mut member = Member::counter(Fingerprint::default(), 0, 0);
        [0, 15_000, 30_000].iter().for_each(|ms| member.advance(*ms, 0, Patience::Long));
        assert!(!member.is_late(50_000) && member.is_late(55_000));
        member.advance(30_000 + LONGEST_MS, 0, Patience::Long);
        assert!(member.period_ms().is_some());
        member.advance(30_001 + 2 * LONGEST_MS, 0, Patience::Long);
        assert_eq!(member.period_ms(), None);
    }
}
