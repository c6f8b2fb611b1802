//! `upstreams[].validation`: what is against the rules is mended or rejected, in both versions, and what is not keeps its bytes.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;

use proptest::prelude::*;
use prost::Message as _;
use seriesgate::config::Validation;
use seriesgate::pipeline::{Body, Origin, Repair, Undecodable};
use seriesgate::policy::{Action, Definition, Mode};
use seriesgate::series::Invalid;
use seriesgate::wire::{Form, Message};
use seriesgate_proto::histogram::Count;
use seriesgate_proto::{Exemplar, Histogram, Sample, TimeSeries, WriteRequest, encode_snappy, snappy, v2};
use support::{Gate, NOW_MS, assert_conserved, labeldrop, policy, relabel, series};

fn gate(level: Validation) -> Gate {
    with(level, &[])
}

fn with(level: Validation, policies: &[Definition]) -> Gate {
    Gate::with(policies, |settings| settings.validation = level)
}

/// A series with these samples: seconds from now, and value.
fn samples(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    let sample = |(at, value): &(i64, f64)| Sample { value: *value, timestamp: NOW_MS + 1000 * at };
    TimeSeries { samples: samples.iter().map(sample).collect(), ..series(labels) }
}

fn named(name: &str, all: &[(i64, f64)]) -> TimeSeries {
    samples(&[("__name__", name), ("job", "node")], all)
}

fn histograms(name: &str, all: &[(i64, u64)]) -> TimeSeries {
    let histogram = |(at, count): &(i64, u64)| Histogram {
        count: Some(Count::CountInt(*count)),
        positive_spans: vec![seriesgate_proto::BucketSpan { offset: 0, length: 1 }],
        positive_deltas: vec![3],
        timestamp: NOW_MS + 1000 * at,
        ..Histogram::default()
    };
    TimeSeries {
        samples: Vec::new(),
        histograms: all.iter().map(histogram).collect(),
        ..series(&[("__name__", name), ("job", "node")])
    }
}

fn exemplar(at: i64) -> Exemplar {
    Exemplar { value: 1.0, timestamp: NOW_MS + 1000 * at, ..Exemplar::default() }
}

/// The same request in 2.0, with a start timestamp in each sample.
fn to_v2(request: &WriteRequest) -> v2::Request {
    let mut symbols = vec![String::new()];
    let mut position = |text: &str| {
        let found = symbols.iter().position(|symbol| symbol == text);
        found.unwrap_or_else(|| {
            symbols.push(text.to_owned());
            symbols.len() - 1
        }) as u32
    };
    let mut timeseries = Vec::new();
    for series in &request.timeseries {
        let refs = series.labels.iter().flat_map(|l| [position(&l.name), position(&l.value)]).collect();
        let sample = |sample: &Sample| v2::Sample {
            value: sample.value,
            timestamp: sample.timestamp,
            start_timestamp: NOW_MS - 1,
        };
        let histogram = |h: &Histogram| v2::Histogram::decode(&h.encode_to_vec()[..]).unwrap();
        let exemplar =
            |e: &Exemplar| v2::Exemplar { labels_refs: Vec::new(), value: e.value, timestamp: e.timestamp };
        timeseries.push(v2::TimeSeries {
            labels_refs: refs,
            samples: series.samples.iter().map(sample).collect(),
            histograms: series.histograms.iter().map(histogram).collect(),
            exemplars: series.exemplars.iter().map(exemplar).collect(),
            ..v2::TimeSeries::default()
        });
    }
    v2::Request { symbols, timeseries }
}

/// What goes upstream of a request of 1.0.
fn sent(gate: &mut Gate, request: &WriteRequest) -> WriteRequest {
    gate.pass("", request);
    assert_conserved(&gate.outcome);
    match gate.outcome.body {
        Body::Nothing => WriteRequest::default(),
        Body::Untouched => request.clone(),
        Body::Spliced => gate.spliced(),
    }
}

/// The same of 2.0, as 1.0 has it; all that goes on has kept its start timestamp.
fn sent_v2(gate: &mut Gate, request: &v2::Request) -> WriteRequest {
    let wanted = Form { message: Message::V2, ..Form::default() };
    let origin = Origin { message: Message::V2, wanted, ..Origin::default() };
    let body = snappy(&request.encode_to_vec());
    gate.pipeline.decide(origin, &body, &mut gate.scratch, &mut gate.outcome).unwrap();
    gate.pipeline.commit(&gate.outcome);
    assert_conserved(&gate.outcome);
    let out = match gate.outcome.body {
        Body::Nothing => v2::Request::default(),
        Body::Untouched => request.clone(),
        #[allow(clippy::disallowed_methods)] // the body is our own
        Body::Spliced => {
            let raw = snap::raw::Decoder::new().decompress_vec(&gate.outcome.spliced).unwrap();
            v2::Request::decode(&raw[..]).unwrap()
        }
    };
    let text = |at: &u32| out.symbols[*at as usize].clone();
    let to_v1 = |series: &v2::TimeSeries| TimeSeries {
        labels: series
            .labels_refs
            .chunks(2)
            .map(|pair| seriesgate_proto::Label { name: text(&pair[0]), value: text(&pair[1]) })
            .collect(),
        samples: series
            .samples
            .iter()
            .map(|sample| {
                assert_eq!(sample.start_timestamp, NOW_MS - 1);
                Sample { value: sample.value, timestamp: sample.timestamp }
            })
            .collect(),
        histograms: series
            .histograms
            .iter()
            .map(|histogram| Histogram::decode(&histogram.encode_to_vec()[..]).unwrap())
            .collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|e| Exemplar { labels: Vec::new(), value: e.value, timestamp: e.timestamp })
            .collect(),
    };
    WriteRequest::of(out.timeseries.iter().map(to_v1).collect())
}

/// A request, what goes on of it mended, what is counted as mended, and why strict validation rejects it.
struct Case {
    what: &'static str,
    came: Vec<TimeSeries>,
    mended: Vec<TimeSeries>,
    repairs: &'static [Repair],
    duplicates: u64,
    reason: Option<Invalid>,
}

fn cases() -> Vec<Case> {
    let unsorted = |all| samples(&[("job", "node"), ("__name__", "a")], all);
    let empty = |all| samples(&[("__name__", "a"), ("job", "node"), ("zone", "")], all);
    let case = |what, came, mended, repairs, duplicates, reason| Case {
        what,
        came,
        mended,
        repairs,
        duplicates,
        reason,
    };
    vec![
        case(
            "unsorted",
            vec![unsorted(&[(0, 1.0)])],
            vec![named("a", &[(0, 1.0)])],
            &[Repair::UnsortedLabels],
            0,
            Some(Invalid::UnsortedLabels),
        ),
        case(
            "empty value",
            vec![empty(&[(0, 1.0)])],
            vec![named("a", &[(0, 1.0)])],
            &[Repair::EmptyLabelValue],
            0,
            Some(Invalid::EmptyLabelValue),
        ),
        case(
            "twice in one",
            vec![named("a", &[(0, 1.0), (1, 2.0), (1, 2.0), (0, 1.0)])],
            vec![named("a", &[(0, 1.0), (1, 2.0)])],
            &[Repair::DuplicateSample],
            2,
            Some(Invalid::OutOfOrder),
        ),
        case(
            "twice in two",
            vec![named("a", &[(0, 1.0)]), named("b", &[(0, 1.0)]), named("a", &[(0, 1.0)])],
            vec![named("a", &[(0, 1.0)]), named("b", &[(0, 1.0)])],
            &[Repair::DuplicateSample],
            1,
            Some(Invalid::DuplicateSample),
        ),
        case(
            "out of order in one",
            vec![named("a", &[(3, 3.0), (1, 1.0), (2, f64::INFINITY)])],
            vec![named("a", &[(1, 1.0), (2, f64::INFINITY), (3, 3.0)])],
            &[Repair::OutOfOrder],
            0,
            Some(Invalid::OutOfOrder),
        ),
        case(
            "out of order in two",
            vec![named("a", &[(1, 1.0), (4, 4.0)]), named("b", &[(0, 1.0)]), named("a", &[(2, 2.0)])],
            vec![named("a", &[(1, 1.0), (2, 2.0)]), named("b", &[(0, 1.0)]), named("a", &[(4, 4.0)])],
            &[Repair::OutOfOrder],
            0,
            Some(Invalid::OutOfOrder),
        ),
        case(
            "two values of one time",
            vec![named("a", &[(1, 1.0), (1, 2.0)])],
            vec![named("a", &[(1, 1.0), (1, 2.0)])],
            &[],
            0,
            Some(Invalid::DuplicateSample),
        ),
        case(
            "histograms",
            vec![histograms("a", &[(2, 3), (1, 3), (1, 3)])],
            vec![histograms("a", &[(1, 3), (2, 3)])],
            &[Repair::DuplicateSample, Repair::OutOfOrder],
            1,
            Some(Invalid::OutOfOrder),
        ),
        case(
            "in two, of two kinds",
            vec![histograms("a", &[(2, 3)]), named("a", &[(1, 1.0)])],
            vec![histograms("a", &[(2, 3)]), named("a", &[(1, 1.0)])],
            &[],
            0,
            None,
        ),
        case(
            "exemplars only",
            vec![TimeSeries { exemplars: vec![exemplar(0)], ..named("a", &[]) }],
            vec![TimeSeries { exemplars: vec![exemplar(0)], ..named("a", &[]) }],
            &[],
            0,
            Some(Invalid::NoData),
        ),
    ]
}

#[test]
fn what_can_be_mended_without_loss_is_mended_in_both_versions() {
    for Case { what, came, mended, repairs, duplicates, .. } in cases() {
        // beside one that needs nothing, twice: new and known
        let fine = named("fine", &[(0, 1.0)]);
        let all = |series: Vec<TimeSeries>| WriteRequest::of([series, vec![fine.clone()]].concat());
        let (came, mended) = (all(came), all(mended));
        let (mut one, mut two) = (gate(Validation::Repair), gate(Validation::Repair));
        for round in 0..2 {
            assert_eq!(sent(&mut one, &came), mended, "{what}, {round}");
            assert_eq!(sent_v2(&mut two, &to_v2(&came)), mended, "{what}, {round}, 2.0");
            for outcome in [&one.outcome, &two.outcome] {
                let expected = Repair::ALL.map(|repair| u64::from(repairs.contains(&repair)));
                assert_eq!(outcome.repairs, expected, "{what}, {round}");
                assert_eq!(outcome.duplicates.samples + outcome.duplicates.histograms, duplicates, "{what}");
                assert_eq!(outcome.complaint(true), None, "{what}, {round}");
                assert_eq!(outcome.series, came.timeseries.len() as u64, "{what}, {round}");
                let untouched = outcome.body == Body::Untouched;
                assert_eq!(untouched, repairs.is_empty(), "{what}, {round}");
            }
        }
    }
}

#[test]
fn off_mends_nothing_and_strict_rejects_it_by_reason() {
    for Case { what, came, reason, .. } in cases() {
        let came = WriteRequest::of(came);
        let (mut one, mut two) = (gate(Validation::Off), gate(Validation::Off));
        for _ in 0..2 {
            assert_eq!(sent(&mut one, &came), came, "{what}");
            assert_eq!(sent_v2(&mut two, &to_v2(&came)), came, "{what}");
            assert_eq!((one.outcome.body, two.outcome.body), (Body::Untouched, Body::Untouched), "{what}");
        }
        let (mut one, mut two) = (gate(Validation::Strict), gate(Validation::Strict));
        for round in 0..2 {
            sent(&mut one, &came);
            sent_v2(&mut two, &to_v2(&came));
            for outcome in [&one.outcome, &two.outcome] {
                let reasons: Vec<Invalid> = outcome.blamed.iter().map(|blamed| blamed.reason).collect();
                assert_eq!(reasons, Vec::from_iter(reason), "{what}, {round}");
            }
        }
    }
}

#[test]
fn what_contradicts_itself_is_rejected_and_the_rest_goes_on() {
    let good = named("good", &[(0, 1.0)]);
    let changed = |change: fn(&mut Histogram)| {
        let mut series = histograms("h", &[(0, 3)]);
        change(&mut series.histograms[0]);
        series
    };
    for (bad, reason) in [
        (changed(|of| of.count = Some(Count::CountInt(4))), Invalid::HistogramCount),
        (changed(|of| of.positive_deltas.push(0)), Invalid::HistogramBuckets),
        (changed(|of| of.schema = 100), Invalid::HistogramSchema),
    ] {
        let came = WriteRequest::of(vec![bad, good.clone()]);
        let rest = WriteRequest::of(vec![good.clone()]);
        let (mut one, mut two) = (gate(Validation::Repair), gate(Validation::Repair));
        assert_eq!(sent(&mut one, &came), rest, "{reason}");
        assert_eq!(sent_v2(&mut two, &to_v2(&came)), rest, "{reason}");
        for outcome in [&one.outcome, &two.outcome] {
            assert_eq!(outcome.rejected_by[reason as usize], 1, "{reason}");
            let complaint = outcome.complaint(true).unwrap();
            assert!(complaint.contains(&format!("{reason}, as `h`{{job}}")), "{complaint}");
        }
        let mut off = gate(Validation::Off);
        assert_eq!(sent(&mut off, &came), came, "{reason}");
    }
}

#[test]
fn samples_and_histograms_in_one_series_go_on_as_backends_take_them_unless_strict() {
    let came = TimeSeries { samples: named("h", &[(0, 1.0)]).samples, ..histograms("h", &[(1, 3)]) };
    let came = WriteRequest::of(vec![came]);
    for (level, right) in [(Validation::Repair, &came), (Validation::Strict, &WriteRequest::default())] {
        let (mut one, mut two) = (gate(level), gate(level));
        assert_eq!(&sent(&mut one, &came), right, "{level:?}");
        assert_eq!(&sent_v2(&mut two, &to_v2(&came)), right, "{level:?}");
        for outcome in [&one.outcome, &two.outcome] {
            let rejected = outcome.rejected_by[Invalid::Mixed as usize];
            assert_eq!(rejected, u64::from(level == Validation::Strict), "{level:?}");
        }
    }
}

#[test]
fn strict_knows_the_names_of_1_0_only_and_2_0_has_others() {
    for labels in [&[("__name__", "a.b")][..], &[("__name__", "a"), ("c.d", "e")], &[("__name__", "1a")]] {
        let came = WriteRequest::of(vec![samples(labels, &[(0, 1.0)])]);
        let mut strict = gate(Validation::Strict);
        assert_eq!(sent_v2(&mut strict, &to_v2(&came)), came, "{labels:?}");
        assert_eq!(sent(&mut strict, &came), WriteRequest::default(), "{labels:?}");
        assert_eq!(strict.outcome.rejected_by[Invalid::OddName as usize], 1);
        assert_eq!(sent(&mut gate(Validation::Repair), &came), came);
    }
}

/// Nothing is lost but what is there twice.
#[test]
fn exemplars_of_what_is_there_twice_stay_unless_they_are_there_twice_too() {
    let with = |exemplars: Vec<Exemplar>| TimeSeries { exemplars, ..named("a", &[(0, 1.0)]) };
    let only = |exemplars: Vec<Exemplar>| TimeSeries { exemplars, ..named("a", &[]) };
    let one = with(vec![exemplar(0)]);
    for (again, left, exemplars) in
        [(one.clone(), Vec::new(), 1), (with(vec![exemplar(1)]), vec![only(vec![exemplar(1)])], 0)]
    {
        let came = WriteRequest::of(vec![one.clone(), again]);
        let expected = WriteRequest::of([vec![one.clone()], left].concat());
        let (mut first, mut second) = (gate(Validation::Repair), gate(Validation::Repair));
        assert_eq!(sent(&mut first, &came), expected);
        assert_eq!(sent_v2(&mut second, &to_v2(&came)), expected);
        for outcome in [&first.outcome, &second.outcome] {
            assert_eq!((outcome.duplicates.samples, outcome.duplicates.exemplars), (1, exemplars));
        }
    }
}

#[test]
fn policies_see_what_was_mended_and_series_under_other_labels_are_mended_too() {
    let relabels = [
        policy("drop", r#"{__name__="noise"}"#, Action::Drop, Mode::Enforce),
        relabel(r#"{__name__="a"}"#, &[labeldrop("pod")]),
    ];
    let mut gate = with(Validation::Repair, &relabels);
    let came = WriteRequest::of(vec![
        samples(&[("pod", "x"), ("job", "node"), ("__name__", "a")], &[(2, 2.0), (1, 1.0)]),
        named("noise", &[(1, 1.0), (1, 1.0)]),
        samples(&[("job", "node"), ("__name__", "z")], &[(1, 1.0)]),
    ]);
    let expected = [named("a", &[(1, 1.0), (2, 2.0)]), named("z", &[(1, 1.0)])];
    for _ in 0..2 {
        assert_eq!(sent(&mut gate, &came).timeseries, expected);
        assert_eq!(gate.outcome.by_verdict.iter().map(|(_, counts)| counts.samples).sum::<u64>(), 3);
        assert_eq!(gate.outcome.repairs, [2, 0, 1, 1]);
    }
}

/// What is too far in the future is taken out of what was mended.
#[test]
fn what_was_mended_is_bounded_by_max_future_in_both_versions() {
    let came = WriteRequest::of(vec![
        named("a", &[(900, 9.0), (2, 2.0), (1, 1.0), (1, 1.0)]),
        named("ahead", &[(900, 1.0)]),
        named("b", &[(2, 1.0)]),
        named("b", &[(1, 1.0)]),
    ]);
    let left = WriteRequest::of(vec![
        named("a", &[(1, 1.0), (2, 2.0)]),
        named("b", &[(1, 1.0)]),
        named("b", &[(2, 1.0)]),
    ]);
    let mut gate = Gate::with(&[], |settings| settings.max_future_ms = Some(600_000));
    assert_eq!(sent(&mut gate, &came), left);
    assert_eq!(gate.outcome.rejected[Invalid::TooFarInFuture as usize].samples, 2);
    assert_eq!(sent_v2(&mut gate, &to_v2(&came)), left);
    assert_eq!(gate.outcome.rejected[Invalid::TooFarInFuture as usize].samples, 2);
}

/// A scope that is one too many has no identities: its series are the same by their bytes.
#[test]
fn series_of_a_scope_without_a_place_are_mended_too() {
    let mut gate = gate(Validation::Repair);
    let came =
        WriteRequest::of(vec![named("a", &[(1, 1.0)]), named("b", &[(1, 1.0)]), named("a", &[(1, 1.0)])]);
    for tenant in ["one", "two", "three", "four"] {
        gate.pass(tenant, &came);
    }
    assert!(gate.outcome.overflow_tenant);
    assert_eq!(gate.spliced().timeseries, came.timeseries[..2]);
}

/// A request that is as it should be goes on byte for byte, however odd its encoding.
#[test]
fn what_needs_no_mending_keeps_its_bytes() {
    let mut gate = gate(Validation::Repair);
    let all: Vec<TimeSeries> = (0..500)
        .flat_map(|i| {
            let name = format!("m{i}");
            [named(&name, &[(1, 1.0), (2, 1.0)]), named(&name, &[(3, 1.0)]), histograms(&name, &[(1, 3)])]
        })
        .collect();
    gate.decide("", &encode_snappy(&WriteRequest::of(all))).unwrap();
    assert_eq!(gate.outcome.body, Body::Untouched);
    // sorted, but value before name: no reason to touch it
    let label = b"\x0a\x0e\x12\x02up\x0a\x08__name__";
    let sample = Sample { value: 1.0, timestamp: NOW_MS }.encode_to_vec();
    let mut inside = [&label[..], &[0x12, sample.len() as u8]].concat();
    inside.extend_from_slice(&sample);
    let body = [&[0x0a, inside.len() as u8][..], &inside].concat();
    for _ in 0..2 {
        gate.decide("", &snappy(&body)).unwrap();
        gate.pipeline.commit(&gate.outcome);
        assert_eq!(gate.outcome.body, Body::Untouched);
    }
}

/// What it takes to mend a request is asked for, and no more values are put in order than a sender sends at once.
#[test]
fn what_is_mended_is_bounded() {
    let falling = |series: usize, values: i64| {
        let all: Vec<(i64, f64)> = (0..values).map(|at| (-at, 1.0)).collect();
        WriteRequest::of((0..series).map(|number| named(&format!("m{number}"), &all)).collect())
    };
    let mut gate = gate(Validation::Repair);
    for (values, repairs) in [(1 << 16, 1), ((1 << 16) + 1, 0)] {
        gate.pass("", &falling(1, values));
        assert_eq!(gate.outcome.repairs[Repair::OutOfOrder as usize], repairs, "{values}");
        assert_conserved(&gate.outcome);
    }
    let body = encode_snappy(&falling(10, 50_000));
    let mut asked = Vec::new();
    let Gate { pipeline, scratch, outcome } = &mut gate;
    let none = &mut |fields| {
        asked.push(fields);
        false
    };
    assert_eq!(pipeline.decide_within(none, "", &body, scratch, outcome), Err(Undecodable::NoRoom));
    assert_eq!(asked.len(), 1);
    let enough = &mut |fields| {
        asked.push(fields);
        true
    };
    pipeline.decide_within(enough, "", &body, scratch, outcome).unwrap();
    assert_eq!(outcome.repairs[Repair::OutOfOrder as usize], 10);
    // a plan of half a million values and two copies of the body, in fields of half a KiB
    assert!(asked.last().unwrap() * 512 > 500_000 * (16 + 2 * 16), "{asked:?}");
}

/// The time of a value in a series, and all that it says.
type Value = (i64, String);

fn values(series: &TimeSeries) -> Vec<Value> {
    let samples = series.samples.iter().map(|sample| (sample.timestamp, format!("{sample:?}")));
    let histograms =
        series.histograms.iter().map(|histogram| (histogram.timestamp, format!("{histogram:?}")));
    samples.chain(histograms).collect()
}

/// A second, obvious implementation: what goes on of a request.
fn mended(request: &[TimeSeries]) -> Vec<TimeSeries> {
    let mut all = request.to_vec();
    let same = |one: &TimeSeries, other: &TimeSeries| {
        one.labels == other.labels && one.histograms.is_empty() == other.histograms.is_empty()
    };
    let mut gone = Vec::new();
    for (at, first) in request.iter().enumerate() {
        let before = request[..at].iter().any(|other| same(other, first) && !values(other).is_empty());
        if before || values(first).is_empty() {
            continue;
        }
        let members: Vec<usize> = (at..request.len()).filter(|i| same(&request[*i], first)).collect();
        let mut stay: Vec<(i64, Sample, Histogram, usize)> = Vec::new();
        let mut seen = Vec::new();
        for i in &members {
            let (series, pairs) = (&request[*i], values(&request[*i]));
            for (n, value) in pairs.into_iter().enumerate() {
                if !seen.contains(&value) {
                    let sample = series.samples.get(n).copied().unwrap_or_default();
                    let histogram = series.histograms.get(n).cloned().unwrap_or_default();
                    stay.push((value.0, sample, histogram, *i));
                    seen.push(value);
                }
            }
        }
        let places: Vec<usize> = stay.iter().map(|(.., i)| *i).collect();
        stay.sort_by_key(|(ms, ..)| *ms);
        for i in &members {
            let is_empty = all[*i].samples.is_empty() && all[*i].histograms.is_empty();
            if !is_empty && !places.contains(i) {
                gone.push(*i);
            }
            all[*i].samples.clear();
            all[*i].histograms.clear();
        }
        for ((_, sample, histogram, _), i) in stay.into_iter().zip(places) {
            match first.histograms.is_empty() {
                true => all[i].samples.push(sample),
                false => all[i].histograms.push(histogram),
            }
        }
    }
    for series in &mut all {
        series.labels.retain(|label| !label.value.is_empty());
        series.labels.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let left = all.into_iter().enumerate().filter(|(i, _)| !gone.contains(i));
    left.map(|(_, series)| series).collect()
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let labels = prop_oneof![
        4 => Just(vec![("__name__", "a"), ("job", "node")]),
        1 => Just(vec![("job", "node"), ("__name__", "a")]),
        1 => Just(vec![("__name__", "a"), ("job", "node"), ("zone", "")]),
        1 => Just(vec![("__name__", "b")]),
    ];
    let all = proptest::collection::vec((0..4i64, 0..2u64), 0..4);
    (labels, all, any::<bool>()).prop_map(|(labels, all, native)| {
        let of_labels = |series: TimeSeries| TimeSeries { labels: samples(&labels, &[]).labels, ..series };
        match native {
            true => of_labels(histograms("", &all.iter().map(|(at, _)| (*at, 3)).collect::<Vec<_>>())),
            false => samples(&labels, &all.iter().map(|(at, v)| (*at, *v as f64)).collect::<Vec<_>>()),
        }
    })
}

proptest! {
    #[test]
    fn what_goes_on_is_what_an_obvious_implementation_says(
        all in proptest::collection::vec(any_series(), 0..8),
        mut frames in proptest::collection::vec(any_series(), 0..3),
    ) {
        let (mut one, mut two) = (gate(Validation::Repair), gate(Validation::Repair));
        frames.extend(all);
        let (request, expected) = (WriteRequest::of(frames.clone()), mended(&frames));
        // labels of 2.0 without a value are none: what differs in them is the same series
        let mut full = frames.clone();
        full.iter_mut().for_each(|series| series.labels.retain(|label| !label.value.is_empty()));
        for _ in 0..2 {
            prop_assert_eq!(&sent(&mut one, &request).timeseries, &expected);
            prop_assert_eq!(sent_v2(&mut two, &to_v2(&request)).timeseries, mended(&full));
            prop_assert_eq!(one.outcome.series, frames.len() as u64);
            // and that is how it should be, unless a series was written in two ways
            let in_order = |of: &TimeSeries| of.labels.is_sorted_by(|a, b| a.name < b.name && !b.value.is_empty());
            if frames.iter().all(in_order) {
                let again = WriteRequest::of(expected.clone());
                prop_assert_eq!(sent(&mut gate(Validation::Repair), &again), again);
            }
        }
    }
}
