//! The end of a window: what came in becomes points, one for each group.

use super::buckets;
use super::gathered::{Gathered, NOTHING};
use super::group::{Group, Groups};
use super::point::{Point, PointKind};
use super::shard::{GroupShard, Window};
use super::starts::Starts;
use crate::policy::{Aggregation, MetricKind, Output};
use crate::wire::v1::STALE_MARKER;

/// A counter begins no longer before its first value than this, milliseconds: backends take old samples for an hour (a
/// Prometheus), and queries look back this far.
const ZERO_MS: i64 = 300_000;
/// Windows opened again one by one at most; what is in windows after more than that is given up.
const MOST_REOPENED: i64 = 10_000;

/// Windows of `aggregation` that end at this time or before are over, given the newest sample time `watermark`: a
/// sample that is later than their end by more than the delay was seen. One at the very end belongs to the window.
pub(super) fn over_at(watermark: i64, aggregation: &Aggregation) -> i64 {
    whole(watermark.saturating_sub(aggregation.delay_ms).saturating_sub(1), aggregation)
}

/// The end of the last window that ends at `ms` or before.
pub(super) fn whole(ms: i64, aggregation: &Aggregation) -> i64 {
    ms.div_euclid(aggregation.interval_ms).saturating_mul(aggregation.interval_ms)
}

/// Up to when windows are closed, and how. Unix milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Closing<'a> {
    /// The end of the last one.
    pub(super) until: i64,
    /// No point is later: a window that nobody waits for to end is cut short at its newest sample.
    pub(super) latest_ms: i64,
    pub(super) aggregation: &'a Aggregation,
    /// A group that was not heard of for so long ends.
    pub(super) idle_ms: i64,
    /// Times in which the tenant sent nothing at all: windows there make no points.
    pub(super) gaps: &'a [(i64, i64)],
    /// When things began.
    pub(super) starts: &'a Starts,
}

impl Closing<'_> {
    /// The time of the points of a window, given the end of the one before.
    fn point_at(&self, before: i64, end: i64) -> i64 {
        end.min(self.latest_ms.max(before.saturating_add(1)))
    }

    fn is_in_gap(&self, end: i64) -> bool {
        let start = end - self.aggregation.interval_ms;
        self.gaps.iter().any(|(from, to)| *from <= start && end < *to)
    }
}

impl GroupShard {
    /// Closes windows.
    pub(super) fn close_until(&mut self, closing: &Closing<'_>) {
        let Closing { until, aggregation, .. } = *closing;
        if self.closed == i64::MIN {
            // up to there others sent
            self.closed = until.max(whole(self.not_before, aggregation));
        }
        while self.closed < until {
            if self.groups.is_empty() && self.open.is_empty() {
                self.closed = until;
                break;
            }
            let made = self.out.len();
            self.close(self.closed + aggregation.interval_ms, closing);
            // a long silence: nothing is left that time alone could make points of
            let silent = self.out.len() == made && self.open.is_empty();
            if silent && self.groups.iter().all(|(_, group)| group.from_ms == i64::MAX) {
                self.closed = self.closed.max(until);
            }
        }
    }

    /// Opens again what was closed later than `to`, if something was closed later than `beyond`: the clock that said so
    /// was wrong.
    pub(super) fn pull_back(&mut self, beyond: i64, to: i64, aggregation: &Aggregation) {
        // what others sent is not sent again
        let to = whole(to.max(self.not_before), aggregation);
        if self.closed <= beyond.max(to) {
            return;
        }
        let windows = (self.closed - to) / aggregation.interval_ms;
        self.reopened += windows as u64;
        for _ in 0..windows.min(MOST_REOPENED) {
            self.open.push_front(Window::default());
        }
        self.closed = to;
        if windows > MOST_REOPENED {
            self.open.clear();
        }
        for group in self.groups.iter_mut() {
            group.newest_ms = group.newest_ms.min(to);
            group.ended_ms = group.ended_ms.min(to);
            group.from_ms = if group.from_ms == i64::MAX { i64::MAX } else { group.from_ms.min(to) };
        }
        for (_, gauge) in self.gauges.iter_mut() {
            gauge.end = gauge.end.min(to);
        }
        self.pull_doubts_back(to, aggregation);
    }

    /// Whether there are windows that had samples, or groups that have not ended.
    pub(super) fn goes_on(&self) -> bool {
        !self.open.is_empty()
            || !self.doubts.is_empty()
            || self.groups.iter().any(|(_, group)| group.from_ms != i64::MAX)
    }

    /// Closes all windows that had samples, the last one at `latest_ms`, and ends all groups; returns the time of the last point.
    pub(super) fn end(
        &mut self,
        aggregation: &Aggregation,
        idle_ms: i64,
        latest_ms: i64,
        starts: &Starts,
    ) -> i64 {
        self.settle_soon();
        let until = self.closed.saturating_add(self.open.len() as i64 * aggregation.interval_ms);
        let closing = Closing { until, latest_ms, aggregation, idle_ms, gaps: &[], starts };
        let last = closing.point_at(self.closed, until).saturating_add(1);
        self.close_until(&closing);
        self.end_all(last);
        // who comes back begins after that
        self.not_before = self.not_before.max(last);
        last
    }

    /// Ends one group.
    pub(super) fn end_group(&mut self, number: u32, at: i64) {
        let mut emission = Emission {
            end: at,
            interval: 0,
            idle: 0,
            silent: false,
            several_gates: false,
            others_until: i64::MIN,
            out: &mut self.out,
        };
        self.groups.get_mut(number).into_iter().for_each(|group| emission.stale(group));
    }

    /// Ends its gauges, right after their last point; what else there is goes on. `latest_ms`: the newest sample.
    pub(super) fn end_gauges(&mut self, latest_ms: i64) {
        if self.closed == i64::MIN {
            return;
        }
        let at = self.closed.min(latest_ms).saturating_add(1);
        for number in 0..self.groups.span() {
            if self.groups.get(number).is_some_and(|group| group.kind == MetricKind::Gauge) {
                self.end_group(number, at);
            }
        }
    }

    fn end_all(&mut self, at: i64) {
        for number in 0..self.groups.span() {
            self.end_group(number, at);
        }
    }

    fn close(&mut self, end: i64, closing: &Closing<'_>) {
        let Closing { aggregation, idle_ms, .. } = *closing;
        let at = closing.point_at(self.closed, end);
        let mut window = self.open.pop_front().unwrap_or_default();
        self.settle(&mut window, end, closing);
        for (number, cell) in window.cells.iter().filter(|(_, cell)| cell.newest_ms != i64::MIN) {
            let Some(group) = self.groups.get_mut(number) else { continue };
            group.total += cell.increase;
            group.newest_ms = group.newest_ms.max(cell.newest_ms);
            group.from_ms = group.from_ms.min(at);
        }
        let gathered = self.gather(&window, end);
        self.groups
            .iter_mut()
            .filter(|group| !group.is_bucket())
            .for_each(|group| group.shown_total = group.total);
        self.mixed_buckets = buckets::show(&mut self.groups, end);
        let emission = Emission {
            end: at,
            interval: aggregation.interval_ms,
            // who was heard of in this very window is not idle
            idle: idle_ms.max(aggregation.interval_ms),
            silent: closing.is_in_gap(end),
            several_gates: aggregation.instance.is_some(),
            others_until: self.others_until,
            out: &mut self.out,
        };
        emission.all(&mut self.groups, &gathered, &aggregation.outputs);
        self.closed = end;
        self.windows += 1;
    }
}

/// Writes the points of one window.
struct Emission<'o> {
    end: i64,
    interval: i64,
    idle: i64,
    /// Nothing at all came in this window: only ends are told.
    silent: bool,
    several_gates: bool,
    /// See [`GroupShard::others_until`].
    others_until: i64,
    out: &'o mut Vec<Point>,
}

impl Emission<'_> {
    fn all(mut self, groups: &mut Groups, gathered: &[Gathered], outputs: &[Output]) {
        for number in 0..groups.span() {
            let Some(group) = groups.get_mut(number).filter(|group| group.has_begun(self.end)) else {
                continue;
            };
            let values = gathered.get(number as usize).unwrap_or(&NOTHING);
            match group.kind {
                _ if self.ends(group, values) => self.stale(group),
                _ if self.silent => {}
                MetricKind::Counter => self.counter(group),
                MetricKind::Gauge => self.gauge(group, values, outputs),
            }
        }
    }

    /// Whether a group is over: nothing was heard of it for long, or what it was made of has ended or is elsewhere. Where
    /// all are only silent it just stops, as they do; but where there are several gates, they are at another, and would be seen
    /// twice.
    fn ends(&self, group: &Group, values: &Gathered) -> bool {
        let idle = self.end - group.newest_ms >= self.idle;
        let empty = group.kind == MetricKind::Gauge && values.is_empty();
        idle || empty && (values.has_ended() || group.members == 0 || self.several_gates)
    }

    /// A new counter begins at zero, an interval or five minutes earlier, so that its first value is an increase; but not before it
    /// ended the last time, nor while another process may have sent it.
    fn counter(&mut self, group: &mut Group) {
        if !group.shown {
            // what waited for longer than that was not sent by anybody
            let others = self.others_until.saturating_add(1);
            let others = if others < self.end { others } else { i64::MIN };
            let zero =
                (self.end - self.interval.min(ZERO_MS)).max(group.ended_ms.saturating_add(1)).max(others);
            if zero < self.end {
                self.point(group, 0, zero, 0.0f64.to_bits(), PointKind::Start);
            }
            group.shown = true;
        }
        self.point(group, 0, self.end, group.shown_total.to_bits(), PointKind::Cumulative);
    }

    fn gauge(&mut self, group: &mut Group, values: &Gathered, outputs: &[Output]) {
        if values.is_empty() {
            return;
        }
        let outputs = if outputs.is_empty() { &[Output::Sum] } else { outputs };
        for (at, output) in outputs.iter().enumerate() {
            self.point(group, at, self.end, values.output(*output).to_bits(), PointKind::Gauge);
        }
        group.shown = true;
    }

    fn stale(&mut self, group: &mut Group) {
        if group.shown {
            for at in 0..group.labels.len() {
                self.point(group, at, self.end, STALE_MARKER, PointKind::Stale);
            }
        }
        group.end(self.end);
    }

    fn point(&mut self, group: &Group, output: usize, ms: i64, bits: u64, kind: PointKind) {
        let Some(labels) = group.labels.get(output) else { return };
        let labels = std::sync::Arc::clone(labels);
        self.out.push(Point { labels, kin: group.kin, replica: group.replica, ms, bits, kind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_sent_is_not_opened_again() {
        let aggregation = Aggregation::default();
        let mut shard = GroupShard::new(600_001, i64::MIN);
        shard.closed = 900_000;
        shard.pull_back(700_000, 300_000, &aggregation);
        assert_eq!((shard.closed, shard.reopened, shard.open.len()), (600_000, 5, 5));
        // what was not closed ahead stays
        shard.pull_back(700_000, 300_000, &aggregation);
        assert_eq!((shard.closed, shard.reopened), (600_000, 5));
    }
}
