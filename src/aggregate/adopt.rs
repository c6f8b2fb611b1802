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
        let mut not_before = self.not_before.load(Ordering::Relaxed);
        let mut ended = Vec::new();
        if !keep {
            for gone in aggregators.iter().filter(|aggregator| !is_wanted(aggregator)) {
                not_before = not_before.max(self.wind_up(gone));
                ended.push(Arc::clone(&gone.definition));
            }
        }
        self.not_before.store(not_before, Ordering::Relaxed);
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
                    let made = Aggregator::new(
                        name,
                        definition,
                        Arc::clone(aggregation),
                        not_before,
                        Arc::clone(&self.totals),
                    );
                    aggregators.push(Arc::new(made));
                    Arc::clone(&aggregators[aggregators.len() - 1])
                }))
            })
            .collect();
        (adopted, ended)
    }

    /// Ends an aggregation: closes all windows that had samples, and ends its groups. What is still on its way to it
    /// finds nothing that would take it. Returns the time of the last point.
    fn wind_up(&self, aggregator: &Arc<Aggregator>) -> i64 {
        let mut latest = i64::MIN;
        let idle_ms = self.settings().idle_ms;
        for (tenant, partition) in aggregator.retire() {
            self.ended.lock().insert(tenant);
            let mut made = Vec::new();
            for mut shard in partition.shards.retire() {
                latest = latest.max(shard.end(&aggregator.aggregation, idle_ms, &self.starts));
                shard.give_up_all(&self.tenant(tenant).given_up);
                made.append(&mut shard.out);
            }
            if !made.is_empty() {
                self.leftover.lock().push((tenant, Arc::clone(aggregator), made));
            }
        }
        latest
    }
}
