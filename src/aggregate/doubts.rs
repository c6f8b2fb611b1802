//! New counters of which nothing says yet when they began. What they had counted at first counts, or does not, once that
//! has had time to come: it may be in another request of the same scrape.

use super::birth::Open;
use super::close::Closing;
use super::member::Member;
use super::point::Join;
use super::shard::{Shard, Window};
use crate::policy::Aggregation;
use crate::series::Fingerprint;
use crate::series::table::Slot;

/// So long, in sample time, that may come, milliseconds: it is asked for with the second sample, and nearly all targets are
/// scraped once a minute at least.
const DOUBT_MS: i64 = 60_000;

/// A new counter whose start is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) series: Fingerprint,
    pub(super) open: Open,
    /// `None` before it came.
    pub(super) first: Option<First>,
}

/// Its first sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// Its time, and the end of the window in which it was taken in, Unix milliseconds.
    pub(super) ms: i64,
    pub(super) end: i64,
    pub(super) value: f64,
}

impl First {
    /// Whether it is settled in the window that ends then, and closes `delay_ms` later.
    fn is_due(&self, end: i64, delay_ms: i64) -> bool {
        self.end <= end && end.saturating_add(delay_ms) >= self.ms.saturating_add(DOUBT_MS)
    }
}

impl Slot for Doubt {
    type Aside = ();

    const EMPTY: Self = Self {
        series: Fingerprint { high: 0, low: 0 },
        open: Open { since_ms: i64::MIN, born: false },
        first: None,
    };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        self.series
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.open.since_ms == i64::MIN
    }
}

impl Shard {
    /// Notes that the start of a new counter is open.
    pub(super) fn doubt(&mut self, series: Fingerprint, open: Open) {
        self.doubts.insert(Doubt { series, open, first: None }, ());
    }

    /// Learns whether a counter was born, if it is known by now when it began.
    pub(super) fn ask_again(&mut self, join: &Join) {
        let Some(started_ms) = join.started_ms.filter(|_| !self.doubts.is_empty()) else { return };
        let Some(Doubt { open, first, .. }) = self.doubts.get_mut(join.series) else { return };
        open.born = open.is_born(started_ms, first.map_or(join.first_ms, |first| first.ms));
    }

    /// Counts in a window that closes what was born, as far as that was said.
    pub(super) fn settle(&mut self, window: &mut Window, end: i64, closing: &Closing<'_>) {
        if self.doubts.is_empty() {
            return;
        }
        // a group that was not heard of in this window is heard of as it begins
        let heard = end - closing.aggregation.interval_ms + 1;
        let Self { doubts, members, births, baselines, .. } = self;
        doubts.retain(|doubt, ()| {
            let Some(first) = doubt.first.filter(|first| first.is_due(end, closing.aggregation.delay_ms))
            else {
                return true;
            };
            match members.get_mut(doubt.series).filter(|_| doubt.open.born) {
                Some(member) => {
                    *births += 1;
                    window.grow(member.group, first.value.max(0.0), heard);
                }
                // or its group is in another shard by now
                None => *baselines += 1,
            }
            false
        });
    }

    /// Counts what a member had counted at first that goes.
    pub(super) fn settle_last(&mut self, member: &Member) {
        let Some(Doubt { open, first, .. }) = self.doubts.get_mut(member.fingerprint()).copied() else {
            return;
        };
        self.doubts.remove(member.fingerprint());
        let Some(First { value, .. }) = first else { return };
        if !open.born {
            self.baselines += 1;
            return;
        }
        self.births += 1;
        let heard = self.closed.saturating_add(1);
        if self.open.is_empty() {
            self.open.push_back(Window::default());
        }
        self.open[0].grow(member.group, value.max(0.0), heard);
    }

    /// Our clock was ahead: nothing came later than `to`.
    pub(super) fn pull_doubts_back(&mut self, to: i64, aggregation: &Aggregation) {
        self.doubts.retain(|doubt, ()| {
            if let Some(First { ms, end, .. }) = &mut doubt.first {
                (*ms, *end) = ((*ms).min(to), (*end).min(to.saturating_add(aggregation.interval_ms)));
            }
            true
        });
    }

    /// Nothing more comes: nothing will be said.
    pub(super) fn settle_soon(&mut self) {
        self.doubts.retain(|doubt, ()| {
            doubt.first.iter_mut().for_each(|first| first.ms = 0);
            true
        });
        if !self.doubts.is_empty() && self.open.is_empty() {
            self.open.push_back(Window::default());
        }
    }
}
