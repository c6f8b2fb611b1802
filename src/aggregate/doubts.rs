//! New counters, until it is settled where they start from. What says when one began may be in another request of the same
//! scrape; what it had counted at first counts, or does not, when that has had time to come.

use ahash::AHashMap;

use super::birth::{Open, Start};
use super::close::Closing;
use super::doubt::{DOUBT_MS, Doubt, First};
use super::member::Member;
use super::point::{Departure, Join};
use super::shard::{GroupShard, Window};
use super::starts::Starts;
use crate::policy::Aggregation;
use crate::series::Fingerprint;
use crate::series::table::Slot as _;

/// Where windows are shorter than this, it is looked for whether it came in some of them only, milliseconds.
const ASK_MS: i64 = 5_000;
/// New counters of a shard that are remembered, about 200 bytes each; all parts of one metric's histograms may be in one shard.
/// What finds no room starts from where it is.
const MOST: usize = 1 << 16;

/// What is known of the parts of one histogram or summary; of another counter, of it alone.
struct Family {
    /// Whether a part came that counts in a later window only.
    waits: bool,
    /// Whether the time of one is over.
    due: bool,
    /// Whether all are born, and whether nothing can change that.
    born: bool,
    sure: bool,
}

impl Family {
    const NEW: Self = Self { waits: false, due: false, born: true, sure: true };

    /// Whether its parts were born, once that is settled. One that counts some parts from zero and others not is wrong for
    /// as long as it lives, and one that does so at different times for as long as that is.
    fn settled(&self) -> Option<bool> {
        (!self.waits && (self.due || self.sure)).then_some(self.born)
    }
}

impl GroupShard {
    /// Notes that the start of a new counter is open, or that it is not.
    pub(super) fn doubt(&mut self, join: &Join, open: Option<Open>) {
        let Join { series, keys, is_part, first_ms, started_ms: said_ms, .. } = *join;
        // what it says of itself is nearer than what is said of its process or its pod
        let keys = if said_ms.is_some() { keys.of_the_family() } else { keys };
        // the parts of one histogram come one behind the other
        let has_room = self.doubts.len() < MOST || keys.family() == self.last_doubted;
        match open.filter(|_| has_room) {
            Some(open) => {
                self.last_doubted = keys.family();
                self.doubts.insert(
                    series,
                    Doubt { open, keys, is_part, said_ms, first: None, waits_after_ms: None },
                );
            }
            None if is_part && self.unborn.len() < MOST => {
                self.unborn.insert(keys.family(), first_ms.saturating_add(DOUBT_MS));
            }
            None => {}
        }
    }

    /// Counts in a window that closes what was born, as far as that is settled.
    pub(super) fn settle(&mut self, window: &mut Window, end: i64, closing: &Closing<'_>) {
        // a group that was not heard of in this window is heard of as it begins
        let heard = end - closing.aggregation.interval_ms + 1;
        for (series, first, born) in self.take_settled(end, closing) {
            match self.members.get_mut(series).filter(|_| born) {
                Some(member) => {
                    self.births += 1;
                    window.grow(member.group, first.value.max(0.0), heard);
                }
                // or its group is in another shard by now
                None => self.baselines += 1,
            }
        }
    }

    /// Takes those out that are settled, in an order that is the same each time.
    fn take_settled(&mut self, end: i64, closing: &Closing<'_>) -> Vec<(Fingerprint, First, bool)> {
        let families = self.families(end, closing);
        let settled = |doubt: &Doubt| families.get(&doubt.keys.family()).and_then(Family::settled);
        let all = self.doubts.iter();
        let mut taken: Vec<_> =
            all.filter_map(|(series, doubt)| Some((*series, doubt.first?, settled(doubt)?))).collect();
        taken.sort_unstable_by_key(|(series, ..)| *series);
        for (series, ..) in &taken {
            self.doubts.remove(series);
        }
        let room = 2 * self.doubts.len();
        self.doubts.shrink_to(room);
        if !self.unborn.is_empty() {
            self.unborn.retain(|_, until| *until > end);
            let room = 2 * self.unborn.len();
            self.unborn.shrink_to(room);
        }
        taken
    }

    fn families(&mut self, end: i64, closing: &Closing<'_>) -> AHashMap<u64, Family> {
        let Closing { aggregation, starts, .. } = *closing;
        let asks = end.div_euclid(ASK_MS) != (end - aggregation.interval_ms).div_euclid(ASK_MS);
        let mut families: AHashMap<u64, Family> = AHashMap::new();
        // where not all that is said is known, that nothing is says nothing
        let watched = !starts.is_short();
        for (series, doubt) in &mut self.doubts {
            let Some(first) = doubt.first else { continue };
            let family = families.entry(doubt.keys.family()).or_insert(Family::NEW);
            family.waits |= first.end > end;
            let due = end.saturating_add(aggregation.delay_ms) >= first.due_ms;
            family.due |= due;
            let asked = asks || due || first.end == end;
            // one that is not asked for now is what it was when it was asked for last
            let start =
                if asked { doubt.start(&first, starts) } else { doubt.open.start(doubt.said_ms, first.ms) };
            family.sure &= start == Start::Zero;
            let came_ms =
                doubt.waits_after_ms.map(|_| self.members.get_mut(*series).and_then(|it| it.newest_ms()));
            let goes_on = came_ms.is_none_or(|came_ms| came_ms > doubt.waits_after_ms);
            family.born &= start == Start::Zero || start == Start::PerhapsZero && watched && goes_on;
        }
        for (family, known) in families.iter_mut().filter(|_| !self.unborn.is_empty()) {
            known.born &= !self.unborn.contains_key(family);
        }
        families
    }

    /// A part of a histogram leaves before its start is settled: the others do not count from zero then.
    pub(super) fn disown_siblings(&mut self, departure: &Departure) {
        let Some(doubt) = self.doubts.get(&departure.series).filter(|doubt| doubt.is_part) else { return };
        if self.unborn.len() < MOST {
            self.unborn.insert(doubt.keys.family(), departure.ms.saturating_add(DOUBT_MS));
        }
    }

    /// Counts what a member had counted at first that goes.
    pub(super) fn settle_last(&mut self, member: &Member, starts: &Starts) {
        let Some(mut doubt) = self.doubts.remove(&member.fingerprint()) else { return };
        doubt.cut_short();
        let Some(first) = doubt.first else { return };
        if doubt.start(&first, starts) != Start::Zero {
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

    /// Goes on after a restart at `now_ms` (Unix milliseconds): what says when something began has to be said again.
    pub(super) fn wait_anew(&mut self, now_ms: i64) {
        let due_ms = now_ms.saturating_add(DOUBT_MS);
        for (series, doubt) in &mut self.doubts {
            doubt.waits_after_ms = self.members.get_mut(*series).and_then(|member| member.newest_ms());
            doubt.first.iter_mut().for_each(|first| first.due_ms = first.due_ms.max(due_ms));
        }
    }

    /// It ends before all was said: what is proved counts, and nothing else.
    pub(super) fn settle_soon(&mut self) {
        for doubt in self.doubts.values_mut() {
            doubt.cut_short();
            doubt.first.iter_mut().for_each(|first| first.due_ms = 0);
        }
        if !self.doubts.is_empty() && self.open.is_empty() {
            self.open.push_back(Window::default());
        }
    }
}
