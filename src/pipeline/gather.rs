//! Series that become part of a group: which group, and the samples that go into it.

use super::judge::{Judgement, Work};
use super::scratch::Slot;
use crate::aggregate::{self, Class, Declared, Join, Passed, Room, Sample, Starts};
use crate::policy::bound::Spelling;
use crate::policy::{Aggregation, MetricKind, PolicyIndex};
use crate::series::identity;
use crate::series::{Claimed, Fingerprint, Found, Labels, Probe};
use crate::wire::labels::{LabelRun, put_canonical};
use crate::wire::v1::{self, FieldKind, Fields};

impl Judgement<'_> {
    /// Learns from a request what its metrics are, before anything in it is decided.
    pub(super) fn learn_types(&self, body: &[u8], slots: &[Slot], probes: &[Probe], metadata: u32) {
        if metadata > 0 {
            for field in Fields::new(body).flatten().filter(|field| field.kind == FieldKind::Metadata) {
                if let Some((number, family)) = v1::metadata_type(body, &field)
                    && self.policies.set.may_aggregate(family)
                {
                    self.engine.types.declare(self.party.tenant, family, Declared::from_wire(number));
                }
            }
        }
        for (slot, _) in slots.iter().zip(probes).filter(|(_, probe)| probe.found == Found::Missing) {
            if let Some(name) = self.metric(body, slot)
                && aggregate::family_of(name).is_some_and(|family| self.policies.set.may_aggregate(family))
            {
                self.engine.types.see_name(self.party.tenant, name);
            }
        }
    }

    /// Learns from new series of a request when things began, before anything in it is decided.
    pub(super) fn learn_starts<'b>(
        &self,
        body: &'b [u8],
        slots: &[Slot],
        probes: &[Probe],
        pairs: &mut Vec<(&'b str, &'b str)>,
    ) {
        for (slot, _) in slots.iter().zip(probes).filter(|(_, probe)| probe.found == Found::Missing) {
            if self.metric(body, slot).is_some_and(Starts::tells)
                && let Ok(Ok(_)) = identity::read(body, slot.labels(), self.limits, pairs)
            {
                let labels = Labels::from_sorted(pairs);
                self.engine.starts.learn(self.party.tenant, labels, slot.last_value(body));
            }
        }
    }

    /// The name of a series whose labels are sorted, and so begin with it.
    fn metric<'b>(&self, body: &'b [u8], slot: &Slot) -> Option<&'b str> {
        let first = LabelRun::new(body, slot.labels().start, slot.labels().end).next()?.ok()?;
        (first.name == b"__name__").then(|| std::str::from_utf8(first.value).ok()).flatten()
    }

    /// Makes a series part of a group when the request is done. Returns what finds the group again.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn enlist(
        &self,
        (series, unknown): (Fingerprint, bool),
        labels: Labels<'_>,
        policy: PolicyIndex,
        slot: &Slot,
        body: &[u8],
        work: &mut Work<'_>,
    ) -> Result<u32, Passed> {
        if slot.histograms > 0 {
            return Err(Passed::Native);
        }
        let aggregator = self.policies.aggregator(policy).ok_or(Passed::Full)?;
        let aggregation = aggregator.aggregation();
        let class = self.engine.types.class(self.party.tenant, labels, aggregation);
        let (kind, bound) = match class {
            Class::Counter => (MetricKind::Counter, None),
            Class::Histogram(bound) => (MetricKind::Counter, bound),
            Class::Gauge => (MetricKind::Gauge, None),
            Class::Pass(reason) => return Err(reason),
        };
        let spelling = Spelling::of(labels);
        let pairs = aggregation.group(labels, &spelling);
        let replica = self.replica(&pairs, aggregation, &mut work.scratch.canonical);
        let batch = &mut work.outcome.effects.aggregated;
        let outputs = if kind == MetricKind::Gauge { aggregation.outputs.len().max(1) } else { 1 };
        let start = batch.labels.len();
        let mut put = |output| {
            let start = batch.labels.len();
            put_output(&pairs, labels.metric(), aggregation, output, &mut batch.labels);
            start as u32..batch.labels.len() as u32
        };
        let block = put(0);
        let others = (1..outputs).map(put).collect();
        let group = self.prints.fingerprint(&batch.labels[start..block.end as usize], self.tenant);
        let family = match class {
            Class::Histogram(_) => self.family(&pairs, &mut work.scratch.canonical),
            _ => group,
        };
        let home = family.short();
        let room = self.engine.room(aggregator, self.party.tenant, home, group);
        // Groups renew their claims themselves. A member may have the labels of its group.
        let claimed = if room == Room::ForGroup && group != series {
            self.index.claim(group, aggregate::owner_of(group), self.policies.generation, self.now)
        } else {
            Claimed::Granted
        };
        match (room, claimed) {
            (Room::None, _) => {
                batch.labels.truncate(start);
                return Err(Passed::Full);
            }
            (_, Claimed::Taken) => {
                batch.labels.truncate(start);
                return Err(Passed::Taken);
            }
            (_, Claimed::Full) => work.outcome.unguarded += 1,
            (_, Claimed::Granted) => {}
        }
        let batch = &mut work.outcome.effects.aggregated;
        let mut first_ms = i64::MAX;
        let content = slot.labels_start as usize..slot.end as usize;
        v1::for_each_sample(body, content, |ms, _| first_ms = first_ms.min(ms));
        batch.joins.push(Join {
            series,
            policy,
            group,
            home,
            replica,
            kind,
            bucket: bound.map(|bound| (family, bound)),
            labels: block,
            others,
            // what finds no room in the index is unknown each time
            unknown: unknown && !self.index.is_full(),
            first_ms,
            started_ms: unknown.then(|| self.engine.starts.of(self.party.tenant, labels)).flatten(),
        });
        Ok(home)
    }

    /// What the parts of a histogram have in common.
    fn family(&self, group: &[(&str, &str)], canonical: &mut Vec<u8>) -> Fingerprint {
        let stem = |name: &'_ str| {
            let ending = ["_bucket", "_sum", "_count"].into_iter().find(|ending| name.ends_with(ending));
            name.len() - ending.map_or(0, str::len)
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
    pub(super) fn gather(
        &self,
        body: &[u8],
        slot: &Slot,
        series: Fingerprint,
        (policy, home): (PolicyIndex, u32),
        work: &mut Work<'_>,
    ) {
        let samples = &mut work.outcome.effects.aggregated.samples;
        let content =
            if slot.scattered { slot.labels_start } else { slot.labels_end } as usize..slot.end as usize;
        v1::for_each_sample(body, content, |ms, bits| {
            samples.push(Sample { series, home, policy, ms, bits })
        });
    }
}

/// Appends the labels of one output.
fn put_output(
    pairs: &[(&str, &str)],
    metric: &str,
    aggregation: &Aggregation,
    output: usize,
    out: &mut Vec<u8>,
) {
    let renamed = aggregation.metric(metric, output);
    for (name, value) in pairs.iter() {
        match &renamed {
            Some(renamed) if *name == "__name__" => put_canonical(out, name, renamed),
            _ => put_canonical(out, name, value),
        }
    }
}
