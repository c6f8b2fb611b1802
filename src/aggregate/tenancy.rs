//! What belongs to a scope's number, so that a scope that is gone leaves nothing to the next one with its number.

use std::sync::Arc;

use super::engine::Engine;

impl Engine {
    /// Whether anything of a scope is aggregated, or was made and not yet collected.
    pub fn holds(&self, tenant: u32) -> bool {
        let made = self.leftover.lock().iter().any(|(of, _, points)| *of == tenant && !points.is_empty());
        let aggregators = self.aggregators();
        made || aggregators.iter().filter_map(|aggregator| aggregator.existing(tenant)).any(|partition| {
            let mut shards = partition.shards.each();
            shards.any(|shard| shard.members.len() + shard.groups.len() + shard.out.len() > 0)
        })
    }

    /// Forgets a scope: its time and senders, the types of its metrics, what is left of its series. What was said of
    /// its pods and jobs is forgotten for lack of room, and too old to speak for a birth.
    pub fn forget(&self, tenant: u32) {
        let next = Arc::new(self.tenant(tenant).successor());
        self.aggregators().iter().for_each(|aggregator| drop(aggregator.forget(tenant)));
        self.ended.lock().insert(tenant);
        self.types.forget(tenant);
        if let Some(state) = self.tenants.write().get_mut(tenant as usize) {
            *state = next;
        }
    }

    /// The time of the newest sample that was taken from a scope, Unix milliseconds.
    pub fn heard_ms(&self, tenant: u32) -> Option<i64> {
        self.tenants.read().get(tenant as usize)?.pace(|pace| pace.newest_ms())
    }
}
