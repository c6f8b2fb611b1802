//! The state of one policy that aggregates. It belongs to the policy's definition: as long as that stays, it stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use super::group::Named;
use super::locked::Totals;
use super::partition::Partition;
use super::point::SampleCounts;
use super::shard::Counts;
use crate::policy::Aggregation;

/// The state of one policy, for all tenants.
pub struct Aggregator {
    /// Its name in the config.
    pub name: Arc<str>,
    /// All that makes the policy what it is, as text; the same text is the same policy.
    pub definition: Arc<str>,
    pub(super) aggregation: Arc<Aggregation>,
    /// By the number of the tenant; `None` once it is retired, so that it takes nothing more.
    partitions: RwLock<Option<Vec<Option<Arc<Partition>>>>>,
    totals: Arc<Totals>,
    /// What parts counted that were forgotten: sums never fall.
    past: Mutex<Counts>,
    /// Whether the policy is in force; if not (a bypass), no window is closed.
    active: AtomicBool,
}

impl Aggregator {
    pub(super) fn new(
        name: Arc<str>,
        definition: Arc<str>,
        aggregation: Arc<Aggregation>,
        totals: Arc<Totals>,
    ) -> Self {
        Self {
            name,
            definition,
            aggregation,
            partitions: RwLock::new(Some(Vec::new())),
            totals,
            past: Mutex::default(),
            active: AtomicBool::new(true),
        }
    }

    /// What the policy does.
    pub fn aggregation(&self) -> &Arc<Aggregation> {
        &self.aggregation
    }

    pub(super) fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// The part of a tenant, made if it is not there; `None` if the aggregation is retired. `others`: up to then others
    /// sent for its groups, and another process may have, Unix milliseconds.
    pub(super) fn partition(
        &self,
        tenant: u32,
        others: impl FnOnce() -> (i64, i64),
    ) -> Option<Arc<Partition>> {
        if let Some(found) = self.existing(tenant) {
            return Some(found);
        }
        let others = others();
        let mut partitions = self.partitions.write();
        let partitions = partitions.as_mut()?;
        if partitions.len() <= tenant as usize {
            partitions.resize_with(tenant as usize + 1, || None);
        }
        let made = partitions[tenant as usize]
            .get_or_insert_with(|| Arc::new(Partition::new(others, Arc::clone(&self.totals))));
        Some(Arc::clone(made))
    }

    /// The part of a tenant, if it is there.
    pub(super) fn existing(&self, tenant: u32) -> Option<Arc<Partition>> {
        self.partitions.read().as_ref()?.get(tenant as usize)?.clone()
    }

    /// The parts of all tenants that have one.
    pub(super) fn partitions(&self) -> Vec<(u32, Arc<Partition>)> {
        let partitions = self.partitions.read();
        let numbered = (0u32..).zip(partitions.iter().flatten());
        numbered.filter_map(|(tenant, found)| Some((tenant, Arc::clone(found.as_ref()?)))).collect()
    }

    /// The parts of all scopes, locked.
    pub(super) fn parts_to_change(&self) -> RwLockWriteGuard<'_, Option<Vec<Option<Arc<Partition>>>>> {
        self.partitions.write()
    }

    /// What a part has counted goes on to count.
    pub(super) fn keep_counts_of(&self, part: &Partition) {
        *self.past.lock() += part.counts().of_all_time();
    }

    /// Its groups.
    pub(super) fn groups(&self) -> Vec<Named> {
        let of = |(tenant, partition): (u32, Arc<Partition>)| {
            let named = move |labels| Named { definition: Arc::clone(&self.definition), tenant, labels };
            partition.groups().into_iter().map(named)
        };
        self.partitions().into_iter().flat_map(of).collect()
    }

    /// Whether it has ended and takes nothing more.
    pub fn is_retired(&self) -> bool {
        self.partitions.read().is_none()
    }

    /// Ends it: from now on it has no parts and gets none. Returns those that it had.
    pub(super) fn retire(&self) -> Vec<(u32, Arc<Partition>)> {
        let partitions = self.partitions.write().take().unwrap_or_default();
        (0u32..).zip(partitions).filter_map(|(tenant, found)| Some((tenant, found?))).collect()
    }

    /// Takes the part of a tenant away, which another may have the number of from now on.
    pub(super) fn forget(&self, tenant: u32) -> Option<Arc<Partition>> {
        self.partitions.write().as_mut()?.get_mut(tenant as usize)?.take()
    }

    /// What it holds.
    pub fn counts(&self) -> Counts {
        let mut counts = *self.past.lock();
        for (_, partition) in self.partitions() {
            counts += partition.counts();
        }
        counts
    }
}

/// What a commit did for one policy.
pub type PolicyCounts = (crate::policy::PolicyIndex, SampleCounts);
