//! A part of the groups of one policy and tenant, with their members and open windows. Whoever has its lock sees all
//! buckets of a histogram at one moment.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::group::{Group, Groups, NONE};
use super::member::{LATEST_MS, Member, Tombstone};
use super::pages::Pages;
use super::point::{Join, Point, Sample, Tally};
use crate::policy::{Aggregation, MetricKind, Output};
use crate::series::Fingerprint;
use crate::series::table::Table;
use crate::wire::v1::STALE_MARKER;

/// A gauge without a value in a window: a NaN that no sender writes; one that does, loses that sample.
pub(super) const ABSENT: u64 = 0xfff8_5e71_e59a_7e00;

/// Rounds of [`Shard::expire`] after which a member that had no sample is forgotten. The index forgets a series after
/// sixteen and a bit; whoever is known there is still known here.
pub(super) const IDLE_ROUNDS: u8 = 19;

/// What a window gathers for one group.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    /// Of counters: all increases.
    pub(super) increase: f64,
    /// When the group was heard of last, Unix milliseconds; `i64::MIN`: not in this window.
    pub(super) newest_ms: i64,
}

/// What came in for one interval.
pub(super) struct Window {
    /// By group.
    pub(super) cells: Pages<Cell>,
    /// By gauge: the bits of its last value.
    pub(super) values: Pages<u64>,
    /// By gauge: the time of that; only where an output asks for it.
    pub(super) times: Pages<i64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            cells: Pages::new(Cell { increase: 0.0, newest_ms: i64::MIN }),
            values: Pages::new(ABSENT),
            times: Pages::new(i64::MIN),
        }
    }
}

/// What a shard has to tell besides its points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series that are part of groups.
    pub members: usize,
    /// Groups.
    pub groups: usize,
    /// Series that are gone and whose last value is remembered.
    pub tombstones: usize,
    /// Counters whose first sample counted from zero, because they were born while we watched.
    pub births: u64,
    /// Counters whose first sample was only where they start from.
    pub baselines: u64,
    /// Series sampled slower than the interval.
    pub slow: u64,
    /// Histograms whose members do not all have the same buckets.
    pub mixed_buckets: usize,
    /// Windows closed.
    pub windows: u64,
    /// Bytes of members, tombstones and windows.
    pub bytes: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.members += other.members;
        self.groups += other.groups;
        self.tombstones += other.tombstones;
        self.births += other.births;
        self.baselines += other.baselines;
        self.slow += other.slow;
        self.mixed_buckets += other.mixed_buckets;
        self.windows += other.windows;
        self.bytes += other.bytes;
    }
}

/// One shard.
pub(super) struct Shard {
    /// End of the last window that was closed, Unix milliseconds; `i64::MIN` before the first sample.
    pub(super) closed: i64,
    /// What the gauges were in that window.
    pub(super) last: Window,
    /// The windows after it, without holes.
    pub(super) open: VecDeque<Window>,
    pub(super) members: Table<Member>,
    pub(super) tombstones: Table<Tombstone>,
    pub(super) groups: Groups,
    /// The group of each gauge, by its number.
    pub(super) gauges: Vec<u32>,
    pub(super) free_gauges: Vec<u32>,
    /// Points made and not yet taken away.
    pub(super) out: Vec<Point>,
    /// Grows with each expiry.
    pub(super) round: u32,
    /// Points older than this were sent by somebody else, Unix milliseconds.
    pub(super) not_before: i64,
    pub(super) births: u64,
    pub(super) baselines: u64,
    pub(super) slow: u64,
    pub(super) mixed_buckets: usize,
    pub(super) windows: u64,
}

impl Shard {
    pub(super) fn new(not_before: i64) -> Self {
        Self {
            closed: i64::MIN,
            last: Window::default(),
            open: VecDeque::new(),
            members: Table::default(),
            tombstones: Table::default(),
            groups: Groups::default(),
            gauges: Vec::new(),
            free_gauges: Vec::new(),
            out: Vec::new(),
            round: 0,
            not_before,
            births: 0,
            baselines: 0,
            slow: 0,
            mixed_buckets: 0,
            windows: 0,
        }
    }

    /// Makes a series part of a group; idempotent. Returns how many groups and members are new.
    pub(super) fn join(&mut self, join: &Join, labels: &[u8], born: bool) -> (usize, usize) {
        let before = (self.groups.len(), self.members.len());
        let group = match self.groups.number_of(join.group) {
            Some(group) => group,
            None => self.groups.add(self.founded(join, labels), join.bucket),
        };
        let round = self.round as u8;
        if let Some(member) = self.members.get_mut(join.series) {
            member.touch(round);
            if member.group == group {
                return (self.groups.len() - before.0, 0);
            }
            self.move_member(join.series, group);
        } else {
            self.admit(join, group, born);
        }
        (self.groups.len() - before.0, self.members.len() - before.1)
    }

    fn founded(&self, join: &Join, labels: &[u8]) -> Group {
        let block =
            |at: &Range<u32>| Arc::from(labels.get(at.start as usize..at.end as usize).unwrap_or_default());
        Group {
            series: join.group,
            kind: join.kind,
            labels: std::iter::once(&join.labels).chain(&join.others).map(block).collect(),
            kin: join.home,
            replica: join.replica,
            family: NONE,
            members: 0,
            total: 0.0,
            newest_ms: i64::MIN,
            from_ms: i64::MAX,
            shown: false,
            ended_ms: self.not_before,
        }
    }

    fn admit(&mut self, join: &Join, group: u32, born: bool) {
        let Some(kind) = self.groups.get(group).map(|group| group.kind) else { return };
        let round = self.round as u8;
        let member = match kind {
            MetricKind::Gauge => {
                let number = self.free_gauges.pop().unwrap_or(self.gauges.len() as u32);
                if number as usize == self.gauges.len() {
                    self.gauges.push(group);
                } else {
                    self.gauges[number as usize] = group;
                }
                Member::gauge(join.series, group, round, number)
            }
            MetricKind::Counter => {
                let mut member = Member::counter(join.series, group, round, born);
                if let Some(tombstone) = self.tombstones.get_mut(join.series) {
                    member.resume(tombstone);
                    self.tombstones.remove(join.series);
                }
                member
            }
        };
        self.members.insert(member, ());
        self.count_member(group, 1);
    }

    /// Other policies before this one have given the series other labels.
    fn move_member(&mut self, series: Fingerprint, to: u32) {
        let Some(kind) = self.groups.get(to).map(|group| group.kind) else { return };
        let Some(member) = self.members.get_mut(series) else { return };
        let from = member.group;
        let gauge = member.is_gauge().then_some(member.payload as u32);
        member.group = to;
        match (gauge, kind) {
            (Some(number), MetricKind::Gauge) => self.gauges[number as usize] = to,
            (None, MetricKind::Counter) => {}
            // the type of a group is frozen, so that of the member is not known any more
            _ => {
                self.forget(gauge);
                self.members.remove(series);
                self.count_member(from, -1);
                return;
            }
        }
        self.count_member(from, -1);
        self.count_member(to, 1);
    }

    pub(super) fn count_member(&mut self, group: u32, by: i32) {
        if let Some(group) = self.groups.get_mut(group) {
            group.members = group.members.saturating_add_signed(by);
        }
    }

    /// Takes in samples of the window that ends at `end`; those up to `over` are over (Unix milliseconds).
    pub(super) fn apply<'s>(
        &mut self,
        samples: impl Iterator<Item = &'s Sample> + Clone,
        (end, over): (i64, i64),
        aggregation: &Aggregation,
        tally: &mut Tally,
        mut forgotten: impl FnMut(Fingerprint),
    ) {
        let over = over.max(self.closed);
        let late = end <= over;
        // what is late counts in the first window that is not over
        let end = end.max(over + aggregation.interval_ms);
        let at = ((end - self.closed) / aggregation.interval_ms - 1) as usize;
        while self.open.len() <= at {
            self.open.push_back(Window::default());
        }
        for sample in samples.clone() {
            self.members.prefetch(sample.series);
        }
        let heard = |ms: i64| if late { ms.max(over + 1) } else { ms };
        let timed = aggregation.outputs.contains(&Output::Last);
        let window = &mut self.open[at];
        for sample in samples {
            let Some(member) = self.members.get_mut(sample.series) else {
                tally.forgotten += 1;
                forgotten(sample.series);
                continue;
            };
            if !(0..=LATEST_MS).contains(&sample.ms) {
                tally.unfit += 1;
                continue;
            }
            let newest = member.newest_ms();
            if newest.is_some_and(|newest| sample.ms <= newest) {
                tally.duplicates += 1;
                member.touch(self.round as u8);
                continue;
            }
            let stale = sample.bits == STALE_MARKER;
            let slow = newest.is_some_and(|newest| sample.ms - newest > aggregation.interval_ms);
            if member.is_gauge() {
                if late {
                    tally.late += 1;
                    member.touch(self.round as u8);
                    continue;
                }
                let number = member.payload as u32;
                *window.values.entry(number) = sample.bits;
                if timed {
                    *window.times.entry(number) = sample.ms;
                }
                member.advance(sample.ms, self.round as u8);
                if !stale {
                    let cell = window.cells.entry(member.group);
                    cell.newest_ms = cell.newest_ms.max(heard(sample.ms));
                }
            } else if stale {
                // a failed scrape marks everything stale; a counter that is gone just stops
                if newest.is_some() {
                    member.advance(sample.ms, self.round as u8);
                }
                continue;
            } else {
                let value = f64::from_bits(sample.bits);
                if !value.is_finite() {
                    tally.unfit += 1;
                    continue;
                }
                let increase = match newest {
                    Some(_) => increase(f64::from_bits(member.payload), value),
                    None if member.is_born() => {
                        self.births += 1;
                        value.max(0.0)
                    }
                    None => {
                        self.baselines += 1;
                        0.0
                    }
                };
                member.payload = sample.bits;
                member.advance(sample.ms, self.round as u8);
                let cell = window.cells.entry(member.group);
                cell.increase += increase;
                cell.newest_ms = cell.newest_ms.max(heard(sample.ms));
            }
            if member.step(slow) {
                self.slow += 1;
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let windows = self.open.iter().chain([&self.last]);
        let bytes: usize = windows.map(|w| w.cells.bytes() + w.values.bytes() + w.times.bytes()).sum();
        Counts {
            members: self.members.len(),
            groups: self.groups.len(),
            tombstones: self.tombstones.len(),
            births: self.births,
            baselines: self.baselines,
            slow: self.slow,
            mixed_buckets: self.mixed_buckets,
            windows: self.windows,
            bytes: bytes + self.members.bytes() + self.tombstones.bytes() + self.gauges.capacity() * 4,
        }
    }
}

/// From one value of a counter to the next: a fall is a reset to zero (as `increase()` of PromQL has it).
#[inline]
fn increase(before: f64, now: f64) -> f64 {
    if now >= before { now - before } else { now.max(0.0) }
}
