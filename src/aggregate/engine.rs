//! All aggregations of a gate: takes in what requests bring, closes windows in the time of the samples, hands out points.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::aggregator::Aggregator;
use super::given_up::GivenUp;
use super::partition::{Partition, shard_of};
use super::point::Point;
use super::starts::Starts;
use super::tenant::Tenant;
use super::types::Types;
use crate::clock::Steady;
use crate::policy::Aggregating;
use crate::series::Fingerprint;

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
    /// What is known of the types of metrics.
    pub types: Types,
    /// When pods, processes and counters began.
    pub starts: Starts,
    pub(super) aggregators: RwLock<Vec<Arc<Aggregator>>>,
    pub(super) tenants: RwLock<Vec<Arc<Tenant>>>,
    pub(super) groups: AtomicUsize,
    pub(super) members: AtomicUsize,
    /// Points made and not yet collected.
    pub(super) uncollected: AtomicUsize,
    settings: RwLock<Settings>,
    pub(super) steady: Mutex<Steady>,
    /// What was before is not known, Unix milliseconds.
    pub(super) unsure_until: AtomicI64,
    /// Counters whose last values were given up.
    pub(super) given_up: GivenUp,
    /// Points taken out of shards by others than [`Engine::collect`], which hands them out next.
    pub(super) leftover: Mutex<Vec<Collected>>,
}

/// Whether there is room for a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Its group is there.
    InGroup,
    /// Its group would be new.
    ForGroup,
    /// Not for it, or not for its group.
    None,
}

/// The aggregations of policies, by their position.
pub type Adopted = Box<[Option<Arc<Aggregator>>]>;
/// Points of one tenant and one policy.
pub type Collected = (u32, Arc<Aggregator>, Vec<Point>);

impl Engine {
    /// Nothing is aggregated yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            types: Types::new(settings.max_types),
            starts: Starts::default(),
            aggregators: RwLock::default(),
            tenants: RwLock::default(),
            groups: AtomicUsize::new(0),
            members: AtomicUsize::new(0),
            uncollected: AtomicUsize::new(0),
            settings: RwLock::new(settings),
            steady: Mutex::default(),
            unsure_until: AtomicI64::new(i64::MIN),
            given_up: GivenUp::default(),
            leftover: Mutex::default(),
        }
    }

    /// Other bounds; what is there stays.
    pub fn replace_settings(&self, settings: Settings) {
        *self.settings.write() = settings;
    }

    /// The bounds.
    pub fn settings(&self) -> Settings {
        *self.settings.read()
    }

    /// Whether there is anything to do at all.
    pub fn is_idle(&self) -> bool {
        self.aggregators.read().is_empty()
    }

    /// The state of these policies, by position: that of before where the definition is the same. What belongs to
    /// none of them is flushed and forgotten; with `keep`, it only pauses. Also returns how many were forgotten, and the
    /// identities of their groups.
    pub fn adopt(&self, wanted: &[Option<Aggregating>], keep: bool) -> (Adopted, usize, Vec<Fingerprint>) {
        let mut aggregators = self.aggregators.write();
        let is_wanted = |aggregator: &Arc<Aggregator>| {
            wanted.iter().flatten().any(|wanted| wanted.definition == aggregator.definition)
        };
        let mut not_before = i64::MIN;
        let mut restarted = 0;
        let mut gone_groups = Vec::new();
        if !keep {
            for gone in aggregators.iter().filter(|aggregator| !is_wanted(aggregator)) {
                gone_groups.extend(gone.partitions().iter().flat_map(|(_, partition)| partition.groups()));
                not_before = not_before.max(self.wind_up(gone));
                restarted += 1;
            }
        }
        aggregators.retain(|aggregator| {
            let wanted = is_wanted(aggregator);
            aggregator.set_active(wanted);
            keep || wanted
        });
        let adopted = wanted
            .iter()
            .map(|wanted| {
                let Aggregating { name, definition, aggregation } = wanted.as_ref()?;
                let found = aggregators.iter().find(|found| found.definition == *definition);
                Some(found.cloned().unwrap_or_else(|| {
                    let (name, definition) = (Arc::clone(name), Arc::clone(definition));
                    let made = Aggregator::new(name, definition, Arc::clone(aggregation), not_before);
                    aggregators.push(Arc::new(made));
                    Arc::clone(&aggregators[aggregators.len() - 1])
                }))
            })
            .collect();
        (adopted, restarted, gone_groups)
    }

    /// Closes all windows of an aggregation that had samples, and ends its groups. Returns the time of the last point.
    fn wind_up(&self, aggregator: &Arc<Aggregator>) -> i64 {
        let mut latest = i64::MIN;
        for (tenant, partition) in aggregator.partitions() {
            let counts = partition.counts();
            self.groups.fetch_sub(counts.groups, Ordering::Relaxed);
            self.members.fetch_sub(counts.members, Ordering::Relaxed);
            let (points, last) = partition.end(&aggregator.aggregation, self.settings().idle_ms);
            self.made(points);
            latest = latest.max(last);
            let mut made = Vec::new();
            partition.drain(&mut made);
            self.leftover.lock().push((tenant, Arc::clone(aggregator), made));
        }
        latest
    }

    pub(super) fn collected(&self, points: usize) {
        self.uncollected.fetch_sub(points, Ordering::Relaxed);
    }

    /// Points made and not yet collected.
    pub fn uncollected(&self) -> usize {
        self.uncollected.load(Ordering::Relaxed)
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

    /// Whether there is room for one more series in this group.
    pub fn room(&self, aggregator: &Aggregator, tenant: u32, home: u32, group: Fingerprint) -> Room {
        let settings = self.settings();
        if self.members.load(Ordering::Relaxed) >= settings.max_members {
            return Room::None;
        }
        let partition = aggregator.partition(tenant);
        if partition.shards[shard_of(home)].lock().groups.number_of(group).is_some() {
            return Room::InGroup;
        }
        if self.groups.load(Ordering::Relaxed) < settings.max_groups { Room::ForGroup } else { Room::None }
    }

    /// Counts points that were made.
    pub(super) fn made(&self, points: usize) {
        self.uncollected.fetch_add(points, Ordering::Relaxed);
    }

    /// Counts groups and members that came, or went.
    pub(super) fn joined(&self, groups: isize, members: isize) {
        // wrapping: what is fetched from elsewhere is counted down first
        self.groups.fetch_add(groups as usize, Ordering::Relaxed);
        self.members.fetch_add(members as usize, Ordering::Relaxed);
    }

    /// Points taken out of shards by others than [`Engine::collect`].
    pub(super) fn take_leftover(&self) -> Vec<Collected> {
        let mut leftover = std::mem::take(&mut *self.leftover.lock());
        leftover.retain(|(_, _, points)| !points.is_empty());
        self.collected(leftover.iter().map(|(_, _, points)| points.len()).sum());
        leftover
    }

    fn all_partitions(&self) -> Vec<Arc<Partition>> {
        let aggregators = self.aggregators.read();
        aggregators
            .iter()
            .flat_map(|aggregator| aggregator.partitions())
            .map(|(_, partition)| partition)
            .collect()
    }

    /// The identities of all groups.
    pub fn groups(&self) -> Vec<Fingerprint> {
        self.all_partitions().iter().flat_map(|partition| partition.groups()).collect()
    }

    /// Senders that were forgotten for room: they are strangers when they come again.
    pub fn forgotten_senders(&self) -> u64 {
        self.tenants.read().iter().map(|tenant| tenant.forgotten()).sum()
    }

    /// Counters whose last values were given up: none of them counts as born when it comes again.
    pub fn given_up(&self) -> u64 {
        self.given_up.series()
    }

    /// Forgets all series and groups.
    pub fn forget_all(&self) {
        self.aggregators().iter().for_each(|aggregator| aggregator.forget_all());
        self.tenants.write().clear();
        self.groups.store(0, Ordering::Relaxed);
        self.members.store(0, Ordering::Relaxed);
    }

    /// The aggregations that there are.
    pub fn aggregators(&self) -> Vec<Arc<Aggregator>> {
        self.aggregators.read().clone()
    }
}
