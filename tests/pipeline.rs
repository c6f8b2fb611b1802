//! What the data path promises, without any network.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use seriesgate::config::Validation;
use seriesgate::pipeline::{Body, Counts};
use seriesgate::policy::{Action, Definition, Disposition, Mode, PolicySet, Run};
use seriesgate::series::Invalid;
use seriesgate_proto::{Label, MetricMetadata, Sample, TimeSeries, WriteRequest, encode_snappy, snappy};
use support::{
    Gate, NOW_MS, STALE, assert_conserved, forwarded, labeldrop, named, policy, relabel, sent, series, set,
    text,
};

fn drop_noise() -> Vec<Definition> {
    vec![policy("noise", r#"{__name__=~"noise.*"}"#, Action::Drop, Mode::Enforce)]
}

#[test]
fn what_a_body_takes_decoded_is_known_by_its_preamble() {
    let gate = Gate::with(&[], |settings| settings.max_decoded_bytes = 16 << 20);
    let copies = |count: usize| encode_snappy(&WriteRequest::of(vec![named("up"); count]));
    // megabytes out of half a MiB: long by what it decodes to, short by what it is
    let many = copies(200_000);
    let decoded = gate.pipeline.decoded_len(&many);
    assert!(decoded > 4 << 20 && many.len() < 1 << 20, "{decoded} of {}", many.len());
    let bytes = |body: &[u8]| gate.pipeline.decoded_len(body);
    assert_eq!(bytes(&copies(1_000_000)), 0, "over the limit: refused unread");
    assert_eq!([bytes(b""), bytes(&[0xff; 20]), bytes(&[0x80, 0x80, 0x40, 0])], [0; 3]);
}

#[test]
fn nothing_is_remembered_before_the_commit() {
    let mut gate = Gate::new(&[]);
    let body = encode_snappy(&WriteRequest::of(vec![named("up")]));
    gate.decide("", &body).unwrap();
    assert_eq!(gate.pipeline.index().live(), 0);
    gate.decide("", &body).unwrap();
    assert_eq!(gate.pipeline.commit(&gate.outcome).new_series, 1);
    assert_eq!(gate.pipeline.commit(&gate.outcome).new_series, 0, "committing twice counts once");
}

#[test]
fn a_series_is_the_same_in_any_label_order_and_without_empty_labels() {
    let mut gate = Gate::new(&[]);
    let sorted = series(&[("__name__", "up"), ("a", "1"), ("b", "2")]);
    let shuffled = series(&[("b", "2"), ("__name__", "up"), ("a", "1")]);
    let padded = series(&[("__name__", "up"), ("a", "1"), ("aa", ""), ("b", "2")]);
    assert_eq!(gate.pass("", &WriteRequest::of(vec![shuffled.clone()])), 1);
    for same in [sorted.clone(), shuffled, padded] {
        for _ in 0..2 {
            let request = WriteRequest::of(vec![same.clone()]);
            assert_eq!(gate.pass("", &request), 0);
            assert_eq!(gate.outcome.body == Body::Untouched, same == sorted);
            assert_eq!(forwarded(&gate, &request), std::slice::from_ref(&sorted));
        }
    }
    assert_eq!(gate.pipeline.index().live(), 1);
}

#[test]
fn boundaries_between_labels_and_tenants_tell_series_apart() {
    let mut gate = Gate::new(&[]);
    let one = WriteRequest::of(vec![series(&[("__name__", "up"), ("a", "bc")])]);
    let other = WriteRequest::of(vec![series(&[("__name__", "up"), ("ab", "c")])]);
    assert_eq!(gate.pass("x", &one) + gate.pass("x", &other) + gate.pass("y", &one), 3);
}

#[test]
fn what_is_dropped_is_taken_out_and_the_rest_keeps_its_bytes() {
    let mut gate = Gate::new(&drop_noise());
    let metadata = vec![MetricMetadata { metric_family_name: "a".into(), ..Default::default() }];
    let request = WriteRequest { timeseries: vec![named("a"), named("noise_1"), named("b")], metadata };
    let mut raw = request.encode_to_vec();
    raw.extend_from_slice(&[0x78, 0x07]); // an unknown field
    for round in 0..3 {
        gate.decide("", &snappy(&raw)).unwrap();
        gate.pipeline.commit(&gate.outcome);
        let expected = WriteRequest { timeseries: vec![named("a"), named("b")], ..request.clone() };
        assert_eq!(gate.spliced(), expected, "round {round}");
        let mut decoded = Vec::new();
        let bytes = seriesgate::codec::snappy::decode(&gate.outcome.spliced, 1 << 20, &mut decoded).unwrap();
        assert!(bytes.ends_with(&[0x78, 0x07]));
        assert_eq!(gate.outcome.forwarded.samples, 2);
        assert_eq!(gate.outcome.by_verdict.len(), 1);
        assert_eq!(gate.outcome.by_verdict[0].0.disposition(), Disposition::Drop);
    }
}

#[test]
fn all_dropped_leaves_nothing_to_send() {
    let mut gate = Gate::new(&drop_noise());
    gate.pass("", &WriteRequest::of(vec![named("noise")]));
    assert_eq!(gate.outcome.body, Body::Nothing);
    gate.pass("", &WriteRequest::default());
    assert_eq!(gate.outcome.body, Body::Nothing);
}

#[test]
fn a_pass_before_a_drop_keeps_and_a_preview_only_counts() {
    let mut policies = vec![
        policy("keep", "noise_keep", Action::Pass, Mode::Enforce),
        policy("look", r#"{job="node"}"#, Action::Drop, Mode::Preview),
    ];
    policies.extend(drop_noise());
    let mut gate = Gate::new(&policies);
    gate.pass("", &WriteRequest::of(vec![named("noise_keep"), named("noise_x"), named("up")]));
    let metrics: Vec<_> =
        gate.spliced().timeseries.iter().map(|s| s.label("__name__").unwrap().to_owned()).collect();
    assert_eq!(metrics, ["noise_keep", "up"]);
    let set = &gate.outcome.policies.as_ref().unwrap().set;
    let rows: Vec<_> = gate.outcome.by_verdict.iter().map(|(v, c)| (set.row(*v), c.samples)).collect();
    let ended: Vec<_> = rows.iter().map(|(r, _)| (r.ended_by.map(|p| p.0), r.matched.len())).collect();
    assert_eq!(ended, [(Some(0), 1), (Some(2), 2), (None, 1)]);
}

#[test]
fn changed_policies_decide_known_series_anew() {
    let mut gate = Gate::new(&[]);
    let request = WriteRequest::of(vec![named("noise"), named("up")]);
    gate.pass("", &request);
    assert_eq!(gate.outcome.body, Body::Untouched);
    gate.pipeline.replace_policies(PolicySet::compile(&drop_noise(), Run::AsConfigured).unwrap());
    assert_eq!(gate.pass("", &request), 0, "no series is new because the policies are");
    let ended = gate.spliced().timeseries;
    assert_eq!((ended.len(), gate.outcome.stale_markers), (2, 1), "the dropped one ends");
    assert_eq!(gate.pass("", &request), 0);
    assert_eq!(gate.spliced().timeseries.len(), 1);
    gate.pipeline.replace_policies(PolicySet::compile(&drop_noise(), Run::Bypassed).unwrap());
    gate.pass("", &request);
    assert_eq!(gate.outcome.body, Body::Untouched);
}

#[test]
fn each_invalid_series_is_rejected_alone_with_its_reason() {
    let long = "x".repeat(300);
    let many: Vec<(String, String)> = (0..9).map(|i| (format!("l{i}"), "v".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (labels, reason) in [
        (vec![], Invalid::NoLabels),
        (vec![("a", "b")], Invalid::NoName),
        (vec![("__name__", "")], Invalid::NoLabels),
        (vec![("", "x"), ("__name__", "up")], Invalid::EmptyLabelName),
        (vec![("__name__", "up"), ("a", "1"), ("a", "1")], Invalid::DuplicateLabel),
        (vec![("__name__", "up"), ("a", "1"), ("b", "1"), ("a", "2")], Invalid::DuplicateLabel),
        (vec![("__name__", "up"), ("a", &long)], Invalid::LabelValueTooLong),
        (vec![("__name__", "up"), (&long, "a")], Invalid::LabelNameTooLong),
        (many, Invalid::TooManyLabels),
    ] {
        let mut gate = Gate::new(&[]);
        for _ in 0..2 {
            gate.pass("", &WriteRequest::of(vec![named("good"), series(&labels)]));
            assert_eq!(gate.outcome.rejected[reason as usize].samples, 1, "{reason:?}");
            assert_eq!(gate.outcome.rejected_series, 1);
            assert_eq!(gate.spliced(), WriteRequest::of(vec![named("good")]));
            assert!(gate.outcome.complaint(true).unwrap().contains(&reason.to_string()));
        }
        assert_eq!(gate.pipeline.index().live(), 1);
    }
}

#[test]
fn a_complaint_has_an_example_for_each_reason_where_senders_read_it() {
    let mut gate = Gate::new(&[]);
    let long = "v".repeat(2_000_000);
    let bad = [
        vec![("job", "a"), ("pod", "b")],
        vec![("", "x"), ("__name__", "http_requests_total")],
        vec![("__name__", "node_cpu_seconds_total"), ("cpu", "0"), ("cpu", "1"), ("mode", "idle")],
        vec![("__name__", "up"), ("a", &long)],
    ];
    let bad: Vec<_> = bad.iter().map(|labels| series(labels)).collect();
    for reasons in 1..=bad.len() {
        let twice = [&bad[..reasons], &bad[..reasons], &[named("good")]].concat();
        gate.pass("", &WriteRequest::of(twice));
        let complaint = gate.outcome.complaint(true).unwrap();
        assert!(complaint.len() <= 256, "{complaint}");
        let examples = ["as a series", "as `http_requests", "as `node_cpu", "as `up"];
        for example in &examples[..reasons] {
            assert!(complaint.contains(example), "{complaint}");
        }
        assert_eq!(gate.outcome.blamed.len(), reasons);
    }
    assert_eq!(gate.outcome.blamed[2].labels, "cpu\ncpu\nmode");
    gate.pass("", &WriteRequest::of(vec![bad[2].clone()]));
    let complaint = gate.outcome.complaint(true).unwrap();
    let example = "(1 sample: duplicate label name, as `node_cpu_seconds_total`{cpu,cpu,mode}, label `cpu`)";
    assert_eq!(complaint, format!("1 of 1 series rejected {example}"));
}

#[test]
fn a_complaint_names_its_reason_without_samples() {
    let mut gate = Gate::new(&[]);
    gate.decide("", &snappy(b"\x0a\x00")).unwrap();
    let complaint = gate.outcome.complaint(true).unwrap();
    assert!(complaint.contains("1 series without samples: no labels"), "{complaint}");
    assert!(!gate.outcome.complaint(false).unwrap().contains("was written"));
}

#[test]
fn text_that_is_not_utf8_costs_its_series_or_metadata_only() {
    let mut gate = Gate::new(&[]);
    let metadata = vec![MetricMetadata { help: "help".into(), ..Default::default() }];
    let request = WriteRequest { timeseries: vec![named("good"), named("spoilt")], metadata };
    let mut raw = request.encode_to_vec();
    for word in [&b"spoilt"[..], b"help"] {
        let at = raw.windows(word.len()).position(|w| w == word).unwrap();
        raw[at] = 0xff;
    }
    gate.decide("", &snappy(&raw)).unwrap();
    assert_eq!(gate.outcome.rejected[Invalid::InvalidUtf8 as usize].samples, 1);
    assert_eq!(gate.outcome.rejected_metadata, 1);
    assert_eq!(gate.spliced(), WriteRequest::of(vec![named("good")]));
}

#[test]
fn idle_series_are_forgotten_a_shard_at_a_time() {
    let mut gate = Gate::new(&[]);
    let old = WriteRequest::of((0..50).map(|i| named(&format!("old_{i}"))).collect());
    gate.pass("", &old);
    gate.pipeline.clock().advance_ms(60_000);
    gate.pass("", &WriteRequest::of(vec![named("fresh"), named("old_7")]));
    let horizon = (NOW_MS / 1000) as u32 + 30;
    let index = gate.pipeline.index();
    let mut departed = Vec::new();
    let expired: usize = (0..index.shards())
        .map(|shard| index.expire(shard, (horizon, horizon + 30), &mut departed, |_, _| {}).series)
        .sum();
    assert_eq!((expired, departed.len(), index.live()), (49, 49, 2));
    assert!(departed.iter().all(|gone| (gone.last_seen, gone.samples) == (gone.first_seen, 1)));
    assert_eq!(gate.pass("", &old), 49, "what was forgotten is new when it comes again");
}

#[test]
fn a_full_index_goes_on_deciding_and_counts() {
    let mut gate = Gate::with(&drop_noise(), |settings| settings.max_tracked = 10);
    let request = WriteRequest::of((0..30).map(|i| named(&format!("noise_{i}"))).collect());
    for _ in 0..3 {
        gate.decide("", &encode_snappy(&request)).unwrap();
        assert_eq!(gate.outcome.body, Body::Nothing);
        assert_eq!(gate.pipeline.commit(&gate.outcome).untracked, 20);
    }
    assert_eq!(gate.pipeline.index().live(), 10);
}

/// A gate with room for two tenants, which has seen two.
fn full_of_tenants(policies: &[Definition]) -> Gate {
    let mut gate = Gate::new(policies);
    for tenant in ["a", "b"] {
        gate.pass(tenant, &WriteRequest::of(vec![named("up")]));
    }
    gate
}

#[test]
fn of_one_tenant_too_many_nothing_is_remembered_and_its_series_are_dropped_all_the_same() {
    let mut gate = full_of_tenants(&drop_noise());
    let live = gate.pipeline.index().live();
    let request = WriteRequest::of(vec![named("noise"), named("up"), named("")]);
    for _ in 0..3 {
        gate.pass("c", &request);
        assert!(gate.outcome.overflow_tenant);
        assert_eq!(sent(&gate, &request), ["up{job=\"node\"}"]);
        assert_eq!((gate.outcome.forwarded.samples, gate.outcome.rejected_series), (1, 1));
        assert_conserved(&gate.outcome);
    }
    assert_eq!(gate.pipeline.index().live(), live);
}

#[test]
fn its_series_are_relabeled_and_no_two_of_a_request_become_one() {
    let mut gate = full_of_tenants(&[relabel("hits", &[labeldrop("pod")])]);
    let of = |pod: &str, zone: &str| {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let labels = vec![label("__name__", "hits"), label("pod", pod), label("zone", zone)];
        TimeSeries { labels, ..named("hits") }
    };
    let request = WriteRequest::of(vec![of("a", "x"), of("b", "x"), of("a", "y")]);
    gate.pass("c", &request);
    assert_eq!(sent(&gate, &request), ["hits{zone=\"x\"}", "hits{zone=\"y\"}"]);
    assert_eq!(gate.outcome.unguarded, 2);
    assert_conserved(&gate.outcome);
}

#[test]
fn labels_scattered_between_samples_still_name_the_series() {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() }.encode_to_vec();
    let field = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
    let sample = Sample { value: 1.0, timestamp: NOW_MS }.encode_to_vec();
    let (job, name) = (field(0x0a, &label("job", "x")), field(0x0a, &label("__name__", "noise")));
    let sample = field(0x12, &sample);
    // in no order, in order, and behind the sample
    for parts in [[&job, &sample, &name], [&name, &sample, &job], [&sample, &name, &job]] {
        let body = snappy(&field(0x0a, &parts.map(Vec::as_slice).concat()));
        let mut gate = Gate::new(&drop_noise());
        for round in 0..3 {
            gate.decide("", &body).unwrap();
            let born = gate.pipeline.commit(&gate.outcome).new_series;
            assert_eq!((gate.outcome.body, gate.outcome.received.samples), (Body::Nothing, 1));
            assert_eq!(born, u64::from(round == 0));
        }
        assert_eq!(gate.pipeline.index().live(), 1);
        let together = WriteRequest::of(vec![series(&[("__name__", "noise"), ("job", "x")])]);
        assert_eq!(gate.pass("", &together), 0, "the same series");
    }
}

#[test]
fn a_body_of_very_many_short_series_is_refused() {
    let mut gate = Gate::new(&[]);
    let most = 1 << 20;
    let bomb = |series: usize| snappy(&b"\x0a\x00".repeat(series));
    gate.decide("", &bomb(most)).unwrap();
    assert_eq!(gate.outcome.rejected_series, most as u64);
    for tenant in ["", "another", "one too many"] {
        let error = gate.decide(tenant, &bomb(most + 1)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("more than 1048576"), "{error}");
    }
    assert!(gate.scratch.capacity() < 256 << 20, "{}", gate.scratch.capacity());
}

#[test]
fn a_message_of_another_type_is_refused_rather_than_accepted_as_nothing() {
    let mut gate = Gate::new(&[]);
    // remote write 2.0: symbols, then a series that refers to them
    let v2 = b"\x22\x00\x22\x08__name__\x22\x02up\x2a\x0f\x0a\x02\x01\x02\x12\x09\x09\0\0\0\0\0\0\xf0\x3f";
    for tenant in ["", "another", "one too many"] {
        let error = gate.decide(tenant, &snappy(v2)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("another message"), "{error}");
    }
    gate.decide("", &snappy(b"")).unwrap();
}

#[test]
fn corruption_at_every_offset_is_refused_or_conserved() {
    let request = WriteRequest::of(vec![named("up"), named("noise")]);
    let raw = request.encode_to_vec();
    let mut gate = Gate::new(&drop_noise());
    for at in 0..raw.len() {
        for flip in [0x01, 0x08, 0x80, 0xff] {
            let mut bad = raw.clone();
            bad[at] ^= flip;
            if gate.decide("", &snappy(&bad)).is_ok() {
                assert_conserved(&gate.outcome);
            }
            if let Err(error) = gate.decide("", &snappy(&raw[..at])) {
                assert!(error.to_string().contains("at byte"), "{error}");
            }
        }
    }
    assert_eq!(gate.pipeline.index().live(), 0);
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let name = prop::sample::select(vec!["__name__", "job", "pod", ""]);
    let value = prop::sample::select(vec!["noise", "up", "a", ""]);
    let labels = proptest::collection::vec((name, value), 0..4);
    (labels, 0usize..3).prop_map(|(labels, samples)| TimeSeries {
        labels: labels.iter().map(|(n, v)| Label { name: (*n).into(), value: (*v).into() }).collect(),
        samples: vec![Sample { value: 1.0, timestamp: NOW_MS }; samples],
        ..Default::default()
    })
}

/// What the second implementation knows of series: whether each is sent.
#[derive(Default)]
struct Sending(BTreeMap<String, bool>);

impl Sending {
    /// What goes upstream in the place of a series, and whether that is the end of it.
    fn send(&mut self, series: &TimeSeries, dropping: bool) -> (Option<TimeSeries>, bool) {
        if !is_valid(series) {
            return (None, false);
        }
        let known = self.0.get_mut(&text(series));
        if !(dropping && is_noise(series)) {
            known.into_iter().for_each(|sent| *sent = true);
            return (Some(series.clone()), false);
        }
        let ends = known.is_some_and(|sent| *sent) && !series.samples.is_empty();
        let mut labels: Vec<Label> = series.labels.iter().filter(|l| !l.value.is_empty()).cloned().collect();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        let samples = vec![Sample { value: STALE, timestamp: NOW_MS }];
        (ends.then_some(TimeSeries { labels, samples, ..Default::default() }), ends)
    }

    /// The upstream has the request.
    fn commit(&mut self, all: &[TimeSeries], dropping: bool) {
        for series in all.iter().filter(|series| is_valid(series)) {
            let kept = !(dropping && is_noise(series));
            let sent = self.0.entry(text(series)).or_insert(kept);
            // without a sample there is nothing to end it with
            *sent = kept || *sent && series.samples.is_empty();
        }
    }
}

proptest! {
    /// A second, obvious implementation of the whole pipeline says what must come out, also when policies change and
    /// when the upstream does not take a request.
    #[test]
    fn every_sample_has_one_fate_and_the_right_one(
        requests in proptest::collection::vec(
            (proptest::collection::vec(any_series(), 0..8), any::<bool>(), 0u8..4),
            1..12,
        ),
    ) {
        // what the gate mends beside is tested elsewhere
        let mut gate = Gate::with(&drop_noise(), |settings| settings.validation = Validation::Off);
        let mut sending = Sending::default();
        let mut before = true;
        for (timeseries, dropping, fails) in requests {
            if dropping != before {
                let policies = if dropping { drop_noise() } else { Vec::new() };
                gate.pipeline.replace_policies(set(&policies));
                before = dropping;
            }
            let told: Vec<_> = timeseries.iter().map(|series| sending.send(series, dropping)).collect();
            let ends = told.iter().filter(|(_, ends)| *ends).count();
            let kept: Vec<TimeSeries> = told.into_iter().filter_map(|(sent, _)| sent).collect();
            gate.decide("", &encode_snappy(&WriteRequest::of(timeseries.clone()))).unwrap();
            if fails > 0 {
                gate.pipeline.commit(&gate.outcome);
                sending.commit(&timeseries, dropping);
            }
            assert_conserved(&gate.outcome);
            let samples = |all: &[TimeSeries]| all.iter().map(|s| s.samples.len() as u64).sum::<u64>();
            prop_assert_eq!(gate.outcome.received, Counts { samples: samples(&timeseries), ..Default::default() });
            prop_assert_eq!(gate.outcome.stale_markers, ends as u64);
            prop_assert_eq!(gate.outcome.forwarded.samples, samples(&kept) - ends as u64);
            let bytes = |all: Vec<TimeSeries>| WriteRequest::of(all).encode_to_vec();
            match gate.outcome.body {
                Body::Nothing => prop_assert!(kept.is_empty()),
                Body::Untouched => prop_assert_eq!(bytes(kept), bytes(timeseries)),
                Body::Spliced => prop_assert_eq!(bytes(gate.spliced().timeseries), bytes(kept)),
            }
        }
    }
}

/// Whether a series is valid, said as plainly as can be.
fn is_valid(series: &TimeSeries) -> bool {
    let named: Vec<&Label> = series.labels.iter().filter(|l| !l.value.is_empty()).collect();
    let unique = named.iter().all(|l| named.iter().filter(|m| m.name == l.name).count() == 1);
    let no_empty_name = series.labels.iter().all(|l| !l.name.is_empty());
    unique && no_empty_name && named.iter().any(|l| l.name == "__name__")
}

fn is_noise(series: &TimeSeries) -> bool {
    series.labels.iter().any(|l| l.name == "__name__" && l.value == "noise")
}
