//! A new counter whose start is not settled: what is known of it, and until when something may say more.

use ahash::AHashMap;

use super::birth::{Open, Start, Unsaid};
use super::starts::{Keys, Starts};
use crate::series::Fingerprint;

/// So long, in sample time, that may come, milliseconds: nearly all targets are scraped once a minute at least.
pub(super) const DOUBT_MS: i64 = 60_000;

/// New counters whose start is not settled.
pub(super) type Doubts = AHashMap<Fingerprint, Doubt>;
/// Histograms and summaries of which a new part starts from where it is, and until when its siblings do so, too (Unix
/// milliseconds); as many as there are doubts.
pub(super) type Unborn = AHashMap<u64, i64>;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) open: Open,
    /// What finds out when it began, and what that said last.
    pub(super) keys: Keys,
    /// Whether it is a part of a histogram or summary, by its name.
    pub(super) is_part: bool,
    pub(super) said_ms: Option<i64>,
    /// `None` before it came.
    pub(super) first: Option<First>,
    /// After a restart, its newest sample of before (Unix milliseconds). That nothing says when it began says something only if
    /// it went on: what would say it has to come again, too.
    pub(super) waits_after_ms: Option<i64>,
}

/// Its first sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// Its time, and the end of the window in which it was taken in, Unix milliseconds.
    pub(super) ms: i64,
    pub(super) end: i64,
    /// When its start is settled at the latest.
    pub(super) due_ms: i64,
    pub(super) value: f64,
}

impl First {
    pub(super) fn new(ms: i64, end: i64, value: f64) -> Self {
        Self { ms, end, due_ms: ms.saturating_add(DOUBT_MS), value }
    }
}

impl Doubt {
    /// The minute is cut short: from now on only what is proved counts. What one part of a histogram proves is nothing:
    /// others may come later, and begin from where they are.
    pub(super) fn cut_short(&mut self) {
        if self.open.unsaid == Unsaid::Watched {
            self.open.unsaid = Unsaid::Here;
        }
        if self.is_part {
            self.open = Open::NEVER;
        }
    }

    /// Where it starts from, by what is known by now.
    pub(super) fn start(&mut self, first: &First, starts: &Starts) -> Start {
        // what was said once is not unsaid: what said it may be forgotten
        self.said_ms = starts.find(&self.keys, first.ms).or(self.said_ms);
        self.open.start(self.said_ms, first.ms)
    }
}
