//! All aggregations of a gate: takes in what requests bring, closes windows in the time of the samples, hands out points.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::aggregator::{Aggregator, Told};
use super::close::over_at;
use super::created::Created;
use super::group::Named;
use super::member::LATEST_MS;
use super::partition::{Moment, Partition, shard_of};
use super::point::{Batch, Join, Point, Sample, Tally};
use super::runs::{Run, runs};
use super::stream::{Stream, WATCHED_MS};
use super::tenant::Tenant;
use super::types::Types;
use crate::policy::{Aggregating, Aggregation, PolicyIndex};
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
    /// When pods and jobs were made.
    pub created: Created,
    pub(super) aggregators: RwLock<Vec<Arc<Aggregator>>>,
    pub(super) tenants: RwLock<Vec<Arc<Tenant>>>,
    pub(super) groups: AtomicUsize,
    pub(super) members: AtomicUsize,
    /// Points made and not yet collected.
    pub(super) uncollected: AtomicUsize,
    settings: RwLock<Settings>,
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
            created: Created::default(),
            aggregators: RwLock::default(),
            tenants: RwLock::default(),
            groups: AtomicUsize::new(0),
            members: AtomicUsize::new(0),
            uncollected: AtomicUsize::new(0),
            settings: RwLock::new(settings),
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
    /// none of them is flushed and forgotten; with `keep`, it only pauses. Also returns how many were forgotten, and
    /// their groups.
    pub fn adopt(&self, wanted: &[Option<Aggregating>], keep: bool) -> (Adopted, usize, Vec<Named>) {
        let mut aggregators = self.aggregators.write();
        let is_wanted = |aggregator: &Arc<Aggregator>| {
            wanted.iter().flatten().any(|wanted| wanted.definition == aggregator.definition)
        };
        let mut not_before = i64::MIN;
        let mut restarted = 0;
        let mut gone_groups = Vec::new();
        if !keep {
            for gone in aggregators.iter().filter(|aggregator| !is_wanted(aggregator)) {
                gone_groups.extend(gone.groups());
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
                    made.begin_after(self.watermarks());
                    aggregators.push(Arc::new(made));
                    Arc::clone(&aggregators[aggregators.len() - 1])
                }))
            })
            .collect();
        (adopted, restarted, gone_groups)
    }

    pub(super) fn watermarks(&self) -> Vec<i64> {
        self.tenants.read().iter().map(|tenant| tenant.watermark.load(Ordering::Relaxed)).collect()
    }

    /// Closes all windows of an aggregation that had samples, and ends its groups. Returns the time of the last point.
    fn wind_up(&self, aggregator: &Arc<Aggregator>) -> i64 {
        let mut latest = i64::MIN;
        for (tenant, partition) in aggregator.partitions() {
            let counts = partition.counts();
            self.groups.fetch_sub(counts.groups, Ordering::Relaxed);
            self.members.fetch_sub(counts.members, Ordering::Relaxed);
            let idle = self.settings().idle_ms;
            let mut made = Vec::new();
            for shard in &partition.shards {
                let mut shard = shard.lock();
                let last =
                    shard.closed.saturating_add(shard.open.len() as i64 * aggregator.aggregation.interval_ms);
                let before = shard.out.len();
                shard.close_until(last, &aggregator.aggregation, idle);
                shard.end_all(last.saturating_add(1));
                self.uncollected.fetch_add(shard.out.len() - before, Ordering::Relaxed);
                latest = latest.max(last.saturating_add(1));
                made.append(&mut shard.out);
            }
            self.leftover.lock().push((tenant, Arc::clone(aggregator), made));
        }
        latest
    }

    fn collected(&self, points: usize) {
        self.uncollected.fetch_sub(points, Ordering::Relaxed);
    }

    /// Points made and not yet collected.
    pub fn uncollected(&self) -> usize {
        self.uncollected.load(Ordering::Relaxed)
    }

    /// What is known of a sender.
    pub fn stream(&self, tenant: u32, sender: Option<std::net::IpAddr>) -> Option<Stream> {
        self.tenant(tenant).stream(sender)
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

    /// Takes in what a request brought. Idempotent for each series and time. `forgotten` is shown series that have to
    /// be decided anew.
    pub fn commit(
        &self,
        batch: &Batch,
        aggregators: &[Option<Arc<Aggregator>>],
        now_ms: i64,
        mut forgotten: impl FnMut(Fingerprint),
    ) -> Vec<Told> {
        let Some((oldest, newest)) = batch.span_ms else { return Vec::new() };
        let tenant = self.tenant(batch.tenant);
        let latest = now_ms.saturating_add(self.settings().max_future_ms);
        let before = tenant.watermark.load(Ordering::Relaxed);
        let mut told: Vec<Told> = Vec::new();
        if !batch.joins.is_empty() {
            self.join(batch, aggregators, &tenant);
        }
        for run in runs(batch, aggregators) {
            let Run { aggregator, policy, end, samples } = run;
            let settings = self.settings();
            let mut tally = Tally::default();
            // times that nobody means neither count nor get into the arithmetic of windows
            let kept: Vec<Sample>;
            let meant = 0..=latest.min(LATEST_MS);
            let samples: &[Sample] = if samples.iter().any(|sample| !meant.contains(&sample.ms)) {
                kept = samples.iter().copied().filter(|sample| meant.contains(&sample.ms)).collect();
                tally.unfit = samples.iter().filter(|sample| sample.ms < 0).count() as u64;
                tally.future = (samples.len() - kept.len()) as u64 - tally.unfit;
                &kept
            } else {
                &samples
            };
            let run_newest = samples.iter().map(|sample| sample.ms).max().unwrap_or(i64::MIN);
            let watermark = before.max(run_newest.min(now_ms));
            if !samples.is_empty() {
                let partition = aggregator.partition(batch.tenant);
                let (aggregation, idle_ms) = (&aggregator.aggregation, settings.idle_ms);
                let moment = Moment { end, watermark, aggregation, idle_ms };
                let made = partition.apply(samples, moment, &mut tally, &mut forgotten);
                self.uncollected.fetch_add(made, Ordering::Relaxed);
            }
            match told.iter_mut().find(|(known, _)| *known == policy) {
                Some((_, known)) => *known += tally,
                None => told.push((policy, tally)),
            }
        }
        if oldest <= latest && newest >= 0 {
            tenant.see(batch.sender, oldest.max(0), newest.min(latest), now_ms);
        }
        tenant.heard_ms.fetch_max(now_ms, Ordering::Relaxed);
        told
    }

    fn join(&self, batch: &Batch, aggregators: &[Option<Arc<Aggregator>>], tenant: &Tenant) {
        let stream = tenant.stream(batch.sender);
        let born = |join: &Join, began_ms: i64| {
            let Some(stream) = stream.filter(|_| join.unknown) else { return false };
            let asked = join.first_ms.saturating_sub(began_ms) >= WATCHED_MS;
            let created = |created: i64| created >= stream.since_ms.max(began_ms);
            stream.watched(join.first_ms) && asked || join.created_ms.is_some_and(created)
        };
        let mut policies: Vec<PolicyIndex> = batch.joins.iter().map(|join| join.policy).collect();
        policies.sort_unstable();
        policies.dedup();
        for policy in policies {
            let Some(Some(aggregator)) = aggregators.get(usize::from(policy.0)) else { continue };
            let joins: Vec<&Join> = batch.joins.iter().filter(|join| join.policy == policy).collect();
            let partition = aggregator.partition(batch.tenant);
            let began_ms = partition.began_ms();
            let (groups, members) = partition.join(batch, &joins, |join| born(join, began_ms));
            // wrapping: what is fetched from elsewhere is counted down first
            self.groups.fetch_add(groups as usize, Ordering::Relaxed);
            self.members.fetch_add(members as usize, Ordering::Relaxed);
        }
    }

    /// Closes what is over by now, and hands out the points made: tenant, policy, points.
    pub fn collect(&self, now_ms: i64) -> Vec<Collected> {
        self.collect_by(|aggregator, tenant| tenant.time(now_ms, aggregator.aggregation.interval_ms))
    }

    /// Closes all windows that had samples, over or not: the input has ended.
    pub fn finish(&self) -> Vec<Collected> {
        self.collect_by(|aggregator, tenant| {
            let Aggregation { delay_ms, interval_ms, .. } = *aggregator.aggregation;
            // up to the end of the window with the newest sample
            let watermark = tenant.time(i64::MIN, interval_ms)?;
            Some(watermark.saturating_add(delay_ms).saturating_add(interval_ms))
        })
    }

    fn collect_by(&self, watermark: impl Fn(&Aggregator, &Tenant) -> Option<i64>) -> Vec<Collected> {
        let mut collected = std::mem::take(&mut *self.leftover.lock());
        collected.retain(|(_, _, points)| !points.is_empty());
        self.collected(collected.iter().map(|(_, _, points)| points.len()).sum());
        for aggregator in self.aggregators.read().iter().filter(|aggregator| aggregator.is_active()) {
            for (number, partition) in aggregator.partitions() {
                if let Some(watermark) = watermark(aggregator, &self.tenant(number)) {
                    let until = over_at(watermark, &aggregator.aggregation);
                    let idle = self.settings().idle_ms;
                    let made = partition.close_until(until, &aggregator.aggregation, idle);
                    self.uncollected.fetch_add(made, Ordering::Relaxed);
                }
                let mut points = Vec::new();
                partition.drain(&mut points);
                self.collected(points.len());
                if !points.is_empty() {
                    collected.push((number, Arc::clone(aggregator), points));
                }
            }
        }
        collected
    }

    /// Forgets what had no sample for long; to be called sixteen times in `series.idle_after`.
    pub fn expire(&self) {
        let max_tombstones = self.settings().max_tombstones;
        for partition in self.all_partitions() {
            let (groups, members) = partition.expire(max_tombstones);
            self.groups.fetch_sub(groups, Ordering::Relaxed);
            self.members.fetch_sub(members, Ordering::Relaxed);
        }
    }

    fn all_partitions(&self) -> Vec<Arc<Partition>> {
        let aggregators = self.aggregators.read();
        aggregators
            .iter()
            .flat_map(|aggregator| aggregator.partitions())
            .map(|(_, partition)| partition)
            .collect()
    }

    /// All groups.
    pub fn groups(&self) -> Vec<Named> {
        self.aggregators().iter().flat_map(|aggregator| aggregator.groups()).collect()
    }

    /// Requests of senders that found no room to be told apart: nothing of theirs is known to be born.
    pub fn refused_senders(&self) -> u64 {
        self.tenants.read().iter().map(|tenant| tenant.refused.load(Ordering::Relaxed)).sum()
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
