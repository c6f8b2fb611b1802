//! What belongs to a scope's number, so that a scope that is gone leaves nothing to the next one with its number.

use std::sync::atomic::Ordering;

use super::engine::Engine;
use super::shard::Counts;

impl Engine {
    /// Whether anything of a scope is aggregated, or was made and not yet collected.
    pub fn holds(&self, tenant: u32) -> bool {
        let made = self.leftover.lock().iter().any(|(of, _, points)| *of == tenant && !points.is_empty());
        let aggregators = self.aggregators();
        made || aggregators.iter().filter_map(|aggregator| aggregator.part(tenant)).any(|partition| {
            let Counts { members, groups, .. } = partition.counts();
            members + groups > 0 || partition.shards.iter().any(|shard| !shard.lock().out.is_empty())
        })
    }

    /// Forgets a scope that holds nothing: its time and senders, the types of its metrics, its tombstones. What
    /// was said of its pods and jobs is forgotten for lack of room, and too old to speak for a birth.
    pub fn forget(&self, tenant: u32) {
        self.aggregators().iter().for_each(|aggregator| aggregator.forget(tenant));
        self.types.forget(tenant);
        if let Some(time) = self.tenants.write().get_mut(tenant as usize) {
            *time = std::sync::Arc::new(time.successor());
        }
    }

    /// The time of the newest sample that was taken from a scope, Unix milliseconds.
    pub fn heard_ms(&self, tenant: u32) -> Option<i64> {
        let newest = self.tenants.read().get(tenant as usize)?.watermark.load(Ordering::Relaxed);
        (newest != i64::MIN).then_some(newest)
    }
}
