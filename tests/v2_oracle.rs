//! A request of remote write 2.0 becomes one of 1.0, and one of 2.0 with another table, as models on prost's types say, in whatever
//! legal form it is written; and what prost refuses is refused.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function
#![allow(unreachable_pub, missing_docs)] // what the derive makes is as public as the struct

use proptest::prelude::*;
use prost::Message;
use seriesgate::wire::WireErrorKind;
use seriesgate::wire::v2::{self, Came, Composer, Field, FieldKind, Fields, References, Symbols};
use seriesgate_proto::v2 as proto;
use seriesgate_proto::{Exemplar, Label, TimeSeries, WriteRequest};

/// As in `proto/`, but texts as bytes: whether they are UTF-8 is asked of the series that use them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub symbols: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<proto::TimeSeries>,
}

/// A series as 1.0 has it, with texts as bytes; `None` where its references lead nowhere.
type Series = Option<(Vec<[Vec<u8>; 2]>, Vec<u8>, (i64, i32))>;

/// All of a series but its labels, in one encoding.
fn rest(series: &TimeSeries) -> Vec<u8> {
    TimeSeries { labels: vec![], exemplars: vec![], ..series.clone() }.encode_to_vec()
}

fn pairs(symbols: &[Vec<u8>], refs: &[u32]) -> Option<Vec<[Vec<u8>; 2]>> {
    let get = |at: &u32| symbols.get(*at as usize).cloned();
    if refs.len() % 2 == 1 {
        return None;
    }
    refs.chunks(2).map(|pair| Some([get(&pair[0])?, get(&pair[1])?])).collect()
}

fn model(request: &Request) -> Vec<Series> {
    let series = |series: &proto::TimeSeries| {
        let mut labels = pairs(&request.symbols, &series.labels_refs)?;
        labels.retain(|[name, value]| name.is_empty() || !value.is_empty());
        let said = series.metadata.unwrap_or_default();
        let is_text = |at: u32| at == 0 || (at as usize) < request.symbols.len();
        if !is_text(said.help_ref) || !is_text(said.unit_ref) {
            return None;
        }
        let mut others = Vec::new();
        for exemplar in &series.exemplars {
            let labels = pairs(&request.symbols, &exemplar.labels_refs)?;
            others.push((labels, exemplar.value.to_bits(), exemplar.timestamp));
        }
        // both versions have one encoding of samples and histograms, but for the start timestamp
        let mut plain = TimeSeries::default();
        for sample in &series.samples {
            plain.samples.push(seriesgate_proto::Sample { value: sample.value, timestamp: sample.timestamp });
        }
        for histogram in &series.histograms {
            let without = proto::Histogram { start_timestamp: 0, ..histogram.clone() };
            plain.histograms.push(Message::decode(without.encode_to_vec().as_slice()).unwrap());
        }
        let mut bytes = rest(&plain);
        bytes.extend(format!("{others:?}").into_bytes());
        let starts = series.samples.iter().map(|sample| sample.start_timestamp);
        let starts = starts.chain(series.histograms.iter().map(|histogram| histogram.start_timestamp));
        let start = starts.into_iter().find(|start| *start != 0).unwrap_or(0);
        Some((labels, bytes, (start, said.r#type)))
    };
    request.timeseries.iter().map(series).collect()
}

/// The oracle's 1.0, with texts as bytes.
mod plain {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<TimeSeries>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<seriesgate_proto::Sample>,
        #[prost(message, repeated, tag = "3")]
        pub exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub histograms: Vec<seriesgate_proto::Histogram>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Label {
        #[prost(bytes = "vec", tag = "1")]
        pub name: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Exemplar {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(double, tag = "2")]
        pub value: f64,
        #[prost(int64, tag = "3")]
        pub timestamp: i64,
    }
}

const MOST: usize = 1 << 20;

fn by_expansion(body: &[u8]) -> Option<Vec<Series>> {
    let mut symbols = Symbols::default();
    let count = match symbols.read(body) {
        Ok(count) => count,
        // not the protobuf's business, and tested below
        Err(error) if matches!(error.kind, WireErrorKind::OtherMessage | WireErrorKind::FirstSymbol) => {
            return Request::decode(body).ok().map(|request| model(&request));
        }
        Err(_) => return None,
    };
    let mut all = Vec::new();
    for field in Fields::new(body) {
        let field = field.ok()?;
        if field.kind != FieldKind::Series {
            continue;
        }
        let mut out = Vec::new();
        let said = v2::expand((body, &symbols), &field, &mut out, MOST).ok()?.unwrap();
        let written = plain::WriteRequest::decode(out.as_slice()).unwrap().timeseries.remove(0);
        let pair = |label: &plain::Label| [label.name.clone(), label.value.clone()];
        let exemplars: Vec<_> = written
            .exemplars
            .iter()
            .map(|e| (e.labels.iter().map(pair).collect::<Vec<_>>(), e.value.to_bits(), e.timestamp))
            .collect();
        let others = TimeSeries {
            samples: written.samples.clone(),
            histograms: written.histograms.clone(),
            ..TimeSeries::default()
        };
        let mut bytes = rest(&others);
        bytes.extend(format!("{exemplars:?}").into_bytes());
        let labels = written.labels.iter().map(pair).collect();
        let series = (labels, bytes, (said.start_ms, said.metric_type as i32));
        all.push((!said.broken).then_some(series));
    }
    assert_eq!(all.len(), count);
    Some(all)
}

fn by_model(body: &[u8]) -> Option<Vec<Series>> {
    Some(model(&Request::decode(body).ok()?))
}

fn refs() -> impl Strategy<Value = Vec<u32>> {
    // mostly pairs in the table, which has 8
    prop_oneof![
        8 => proptest::collection::vec((0u32..8, 0u32..8), 0..5)
            .prop_map(|pairs| pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()),
        1 => proptest::collection::vec(0u32..10, 0..5),
    ]
}

fn histogram() -> impl Strategy<Value = proto::Histogram> {
    let span = (any::<i32>(), any::<u32>()).prop_map(|(offset, length)| proto::BucketSpan { offset, length });
    let spans = proptest::collection::vec(span, 0..3);
    let deltas = proptest::collection::vec(any::<i64>(), 0..4);
    let bounds = proptest::collection::vec(-1e9..1e9, 0..4);
    (spans, deltas, bounds, any::<i64>(), 0i64..3, any::<bool>()).prop_map(
        |(spans, deltas, bounds, timestamp, start_timestamp, float)| proto::Histogram {
            positive_spans: spans.clone(),
            negative_spans: spans,
            positive_deltas: deltas,
            positive_counts: bounds.clone(),
            custom_values: bounds,
            timestamp,
            start_timestamp,
            schema: -53,
            count: Some(if float {
                proto::histogram::Count::CountFloat(2.5)
            } else {
                proto::histogram::Count::CountInt(3)
            }),
            ..Default::default()
        },
    )
}

fn series() -> impl Strategy<Value = proto::TimeSeries> {
    let sample = (-1e300..1e300, any::<i64>(), 0i64..3)
        .prop_map(|(value, timestamp, start_timestamp)| proto::Sample { value, timestamp, start_timestamp });
    let exemplar = (refs(), -1e9..1e9, any::<i64>())
        .prop_map(|(labels_refs, value, timestamp)| proto::Exemplar { labels_refs, value, timestamp });
    let metadata = (0i32..9, 0u32..9, 0u32..9).prop_map(|(r#type, help_ref, unit_ref)| proto::Metadata {
        r#type,
        help_ref,
        unit_ref,
    });
    (
        refs(),
        proptest::collection::vec(sample, 0..3),
        proptest::collection::vec(histogram(), 0..2),
        proptest::collection::vec(exemplar, 0..2),
        proptest::option::of(metadata),
    )
        .prop_map(|(labels_refs, samples, histograms, exemplars, metadata)| proto::TimeSeries {
            labels_refs,
            samples,
            histograms,
            exemplars,
            metadata,
        })
}

fn request() -> impl Strategy<Value = Request> {
    let text = proptest::collection::vec(any::<u8>(), 0..9);
    (proptest::collection::vec(text, 7), proptest::collection::vec(series(), 0..5)).prop_map(
        |(mut symbols, timeseries)| {
            symbols.insert(0, vec![]);
            Request { symbols, timeseries }
        },
    )
}

/// The same request with its top-level fields in another order that a sender may choose: those of one kind stay in theirs.
fn reordered(request: &Request, order: u64) -> Vec<u8> {
    let symbols = request.symbols.iter().map(|s| Request { symbols: vec![s.clone()], timeseries: vec![] });
    let series = request.timeseries.iter().map(|s| Request { symbols: vec![], timeseries: vec![s.clone()] });
    let (mut symbols, mut series) = (symbols.peekable(), series.peekable());
    let mut body = Vec::new();
    for turn in 0.. {
        let next = if series.peek().is_none() || (symbols.peek().is_some() && order >> (turn % 64) & 1 == 0) {
            symbols.next()
        } else {
            series.next()
        };
        let Some(next) = next else { return body };
        body.extend(next.encode_to_vec());
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_expanded_as_the_model_says(request in request(), order in any::<u64>()) {
        let body = reordered(&request, order);
        prop_assert_eq!(by_expansion(&body), Some(model(&request)));
    }

    #[test]
    fn what_is_spoiled_is_judged_as_prost_judges(
        request in request(),
        spoiled in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = request.encode_to_vec();
        for (at, to) in spoiled {
            let at = at.index(body.len());
            body[at] = to;
        }
        prop_assert_eq!(by_expansion(&body), by_model(&body), "{:02x?}", body);
        body.truncate(cut.index(body.len() + 1));
        prop_assert_eq!(by_expansion(&body), by_model(&body), "cut: {:02x?}", body);
    }

    #[test]
    fn noise_is_judged_as_prost_judges(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(by_expansion(&body), by_model(&body), "{:02x?}", body);
    }
}

/// Series with their texts, as Rust prints them: what two requests have in common that say the same under different tables.
fn content(request: &Request) -> Vec<String> {
    let series = |series: &proto::TimeSeries| {
        let mut texts = series.clone();
        let labels = pairs(&request.symbols, &texts.labels_refs);
        texts.labels_refs.clear();
        let exemplars: Vec<_> =
            texts.exemplars.iter().map(|e| pairs(&request.symbols, &e.labels_refs)).collect();
        texts.exemplars.iter_mut().for_each(|exemplar| exemplar.labels_refs.clear());
        let get = |at: &mut u32| {
            let text = request.symbols.get(*at as usize).cloned();
            *at = 0;
            text
        };
        let said = texts.metadata.as_mut().map(|said| (get(&mut said.help_ref), get(&mut said.unit_ref)));
        format!("{labels:?} {exemplars:?} {said:?} {texts:?}")
    };
    request.timeseries.iter().map(series).collect()
}

/// The series of a body that are not broken.
fn good_series(body: &[u8]) -> (Symbols, Vec<Field>) {
    let mut symbols = Symbols::default();
    symbols.read(body).unwrap();
    let series = Fields::new(body).map(Result::unwrap).filter(|field| field.kind == FieldKind::Series);
    let good = series
        .filter(|field| !v2::expand((body, &symbols), field, &mut Vec::new(), MOST).unwrap().unwrap().broken);
    let good = good.collect();
    (symbols, good)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Series with float samples only are walked, and say the same.
    #[test]
    fn what_is_walked_beside_its_neighbours_is_what_is_expanded(request in request(), order in any::<u64>()) {
        let body = reordered(&request, order);
        prop_assume!(!request.timeseries.is_empty());
        let (symbols, good) = good_series(&body);
        let mut references = References::default();
        for field in &good {
            let walked = v2::walk(&body, field, &mut references, |_, _, _| ());
            let mut plain = Vec::new();
            let said = v2::expand((&body, &symbols), field, &mut plain, MOST).unwrap().unwrap();
            let Some(walked) = walked else {
                references.clear();
                continue;
            };
            let series = plain::WriteRequest::decode(&plain[..]).unwrap().timeseries.remove(0);
            prop_assert_eq!((series.histograms.len(), series.exemplars.len()), (0, 0));
            prop_assert_eq!(walked.samples as usize, series.samples.len());
            prop_assert_eq!(Some(walked.newest_ms), series.samples.iter().map(|s| s.timestamp).max());
            prop_assert_eq!((walked.said.start_ms, walked.said.metric_type), (said.start_ms, said.metric_type));
            prop_assert_eq!((walked.said.help, walked.said.unit), (said.help, said.unit));
            let text = |at: u32| symbols.get(&body, u64::from(at)).unwrap().to_vec();
            let mut labels: Vec<_> = references.pairs().iter().map(|pair| [text(pair.name), text(pair.value)]).collect();
            labels.retain(|[name, value]| name.is_empty() || !value.is_empty());
            let right: Vec<_> = series.labels.into_iter().map(|label| [label.name, label.value]).collect();
            prop_assert_eq!(labels, right);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_composed_says_the_same_under_its_own_table_and_under_that_which_came(
        request in request(), order in any::<u64>(), adopt in any::<bool>(), filters in any::<bool>(),
    ) {
        let body = reordered(&request, order);
        prop_assume!(!request.timeseries.is_empty());
        let (symbols, good) = good_series(&body);
        let came = Came { body: &body, symbols: &symbols };
        let mut composer = Composer::default();
        // used before, for something else
        composer.start();
        composer.add_v1(&TimeSeries::named("other", &[("a", "b")]).encode_to_vec()).unwrap();
        if adopt { composer.start_with(came) } else { composer.start() }
        for field in &good {
            if filters {
                composer.copy_parts(came, field, None, |_| true).unwrap();
            } else {
                composer.copy(came, field).unwrap();
            }
        }
        let composed = Request::decode(composer.finish()).unwrap();
        let said = model(&request);
        let wanted = content(&request).into_iter().zip(&said).filter(|(_, said)| said.is_some());
        let wanted: Vec<_> = wanted.map(|(content, _)| content).collect();
        prop_assert_eq!(content(&composed), wanted);
        prop_assert_eq!(&composed.symbols[0], &Vec::<u8>::new());
        if !adopt {
            let different: std::collections::BTreeSet<_> = composed.symbols.iter().collect();
            prop_assert_eq!(different.len(), composed.symbols.len(), "every text once");
        }
    }

    #[test]
    fn what_is_expanded_and_composed_again_says_the_same_but_for_what_1_0_cannot_say(request in request()) {
        let body = request.encode_to_vec();
        let (symbols, good) = good_series(&body);
        let mut composer = Composer::default();
        composer.start();
        for field in &good {
            let mut series = Vec::new();
            v2::expand((&body, &symbols), field, &mut series, MOST).unwrap().unwrap();
            let inner = seriesgate::wire::v1::Fields::new(&series).next().unwrap().unwrap();
            composer.add_v1(&series[inner.content..inner.end]).unwrap();
        }
        let composed = Request::decode(composer.finish()).unwrap();
        let mut poorer = request.clone();
        for series in &mut poorer.timeseries {
            series.metadata = None;
            series.samples.iter_mut().for_each(|sample| sample.start_timestamp = 0);
            series.histograms.iter_mut().for_each(|histogram| histogram.start_timestamp = 0);
            // a label without a value is none
            let named = |pair: &[u32]| {
                let is_empty = |at: u32| request.symbols.get(at as usize).is_none_or(Vec::is_empty);
                is_empty(pair[0]) || pair.get(1).is_none_or(|value| !is_empty(*value))
            };
            series.labels_refs = series.labels_refs.chunks(2).filter(|pair| named(pair)).flatten().copied().collect();
        }
        let wanted = content(&poorer).into_iter().zip(model(&request)).filter(|(_, said)| said.is_some());
        prop_assert_eq!(content(&composed), wanted.map(|(content, _)| content).collect::<Vec<_>>());
    }
}

fn of(symbols: &[&str], labels_refs: Vec<u32>) -> proto::Request {
    let samples = vec![proto::Sample { value: 1.0, timestamp: 2, start_timestamp: 0 }];
    let series = proto::TimeSeries { labels_refs, samples, ..Default::default() };
    proto::Request { symbols: symbols.iter().map(ToString::to_string).collect(), timeseries: vec![series] }
}

fn expanded(body: &[u8]) -> WriteRequest {
    let mut symbols = Symbols::default();
    symbols.read(body).unwrap();
    let mut out = Vec::new();
    for field in Fields::new(body).map(Result::unwrap).filter(|field| field.kind == FieldKind::Series) {
        assert!(!v2::expand((body, &symbols), &field, &mut out, MOST).unwrap().unwrap().broken);
    }
    WriteRequest::decode(out.as_slice()).unwrap()
}

#[test]
fn references_may_be_unpacked_or_in_several_fields() {
    let request = of(&["", "__name__", "up", "job", "a"], vec![1, 2, 3, 4]);
    let packed = request.encode_to_vec();
    let wanted = expanded(&packed);
    assert_eq!(wanted.timeseries[0].labels, [Label::new("__name__", "up"), Label::new("job", "a")]);
    let sample = request.timeseries[0].samples[0].encode_to_vec();
    let sample = [&[0x12, sample.len() as u8][..], &sample].concat();
    for refs in [
        &[0x08, 1, 0x08, 2, 0x08, 3, 0x08, 4][..],
        &[0x0a, 1, 1, 0x0a, 3, 2, 3, 4],
        &[0x08, 1, 0x0a, 2, 2, 3, 0x08, 4],
    ] {
        let series = [refs, &sample].concat();
        let table = proto::Request { timeseries: vec![], ..request.clone() }.encode_to_vec();
        let body = [&table[..], &[0x2a, series.len() as u8], &series].concat();
        assert_eq!(expanded(&body), wanted, "{refs:?}");
        // parts before the labels
        let series = [&sample[..], refs].concat();
        let body = [&table[..], &[0x2a, series.len() as u8], &series].concat();
        assert_eq!(expanded(&body), wanted, "{refs:?}");
    }
}

#[test]
fn texts_may_be_there_twice_or_for_nothing() {
    let request = of(&["", "b", "__name__", "up", "up", "", "__name__"], vec![6, 4]);
    assert_eq!(expanded(&request.encode_to_vec()).timeseries[0].labels, [Label::new("__name__", "up")]);
}

#[test]
fn the_first_text_has_to_be_empty_and_another_message_is_told_from_an_empty_request() {
    let mut symbols = Symbols::default();
    let kind = |symbols: &mut Symbols, body: &[u8]| symbols.read(body).map_err(|error| error.kind);
    let bad = of(&["up", "__name__"], vec![1, 0]).encode_to_vec();
    assert_eq!(kind(&mut symbols, &bad), Err(WireErrorKind::FirstSymbol));
    assert_eq!(kind(&mut symbols, &[]), Ok(0));
    let other = WriteRequest { timeseries: vec![TimeSeries::default()], metadata: vec![] };
    assert_eq!(kind(&mut symbols, &other.encode_to_vec()), Err(WireErrorKind::OtherMessage));
}

#[test]
fn a_request_whose_texts_grow_beyond_bounds_is_cut_off() {
    let text = "x".repeat(1 << 16);
    let request = of(&["", "__name__", &text], [1, 2].repeat(1 << 16)).encode_to_vec();
    assert!(request.len() < 1 << 19);
    let mut symbols = Symbols::default();
    symbols.read(&request).unwrap();
    let field = Fields::new(&request).map(Result::unwrap).find(|field| field.kind == FieldKind::Series);
    let mut out = Vec::new();
    assert_eq!(v2::expand((&request, &symbols), &field.unwrap(), &mut out, MOST), Ok(Err(v2::TooLong)));
    assert!(out.len() < MOST + (1 << 17), "no more than one label beyond the bound");
}

#[test]
fn an_exemplar_keeps_its_labels_value_and_time() {
    let exemplars = vec![proto::Exemplar { labels_refs: vec![3, 4], value: 0.5, timestamp: 7 }];
    let mut request = of(&["", "__name__", "up", "trace_id", "ab"], vec![1, 2]);
    request.timeseries[0].exemplars = exemplars;
    let labels = vec![Label::new("trace_id", "ab")];
    let wanted = Exemplar { labels, value: 0.5, timestamp: 7 };
    assert_eq!(expanded(&request.encode_to_vec()).timeseries[0].exemplars, [wanted]);
}

/// Found by fuzzing: such a series came out with a help that is nowhere.
#[test]
fn no_help_is_no_text_where_there_is_no_table() {
    // a series with metadata that says its help is text 0, twice
    let body = [0x2a, 6, 0x2a, 4, 0x18, 0, 0x18, 0];
    let (symbols, good) = good_series(&body);
    assert_eq!((symbols.len(), good.len()), (0, 1));
    let mut composer = Composer::default();
    composer.start();
    composer.copy(Came { body: &body, symbols: &symbols }, &good[0]).unwrap();
    let composed = composer.finish();
    assert_eq!(good_series(composed).1.len(), 1);
    let said = Request::decode(composed).unwrap().timeseries[0].metadata.unwrap();
    assert_eq!((said.help_ref, said.unit_ref), (0, 0));
}
