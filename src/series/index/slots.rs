//! What the tables of a shard hold; 32 bytes each, so that two share a cache line and none straddles one.

use super::{Arrival, Attribution, Claimant, FollowUp, Remembered, SentAs};
use crate::series::fingerprint::Fingerprint;
use crate::series::table::Slot;

/// A time, Unix seconds, and where in the windows it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: u32,
    pub(super) in_windows: u32,
}

/// One series.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Entry {
    high: u64,
    low: u32,
    /// Unix seconds.
    pub(super) last_seen: u32,
    /// Unix seconds of sample time.
    pub(super) valid_until: u32,
    /// What belongs to `sent_as`.
    detail: u32,
    /// From above: generation of the policies, flags, window, what is sent. 0: nothing is held.
    state: u32,
    /// Samples seen, saturating.
    samples: u16,
    pub(super) verdict: u16,
}

/// Where the parts of `state` begin, in bits.
const WINDOW_AT: u32 = 3;
const FLAGS_AT: u32 = 6;
const GENERATION_AT: u32 = 9;
/// What is sent: one of seven, never 0.
const EMITS: u32 = 0b111;
/// The window in which the series was last looked at closely, its lowest bits.
const WINDOW: u32 = 0b111 << WINDOW_AT;
/// Its values say something about a run or a start, see [`FollowUp`].
const WATCHED: u32 = 1 << FLAGS_AT;
/// The last of them was not 0.
const ON: u32 = 2 << FLAGS_AT;
/// Its last sample was a stale marker.
const ENDED: u32 = 4 << FLAGS_AT;

/// Generations that an entry can tell apart; they start at 1, 0 is never in force.
pub const MAX_GENERATION: u32 = u32::MAX >> GENERATION_AT;

/// How often a series is looked at closely though nothing about it is new: once in so many seconds, a power of two.
pub const WINDOW_SECONDS: u32 = 2048;

impl Entry {
    pub(super) fn new(series: Fingerprint, decided: Remembered, arrival: &Arrival, at: Moment) -> Self {
        let mut entry = Self { high: series.high, low: series.low, last_seen: at.now, ..Self::EMPTY };
        entry.state = entry.window(at.in_windows);
        if arrival.observe_again {
            entry.make_due(at);
        }
        for (flag, set) in [(WATCHED, arrival.watched), (ON, arrival.on), (ENDED, arrival.ended)] {
            entry.set(flag, set);
        }
        entry.samples = arrival.samples;
        entry.decide(decided);
        entry
    }

    /// Takes over a decision.
    pub(super) fn decide(&mut self, decided: Remembered) {
        self.state = decided.generation << GENERATION_AT | self.state & (WINDOW | WATCHED | ON | ENDED);
        self.emit(decided.sent_as);
        self.verdict = decided.verdict;
        self.valid_until = decided.valid_until;
    }

    fn emit(&mut self, sent_as: SentAs) {
        let (kind, detail) = match sent_as {
            SentAs::Itself => (1, 0),
            SentAs::Nothing => (2, 0),
            SentAs::Rewritten(edit) => (3, edit),
            SentAs::Contested(wanted) => (4, wanted),
            SentAs::Aggregated(group_key) => (5, group_key),
            SentAs::Provisional(known) => (6, known),
            SentAs::ItselfUntil(until) => (7, until),
        };
        self.state = self.state & !EMITS | kind;
        self.detail = detail;
    }

    /// What was decided does not hold any more. What is sent, and under which policies, is still to be known.
    pub(super) fn reopen(&mut self) {
        self.valid_until = 0;
    }

    /// The identity that it had upstream is another's.
    pub(super) fn lose(&mut self, after: SentAs) {
        self.emit(after);
        self.reopen();
    }

    pub(super) fn generation(&self) -> u32 {
        self.state >> GENERATION_AT
    }

    #[inline]
    pub(super) fn sent_as(&self) -> SentAs {
        match self.state & EMITS {
            1 => SentAs::Itself,
            3 => SentAs::Rewritten(self.detail),
            4 => SentAs::Contested(self.detail),
            5 => SentAs::Aggregated(self.detail),
            6 => SentAs::Provisional(self.detail),
            7 => SentAs::ItselfUntil(self.detail),
            _ => SentAs::Nothing,
        }
    }

    /// Notes that samples came; says what there is to be done besides.
    #[inline]
    pub(super) fn see(&mut self, at: Moment, samples: u16, ends: bool) -> FollowUp {
        self.last_seen = at.now;
        self.samples = self.samples.saturating_add(samples);
        let window = self.window(at.in_windows);
        if self.state & (WINDOW | WATCHED | ENDED) == window {
            return FollowUp::NONE;
        }
        let due = self.state & WINDOW != window;
        self.state = self.state & !WINDOW | window;
        let watched = (self.state & WATCHED != 0).then_some(self.state & ON != 0);
        FollowUp::new(due, watched, self.has_ended() && !ends)
    }

    /// The window that this series is in. They begin at another time for each series, so that the work is spread, in
    /// the first half of the windows of all: whoever comes late by less than the other half still comes in the same one.
    #[inline]
    fn window(&self, now: u32) -> u32 {
        const SPREAD: u32 = WINDOW_SECONDS / 2;
        let shifted = now.wrapping_add(SPREAD + self.low % SPREAD);
        ((shifted / WINDOW_SECONDS) << WINDOW_AT) & WINDOW
    }

    /// Has it be looked at closely at its next sample.
    pub(super) fn make_due(&mut self, at: Moment) {
        let before = self.window(at.in_windows.wrapping_sub(WINDOW_SECONDS));
        self.state = self.state & !WINDOW | before;
    }

    fn set(&mut self, flag: u32, set: bool) -> bool {
        let before = self.state & flag != 0;
        self.state = if set { self.state | flag } else { self.state & !flag };
        before != set
    }

    pub(super) fn watch(&mut self) {
        self.set(WATCHED, true);
    }

    /// Remembers whether the value of a watched series is other than 0; returns whether that is news.
    pub(super) fn turn(&mut self, on: bool) -> bool {
        self.set(ON, on)
    }

    /// Remembers whether the last sample was a stale marker; returns whether that is news.
    pub(super) fn end(&mut self, ended: bool) -> bool {
        self.set(ENDED, ended)
    }

    /// Whether the last value of a watched series was other than 0.
    pub(super) fn is_on(&self) -> bool {
        self.state & ON != 0
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state & ENDED != 0
    }

    /// Samples seen, 65,535 at most.
    pub(super) fn samples(&self) -> u16 {
        self.samples
    }
}

impl Slot for Entry {
    type Aside = Past;

    const EMPTY: Self =
        Self { high: 0, low: 0, last_seen: 0, valid_until: 0, detail: 0, state: 0, samples: 0, verdict: 0 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.state == 0
    }
}

/// What is asked of a series only when it comes, ends or is looked at closely.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    /// From above: metric, whether it was learned, sender.
    payer: u32,
    /// From above: what the values are evidence of, the unit.
    unit: u32,
    /// Unix seconds.
    pub(super) first_seen: u32,
}

/// Senders that a series can be charged to.
pub const MAX_SENDERS: u32 = 1 << 10;
/// Metrics that a series can be charged to.
pub const MAX_METRICS: u32 = 1 << 21;
/// Units that a series can be charged to.
pub const MAX_UNITS: u32 = 1 << 29;
/// Kinds of evidence that values can be, with that of nothing.
pub const MAX_EVIDENCE: u8 = 8;
const LEARNED: u32 = MAX_SENDERS;

impl Past {
    pub(super) fn new(arrival: &Arrival, first_seen: u32) -> Self {
        let Attribution { metric, unit, sender, evidence } = arrival.attribution;
        debug_assert!(metric < MAX_METRICS && sender < MAX_SENDERS);
        debug_assert!(unit < MAX_UNITS && evidence < MAX_EVIDENCE);
        let learned = if arrival.learned { LEARNED } else { 0 };
        let unit = (u32::from(evidence) * MAX_UNITS) | unit;
        Self { payer: (metric * 2 * MAX_SENDERS) | learned | sender, unit, first_seen }
    }

    pub(super) fn reattribute(&mut self, unit: u32) {
        self.unit = (self.unit / MAX_UNITS * MAX_UNITS) | unit;
    }

    pub(super) fn attribution(&self) -> Attribution {
        let (metric, sender) = (self.payer / (2 * MAX_SENDERS), self.payer % MAX_SENDERS);
        let (evidence, unit) = ((self.unit / MAX_UNITS) as u8, self.unit % MAX_UNITS);
        Attribution { metric, unit, sender, evidence }
    }

    pub(super) fn learned(&self) -> bool {
        self.payer & LEARNED != 0
    }
}

/// Label bytes that are not canonical, and the series they turned out to be.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Alias {
    high: u64,
    low: u32,
    pub(super) last_seen: u32,
    pub(super) series: Fingerprint,
}

impl Alias {
    pub(super) fn new(bytes: Fingerprint, series: Fingerprint, now: u32) -> Self {
        Self { high: bytes.high, low: bytes.low, last_seen: now.max(1), series }
    }
}

impl Slot for Alias {
    type Aside = ();

    // an alias was seen at some time, so a zero says that there is none
    const EMPTY: Self = Self { high: 0, low: 0, last_seen: 0, series: Fingerprint { high: 0, low: 0 } };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.last_seen == 0
    }
}

/// An identity that goes upstream, and the series that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(super) struct Claim {
    high: u64,
    low: u32,
    /// When the owner is known to have lived, Unix seconds.
    pub(super) seen: u32,
    owner_high: u64,
    owner_low: u32,
    /// Generation of the policies that gave it to the owner, and [`INHERITED`]. Where there is no owner: the time of the last
    /// sample, Unix seconds of sample time.
    generation: u32,
}

/// Another had the identity before.
const INHERITED: u32 = 1 << 31;
const _: () = assert!(MAX_GENERATION < INHERITED);

impl Claim {
    pub(super) fn new(output: Fingerprint, by: &Claimant) -> Self {
        Self {
            high: output.high,
            low: output.low,
            seen: by.now.max(1),
            owner_high: by.owner.high,
            owner_low: by.owner.low,
            generation: by.generation,
        }
    }

    /// The same, and whether another had the identity before.
    pub(super) fn inherited(self, inherited: bool) -> Self {
        Self { generation: self.generation | if inherited { INHERITED } else { 0 }, ..self }
    }

    /// Whether another had the identity before.
    pub(super) fn is_inherited(&self) -> bool {
        self.vacant_since().is_none() && self.generation & INHERITED != 0
    }

    /// Generation of the policies that gave it to its owner.
    pub(super) fn generation(&self) -> u32 {
        self.generation & !INHERITED
    }

    /// It belongs to nobody any more; who comes next is to be newer than `last`.
    pub(super) fn vacate(&mut self, last: u32, now: u32) {
        let nobody = Fingerprint::default();
        (self.owner_high, self.owner_low) = (nobody.high, nobody.low);
        (self.generation, self.seen) = (last, now.max(1));
    }

    /// Where it belongs to nobody: the time of the last sample.
    pub(super) fn vacant_since(&self) -> Option<u32> {
        (self.owner() == Fingerprint::default()).then_some(self.generation)
    }

    pub(super) fn owner(&self) -> Fingerprint {
        Fingerprint { high: self.owner_high, low: self.owner_low }
    }
}

impl Slot for Claim {
    type Aside = ();

    const EMPTY: Self = Self { high: 0, low: 0, seen: 0, owner_high: 0, owner_low: 0, generation: 0 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.seen == 0
    }
}
