//! `series.max_future`: what is too far in the future is taken out before anything looks at it; the rest is as prost has it.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;

use proptest::prelude::*;
use prost::Message as _;
use seriesgate::config::Validation;
use seriesgate::pipeline::Body;
use seriesgate::policy::{Action, Mode};
use seriesgate::series::Invalid;
use seriesgate_proto::{Exemplar, Histogram, Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy};
use support::{Gate, NOW_MS, assert_conserved, labeldrop, named, policy, relabel, series};

const AHEAD_MS: i64 = 600_000;
const LATEST_MS: i64 = NOW_MS + AHEAD_MS;

fn gate(policies: &[seriesgate::policy::Definition]) -> Gate {
    // what the gate mends beside is tested elsewhere
    Gate::with(policies, |settings| {
        (settings.max_future_ms, settings.validation) = (Some(AHEAD_MS), Validation::Off);
    })
}

fn at(mut series: TimeSeries, times: &[i64]) -> TimeSeries {
    series.samples = times.iter().map(|timestamp| Sample { value: 1.0, timestamp: *timestamp }).collect();
    series
}

/// What is left of a request.
fn timely(request: &WriteRequest) -> WriteRequest {
    let mut rest = request.clone();
    for series in &mut rest.timeseries {
        series.samples.retain(|sample| sample.timestamp <= LATEST_MS);
        series.histograms.retain(|histogram| histogram.timestamp <= LATEST_MS);
    }
    let all = rest.timeseries.iter().zip(&request.timeseries);
    let lost = |(left, before): (&TimeSeries, &TimeSeries)| {
        let points = |series: &TimeSeries| series.samples.len() + series.histograms.len();
        points(left) == 0 && points(before) > 0
    };
    let lost: Vec<bool> = all.map(lost).collect();
    let mut lost = lost.into_iter();
    rest.timeseries.retain(|_| !lost.next().unwrap());
    rest
}

fn points(request: &WriteRequest) -> (u64, u64, u64) {
    let all = request.timeseries.iter();
    all.fold((0, 0, 0), |sum, series| {
        let [samples, histograms, exemplars] =
            [series.samples.len(), series.histograms.len(), series.exemplars.len()];
        (sum.0 + samples as u64, sum.1 + histograms as u64, sum.2 + exemplars as u64)
    })
}

/// The decoded body that goes upstream.
fn upstream(gate: &Gate, raw: &[u8]) -> Vec<u8> {
    match gate.outcome.body {
        Body::Nothing => Vec::new(),
        Body::Untouched => raw.to_vec(),
        #[allow(clippy::disallowed_methods)] // the body is our own
        Body::Spliced => snap::raw::Decoder::new().decompress_vec(&gate.outcome.spliced).unwrap(),
    }
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![
        NOW_MS - 1000..NOW_MS,
        LATEST_MS - 1..LATEST_MS + 2,
        Just(0),
        Just(i64::MIN),
        Just(i64::MAX),
        LATEST_MS..LATEST_MS + 1_000_000,
    ]
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let values = prop_oneof![Just(0.0), Just(f64::from_bits(0x7ff0_0000_0000_0002)), -9.0..9.0f64];
    let samples = proptest::collection::vec((times(), values.clone()), 0..4);
    let histograms = proptest::collection::vec((times(), values), 0..3);
    (0..9u8, samples, histograms, 0..3usize).prop_map(|(name, samples, histograms, exemplars)| TimeSeries {
        labels: vec![
            Label::new("__name__", format!("m{name}")),
            Label::new("job", "x".repeat(name as usize)),
        ],
        samples: samples.into_iter().map(|(timestamp, value)| Sample { value, timestamp }).collect(),
        exemplars: vec![Exemplar { value: 1.0, timestamp: NOW_MS, ..Exemplar::default() }; exemplars],
        histograms: histograms
            .into_iter()
            .map(|(timestamp, sum)| Histogram { sum, timestamp, ..Histogram::default() })
            .collect(),
    })
}

proptest! {
    #[test]
    fn the_rest_is_what_prost_would_write(timeseries in proptest::collection::vec(any_series(), 0..12)) {
        let request = WriteRequest::of(timeseries);
        let (raw, expected) = (request.encode_to_vec(), timely(&request));
        let mut gate = gate(&[]);
        gate.decide("", &snappy(&raw)).unwrap();
        prop_assert_eq!(upstream(&gate, &raw), expected.encode_to_vec());
        let outcome = &gate.outcome;
        assert_conserved(outcome);
        let counts = |counts: seriesgate::pipeline::Counts| (counts.samples, counts.histograms, counts.exemplars);
        prop_assert_eq!(counts(outcome.received), points(&request));
        prop_assert_eq!(counts(outcome.forwarded), points(&expected));
        prop_assert_eq!(outcome.series as usize, request.timeseries.len());
        prop_assert_eq!(outcome.decoded_bytes as usize, raw.len());
        if expected == request {
            prop_assert!(outcome.body != Body::Spliced && outcome.rejected_series == 0);
        }
    }
}

#[test]
fn a_request_that_is_wholly_future_sends_nothing_and_leaves_no_trace() {
    let mut gate = gate(&[]);
    let request = WriteRequest::of(vec![at(named("up"), &[LATEST_MS + 1]), at(named("x"), &[i64::MAX])]);
    assert_eq!(gate.pass("", &request), 0, "no series is new");
    assert_eq!((gate.outcome.body, gate.outcome.series), (Body::Nothing, 2));
    assert_eq!(gate.outcome.rejected[Invalid::TooFarInFuture as usize].samples, 2);
    assert_eq!(
        gate.outcome.complaint(false).unwrap(),
        "2 of 2 series rejected (2 samples: samples further in the future than series.max_future, as `up`{job})"
    );
    assert_eq!(gate.pipeline.tracker().metrics(gate.pipeline.clock().unix_seconds()).len(), 1, "the others");
    // time goes on, and they are no longer ahead
    gate.pipeline.clock().advance_ms(2);
    assert_eq!(gate.pass("", &WriteRequest::of(vec![at(named("up"), &[LATEST_MS + 1])])), 1);
    assert_eq!(gate.outcome.body, Body::Untouched);
}

#[test]
fn policies_see_what_is_left() {
    let drop = policy("drop", "gone", Action::Drop, Mode::Enforce);
    let mut gate = gate(&[drop, relabel("up", &[labeldrop("pod")])]);
    let up = series(&[("__name__", "up"), ("pod", "a")]);
    let (now, future) = (NOW_MS, LATEST_MS + 1);
    let request = WriteRequest::of(vec![
        at(named("gone"), &[now, future]),
        at(up, &[now, future, now + 1]),
        at(named("kept"), &[future]),
        at(named("whole"), &[now]),
    ]);
    gate.decide("", &encode_snappy(&request)).unwrap();
    let left = at(series(&[("__name__", "up")]), &[now, now + 1]);
    assert_eq!(gate.spliced().timeseries, [left, at(named("whole"), &[now])]);
    assert_conserved(&gate.outcome);
    assert_eq!((gate.outcome.all_rejected().samples, gate.outcome.rejected_series), (3, 3));
}

#[test]
fn scattered_labels_and_fields_of_others_stay() {
    let part = |labels: &[(&str, &str)], times: &[i64]| at(series(labels), times).encode_to_vec();
    let unknown = [0x7a, 2, b'h', b'i'];
    let parts = |times: &[i64]| {
        let parts = [
            part(&[("__name__", "up")], &[]),
            part(&[], times),
            unknown.to_vec(),
            part(&[("job", "x")], &[]),
        ];
        let content = parts.concat();
        [vec![0x0a, content.len() as u8], content].concat()
    };
    let raw = parts(&[NOW_MS, LATEST_MS + 1]);
    let mut gate = gate(&[]);
    gate.decide("", &snappy(&raw)).unwrap();
    assert_eq!(upstream(&gate, &raw), parts(&[NOW_MS]));
}

#[test]
fn by_default_nothing_is_too_far_ahead() {
    let mut gate = Gate::new(&[]);
    gate.pass("", &WriteRequest::of(vec![at(named("up"), &[i64::MAX])]));
    assert_eq!(gate.outcome.body, Body::Untouched);
}
