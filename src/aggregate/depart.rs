//! Series that leave their groups: a policy or an exception lets them pass from now on.

use super::apply::Moment;
use super::close::whole;
use super::engine::Engine;
use super::partition::shard_of;
use super::point::{Batch, Departure, Sample, SampleCounts};
use super::shard::GroupShard;
use super::starts::Starts;
use crate::clock::Now;
use crate::policy::{Aggregation, PolicyIndex};
use crate::wire::v1::STALE_MARKER;

impl Engine {
    /// Takes series out of their groups, whichever policy had them; idempotent.
    pub(super) fn depart(&self, batch: &Batch, now: Now) {
        // as nearly always
        if batch.departures.is_empty() {
            return;
        }
        let now_ms = self.time(now).ms;
        for aggregator in self.aggregators() {
            let Some(partition) = aggregator.existing(batch.tenant) else { continue };
            for departure in &batch.departures {
                if let Some(mut shard) = partition.shards.lock(shard_of(departure.home)) {
                    shard.depart(departure, &aggregator.aggregation, now_ms, &self.starts);
                }
            }
        }
    }
}

impl GroupShard {
    /// What a counter grew by until now is its group's; what it grows by from now on is seen in the series itself, so that it
    /// begins anew where it is if it comes back. A gauge has no value any more.
    fn depart(&mut self, departure: &Departure, aggregation: &Aggregation, now_ms: i64, starts: &Starts) {
        self.tombstones.remove(departure.series);
        let Some(member) = self.members.get_mut(departure.series).copied() else { return };
        if !member.is_gauge() {
            self.settle_last(&member, starts);
            self.members.remove(departure.series);
            self.count_member(member.group, -1);
            return;
        }
        if self.closed == i64::MIN {
            return;
        }
        let ms = departure.ms.clamp(0, now_ms);
        let end = whole(ms.saturating_sub(1), aggregation).saturating_add(aggregation.interval_ms);
        let (series, home, policy) = (departure.series, departure.home, PolicyIndex(0));
        let marker = Sample { series, home, policy, ms, bits: STALE_MARKER };
        let moment = Moment { end, over: self.closed, now_ms, aggregation };
        self.apply(std::iter::once(&marker), moment, &mut SampleCounts::default(), |_| {});
    }
}
