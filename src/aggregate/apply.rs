//! Samples come in.

use super::doubt::{Doubts, First};
use super::member::{LATEST_MS, Member, Patience};
use super::point::{Sample, SampleCounts};
use super::shard::{GroupShard, Window};
use crate::policy::{Aggregation, Output};
use crate::series::Fingerprint;
use crate::wire::v1::STALE_MARKER;

/// A time ahead of our clock by more than this is a mistake of whoever wrote it, milliseconds.
const AHEAD_MS: i64 = 5_000;

/// When samples come in, and by which rules they are taken. Unix milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// End of the window that they belong to.
    pub(super) end: i64,
    /// End of the last window that is over.
    pub(super) over: i64,
    /// Our clock.
    pub(super) now_ms: i64,
    pub(super) aggregation: &'a Aggregation,
}

/// What a sample is to its member.
#[derive(Clone, Copy)]
enum Order {
    /// The next one.
    Next,
    /// The one before had a time that is not to be believed.
    AfterMistake,
}

impl GroupShard {
    /// Takes in samples of one window. `forgotten` is shown series that are no members.
    pub(super) fn apply<'s>(
        &mut self,
        samples: impl Iterator<Item = &'s Sample> + Clone,
        moment: Moment<'_>,
        sample_counts: &mut SampleCounts,
        mut forgotten: impl FnMut(Fingerprint),
    ) {
        let Moment { aggregation, .. } = moment;
        let over = moment.over.max(self.closed);
        let late = moment.end <= over;
        // what is late counts in the first window that is not over
        let end = moment.end.max(over + aggregation.interval_ms);
        let at = ((end - self.closed) / aggregation.interval_ms - 1) as usize;
        while self.open.len() <= at {
            self.open.push_back(Window::default());
        }
        for sample in samples.clone() {
            self.members.prefetch(sample.series);
        }
        let late_from = late.then_some(over + 1);
        let Self { members, open, doubts, baselines, moved, slow, round, .. } = self;
        let (window, round) = (&mut open[at], *round as u8);
        let mut intake = Intake { window, doubts, baselines, moved, slow, round, end, late_from, moment };
        for sample in samples {
            match members.get_mut(sample.series) {
                None => {
                    sample_counts.forgotten += 1;
                    forgotten(sample.series);
                }
                Some(_) if !(0..=LATEST_MS).contains(&sample.ms) => sample_counts.unfit += 1,
                Some(member) if member.is_gauge() => intake.gauge(member, sample, sample_counts),
                Some(member) => intake.counter(member, sample, sample_counts),
            }
        }
    }
}

/// What samples of one call go into, and how they are taken.
struct Intake<'s> {
    window: &'s mut Window,
    doubts: &'s mut Doubts,
    baselines: &'s mut u64,
    moved: &'s mut u64,
    slow: &'s mut u64,
    round: u8,
    /// The end of the window.
    end: i64,
    /// The earliest time that is not over, if they come late.
    late_from: Option<i64>,
    moment: Moment<'s>,
}

impl Intake<'_> {
    #[inline]
    fn gauge(&mut self, member: &mut Member, sample: &Sample, sample_counts: &mut SampleCounts) {
        let round = self.round;
        let Some(order) = self.in_order(member.newest_ms(), sample, sample_counts) else {
            return member.touch(round);
        };
        // an end holds whenever it is told: Prometheus does that two scrapes after the last sample
        if self.late_from.is_some() && sample.bits != STALE_MARKER {
            sample_counts.late += 1;
            return member.touch(round);
        }
        let aggregation = self.moment.aggregation;
        match order {
            Order::AfterMistake => member.pull_back(sample.ms, round),
            Order::Next if sample.bits == STALE_MARKER => member.end(sample.ms, round),
            Order::Next => member.advance(sample.ms, round, Patience::Usual),
        }
        *self.slow += u64::from(self.is_slow(member) && member.is_slow());
        let (number, group, period) = (member.payload as u32, member.group, member.period());
        let window = &mut *self.window;
        *window.values.entry(number) = sample.bits;
        *window.periods.entry(number) = period;
        if aggregation.outputs.contains(&Output::Last) {
            *window.times.entry(number) = sample.ms;
        }
        if sample.bits != STALE_MARKER {
            let cell = window.cells.entry(group);
            cell.newest_ms = cell.newest_ms.max(sample.ms);
        }
    }

    #[inline]
    fn counter(&mut self, member: &mut Member, sample: &Sample, sample_counts: &mut SampleCounts) {
        let round = self.round;
        let newest = member.newest_ms();
        let Some(order) = self.in_order(newest, sample, sample_counts) else { return member.touch(round) };
        if sample.bits == STALE_MARKER {
            // a failed scrape marks everything stale; a counter that is gone just stops
            if newest.is_some() {
                // it may have been elsewhere until then: nobody knows when its next one is due
                match self.patience() == Patience::Long && member.is_late(sample.ms) {
                    true => member.pull_back(sample.ms, round),
                    false => member.advance(sample.ms, round, self.patience()),
                }
            }
            return;
        }
        let value = f64::from_bits(sample.bits);
        if !value.is_finite() {
            sample_counts.unfit += 1;
            return;
        }
        let (before, group) = (f64::from_bits(member.payload), member.group);
        // another gate may have counted it in the meantime; without a period nobody knows
        let moved = self.patience() == Patience::Long
            && newest.is_some()
            && (member.period_ms().is_none() || member.is_late(sample.ms));
        let increase = match (newest, order) {
            (None, _) => {
                // what it is now may count later
                match self.doubts.get_mut(&sample.series) {
                    Some(doubt) => doubt.first = Some(First::new(sample.ms, self.end, value)),
                    None => *self.baselines += 1,
                }
                0.0
            }
            _ if moved => {
                *self.moved += 1;
                0.0
            }
            // it may be a repetition of one from before the mistake
            (Some(_), Order::AfterMistake) => (value - before).max(0.0),
            // it fell in between, although it does not show
            (Some(newest), _) if sample.age.begins_after(newest, sample.ms) => value.max(0.0),
            (Some(_), _) => increase(before, value),
        };
        match order {
            Order::AfterMistake => {
                member.payload = value.max(before).to_bits();
                member.pull_back(sample.ms, round);
            }
            _ => {
                member.payload = sample.bits;
                member.advance(sample.ms, round, self.patience());
            }
        }
        *self.slow += u64::from(self.is_slow(member) && member.is_slow());
        self.window.grow(group, increase, self.heard(sample.ms));
    }

    /// What a sample is to a member whose newest one is of the time `newest`; `None`, and counted, where it is no news.
    #[inline]
    fn in_order(
        &self,
        newest: Option<i64>,
        sample: &Sample,
        sample_counts: &mut SampleCounts,
    ) -> Option<Order> {
        let believed = self.moment.now_ms.saturating_add(AHEAD_MS);
        match newest {
            Some(newest) if sample.ms < newest && newest > believed && sample.ms <= believed => {
                Some(Order::AfterMistake)
            }
            Some(newest) if sample.ms <= newest => {
                sample_counts.duplicates += 1;
                None
            }
            _ => Some(Order::Next),
        }
    }

    /// Whether samples of a member are further apart than the interval; its period is rounded up by a quarter at most.
    fn is_slow(&self, member: &Member) -> bool {
        member.period_ms().is_some_and(|period| period * 4 > self.moment.aggregation.interval_ms * 5)
    }

    /// With other gates beside this one, what is missing here may be there.
    fn patience(&self) -> Patience {
        if self.moment.aggregation.instance.is_some() { Patience::Long } else { Patience::Usual }
    }

    fn heard(&self, ms: i64) -> i64 {
        self.late_from.map_or(ms, |from| ms.max(from))
    }
}

/// From one value of a counter to the next: a fall is a reset to zero (as `increase()` of PromQL has it).
#[inline]
fn increase(before: f64, now: f64) -> f64 {
    if now >= before { now - before } else { now.max(0.0) }
}
