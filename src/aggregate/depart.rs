//! Series that leave their groups: an exception lets them pass from now on, or another policy has them.

use std::sync::Arc;

use super::apply::Moment;
use super::close::whole;
use super::engine::{Adopted, Engine};
use super::partition::{Partition, SHARDS, shard_of};
use super::point::{Age, Batch, Departure, Sample, SampleCounts};
use super::shard::GroupShard;
use super::starts::Starts;
use crate::clock::Now;
use crate::policy::{Aggregation, PolicyIndex};
use crate::wire::v1::STALE_MARKER;

impl Engine {
    /// Takes series out of their groups, whichever policy had them, but for the one that has them now; idempotent.
    pub(super) fn depart(&self, batch: &Batch, adopted: &Adopted, now: Now) {
        // as nearly always
        if batch.departures.is_empty() {
            return;
        }
        let now_ms = self.time(now).ms;
        let own = |departure: &Departure| {
            let (policy, group_key) = departure.joins?;
            Some((adopted.get(usize::from(policy.0))?.as_ref()?, group_key))
        };
        let is_at_home = |departure: &&Departure| {
            let partition =
                own(departure).and_then(|(own, group_key)| Some((own.existing(batch.tenant)?, group_key)));
            let shard = |partition: &Partition, group_key| {
                partition.shards.lock(shard_of(group_key)).map(|mut shard| shard.knows(departure.series))
            };
            partition.is_some_and(|(partition, group_key)| shard(&partition, group_key) == Some(true))
        };
        // a series is in one place: who is where it belongs is nowhere else
        let departures: Vec<&Departure> = batch
            .departures
            .iter()
            .filter(|departure| departure.group_key.is_some() || !is_at_home(departure))
            .collect();
        for aggregator in self.aggregators() {
            let Some(partition) = aggregator.existing(batch.tenant) else { continue };
            let others = departures
                .iter()
                .filter(|departure| own(departure).is_none_or(|(own, _)| !Arc::ptr_eq(own, &aggregator)));
            for departure in others {
                let shards = departure
                    .group_key
                    .map_or(0..SHARDS, |group_key| shard_of(group_key)..shard_of(group_key) + 1);
                for mut shard in shards.filter_map(|at| partition.shards.lock(at)) {
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
            self.disown_siblings(departure);
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
        let (series, policy) = (departure.series, PolicyIndex(0));
        let marker = Sample { series, group_key: 0, policy, age: Age::default(), ms, bits: STALE_MARKER };
        let moment = Moment { end, over: self.closed, now_ms, aggregation };
        self.apply(std::iter::once(&marker), moment, &mut SampleCounts::default(), |_| {});
    }
}
