//! Who a series is charged to, and what is to be done with it besides forwarding.

use std::sync::atomic::Ordering;

use super::{Index, WINDOW_SECONDS};
use crate::series::fingerprint::Fingerprint;

/// Who a series is charged to: numbers that mean something to `cardinality` only; 0 is everybody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The metric, at most [`super::MAX_METRICS`].
    pub metric: u32,
    /// The workload, or the run of it.
    pub unit: u32,
    /// The sender it came from first, below [`super::MAX_SENDERS`].
    pub sender: u32,
    /// What its values are evidence of, below [`super::MAX_EVIDENCE`]; 0: of nothing.
    pub evidence: u8,
}

/// What was known of a series before it was charged to another unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Who it was charged to.
    pub from: Attribution,
    /// Whether it was learned, not new, when it came.
    pub learned: bool,
    /// When that was, Unix seconds.
    pub first_seen: u32,
    /// Whether it has ended with a stale marker.
    pub ended: bool,
    /// Whether its last value was other than 0, where its values are watched.
    pub on: bool,
}

/// What is known of a series when it comes into the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Who it is charged to.
    pub attribution: Attribution,
    /// Whether it is learned, not new.
    pub learned: bool,
    /// Samples that came with it.
    pub samples: u16,
    /// Whether its values are to be watched, and whether the first is other than 0.
    pub watched: bool,
    /// See `watched`.
    pub on: bool,
    /// Whether its first sight is a stale marker.
    pub ended: bool,
    /// Whether it is to be looked at closely again at its next sample: more may be known of it by then.
    pub observe_again: bool,
}

/// What there is to be done with a known series whose labels need not be read otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUp(u8);

impl FollowUp {
    /// Nothing, as nearly always.
    pub const NONE: Self = Self(0);

    pub(super) fn new(due: bool, watched: Option<bool>, returned: bool) -> Self {
        let flags = [due, watched.is_some(), watched.unwrap_or(false), returned];
        Self(flags.iter().rev().fold(0, |all, flag| (all << 1) | u8::from(*flag)))
    }

    /// It had ended with a stale marker, and is there again.
    pub fn has_returned(self) -> bool {
        self.0 & 8 != 0
    }

    /// It was not looked at closely in this window yet; said once a window.
    pub fn is_due(self) -> bool {
        self.0 & 1 != 0
    }

    /// Its values are watched: what the last one was, other than 0 or 0.
    pub fn watched(self) -> Option<bool> {
        (self.0 & 2 != 0).then_some(self.0 & 4 != 0)
    }
}

impl Index {
    /// Has every series be due at its next sample.
    pub fn observe_all_again(&self) {
        self.shift.fetch_add(WINDOW_SECONDS, Ordering::Relaxed);
    }

    /// Since when a series is known, Unix seconds.
    pub fn first_seen(&self, series: Fingerprint) -> Option<u32> {
        self.shards[self.shard_of(series)].lock().series.get_both(series).map(|(_, past)| past.first_seen)
    }

    /// Has a series be decided anew at its next sample.
    pub fn reopen(&self, series: Fingerprint) {
        if let Some(entry) = self.shards[self.shard_of(series)].lock().series.get_mut(series) {
            entry.reopen();
        }
    }

    /// Charges a series to another unit; says what was before if that is news.
    pub fn reattribute(&self, series: Fingerprint, unit: u32) -> Option<Moved> {
        let mut shard = self.shards[self.shard_of(series)].lock();
        let (entry, past) = shard.series.get_both(series)?;
        let from = past.attribution();
        past.reattribute(unit);
        let (ended, on) = (entry.has_ended(), entry.is_on());
        (from.unit != unit).then_some(Moved {
            from,
            learned: past.learned(),
            first_seen: past.first_seen,
            ended,
            on,
        })
    }

    /// Remembers whether the last sample of a series was a stale marker; returns who it is charged to if that is news, and
    /// whether its last value was other than 0, where its values are watched.
    pub fn end(&self, series: Fingerprint, ended: bool) -> Option<(Attribution, bool)> {
        let mut shard = self.shards[self.shard_of(series)].lock();
        let (entry, past) = shard.series.get_both(series)?;
        entry.end(ended).then(|| (past.attribution(), entry.is_on()))
    }

    /// Has the values of a series be watched from now on.
    pub fn watch(&self, series: Fingerprint) {
        if let Some(entry) = self.shards[self.shard_of(series)].lock().series.get_mut(series) {
            entry.watch();
        }
    }

    /// Remembers whether the value of a watched series is other than 0; returns who it is charged to if that is news.
    pub fn turn(&self, series: Fingerprint, on: bool) -> Option<Attribution> {
        let mut shard = self.shards[self.shard_of(series)].lock();
        let (entry, past) = shard.series.get_both(series)?;
        entry.turn(on).then(|| past.attribution())
    }
}
