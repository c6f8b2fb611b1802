//! A run of a workload: its series, and how it stands.

use super::course::Course;
use crate::cardinality::evidence::{Ending, Said};
use crate::cardinality::ownership::Ownership;
use crate::cardinality::record_table::Record;

/// A run of a workload, or the workload itself where it has no runs.
#[derive(Debug, Default)]
pub(in crate::cardinality) struct Unit {
    /// Number of the workload.
    pub(in crate::cardinality) workload: u32,
    pub(in crate::cardinality) run: Option<Box<str>>,
    /// When it was due, Unix seconds.
    pub(in crate::cardinality) scheduled: Option<u32>,
    /// Series in the index now, and those of them that have ended with a stale marker.
    pub(in crate::cardinality) active: u32,
    pub(in crate::cardinality) ended: u32,
    /// Those that have not ended, but have vanished, as a walk over the index says (`walk.rs`).
    pub(in crate::cardinality) vanished: u32,
    /// Those that are late, the vanished ones among them.
    pub(in crate::cardinality) late: u32,
    /// When the first of them came, Unix seconds; 0: none has.
    pub(in crate::cardinality) came: u32,
    /// Whether that was while learning.
    pub(in crate::cardinality) learned: bool,
    /// When it came and ended, in sample time.
    pub(in crate::cardinality) course: Course,
    /// When a series of it changed last that a policy with `unchanged_for` asks about, in sample time; 0: none was asked about.
    pub(in crate::cardinality) changed: u32,
    /// What its series say of it, those that have ended left out.
    pub(in crate::cardinality) said: Said,
    pub(in crate::cardinality) silence: Silence,
    /// How it was over last, and when it was counted as one that is kept, Unix seconds (0: it was not). Its series go one by
    /// one: what is left of them may say no more that it is over.
    pub(in crate::cardinality) over: Option<(Ending, u32)>,
    /// When something was last counted, Unix seconds.
    pub(in crate::cardinality) last: u32,
}

impl Unit {
    /// Whether it is a run that is still reported.
    pub(in crate::cardinality) fn is_reported(&self) -> bool {
        self.run.is_some() && self.reported_series() > 0
    }

    /// Series that are still reported.
    pub(in crate::cardinality) fn reported_series(&self) -> u32 {
        self.active.saturating_sub(self.ended).saturating_sub(self.vanished)
    }

    /// Whether a series was seen lately.
    pub(in crate::cardinality) fn is_seen(&self) -> bool {
        self.active.saturating_sub(self.ended) > self.late
    }

    /// How it stands, where it is a run that is still reported.
    pub(in crate::cardinality) fn state(&self) -> Option<RunState> {
        self.is_reported().then(|| self.said.ending().map_or(RunState::GoesOn, RunState::Over))
    }

    /// What tells it from newer runs: when it was due, else when it came, in sample time.
    pub(in crate::cardinality) fn order(&self) -> u32 {
        self.scheduled.unwrap_or(self.course.came)
    }

    pub(in crate::cardinality) fn new(workload: u32, ownership: &Ownership<'_>) -> Self {
        Self {
            workload,
            run: ownership.run.map(Into::into),
            scheduled: ownership.scheduled.and_then(|at| u32::try_from(at).ok()),
            ..Self::default()
        }
    }
}

/// How a run stands that is still reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cardinality) enum RunState {
    /// Nothing says that it is over.
    GoesOn,
    Over(Ending),
}

/// How a run comes to stand otherwise.
#[derive(Clone, Copy, Debug)]
pub(in crate::cardinality) struct Turn {
    pub(in crate::cardinality) before: Option<RunState>,
    pub(in crate::cardinality) after: Option<RunState>,
    /// [`Unit::order`].
    pub(in crate::cardinality) order: u32,
    /// [`Unit::over`] as it was before.
    pub(in crate::cardinality) over: Option<(Ending, u32)>,
    /// Whether it has ended just now, where it is over now.
    pub(in crate::cardinality) has_ended: bool,
    /// Whether it went just now, where it is not reported any more.
    pub(in crate::cardinality) went: bool,
}

/// Whether the values of a run still move: a digest of all series and values of a window, and that of the window
/// before. Each series is looked at once a window.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cardinality) struct Silence {
    window: u32,
    digest: u64,
    series: u32,
    before: (u64, u32),
    /// Windows for which nothing has moved.
    pub(in crate::cardinality) windows: u32,
}

impl Silence {
    /// Takes a series' value into the digest.
    pub(in crate::cardinality) fn hear(&mut self, window: u32, series: u64, value: f64) {
        if window != self.window {
            let now = (self.digest, self.series);
            let still = self.series > 0 && now == self.before && window == self.window + 1;
            self.windows = if still { self.windows + 1 } else { 0 };
            (self.before, self.digest, self.series, self.window) = (now, 0, 0, window);
        }
        let bits = value.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.digest = self.digest.wrapping_add((bits ^ series).wrapping_mul(0xd6e8_feb8_6659_fd93));
        self.series += 1;
    }
}

impl Record for Unit {
    fn text_bytes(&self) -> usize {
        self.run.as_ref().map_or(0, |run| run.len())
    }
}
