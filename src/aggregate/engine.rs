//! All aggregations of a gate: takes in what requests bring, closes windows in the time of the samples, hands out points.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::aggregator::Aggregator;
use super::group::Named;
use super::locked::Totals;
use super::partition::{Partition, shard_of};
use super::point::Point;
use super::starts::Starts;
use super::tenant::Tenant;
use super::types::Types;
use crate::clock::Steady;
use crate::policy::MetricKind;
use crate::series::{Fingerprint, Fingerprinter, SubjectTable};

/// Bounds of all aggregations together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Groups at most.
    pub max_groups: usize,
    /// Series of groups at most.
    pub max_members: usize,
    /// Tombstones of one policy and tenant at most.
    pub max_tombstones: usize,
    /// Metrics whose type is remembered at most.
    pub max_types: usize,
    /// How far ahead of our clock a sample may be, milliseconds.
    pub max_future_ms: i64,
    /// After how long a group without samples ends, milliseconds.
    pub idle_ms: i64,
}

impl Default for Settings {
    /// As the config has them.
    fn default() -> Self {
        Self {
            max_groups: 200_000,
            max_members: 2_000_000,
            max_tombstones: 500_000,
            max_types: 50_000,
            max_future_ms: 600_000,
            idle_ms: 1_200_000,
        }
    }
}

/// All aggregations.
pub struct Engine {
    /// When it was made, Unix milliseconds: before that another process may have sent for the same groups.
    started_ms: i64,
    /// What is known of the types of metrics.
    pub types: Types,
    /// When pods, processes and counters began.
    pub starts: Starts,
    pub(super) aggregators: RwLock<Vec<Arc<Aggregator>>>,
    pub(super) tenants: RwLock<Vec<Arc<Tenant>>>,
    pub(super) totals: Arc<Totals>,
    settings: RwLock<Settings>,
    /// Whether no series becomes a member any more that is none.
    closed: AtomicBool,
    pub(super) steady: Mutex<Steady>,
    /// What was before is not known (monotonic clock, milliseconds).
    pub(super) unsure_until: AtomicI64,
    /// Whether members may be there that the index does not know: they are from a snapshot.
    pub(super) searching: AtomicBool,
    /// Points of aggregations that were retired; [`Engine::collect`] hands them out next.
    pub(super) leftover: Mutex<Vec<Collected>>,
    /// When groups were looked through last for those that are of another type (monotonic clock, milliseconds).
    pub(super) retyped_at: AtomicI64,
    /// Tenants that had a part in an aggregation that was retired, until they are saved without it.
    pub(super) ended: Mutex<BTreeSet<u32>>,
}

/// Whether there is room for a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is a member already.
    ForMember,
    /// Its group is there.
    ForSeries,
    /// Its group would be new.
    ForGroup,
    /// Not for it, or not for its group.
    None,
}

/// A series that is to be part of a group.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which.
    pub series: Fingerprint,
    /// See [`super::Join`].
    pub group_key: u32,
    /// See [`super::Join`].
    pub group: Fingerprint,
    /// See [`super::Join`].
    pub kind: MetricKind,
}

/// What one request brings that is not there before it is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brings {
    /// Series that are no members yet.
    pub members: usize,
    /// Groups that are new.
    pub groups: usize,
}

/// The aggregations of policies, by their position.
pub type Adopted = Box<[Option<Arc<Aggregator>>]>;
/// Points of one tenant and one policy.
pub type Collected = (u32, Arc<Aggregator>, Vec<Point>);

impl Engine {
    /// Nothing is aggregated yet. `subjects`: the labels by which series say what they are about.
    pub fn new(
        settings: Settings,
        prints: Fingerprinter,
        subjects: Arc<SubjectTable>,
        started_ms: i64,
    ) -> Self {
        Self {
            started_ms,
            types: Types::new(settings.max_types),
            starts: Starts::new(prints, subjects),
            aggregators: RwLock::default(),
            tenants: RwLock::default(),
            totals: Arc::default(),
            settings: RwLock::new(settings),
            closed: AtomicBool::new(false),
            steady: Mutex::default(),
            unsure_until: AtomicI64::new(i64::MIN),
            searching: AtomicBool::new(false),
            leftover: Mutex::default(),
            retyped_at: AtomicI64::new(i64::MIN),
            ended: Mutex::default(),
        }
    }

    /// Other bounds; what is there stays.
    pub fn replace_settings(&self, settings: Settings) {
        *self.settings.write() = settings;
    }

    /// Says that no series that is none becomes a member of a group any more, for want of memory, or takes it back.
    pub fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// Whether no series becomes a member of a group any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The bounds.
    pub fn settings(&self) -> Settings {
        *self.settings.read()
    }

    /// Whether there is anything to do at all.
    pub fn is_idle(&self) -> bool {
        self.aggregators.read().is_empty()
    }

    /// Whether series that the index does not know may be part of groups: after a start from a snapshot.
    pub fn is_searching(&self) -> bool {
        self.searching.load(Ordering::Relaxed)
    }

    /// Points made and not yet collected.
    pub fn uncollected(&self) -> usize {
        self.totals.points() + self.leftover.lock().iter().map(|(_, _, points)| points.len()).sum::<usize>()
    }

    /// Series that are part of groups, in all aggregations.
    pub fn all_members(&self) -> usize {
        self.totals.members()
    }

    /// Groups of all aggregations.
    pub fn all_groups(&self) -> usize {
        self.totals.groups()
    }

    /// The time of a tenant.
    pub(super) fn tenant(&self, number: u32) -> Arc<Tenant> {
        if let Some(found) = self.tenants.read().get(number as usize) {
            return Arc::clone(found);
        }
        let mut tenants = self.tenants.write();
        while tenants.len() <= number as usize {
            tenants.push(Arc::default());
        }
        Arc::clone(&tenants[number as usize])
    }

    /// The part of a tenant of an aggregation, made if it is not there; `None` if it is retired.
    pub(super) fn partition(&self, aggregator: &Aggregator, tenant: u32) -> Option<Arc<Partition>> {
        aggregator
            .partition(tenant, || (self.tenant(tenant).ended_ms.load(Ordering::Relaxed), self.started_ms))
    }

    /// Whether there is room for a series in this group, beside what the same request brings already.
    pub fn room(&self, aggregator: &Aggregator, tenant: u32, wanted: &Wanted, brings: Brings) -> Room {
        let Wanted { series, group_key, group, kind } = *wanted;
        // decided under policies that have just been replaced: the commit will find nobody that takes it
        let closed = self.is_closed();
        if closed && aggregator.existing(tenant).is_none() && !aggregator.is_retired() {
            return Room::None;
        }
        let Some(partition) = self.partition(aggregator, tenant) else { return Room::ForMember };
        let Some(mut shard) = partition.shards.lock(shard_of(group_key)) else { return Room::ForMember };
        // one that has ended as something else has other outputs
        let is_there = shard.groups.number_of(group).is_some_and(|number| !shard.is_left(number, kind));
        if is_there && shard.members.get_mut(series).is_some() {
            return Room::ForMember;
        }
        let settings = self.settings();
        if closed || self.totals.members() + brings.members >= settings.max_members {
            Room::None
        } else if is_there {
            Room::ForSeries
        } else if self.totals.groups() + brings.groups < settings.max_groups {
            Room::ForGroup
        } else {
            Room::None
        }
    }

    /// All groups.
    pub fn groups(&self) -> Vec<Named> {
        self.aggregators().iter().flat_map(|aggregator| aggregator.groups()).collect()
    }

    /// Senders that were forgotten for room: they are strangers when they come again.
    pub fn forgotten_senders(&self) -> u64 {
        self.tenants.read().iter().map(|tenant| tenant.forgotten()).sum()
    }

    /// Counters whose last values were given up: none of them counts as born when it comes again.
    pub fn given_up(&self) -> u64 {
        self.tenants.read().iter().map(|tenant| tenant.given_up.series()).sum()
    }

    /// The aggregations that there are.
    pub fn aggregators(&self) -> Vec<Arc<Aggregator>> {
        self.aggregators.read().clone()
    }
}
