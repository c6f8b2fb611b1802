//! Parts of scopes in which nothing is left: each takes some ten kilobytes, and there may be as many as scopes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aggregator::Aggregator;
use super::engine::Engine;
use super::partition::Partition;
use super::shard::GroupShard;
use super::tenant::Tenant;

impl Engine {
    /// Forgets a part that has no group, no member and no last value of one. What follows it begins after it.
    pub(super) fn forget_emptied(&self, aggregator: &Aggregator, number: u32, tenant: &Tenant) {
        if let Some(closed_ms) = aggregator.forget_emptied(number) {
            tenant.ended_ms.fetch_max(closed_ms, Ordering::Relaxed);
            self.ended.lock().insert(number);
        }
    }
}

impl Partition {
    /// Gives up the last values of counters that are gone, where there is no series to add to them. Returns whether nothing
    /// is left.
    pub(super) fn is_emptied(&self, tenant: &Tenant, give_up: bool) -> bool {
        if self.is_searching() || !self.shards.each().all(|shard| shard.has_no_series()) {
            return false;
        }
        if give_up {
            self.shards.each().filter(|shard| !shard.tombstones.is_empty()).for_each(|mut shard| {
                shard.give_up_tombstones(|_| true, &tenant.given_up);
            });
        }
        self.shards.each().all(|shard| shard.tombstones.is_empty())
    }

    /// The end of the last window that was closed, Unix milliseconds.
    fn closed_ms(&self) -> i64 {
        self.shards.each().map(|shard| shard.closed.max(shard.not_before)).max().unwrap_or(i64::MIN)
    }
}

impl GroupShard {
    fn has_no_series(&self) -> bool {
        self.members.is_empty() && self.groups.is_empty() && self.out.is_empty() && self.doubts.is_empty()
    }
}

impl Aggregator {
    /// Forgets the part of a scope in which nothing is left, unless somebody has it in hand. Returns when its last window was
    /// closed, Unix milliseconds.
    fn forget_emptied(&self, tenant: u32) -> Option<i64> {
        let mut partitions = self.parts_to_change();
        let place = partitions.as_mut()?.get_mut(tenant as usize)?;
        let part = place.as_ref()?;
        // nobody can come by it while the list is locked
        let is_free = Arc::strong_count(part) == 1;
        let is_empty =
            || part.shards.each().all(|shard| shard.has_no_series() && shard.tombstones.is_empty());
        if !is_free || !is_empty() {
            return None;
        }
        let closed_ms = part.closed_ms();
        self.keep_counts_of(part);
        *place = None;
        Some(closed_ms)
    }
}
