//! Aggregations come and go with the policies that they belong to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aggregator::Aggregator;
use super::engine::{Adopted, Engine};
use crate::policy::Aggregating;

impl Engine {
    /// The state of these policies, by position: that of before where the definition is the same. What belongs to
    /// none of them is flushed and forgotten; with `keep`, it only pauses. Also returns the definitions of those that
    /// were forgotten.
    pub fn adopt(&self, wanted: &[Option<Aggregating>], keep: bool) -> (Adopted, Vec<Arc<str>>) {
        let mut aggregators = self.aggregators.write();
        let is_wanted = |aggregator: &Arc<Aggregator>| {
            wanted.iter().flatten().any(|wanted| wanted.definition == aggregator.definition)
        };
        // what was sent for a policy that is taken out is not sent again when it comes back
        let mut ended = Vec::new();
        if !keep {
            for gone in aggregators.iter().filter(|aggregator| !is_wanted(aggregator)) {
                self.wind_up(gone);
                ended.push(Arc::clone(&gone.definition));
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
                    let made =
                        Aggregator::new(name, definition, Arc::clone(aggregation), Arc::clone(&self.totals));
                    aggregators.push(Arc::new(made));
                    Arc::clone(&aggregators[aggregators.len() - 1])
                }))
            })
            .collect();
        (adopted, ended)
    }

    /// Ends an aggregation: closes all windows that had samples, and ends its groups. What is still on its way to it
    /// finds nothing that would take it.
    pub(super) fn wind_up(&self, aggregator: &Arc<Aggregator>) {
        let idle_ms = self.settings().idle_ms;
        for (tenant, partition) in aggregator.retire() {
            self.ended.lock().insert(tenant);
            let (state, mut made) = (self.tenant(tenant), Vec::new());
            let latest_ms = state.pace(|pace| pace.newest_ms()).unwrap_or(i64::MAX);
            for mut shard in partition.shards.retire() {
                let last = shard.end(&aggregator.aggregation, idle_ms, latest_ms, &self.starts);
                state.ended_ms.fetch_max(last, Ordering::Relaxed);
                shard.give_up_all(&state.given_up);
                made.append(&mut shard.out);
            }
            if !made.is_empty() {
                self.leftover.lock().push((tenant, Arc::clone(aggregator), made));
            }
        }
    }
}
