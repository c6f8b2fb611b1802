//! What a request says of its series beside their values: the types of metrics, and when things began.

use super::compose::InV2;
use super::decider::Decider;
use super::scratch::Slot;
use crate::aggregate::{self, Declared, Starts};
use crate::series::identity::Reader;
use crate::series::{Found, Labels, Probe};
use crate::wire::labels::LabelRun;
use crate::wire::v1::{self, FieldKind, Fields};

impl Decider<'_> {
    /// Learns from a request's metadata, so many entries, what metrics are, before anything in it is decided: for reports of all that are
    /// counted, for policies of those that one could aggregate.
    pub(super) fn learn_metadata(&self, body: &[u8], entries: u32) {
        if entries == 0 {
            return;
        }
        let aggregates = self.policies.aggregates();
        for field in Fields::new(body).flatten().filter(|field| field.kind == FieldKind::Metadata) {
            let Some((number, family)) = v1::metadata_type(body, &field) else { continue };
            let tenant = self.sender_context.tenant;
            self.tracker.declare(tenant, family, number);
            if aggregates && self.policies.set.may_aggregate(family) {
                self.engine.types.declare(tenant, family, Declared::from_wire(number));
            }
        }
    }

    /// Learns what series of remote write 2.0 say of their metrics, each of itself. Neighbours are mostly of one metric.
    pub(super) fn learn_said(&self, body: &[u8], slots: &[Slot], in_v2: InV2<'_>) {
        let mut last = (0, 0);
        let said = in_v2.expansion.types().iter().map(|frame| frame.said);
        for (slot, said) in slots.iter().zip(said).filter(|(_, said)| said.metric_type != 0) {
            let name = match said.metric {
                0 => metric(body, slot),
                same if (same, said.metric_type) == last => continue,
                at => in_v2.expansion.symbols().get(in_v2.body, u64::from(at)),
            };
            let Some(name) = name else { continue };
            last = (said.metric, said.metric_type);
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let tenant = self.sender_context.tenant;
            self.tracker.declare(tenant, name, said.metric_type);
            if self.policies.aggregates() && self.policies.set.may_aggregate(name) {
                self.engine.types.declare(tenant, name, Declared::from_wire(said.metric_type));
            }
        }
    }

    /// Learns from the names of a request's new series what they are parts of.
    pub(super) fn learn_types(&self, body: &[u8], slots: &[Slot], probes: &[Probe]) {
        for (slot, _) in slots.iter().zip(probes).filter(|(_, probe)| probe.found == Found::Missing) {
            if let Some(name) = metric(body, slot).and_then(|name| std::str::from_utf8(name).ok())
                && aggregate::family_of(name).is_some_and(|family| self.policies.set.may_aggregate(family))
            {
                self.engine.types.see_name(self.sender_context.tenant, name);
            }
        }
    }

    /// Learns from the new series of a request when things began. Those that are known and may say something else one day
    /// are watched: see [`Decider::observe_known`].
    pub(super) fn learn_starts<'b>(
        &self,
        body: &'b [u8],
        slots: &[Slot],
        probes: &[Probe],
        reader: &mut Reader<'b>,
    ) {
        // neighbours often have the same name
        let mut last: (&[u8], bool) = (b"", false);
        let series = slots.iter().zip(probes);
        let new = series.filter(|(_, probe)| !matches!(probe.found, Found::Known(..) | Found::Skip));
        for (slot, probe) in new {
            let Some(metric) = metric(body, slot) else { continue };
            if metric != last.0 {
                last = (metric, Starts::tells(metric));
            }
            if last.1
                && let Ok(Ok(_)) = reader.read(slot.labels(), self.limits)
            {
                let labels = Labels::from_sorted(reader.pairs());
                self.engine.starts.learn(self.tenant, labels, slot.last_value(body), self.now);
                // it may be known from a time when nothing was aggregated
                if Starts::tells_of_thing(metric) && matches!(probe.found, Found::Stale(..)) {
                    self.index.watch(probe.fingerprint);
                }
            }
        }
    }
}

/// Bytes of a label that holds a metric's name, without that: tags, lengths, `__name__`.
const NAME_BYTES: usize = 12;

/// The name of a series. It is the first label nearly always: names in capitals are sorted before it.
pub(super) fn metric<'b>(body: &'b [u8], slot: &Slot) -> Option<&'b [u8]> {
    // the first label as senders write it: its length, its name, the length of its value
    if let [0x0a, length, label @ ..] = body.get(slot.labels())?
        && let Some([value @ 0..=0x7f, rest @ ..]) = label.strip_prefix(b"\x0a\x08__name__\x12")
        && usize::from(*length) == NAME_BYTES + usize::from(*value)
    {
        return rest.get(..usize::from(*value));
    }
    let mut labels = LabelRun::new(body, slot.labels().start, slot.labels().end).map_while(Result::ok);
    Some(labels.find(|label| label.name == b"__name__")?.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::scratch::Request;
    use seriesgate_proto::{Label, Sample as Value, TimeSeries, WriteRequest};

    #[test]
    fn the_name_is_found_wherever_and_however_it_stands() {
        let long = "n".repeat(200);
        for (names, expected) in [
            (&["__name__", "a"][..], "up"),
            (&["A", "__name__"], "up"),
            (&["__name__"], ""),
            (&["__name__", "a"], &long),
            (&["__name__", "__name__"], "up"),
        ] {
            let label = |name: &&str| {
                let value = if *name == "__name__" { expected } else { "x" };
                Label { name: (*name).into(), value: value.into() }
            };
            let series = TimeSeries {
                labels: names.iter().map(label).collect(),
                samples: vec![Value { value: 1.0, timestamp: 1 }],
                ..TimeSeries::default()
            };
            let body = prost::Message::encode_to_vec(&WriteRequest::of(vec![series]));
            let mut request = Request::default();
            request.scan(&body, |_| crate::series::Fingerprint::default(), &mut |_| true).unwrap();
            assert_eq!(metric(&body, &request.slots[0]), Some(expected.as_bytes()), "{names:?}");
        }
    }
}
