//! What metadata says of a metric that was taken for something else by its name: its groups end, and begin anew as what
//! they are.

use std::sync::atomic::Ordering;

use ahash::AHashSet;

use super::engine::Engine;
use super::group::Group;
use super::point::{Batch, Join};
use super::shard::{Cell, GroupShard, Window};
use super::types::{self, Types};
use crate::clock::Now;
use crate::policy::{Aggregation, MetricKind};
use crate::series::table::Slot as _;
use crate::series::{Fingerprint, Labels};
use crate::wire::labels::LabelRun;

/// Groups are looked through this often at most, milliseconds: at a start metadata come in many requests.
const EVERY_MS: i64 = 5_000;
/// Metrics named in a message.
const NAMED: usize = 5;

impl Engine {
    /// Ends the groups of metrics that are something else than their names said; to be called every now and then. Returns
    /// the series that have to be decided anew.
    pub fn retype(&self, now: Now) -> Vec<Fingerprint> {
        let mono = self.time(now).mono_ms;
        let due = mono >= self.retyped_at.load(Ordering::Relaxed).saturating_add(EVERY_MS);
        if !due || !self.types.has_news() {
            return Vec::new();
        }
        self.retyped_at.store(mono, Ordering::Relaxed);
        let news = self.types.take_news();
        let mut series = Vec::new();
        let mut metrics: Vec<String> = Vec::new();
        for aggregator in self.aggregators().iter().filter(|found| found.aggregation.kind.is_none()) {
            let aggregation = &*aggregator.aggregation;
            for (tenant, families) in &news {
                let Some(partition) = aggregator.existing(*tenant) else { continue };
                let mut ends = |group: &Group| {
                    let labels = group.labels.first().map_or(&[][..], |block| block);
                    // of others senders may say now one thing, now another
                    let told =
                        |metric: &str| types::families_of(metric).any(|family| families.contains(family));
                    let other = is_other(&self.types, *tenant, labels, aggregation, group.kind)
                        .filter(|metric| told(metric));
                    metrics.extend(other.as_deref().map(str::to_owned));
                    other.is_some()
                };
                partition.shards.each().for_each(|mut shard| shard.end_groups(&mut ends, &mut series));
            }
        }
        tell(metrics);
        series
    }

    /// Whether a series may become part of a group as it was decided: its metric's type may have come meanwhile.
    pub(super) fn is_still(&self, join: &Join, batch: &Batch, aggregation: &Aggregation) -> bool {
        let block = &batch.labels[join.labels.start as usize..join.labels.end as usize];
        batch.types == self.types.declarations()
            || is_other(&self.types, batch.tenant, block, aggregation, join.kind).is_none()
    }
}

/// The metric of a group, if it is said to be something else than `kind`.
fn is_other(
    types: &Types,
    tenant: u32,
    block: &[u8],
    aggregation: &Aggregation,
    kind: MetricKind,
) -> Option<String> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for label in LabelRun::new(block, 0, block.len()) {
        let label = label.ok()?;
        pairs.push((std::str::from_utf8(label.name).ok()?, std::str::from_utf8(label.value).ok()?));
    }
    let sent = Labels::from_sorted(&pairs).metric();
    let metric = aggregation.metric_of(sent).into_owned();
    let original: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| if *name == "__name__" { (*name, &*metric) } else { (*name, *value) })
        .collect();
    let speaks = types.speaks_against(tenant, Labels::from_sorted(&original), aggregation, kind);
    speaks.then_some(metric)
}

fn tell(mut metrics: Vec<String>) {
    let groups = metrics.len();
    metrics.sort_unstable();
    metrics.dedup();
    if groups > 0 {
        let (all, named) = (metrics.len(), metrics[..metrics.len().min(NAMED)].join(", "));
        tracing::warn!(
            groups,
            metrics = all,
            named,
            "metadata says that metrics are of another type than their names do: their groups end and begin anew; say `type` \
             in the policy if the metadata is wrong"
        );
    }
}

impl GroupShard {
    /// Ends groups, and forgets their members, which are added to `series`.
    fn end_groups(&mut self, which: &mut impl FnMut(&Group) -> bool, series: &mut Vec<Fingerprint>) {
        let live = |group: &Group| group.members > 0 || group.from_ms != i64::MAX;
        let ending: AHashSet<u32> = self
            .groups
            .iter()
            .filter(|(_, group)| live(group) && which(group))
            .map(|(number, _)| number)
            .collect();
        if ending.is_empty() {
            return;
        }
        self.retyped += ending.len() as u64;
        let mut gone = Vec::new();
        self.members.retain(|member, ()| {
            let goes = ending.contains(&member.group);
            gone.extend(goes.then_some(*member));
            !goes
        });
        for member in gone {
            self.forget(member.is_gauge().then_some(member.payload as u32));
            self.doubts.remove(&member.fingerprint());
            self.count_member(member.group, -1);
            series.push(member.fingerprint());
        }
        for number in ending {
            self.open.iter_mut().for_each(|window| window.take_back(number));
            self.end_group(number, self.closed.saturating_add(1));
        }
    }
}

impl Window {
    /// What came in for a group is not counted.
    fn take_back(&mut self, group: u32) {
        if self.cells.get(group).newest_ms != i64::MIN {
            *self.cells.entry(group) = Cell { increase: 0.0, newest_ms: i64::MIN };
        }
    }
}
