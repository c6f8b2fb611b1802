//! A part of the groups of one policy and tenant, with their members and open windows. Whoever has its lock sees all
//! buckets of a histogram at one moment.

use std::collections::VecDeque;

use super::doubt::{Doubt, Doubts, Unborn};
use super::gauges::{ABSENT, Gauges};
use super::group::Groups;
use super::member::{Member, Tombstone};
use super::pages::Pages;
use super::point::Point;
use crate::series::Fingerprint;
use crate::series::table::Table;

/// Rounds of [`GroupShard::expire`] after which a member that had no sample is forgotten. The index forgets a series after
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
    /// By gauge: how far its samples are apart, as [`super::member::period_of`] reads it.
    pub(super) periods: Pages<u8>,
    /// By gauge: the time of that; only where an output asks for it.
    pub(super) times: Pages<i64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            cells: Pages::new(Cell { increase: 0.0, newest_ms: i64::MIN }),
            values: Pages::new(ABSENT),
            periods: Pages::new(0),
            times: Pages::new(i64::MIN),
        }
    }
}

impl Window {
    fn bytes(&self) -> usize {
        let pages = self.cells.bytes() + self.values.bytes() + self.periods.bytes() + self.times.bytes();
        size_of::<Self>() + pages
    }

    /// Notes that a group grew, and when it was heard of.
    #[inline]
    pub(super) fn grow(&mut self, group: u32, increase: f64, heard_ms: i64) {
        let cell = self.cells.entry(group);
        cell.increase += increase;
        cell.newest_ms = cell.newest_ms.max(heard_ms);
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
    /// Counters that may have been at another gate in the meantime, so that they start again from where they are.
    pub moved: u64,
    /// Windows closed ahead of time by a clock that was wrong, and opened again.
    pub reopened: u64,
    /// Groups that ended because metadata said that their metric is of another type.
    pub retyped: u64,
    /// Series sampled slower than the interval.
    pub slow: u64,
    /// Histograms whose members do not all have the same buckets.
    pub mixed_buckets: usize,
    /// Windows closed.
    pub windows: u64,
    /// Bytes of groups, members, tombstones, windows, and of the parts of each scope that hold them.
    pub bytes: usize,
}

impl Counts {
    /// What was counted since the start; what is held now is left out.
    pub(super) fn of_all_time(self) -> Self {
        Self { members: 0, groups: 0, tombstones: 0, mixed_buckets: 0, bytes: 0, ..self }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.members += other.members;
        self.groups += other.groups;
        self.tombstones += other.tombstones;
        self.births += other.births;
        self.baselines += other.baselines;
        self.moved += other.moved;
        self.reopened += other.reopened;
        self.retyped += other.retyped;
        self.slow += other.slow;
        self.mixed_buckets += other.mixed_buckets;
        self.windows += other.windows;
        self.bytes += other.bytes;
    }
}

/// One shard.
pub(super) struct GroupShard {
    /// End of the last window that was closed, Unix milliseconds; `i64::MIN` before the first sample.
    pub(super) closed: i64,
    /// The windows after it, without holes.
    pub(super) open: VecDeque<Window>,
    pub(super) members: Table<Member>,
    pub(super) tombstones: Table<Tombstone>,
    /// Members of which it is open whether they were born.
    pub(super) doubts: Doubts,
    /// Histograms that are not.
    pub(super) unborn: Unborn,
    /// Of which histogram the last one of them is a part.
    pub(super) last_doubted: u64,
    pub(super) groups: Groups,
    pub(super) gauges: Gauges,
    /// Points made and not yet taken away.
    pub(super) out: Vec<Point>,
    /// Grows with each expiry.
    pub(super) round: u32,
    /// Points older than this were sent by somebody else, Unix milliseconds.
    pub(super) not_before: i64,
    /// Up to then another process may have sent for the same groups, Unix milliseconds.
    pub(super) others_until: i64,
    pub(super) births: u64,
    pub(super) baselines: u64,
    pub(super) moved: u64,
    pub(super) reopened: u64,
    pub(super) retyped: u64,
    pub(super) slow: u64,
    pub(super) mixed_buckets: usize,
    pub(super) windows: u64,
}

impl GroupShard {
    pub(super) fn new(not_before: i64, others_until: i64) -> Self {
        Self {
            closed: i64::MIN,
            open: VecDeque::new(),
            members: Table::default(),
            tombstones: Table::default(),
            doubts: Doubts::default(),
            unborn: Unborn::default(),
            last_doubted: 0,
            groups: Groups::default(),
            gauges: Gauges::default(),
            out: Vec::new(),
            round: 0,
            not_before,
            others_until,
            births: 0,
            baselines: 0,
            moved: 0,
            reopened: 0,
            retyped: 0,
            slow: 0,
            mixed_buckets: 0,
            windows: 0,
        }
    }

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.open.iter().map(Window::bytes).sum::<usize>()
            + self.members.bytes()
            + self.tombstones.bytes()
            + self.groups.bytes()
            + self.gauges.bytes()
            + self.doubts.capacity() * size_of::<(Fingerprint, Doubt)>()
            + self.unborn.capacity() * size_of::<(u64, i64)>()
            + self.out.capacity() * size_of::<Point>()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            members: self.members.len(),
            groups: self.groups.len(),
            tombstones: self.tombstones.len(),
            births: self.births,
            baselines: self.baselines,
            moved: self.moved,
            reopened: self.reopened,
            retyped: self.retyped,
            slow: self.slow,
            mixed_buckets: self.mixed_buckets,
            windows: self.windows,
            bytes: self.bytes(),
        }
    }
}
