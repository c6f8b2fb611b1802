//! One series that has a place, or has one reserved.

use crate::series::Fingerprint;
use crate::series::table;

/// A place in a group. 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    high: u64,
    low: u32,
    /// Position of the group.
    pub(super) group: u32,
    /// When its stale marker came, Unix seconds of our clock; 0: it goes on.
    pub(super) ended: u32,
    /// Requests in hand that hold the place for it, saturating: then it is kept until the series ends.
    pub(super) holders: u16,
    flags: u8,
}

const TAKEN: u8 = 1;
const ADMITTED: u8 = 1 << 1;
/// Counts as new once it is admitted.
const COUNTS: u8 = 1 << 2;
/// Known from before the start, and not seen since.
const UNSEEN: u8 = 1 << 3;

impl Slot {
    /// A place that one request holds. `counts`: whether the series is new.
    pub(super) fn reserved(series: Fingerprint, group: u32, counts: bool) -> Self {
        let flags = TAKEN | if counts { COUNTS } else { 0 };
        Self { high: series.high, low: series.low, group, ended: 0, holders: 1, flags }
    }

    /// A place from before the start.
    pub(super) fn restored(series: Fingerprint, group: u32) -> Self {
        let flags = TAKEN | ADMITTED | UNSEEN;
        Self { high: series.high, low: series.low, group, ended: 0, holders: 0, flags }
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.flags & ADMITTED != 0
    }

    pub(super) fn counts(&self) -> bool {
        self.flags & COUNTS != 0
    }

    pub(super) fn is_unseen(&self) -> bool {
        self.flags & UNSEEN != 0
    }

    pub(super) fn admit(&mut self) {
        self.flags = (self.flags | ADMITTED) & !COUNTS;
    }

    /// It is admitted no more; who holds it goes on to.
    pub(super) fn end(&mut self) {
        self.flags &= !(ADMITTED | UNSEEN);
        self.ended = 0;
    }

    /// It is there, or there again.
    pub(super) fn see(&mut self) {
        self.flags &= !UNSEEN;
        self.ended = 0;
    }
}

impl table::Slot for Slot {
    type Aside = ();
    const EMPTY: Self = Self { high: 0, low: 0, group: 0, ended: 0, holders: 0, flags: 0 };

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    fn is_empty(&self) -> bool {
        self.flags & TAKEN == 0
    }
}
