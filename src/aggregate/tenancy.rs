//! What belongs to a scope's number, so that a scope that is gone leaves nothing to the next one with its number.

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
        let mut given_up = Vec::new();
        for partition in self.aggregators().iter().filter_map(|aggregator| aggregator.forget(tenant)) {
            partition.give_up(&mut given_up);
        }
        given_up.into_iter().for_each(|series| self.given_up.add(series));
        self.types.forget(tenant);
        if let Some(time) = self.tenants.write().get_mut(tenant as usize) {
            *time = std::sync::Arc::new(time.successor());
        }
    }

    /// The time of the newest sample that was taken from a scope, Unix milliseconds.
    pub fn heard_ms(&self, tenant: u32) -> Option<i64> {
        self.tenants.read().get(tenant as usize)?.pace(|pace| pace.newest_ms())
    }
}
