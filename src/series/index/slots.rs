//! What the tables of a shard hold; 32 bytes each, so that two share a cache line and none straddles one.

use super::{Emits, Remembered};
use crate::series::fingerprint::Fingerprint;
use crate::series::table::Slot;

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
    /// What belongs to `emits`.
    detail: u32,
    /// Generation of the policies above, what is sent below, see [`EMITS_BITS`]; 0: nothing is held.
    state: u32,
    group: u16,
    pub(super) verdict: u16,
}

/// Bits of `state` that say what is sent.
const EMITS_BITS: u32 = 3;

/// Generations that an entry can tell apart; they start at 1, 0 is never in force.
pub const MAX_GENERATION: u32 = u32::MAX >> EMITS_BITS;

impl Entry {
    pub(super) fn new(series: Fingerprint, decided: Remembered, now: u32) -> Self {
        let mut entry = Self { high: series.high, low: series.low, last_seen: now, ..Self::EMPTY };
        entry.decide(decided);
        entry
    }

    /// Takes over a decision.
    pub(super) fn decide(&mut self, decided: Remembered) {
        let (kind, detail) = match decided.emits {
            Emits::Itself => (1, 0),
            Emits::Nothing => (2, 0),
            Emits::Rewritten(edit) => (3, edit),
            Emits::Contested(wanted) => (4, wanted),
        };
        self.state = decided.generation << EMITS_BITS | kind;
        self.detail = detail;
        self.verdict = decided.verdict;
        self.valid_until = decided.valid_until;
        // tenants at most 65,535, checked with the config
        self.group = decided.group as u16;
    }

    /// What was decided does not hold any more.
    pub(super) fn reopen(&mut self) {
        self.state &= (1 << EMITS_BITS) - 1;
    }

    pub(super) fn generation(&self) -> u32 {
        self.state >> EMITS_BITS
    }

    pub(super) fn group(&self) -> u32 {
        u32::from(self.group)
    }

    #[inline]
    pub(super) fn emits(&self) -> Emits {
        match self.state & ((1 << EMITS_BITS) - 1) {
            1 => Emits::Itself,
            3 => Emits::Rewritten(self.detail),
            4 => Emits::Contested(self.detail),
            _ => Emits::Nothing,
        }
    }
}

impl Slot for Entry {
    const EMPTY: Self =
        Self { high: 0, low: 0, last_seen: 0, valid_until: 0, detail: 0, state: 0, group: 0, verdict: 0 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.state == 0
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
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Claim {
    high: u64,
    low: u32,
    /// When the owner is known to have lived, Unix seconds.
    pub(super) seen: u32,
    owner_high: u64,
    owner_low: u32,
    /// Generation of the policies that gave it to the owner.
    pub(super) generation: u32,
}

impl Claim {
    pub(super) fn new(output: Fingerprint, owner: Fingerprint, generation: u32, now: u32) -> Self {
        Self {
            high: output.high,
            low: output.low,
            seen: now.max(1),
            owner_high: owner.high,
            owner_low: owner.low,
            generation,
        }
    }

    pub(super) fn owner(&self) -> Fingerprint {
        Fingerprint { high: self.owner_high, low: self.owner_low }
    }
}

impl Slot for Claim {
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
