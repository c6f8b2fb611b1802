//! The state of one policy that aggregates. It belongs to the policy's definition: as long as that stays, it stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::group::Named;
use super::partition::Partition;
use super::point::Tally;
use super::shard::Counts;
use crate::policy::Aggregation;

/// The state of one policy, for all tenants.
pub struct Aggregator {
    /// Its name in the config.
    pub name: Arc<str>,
    /// All that makes the policy what it is, as text; the same text is the same policy.
    pub definition: Arc<str>,
    pub(super) aggregation: Arc<Aggregation>,
    /// By the number of the tenant.
    partitions: RwLock<Vec<Option<Arc<Partition>>>>,
    /// Whether the policy is in force; if not (a bypass), no window is closed.
    active: AtomicBool,
    /// Up to then others sent for its groups, Unix milliseconds.
    not_before: i64,
    /// By tenant: up to when samples came that it was not asked about, Unix milliseconds.
    unasked: RwLock<Vec<i64>>,
}

impl Aggregator {
    pub(super) fn new(
        name: Arc<str>,
        definition: Arc<str>,
        aggregation: Arc<Aggregation>,
        not_before: i64,
    ) -> Self {
        Self {
            name,
            definition,
            aggregation,
            partitions: RwLock::default(),
            active: AtomicBool::new(true),
            not_before,
            unasked: RwLock::default(),
        }
    }

    /// What the policy does.
    pub fn aggregation(&self) -> &Arc<Aggregation> {
        &self.aggregation
    }

    /// Says up to when samples of each tenant came that the policy was not asked about: a series that is new to it need
    /// not be young.
    pub(super) fn begin_after(&self, watermarks: Vec<i64>) {
        *self.unasked.write() = watermarks;
    }

    pub(super) fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// The part of a tenant; made if it is not there.
    pub(super) fn partition(&self, tenant: u32) -> Arc<Partition> {
        if let Some(Some(found)) = self.partitions.read().get(tenant as usize) {
            return Arc::clone(found);
        }
        let mut partitions = self.partitions.write();
        if partitions.len() <= tenant as usize {
            partitions.resize_with(tenant as usize + 1, || None);
        }
        let made = partitions[tenant as usize].get_or_insert_with(|| {
            let began = self.unasked.read().get(tenant as usize).copied().unwrap_or(i64::MIN);
            Arc::new(Partition::new(self.not_before, began))
        });
        Arc::clone(made)
    }

    /// The parts of all tenants that have one.
    pub(super) fn partitions(&self) -> Vec<(u32, Arc<Partition>)> {
        let partitions = self.partitions.read();
        let numbered = (0u32..).zip(partitions.iter());
        numbered.filter_map(|(tenant, found)| Some((tenant, Arc::clone(found.as_ref()?)))).collect()
    }

    /// Its groups.
    pub(super) fn groups(&self) -> Vec<Named> {
        let of = |(tenant, partition): (u32, Arc<Partition>)| {
            let named = move |labels| Named { definition: Arc::clone(&self.definition), tenant, labels };
            partition.groups().into_iter().map(named)
        };
        self.partitions().into_iter().flat_map(of).collect()
    }

    pub(super) fn forget_all(&self) {
        self.partitions.write().clear();
    }

    /// What it holds.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, partition) in self.partitions() {
            counts += partition.counts();
        }
        counts
    }
}

/// What a commit did for one policy.
pub type Told = (crate::policy::PolicyIndex, Tally);
