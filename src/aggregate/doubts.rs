//! New counters of which nothing says yet when they began. What they had counted at first counts, or does not, once that
//! has had time to come: it may be in another request of the same scrape.

use ahash::AHashMap;

use super::birth::Open;
use super::close::Closing;
use super::member::Member;
use super::point::Join;
use super::shard::{Shard, Window};
use super::starts::{Keys, Starts};
use crate::policy::Aggregation;
use crate::series::Fingerprint;
use crate::series::table::Slot as _;

/// So long, in sample time, that may come, milliseconds: nearly all targets are scraped once a minute at least.
const DOUBT_MS: i64 = 60_000;

/// New counters whose start is open.
pub(super) type Doubts = AHashMap<Fingerprint, Doubt>;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) open: Open,
    /// What finds out when it began.
    pub(super) keys: Keys,
    /// `None` before it came.
    pub(super) first: Option<First>,
}

/// Its first sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// Its time, and the end of the window in which it was taken in, Unix milliseconds.
    pub(super) ms: i64,
    pub(super) end: i64,
    /// When its start is settled.
    pub(super) due_ms: i64,
    pub(super) value: f64,
}

impl First {
    pub(super) fn new(ms: i64, end: i64, value: f64) -> Self {
        Self { ms, end, due_ms: ms.saturating_add(DOUBT_MS), value }
    }

    /// Whether it is settled in the window that ends then, and closes `delay_ms` later.
    fn is_due(&self, end: i64, delay_ms: i64) -> bool {
        self.end <= end && end.saturating_add(delay_ms) >= self.due_ms
    }
}

impl Doubt {
    /// Whether it was born, by what is known by now.
    fn is_born(&self, first: &First, starts: &Starts) -> bool {
        starts.find(&self.keys).map_or(self.open.born, |started| self.open.is_born(started, first.ms))
    }
}

impl Shard {
    /// Notes that the start of a new counter is open.
    pub(super) fn doubt(&mut self, join: &Join, open: Open) {
        let Join { series, keys, .. } = *join;
        self.doubts.insert(series, Doubt { open, keys, first: None });
    }

    /// Counts in a window that closes what was born.
    pub(super) fn settle(&mut self, window: &mut Window, end: i64, closing: &Closing<'_>) {
        let due = self.take_due(end, closing.aggregation.delay_ms);
        if due.is_empty() {
            return;
        }
        // a histogram of which some buckets count from zero and others do not is wrong for as long as it lives
        let mut families: AHashMap<u64, bool> = AHashMap::new();
        for (_, doubt, first) in &due {
            *families.entry(doubt.keys.family()).or_insert(true) &= doubt.is_born(first, closing.starts);
        }
        // a group that was not heard of in this window is heard of as it begins
        let heard = end - closing.aggregation.interval_ms + 1;
        for (series, doubt, first) in &due {
            let born = families.get(&doubt.keys.family()).is_some_and(|born| *born);
            match self.members.get_mut(*series).filter(|_| born) {
                Some(member) => {
                    self.births += 1;
                    window.grow(member.group, first.value.max(0.0), heard);
                }
                // or its group is in another shard by now
                None => self.baselines += 1,
            }
        }
    }

    /// Takes those out that are due, in an order that is the same each time.
    fn take_due(&mut self, end: i64, delay_ms: i64) -> Vec<(Fingerprint, Doubt, First)> {
        let is_due = |first: &First| first.is_due(end, delay_ms);
        let all = self.doubts.iter().filter_map(|(series, doubt)| Some((*series, *doubt, doubt.first?)));
        let mut due: Vec<_> = all.filter(|(.., first)| is_due(first)).collect();
        due.sort_unstable_by_key(|(series, ..)| *series);
        for (series, ..) in &due {
            self.doubts.remove(series);
        }
        self.doubts.shrink_to(2 * due.len());
        due
    }

    /// Counts what a member had counted at first that goes.
    pub(super) fn settle_last(&mut self, member: &Member, starts: &Starts) {
        let Some(doubt) = self.doubts.remove(&member.fingerprint()) else { return };
        let Some(first) = doubt.first else { return };
        if !doubt.is_born(&first, starts) {
            self.baselines += 1;
            return;
        }
        self.births += 1;
        let heard = self.closed.saturating_add(1);
        if self.open.is_empty() {
            self.open.push_back(Window::default());
        }
        self.open[0].grow(member.group, first.value.max(0.0), heard);
    }

    /// Our clock was ahead: nothing came later than `to`.
    pub(super) fn pull_doubts_back(&mut self, to: i64, aggregation: &Aggregation) {
        for First { ms, end, due_ms, .. } in self.doubts.values_mut().filter_map(|doubt| doubt.first.as_mut())
        {
            (*ms, *due_ms) = ((*ms).min(to), (*due_ms).min(to.saturating_add(DOUBT_MS)));
            *end = (*end).min(to.saturating_add(aggregation.interval_ms));
        }
    }

    /// Nothing more comes: nothing more will be said.
    pub(super) fn settle_soon(&mut self) {
        let firsts = self.doubts.values_mut().filter_map(|doubt| doubt.first.as_mut());
        firsts.for_each(|first| first.due_ms = 0);
        if !self.doubts.is_empty() && self.open.is_empty() {
            self.open.push_back(Window::default());
        }
    }
}
