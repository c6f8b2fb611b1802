//! The end of a window: what came in becomes points, one for each group.

use super::group::{Group, Groups};
use super::point::{Point, PointKind};
use super::shard::{ABSENT, Shard, Window};
use crate::policy::{Aggregation, MetricKind, Output};
use crate::wire::v1::STALE_MARKER;

/// The values of a gauge's members in one window.
#[derive(Clone, Copy)]
struct Gathered {
    sum: f64,
    min: f64,
    max: f64,
    count: u64,
    last: f64,
    last_ms: i64,
}

const NOTHING: Gathered =
    Gathered { sum: 0.0, min: f64::NAN, max: f64::NAN, count: 0, last: f64::NAN, last_ms: i64::MIN };

impl Gathered {
    fn add(&mut self, value: f64, ms: i64) {
        self.sum += value;
        // as PromQL has it: NaN only where there is nothing else
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.count += 1;
        if ms >= self.last_ms {
            (self.last, self.last_ms) = (value, ms);
        }
    }

    fn output(&self, output: Output) -> f64 {
        match output {
            Output::Sum => self.sum,
            Output::Min => self.min,
            Output::Max => self.max,
            Output::Avg => self.sum / self.count as f64,
            Output::Count => self.count as f64,
            Output::Last => self.last,
        }
    }
}

/// Windows of `aggregation` that end at this time or before are over, given the newest sample time `watermark`: a
/// sample that is later than their end by more than the delay was seen. One at the very end belongs to the window.
pub(super) fn over_at(watermark: i64, aggregation: &Aggregation) -> i64 {
    (watermark - aggregation.delay_ms - 1).div_euclid(aggregation.interval_ms) * aggregation.interval_ms
}

impl Shard {
    /// Closes all windows that end at `until` (Unix milliseconds) or before; returns how many points that made. A group that was not heard of for
    /// `idle_ms` ends.
    pub(super) fn close_until(&mut self, until: i64, aggregation: &Aggregation, idle_ms: i64) -> usize {
        let before = self.out.len();
        if self.closed == i64::MIN {
            // up to there others sent
            let theirs =
                self.not_before.div_euclid(aggregation.interval_ms).saturating_mul(aggregation.interval_ms);
            self.closed = until.max(theirs);
        }
        while self.closed < until {
            if self.groups.is_empty() && self.open.is_empty() {
                self.closed = until;
                break;
            }
            let made = self.out.len();
            self.close(self.closed + aggregation.interval_ms, aggregation, idle_ms);
            // a long silence: nothing is left that time alone could make points of
            let silent = self.out.len() == made && self.open.is_empty();
            if silent && self.groups.iter().all(|(_, group)| group.from_ms == i64::MAX) {
                self.last = Window::default();
                self.closed = self.closed.max(until);
            }
        }
        self.out.len() - before
    }

    /// Ends every group at `at`.
    pub(super) fn end_all(&mut self, at: i64) {
        let mut emission = Emission { end: at, interval: 0, idle: 0, out: &mut self.out };
        for number in 0..self.groups.span() {
            if let Some(group) = self.groups.get_mut(number) {
                emission.stale(group);
            }
        }
    }

    fn close(&mut self, end: i64, aggregation: &Aggregation, idle_ms: i64) {
        let window = self.open.pop_front().unwrap_or_default();
        for (number, cell) in window.cells.iter().filter(|(_, cell)| cell.newest_ms != i64::MIN) {
            let Some(group) = self.groups.get_mut(number) else { continue };
            group.total += cell.increase;
            group.newest_ms = group.newest_ms.max(cell.newest_ms);
            group.from_ms = group.from_ms.min(end);
        }
        let gathered = self.gather(&window);
        let raised = self.raised(end);
        let emission = Emission { end, interval: aggregation.interval_ms, idle: idle_ms, out: &mut self.out };
        emission.all(&mut self.groups, &gathered, &raised, aggregation);
        self.last = Window { values: window.values, times: window.times, ..Window::default() };
        self.closed = end;
        self.windows += 1;
    }

    /// What the gauges of each group were. One that is silent is carried on from the window before, once.
    fn gather(&self, window: &Window) -> Vec<Gathered> {
        let mut gathered = Vec::new();
        if self.gauges.len() > self.free_gauges.len() {
            gathered.resize(self.groups.span() as usize, NOTHING);
        }
        for (number, group) in (0u32..).zip(&self.gauges) {
            let Some(all) = gathered.get_mut(*group as usize) else { continue };
            let (bits, ms) = match window.values.get(number) {
                ABSENT => (self.last.values.get(number), self.last.times.get(number)),
                bits => (bits, window.times.get(number)),
            };
            if bits != ABSENT && bits != STALE_MARKER {
                all.add(f64::from_bits(bits), ms);
            }
        }
        gathered
    }

    /// What the buckets of histograms are shown as where that is more than they have gathered: buckets are cumulative,
    /// so none may be below a smaller one. That can be because samples of one scrape came on both sides of the end of a
    /// window, or because members do not have the same buckets, which is counted.
    fn raised(&mut self, end: i64) -> Vec<(u32, f64)> {
        let mut raised = Vec::new();
        self.mixed_buckets = 0;
        for family in self.groups.families() {
            let mut highest = 0.0f64;
            let mut members = None;
            let mut mixed = false;
            for (_, number) in &family.buckets {
                let Some(group) = self.groups.get(*number).filter(|group| group.has_begun(end)) else {
                    continue;
                };
                mixed |= *members.get_or_insert(group.members) != group.members;
                if group.total < highest {
                    raised.push((*number, highest));
                }
                highest = highest.max(group.total);
            }
            self.mixed_buckets += usize::from(mixed);
        }
        raised.sort_unstable_by_key(|(number, _)| *number);
        raised
    }
}

/// Writes the points of one window.
struct Emission<'o> {
    end: i64,
    interval: i64,
    idle: i64,
    out: &'o mut Vec<Point>,
}

impl Emission<'_> {
    fn all(
        mut self,
        groups: &mut Groups,
        gathered: &[Gathered],
        raised: &[(u32, f64)],
        aggregation: &Aggregation,
    ) {
        let mut raised = raised.iter().peekable();
        for number in 0..groups.span() {
            let Some(group) = groups.get_mut(number) else { continue };
            let shown_as = raised.next_if(|(raised, _)| *raised == number).map(|(_, value)| *value);
            if !group.has_begun(self.end) {
                continue;
            }
            if self.end - group.newest_ms >= self.idle {
                self.stale(group);
                continue;
            }
            match group.kind {
                MetricKind::Counter => self.counter(group, shown_as.unwrap_or(group.total)),
                MetricKind::Gauge => {
                    let values = gathered.get(number as usize).unwrap_or(&NOTHING);
                    self.gauge(group, values, &aggregation.outputs);
                }
            }
        }
    }

    /// A new counter begins at zero, an interval earlier, so that its first value is an increase; but not before it
    /// ended the last time.
    fn counter(&mut self, group: &mut Group, value: f64) {
        if !group.shown {
            let zero = (self.end - self.interval).max(group.ended_ms.saturating_add(1));
            if zero < self.end {
                self.point(group, 0, zero, 0.0f64.to_bits(), PointKind::Start);
            }
            group.shown = true;
        }
        self.point(group, 0, self.end, value.to_bits(), PointKind::Cumulative);
    }

    fn gauge(&mut self, group: &mut Group, values: &Gathered, outputs: &[Output]) {
        if values.count == 0 {
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
