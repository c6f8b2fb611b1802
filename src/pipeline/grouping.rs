//! Series that become part of a group: which group, and the samples that go into it.

use std::ops::Range;

use super::context::SeriesContext;
use super::decider::{Decider, Work};
use super::scratch::Slot;
use crate::aggregate::{
    self, Age, Aggregator, Brings, Class, Join, Keys, NotAggregated, Room, Sample, Wanted,
};
use crate::policy::bound::{self, Spelling};
use crate::policy::{Aggregation, MetricKind, PolicyIndex};
use crate::series::identity;
use crate::series::{Claimed, Fingerprint, Labels, LongValues, TooLong};
use crate::wire::labels::put_canonical;
use crate::wire::v1;

/// How the names of the parts of a histogram or summary end.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Where a series belongs; see [`Join`].
struct Place {
    policy: PolicyIndex,
    group: Fingerprint,
    group_key: u32,
    replica: u32,
    kind: MetricKind,
    bucket: Option<(Fingerprint, f64)>,
    block: Range<u32>,
    others: Vec<Range<u32>>,
    /// Whether others were sent as the group until now.
    inherits: bool,
}

impl Decider<'_> {
    /// Makes a series part of a group when the request is done. Returns what finds the group again.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn join_group(
        &self,
        context: &SeriesContext<'_>,
        labels: Labels<'_>,
        policy: PolicyIndex,
        work: &mut Work<'_, '_>,
    ) -> Result<u32, NotAggregated> {
        if context.slot.histograms > 0 {
            return Err(NotAggregated::Native);
        }
        let aggregator = self.policies.aggregator(policy).ok_or(NotAggregated::Full)?;
        let aggregation = aggregator.aggregation();
        let class = self.engine.types.class(self.sender_context.tenant, labels, aggregation);
        let (kind, bound) = match class {
            Class::Counter => (MetricKind::Counter, None),
            Class::Histogram(bound) => (MetricKind::Counter, bound),
            Class::Gauge => (MetricKind::Gauge, None),
            Class::Pass(reason) => return Err(reason),
        };
        let spelling = Spelling::of(labels);
        let pairs = aggregation.group(labels, &spelling);
        let replica = self.replica(&pairs, aggregation, &mut work.scratch.canonical);
        let long_values = self.policies.long_values;
        let batch = &mut work.outcome.effects.aggregated;
        let start = batch.labels.len();
        let outputs = if kind == MetricKind::Gauge { aggregation.outputs.len().max(1) } else { 1 };
        let mut put = |output| {
            let start = batch.labels.len();
            put_output(&pairs, labels.metric(), (aggregation, output), long_values, &mut batch.labels)?;
            Ok(start as u32..batch.labels.len() as u32)
        };
        let all: Result<Vec<Range<u32>>, TooLong> = (0..outputs).map(&mut put).collect();
        let Ok(mut others) = all else {
            batch.labels.truncate(start);
            return Err(NotAggregated::LongValue);
        };
        let block = others.remove(0);
        let group = self.output(&block, work);
        let family = match class {
            Class::Histogram(_) => self.family(&pairs, &mut work.scratch.canonical),
            _ => group,
        };
        let (group_key, bucket) = (family.short(), bound.map(|bound| (family, bound)));
        let wanted = Wanted { series: context.series, group_key, group, kind };
        let outputs = std::iter::once(&block).chain(&others);
        let inherits = self.admit(context, aggregator, &wanted, outputs, work).inspect_err(|_| {
            work.outcome.effects.aggregated.labels.truncate(start);
        })?;
        let place = Place { policy, group, group_key, replica, kind, bucket, block, others, inherits };
        work.outcome.effects.aggregated.joins.push(self.join(context, place));
        Ok(group_key)
    }

    /// Finds room for a series in its group, and has the outputs of one that is new claimed; returns whether it inherits what
    /// another was sent as.
    ///
    /// # Errors
    /// Why it cannot be.
    fn admit<'b>(
        &self,
        context: &SeriesContext<'_>,
        aggregator: &Aggregator,
        wanted: &Wanted,
        outputs: impl Iterator<Item = &'b Range<u32>>,
        work: &mut Work<'_, '_>,
    ) -> Result<bool, NotAggregated> {
        let batch = &work.outcome.effects.aggregated;
        let groups = batch.founded.len() - usize::from(batch.founded.contains(&wanted.group));
        let brings = Brings { members: batch.new_members, groups };
        let room = self.engine.room(aggregator, self.sender_context.tenant, wanted, brings);
        let inherits = match room {
            Room::None => return Err(NotAggregated::Full),
            // groups renew their claims themselves
            Room::ForMember | Room::ForSeries => false,
            Room::ForGroup => self.claim_outputs(context, &aggregator.definition, outputs, work)?,
        };
        let batch = &mut work.outcome.effects.aggregated;
        batch.new_members += usize::from(room != Room::ForMember);
        if room == Room::ForGroup {
            batch.founded.insert(wanted.group);
        }
        Ok(inherits)
    }

    /// The identity of an output whose labels stand in the batch.
    fn output(&self, block: &Range<u32>, work: &Work<'_, '_>) -> Fingerprint {
        let labels = &work.outcome.effects.aggregated.labels;
        self.prints.fingerprint(&labels[block.start as usize..block.end as usize], self.tenant)
    }

    /// Claims what the outputs of a new group are sent as: all of it, or nothing. Returns whether others had it before.
    fn claim_outputs<'r>(
        &self,
        context: &SeriesContext<'_>,
        definition: &str,
        outputs: impl Iterator<Item = &'r Range<u32>>,
        work: &mut Work<'_, '_>,
    ) -> Result<bool, NotAggregated> {
        let definition = self.prints.definition(definition);
        let mut claimed: Vec<(Fingerprint, Fingerprint)> = Vec::new();
        let mut inherits = false;
        for block in outputs {
            let output = self.output(block, work);
            let owner = aggregate::owner_of(definition, output);
            match self.index.claim(output, &self.claimant(owner, context)) {
                Claimed::Granted => claimed.push((output, owner)),
                Claimed::Inherited => {
                    inherits = true;
                    claimed.push((output, owner));
                }
                Claimed::Full => work.outcome.unguarded += 1,
                Claimed::Taken => {
                    claimed.iter().for_each(|(output, owner)| self.index.disclaim(*output, *owner));
                    return Err(NotAggregated::Taken);
                }
            }
        }
        Ok(inherits)
    }

    fn join(&self, context: &SeriesContext<'_>, place: Place) -> Join {
        let SeriesContext { series, slot, body, unknown, started_ms, .. } = *context;
        let Place { policy, group, group_key, replica, kind, bucket, block, others, inherits } = place;
        let mut first_ms = i64::MAX;
        v1::for_each_sample(body, slot.data(), |ms, _| first_ms = first_ms.min(ms));
        // what is known already has begun; what says when a counter began has the labels that it came with, too
        let begins = unknown && kind == MetricKind::Counter;
        let labels = Labels::from_sorted(context.pairs);
        Join {
            series,
            policy,
            group,
            group_key,
            replica,
            kind,
            bucket,
            formerly: if begins && bucket.is_some() {
                self.spelled_otherwise(context.pairs)
            } else {
                Vec::new()
            },
            labels: block,
            others,
            // what finds no room in the index is unknown each time
            unknown: unknown && !self.index.is_full(),
            passed: context.before.is_some_and(|(sent_as, _)| sent_as.is_itself()),
            first_ms,
            inherits,
            started_ms: started_ms.filter(|_| begins),
            keys: if begins { self.engine.starts.keys(self.tenant, labels) } else { Keys::default() },
            is_part: begins && PARTS.iter().any(|ending| labels.metric().ends_with(ending)),
            due_ms: begins.then(|| self.engine.starts.due(labels)).flatten(),
        }
    }

    /// What a bucket is known by where an agent spells its bound otherwise: another version of it may have sent it until now.
    fn spelled_otherwise(&self, pairs: &[(&str, &str)]) -> Vec<Fingerprint> {
        let le = Labels::from_sorted(pairs).get("le");
        let mut canonical = Vec::new();
        let with = |other: String| {
            let le = |(name, value)| (name, if name == "le" { other.as_str() } else { value });
            let pairs: Vec<(&str, &str)> = pairs.iter().copied().map(le).collect();
            identity::encode_canonical(&pairs, &mut canonical);
            self.prints.fingerprint(&canonical, self.tenant)
        };
        bound::other_spellings(le).into_iter().map(with).collect()
    }

    /// What the parts of a histogram have in common.
    fn family(&self, group: &[(&str, &str)], canonical: &mut Vec<u8>) -> Fingerprint {
        let stem = |name: &'_ str| {
            let ending = PARTS.iter().find(|ending| name.ends_with(*ending));
            name.len() - ending.map_or(0, |ending| ending.len())
        };
        let common: Vec<(&str, &str)> = group
            .iter()
            .filter(|(name, _)| *name != "le")
            .map(
                |(name, value)| {
                    if *name == "__name__" { (*name, &value[..stem(value)]) } else { (*name, *value) }
                },
            )
            .collect();
        identity::encode_canonical(&common, canonical);
        self.prints.fingerprint(canonical, self.tenant)
    }

    /// Which replica a group is of; 0: none.
    fn replica(&self, group: &[(&str, &str)], aggregation: &Aggregation, canonical: &mut Vec<u8>) -> u32 {
        let is_replica = |name: &str| aggregation.replica_labels.iter().any(|label| label == name);
        if !group.iter().any(|(name, _)| is_replica(name)) {
            return 0;
        }
        let of: Vec<(&str, &str)> = group.iter().copied().filter(|(name, _)| is_replica(name)).collect();
        identity::encode_canonical(&of, canonical);
        self.prints.fingerprint(canonical, self.tenant).short().max(1)
    }

    /// Takes the samples of a series that is part of a group.
    #[inline]
    pub(super) fn add_to_group(
        &self,
        body: &[u8],
        slot: &Slot,
        (series, number): (Fingerprint, u32),
        (policy, group_key): (PolicyIndex, u32),
        work: &mut Work<'_, '_>,
    ) {
        // of several samples, the first
        let mut began_ms = work.began_ms(number);
        let samples = &mut work.outcome.effects.aggregated.samples;
        v1::for_each_sample(body, slot.data(), |ms, bits| {
            let age = Age::of(ms, began_ms.take());
            samples.push(Sample { series, group_key, policy, age, ms, bits })
        });
    }
}

/// Appends the labels of one output, with values that are no longer than the upstream takes.
fn put_output(
    pairs: &[(&str, &str)],
    metric: &str,
    (aggregation, output): (&Aggregation, usize),
    long_values: Option<LongValues>,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let renamed = aggregation.metric(metric, output);
    for (name, value) in pairs.iter() {
        let value = match &renamed {
            Some(renamed) if *name == "__name__" => renamed,
            _ => *value,
        };
        match long_values {
            None => put_canonical(out, name, value),
            Some(long_values) => put_canonical(out, name, &long_values.sent(name, value)?),
        }
    }
    Ok(())
}
