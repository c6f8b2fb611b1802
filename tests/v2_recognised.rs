//! A gate that knows series of remote write 2.0 by their texts decides as one that puts every series together, and as one that gets
//! the same as 1.0; and what it sends has the same content.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use prost::Message;
use seriesgate::config::Validation;
use seriesgate::pipeline::{Body, Committed, FIELD_BYTES, Origin, Outcome, Undecodable};
use seriesgate::policy::{Action, Aggregation, Definition, Keys, MetricKind, Mode};
use seriesgate::wire::{Form, Message as Version};
use seriesgate_proto::{
    Exemplar, Histogram, Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy, v2,
};
use support::{Gate, NOW_MS, STALE, assert_conserved, expire, labeldrop, policy, rule};

/// A small stream of choices that repeats itself.
struct Choices(u64);

impl Choices {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % most
    }

    fn one_in(&mut self, most: u32) -> bool {
        self.below(most) == 0
    }
}

fn policies() -> Vec<Definition> {
    let aggregation = Aggregation {
        keys: Keys::Without(vec!["pod".into()]),
        kind: Some(MetricKind::Gauge),
        ..Aggregation::default()
    };
    vec![
        policy("noise", r#"{job="dropped"}"#, Action::Drop, Mode::Enforce),
        policy("seen", r#"{job="plain",pod=~".*-3"}"#, Action::Drop, Mode::Preview),
        policy("sum", r#"{job="summed"}"#, Action::Aggregate(aggregation.into()), Mode::Enforce),
        policy(
            "house",
            r#"{job="relabelled"}"#,
            Action::Relabel(
                [labeldrop("node"), rule("replace", &["job"], "(.*)", "team", Some("$1"))].into(),
            ),
            Mode::Enforce,
        ),
    ]
}

fn one(choices: &mut Choices, at_ms: i64) -> TimeSeries {
    let job = ["plain", "plain", "dropped", "summed", "relabelled"][choices.below(5) as usize];
    let mut pairs = vec![
        (
            "__name__".to_owned(),
            ["up", "requests_total", "temperature"][choices.below(3) as usize].to_owned(),
        ),
        ("job".to_owned(), job.to_owned()),
        ("node".to_owned(), format!("node-{}", choices.below(3))),
        ("pod".to_owned(), format!("pod-{}", choices.below(12))),
    ];
    match choices.below(40) {
        0 => pairs.swap(0, 2),
        1 => pairs[2].1.clear(),
        2 => drop(pairs.remove(0)),
        3 => pairs.push(pairs[1].clone()),
        4 => pairs.insert(0, ("A".into(), "x".repeat(200))),
        5 => pairs.insert(0, (String::new(), "x".into())),
        _ => {}
    }
    let labels =
        pairs.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect();
    let value = [0.0, 1.5, f64::from(choices.below(1000)), STALE][(choices.below(8) as usize).min(3) % 4];
    let mut series =
        TimeSeries { labels, samples: vec![Sample { value, timestamp: at_ms }], ..Default::default() };
    match choices.below(30) {
        0 => series.samples.insert(0, Sample { value: 2.0, timestamp: at_ms - 1000 }),
        1 => series.exemplars.push(Exemplar {
            labels: vec![Label { name: "trace_id".into(), value: "abc".into() }],
            value: 1.0,
            timestamp: at_ms,
        }),
        2 => {
            series.samples.clear();
            let histogram = Histogram { timestamp: at_ms, sum: 1.0, ..Default::default() };
            series.histograms.push(histogram);
        }
        3 => series.samples.clear(),
        4 => series.samples[0].timestamp += 3_600_000,
        _ => {}
    }
    series
}

/// Legal things that are done to a request without changing what it says.
fn respell(request: &mut v2::Request, choices: &mut Choices) {
    match choices.below(6) {
        // a table with every text twice, of which series use either
        0 => {
            let known = request.symbols.len() as u32;
            request.symbols.extend(request.symbols.clone());
            let at = |at: &mut u32| *at += if choices.one_in(2) { known } else { 0 };
            request.timeseries.iter_mut().flat_map(|series| &mut series.labels_refs).for_each(at);
        }
        // so many that positions take two bytes
        1 => {
            let unused = 150;
            request.symbols.splice(1..1, (0..unused).map(|i| format!("unused-{i}")));
            let at = |at: &mut u32| *at += if *at > 0 { unused } else { 0 };
            for series in &mut request.timeseries {
                let exemplars = series.exemplars.iter_mut().flat_map(|exemplar| &mut exemplar.labels_refs);
                series.labels_refs.iter_mut().chain(exemplars).for_each(at);
            }
        }
        2 => {
            for series in &mut request.timeseries {
                series.metadata = Some(v2::Metadata { r#type: 1, help_ref: 1, unit_ref: 0 });
                series.samples.iter_mut().for_each(|sample| sample.start_timestamp = NOW_MS - 5);
            }
        }
        _ => {}
    }
}

/// A number as long as it may be written.
fn put_varint(out: &mut Vec<u8>, mut number: u64, padding: u32) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8 | if padding > 0 { 0x80 } else { 0 });
    for left in (0..padding).rev() {
        out.push(if left > 0 { 0x80 } else { 0 });
    }
}

fn put_message(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    put_varint(out, content.len() as u64, 0);
    out.extend_from_slice(content);
}

/// References as any encoder may write them.
fn references(references: &[u32], choices: &mut Choices) -> Vec<u8> {
    let mut out = Vec::new();
    let form = choices.below(12);
    // in several fields, of half labels, too
    let length = if form == 0 { 1 + choices.below(5) as usize } else { references.len().max(1) };
    for part in references.chunks(length) {
        let mut packed = Vec::new();
        for &at in part {
            // what is beyond 32 bits is cut off by every decoder
            let at = u64::from(at) | u64::from(form == 1 && choices.one_in(3)) << 32;
            let padding = if form == 2 { choices.below(4) } else { 0 };
            if form == 3 {
                out.push(0x08);
                put_varint(&mut out, at, padding);
            } else {
                put_varint(&mut packed, at, padding);
            }
        }
        if form != 3 {
            put_message(&mut out, 0x0a, &packed);
        }
    }
    out
}

/// A request as any encoder may write it.
fn encoded(request: &v2::Request, choices: &mut Choices) -> Vec<u8> {
    let (mut symbols, mut all) = (Vec::new(), Vec::new());
    request.symbols.iter().for_each(|text| put_message(&mut symbols, 0x22, text.as_bytes()));
    for series in &request.timeseries {
        let references = references(&series.labels_refs, choices);
        let rest = v2::TimeSeries { labels_refs: Vec::new(), ..series.clone() }.encode_to_vec();
        let parts = if choices.one_in(12) { [rest, references] } else { [references, rest] };
        put_message(&mut all, 0x2a, &parts.concat());
    }
    if choices.one_in(4) { [all, symbols].concat() } else { [symbols, all].concat() }
}

fn decide(gate: &mut Gate, message: Version, wanted: Version, body: &[u8]) -> Result<Committed, Undecodable> {
    let origin = Origin { message, wanted: Form { message: wanted, ..Form::PLAIN }, ..Origin::default() };
    gate.pipeline.decide(origin, body, &mut gate.scratch, &mut gate.outcome)?;
    assert_conserved(&gate.outcome);
    Ok(gate.pipeline.commit(&gate.outcome))
}

/// What goes upstream, whatever it is written in: labels in order, and the rest.
fn sent(outcome: &Outcome, came: &[u8]) -> Vec<String> {
    #[allow(clippy::disallowed_methods)] // the body is our own
    let decoded = |body: &[u8]| ::snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let body = match outcome.body {
        Body::Nothing => return Vec::new(),
        Body::Untouched => decoded(came),
        Body::Spliced => decoded(&outcome.spliced),
    };
    let text = |labels: Vec<[&str; 2]>, rest: &dyn std::fmt::Debug| {
        let mut labels: Vec<_> = labels.into_iter().filter(|[_, value]| !value.is_empty()).collect();
        labels.sort_unstable();
        format!("{labels:?} {rest:?}")
    };
    if outcome.form.message == Version::V1 {
        let request = WriteRequest::decode(&body[..]).unwrap();
        let one = |series: &TimeSeries| {
            let labels = series.labels.iter().map(|label| [&label.name[..], &label.value]).collect();
            let samples: Vec<_> = series.samples.iter().map(|s| (s.timestamp, s.value.to_bits())).collect();
            text(labels, &(samples, series.histograms.len(), series.exemplars.len()))
        };
        return request.timeseries.iter().map(one).collect();
    }
    let request = v2::Request::decode(&body[..]).unwrap();
    let one = |series: &v2::TimeSeries| {
        let get = |at: u32| &request.symbols[at as usize][..];
        let labels = series.labels_refs.chunks(2).map(|pair| [get(pair[0]), get(pair[1])]).collect();
        let samples: Vec<_> = series.samples.iter().map(|s| (s.timestamp, s.value.to_bits())).collect();
        text(labels, &(samples, series.histograms.len(), series.exemplars.len()))
    };
    request.timeseries.iter().map(one).collect()
}

fn assert_alike(round: usize, (one, other): (&Outcome, &Outcome)) {
    let fates = |outcome: &Outcome| {
        let mut verdicts = outcome.by_verdict.clone();
        verdicts.sort_unstable_by_key(|(verdict, _)| verdict.to_bits());
        (
            outcome.received,
            outcome.forwarded,
            outcome.rejected,
            outcome.series,
            outcome.stale_markers,
            verdicts,
        )
    };
    assert_eq!(fates(one), fates(other), "round {round}");
    let reasons = |outcome: &Outcome| outcome.rejected_by;
    assert_eq!(reasons(one), reasons(other), "round {round}");
    let effects = |outcome: &Outcome| {
        let of = &outcome.effects;
        let new: Vec<_> = of.new_series.iter().map(|new| (new.series, new.decided, new.ends)).collect();
        let joins = of.aggregated.joins.len();
        (
            new,
            of.ended.len(),
            of.returned.len(),
            of.changes.len(),
            of.redecided.len(),
            of.released.clone(),
            joins,
        )
    };
    assert_eq!(effects(one), effects(other), "round {round}");
}

#[test]
fn a_series_known_by_its_texts_is_decided_as_any_other() {
    let levels = [Validation::Off, Validation::Repair, Validation::Strict];
    for (seed, level) in (0..9).zip(levels.into_iter().cycle()) {
        let mut choices = Choices(seed);
        let gate = || {
            Gate::with(&policies(), |settings| {
                settings.max_future_ms = Some(600_000);
                settings.validation = level;
            })
        };
        let (mut recognising, mut expanding, mut plain) = (gate(), gate(), gate());
        for round in 0..150 {
            let now = recognising.pipeline.clock().unix_ms();
            let series = (0..choices.below(40)).map(|_| one(&mut choices, now)).collect();
            let request = WriteRequest::of(series);
            let mut spelled = v2::Request::of(&request);
            respell(&mut spelled, &mut choices);
            let body = snappy(&encoded(&spelled, &mut choices));
            let committed = [
                decide(&mut recognising, Version::V2, Version::V2, &body).unwrap(),
                decide(&mut expanding, Version::V2, Version::V1, &body).unwrap(),
                decide(&mut plain, Version::V1, Version::V1, &encode_snappy(&request)).unwrap(),
            ];
            assert_eq!(committed[0], committed[1], "round {round}");
            assert_eq!(committed[0], committed[2], "round {round}");
            assert_alike(round, (&recognising.outcome, &expanding.outcome));
            assert_eq!(recognising.outcome.repairs, expanding.outcome.repairs, "round {round}");
            assert_alike(round, (&recognising.outcome, &plain.outcome));
            let right = sent(&plain.outcome, &encode_snappy(&request));
            assert_eq!(sent(&recognising.outcome, &body), right, "round {round}");
            assert_eq!(sent(&expanding.outcome, &body), right, "round {round}");
            for gate in [&recognising, &expanding, &plain] {
                gate.pipeline.clock().advance_ms(15_000);
                if round % 50 == 49 {
                    expire(gate, 60);
                }
            }
        }
    }
}

/// Whether the texts of all series of the request led to their identities: nothing of it had to be put together.
fn is_recognised(gate: &mut Gate, body: &[u8]) -> bool {
    let before = gate.outcome.effects.aliases.len();
    decide(gate, Version::V2, Version::V2, body).unwrap();
    before == 0 && gate.outcome.effects.aliases.is_empty()
}

#[test]
fn a_series_is_known_by_its_texts_once_the_upstream_has_it_and_whatever_it_came_as_before() {
    let mut gate = Gate::new(&[]);
    let request = WriteRequest::of(vec![support::named("up"), support::named("down")]);
    let body = snappy(&v2::Request::of(&request).encode_to_vec());
    // it comes as 1.0 first: the series are known, their texts are not
    assert_eq!(gate.pass("", &request), 2);
    decide(&mut gate, Version::V2, Version::V2, &body).unwrap();
    assert_eq!(gate.outcome.effects.aliases.len(), 2, "they were put together to be known");
    assert!(gate.outcome.effects.new_series.is_empty(), "and they are the ones that came as 1.0");
    decide(&mut gate, Version::V2, Version::V2, &body).unwrap();
    assert!(is_recognised(&mut gate, &body));
    assert_eq!(gate.outcome.body, Body::Untouched);
    // another table, other positions: the same texts
    let mut turned = v2::Request::of(&request);
    let last = turned.symbols.len() as u32 - 1;
    turned.symbols[1..].reverse();
    let at = |at: &mut u32| *at = if *at == 0 { 0 } else { last + 1 - *at };
    turned.timeseries.iter_mut().flat_map(|series| &mut series.labels_refs).for_each(at);
    assert!(is_recognised(&mut gate, &snappy(&turned.encode_to_vec())));
    // another scope has series of its own
    let origin = Origin {
        scope: "other",
        message: Version::V2,
        wanted: Form { message: Version::V2, ..Form::PLAIN },
        ..Origin::default()
    };
    gate.pipeline.decide(origin, &body, &mut gate.scratch, &mut gate.outcome).unwrap();
    assert_eq!(gate.outcome.effects.new_series.len(), 2);
}

#[test]
fn what_was_not_taken_by_the_upstream_is_not_known_by_its_texts() {
    let mut gate = Gate::new(&[]);
    let request = WriteRequest::of(vec![support::named("up")]);
    let body = snappy(&v2::Request::of(&request).encode_to_vec());
    let origin = Origin {
        message: Version::V2,
        wanted: Form { message: Version::V2, ..Form::PLAIN },
        ..Origin::default()
    };
    for _ in 0..2 {
        gate.pipeline.decide(origin, &body, &mut gate.scratch, &mut gate.outcome).unwrap();
        assert_eq!(gate.outcome.effects.aliases.len(), 1);
        gate.pipeline.refuse(&gate.outcome);
    }
}

#[test]
fn a_request_that_unfolds_beyond_the_limit_is_refused_although_all_its_series_may_be_known() {
    let mut gate = Gate::with(&[], |settings| settings.max_decoded_bytes = 4000);
    let long = "x".repeat(200);
    let request = |series: usize| {
        let one = support::series(&[("__name__", "up"), ("job", &long)]);
        snappy(&v2::Request::of(&WriteRequest::of(vec![one; series])).encode_to_vec())
    };
    for _ in 0..2 {
        decide(&mut gate, Version::V2, Version::V2, &request(10)).unwrap();
    }
    let refused = decide(&mut gate, Version::V2, Version::V2, &request(40));
    assert_eq!(refused, Err(Undecodable::Unfolded(4000)));
}

#[test]
fn room_is_asked_for_as_series_are_put_together_and_not_when_all_are() {
    const ROOM: usize = 8 << 20;
    let mut gate = Gate::with(&[], |settings| settings.max_decoded_bytes = 128 << 20);
    // 100 KB that make 50 MB
    let long = "x".repeat(50_000);
    let one = |i: usize| support::series(&[("__name__", "up"), ("i", &i.to_string()), ("job", &long)]);
    let body = snappy(&v2::Request::of(&WriteRequest::of((0..1000).map(one).collect())).encode_to_vec());
    let origin = Origin {
        message: Version::V2,
        wanted: Form { message: Version::V2, ..Form::PLAIN },
        ..Origin::default()
    };
    let mut most = 0;
    let mut room = |fields: usize| {
        most = most.max(fields * FIELD_BYTES);
        most <= ROOM
    };
    let decided = gate.pipeline.decide_within(&mut room, origin, &body, &mut gate.scratch, &mut gate.outcome);
    assert_eq!(decided.err(), Some(Undecodable::NoRoom));
    // a buffer that grows is asked for twice, and may double
    assert!(most <= 4 * ROOM, "{most} bytes were asked for when there were {ROOM}");
}

#[test]
fn what_a_request_takes_as_1_0_is_its_own_and_not_that_of_the_one_before() {
    let mut gate = Gate::new(&[]);
    let one = WriteRequest::of(vec![support::named("up")]);
    let many = WriteRequest::of((0..100).map(|i| support::named(&format!("up_{i}"))).collect());
    decide(&mut gate, Version::V2, Version::V2, &snappy(&v2::Request::of(&many).encode_to_vec())).unwrap();
    assert!(gate.outcome.plain_bytes >= 100 * 40);
    decide(&mut gate, Version::V1, Version::V1, &encode_snappy(&one)).unwrap();
    assert_eq!(gate.outcome.plain_bytes, one.encoded_len());
}
