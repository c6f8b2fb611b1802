//! The walk agrees with prost on generated and mutated messages, and on every corruption of one byte.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function
#![allow(unreachable_pub)] // what the derive makes is as public as the struct

use proptest::prelude::*;
use prost::Message;
use seriesgate::wire::labels::LabelRun;
use seriesgate::wire::v1::{self, FieldKind, Fields};
use seriesgate_proto as proto;

/// The oracle's messages: as in `proto/`, but label text as bytes, because the walk leaves UTF-8 to whoever
/// sees a series for the first time. Text elsewhere is left out here and covered by `text_is_checked`.
mod oracle {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<TimeSeries>,
        #[prost(message, repeated, tag = "3")]
        pub metadata: Vec<Metadata>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub histograms: Vec<Histogram>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Label {
        #[prost(bytes = "vec", tag = "1")]
        pub name: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(double, tag = "1")]
        pub value: f64,
        #[prost(int64, tag = "2")]
        pub timestamp: i64,
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
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Span {
        #[prost(sint32, tag = "1")]
        pub offset: i32,
        #[prost(uint32, tag = "2")]
        pub length: u32,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub count_int: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub count_float: Option<f64>,
        #[prost(double, tag = "3")]
        pub sum: f64,
        #[prost(sint32, tag = "4")]
        pub schema: i32,
        #[prost(double, tag = "5")]
        pub zero_threshold: f64,
        #[prost(uint64, optional, tag = "6")]
        pub zero_count_int: Option<u64>,
        #[prost(double, optional, tag = "7")]
        pub zero_count_float: Option<f64>,
        #[prost(message, repeated, tag = "8")]
        pub negative_spans: Vec<Span>,
        #[prost(sint64, repeated, tag = "9")]
        pub negative_deltas: Vec<i64>,
        #[prost(double, repeated, tag = "10")]
        pub negative_counts: Vec<f64>,
        #[prost(message, repeated, tag = "11")]
        pub positive_spans: Vec<Span>,
        #[prost(sint64, repeated, tag = "12")]
        pub positive_deltas: Vec<i64>,
        #[prost(double, repeated, tag = "13")]
        pub positive_counts: Vec<f64>,
        #[prost(int32, tag = "14")]
        pub reset_hint: i32,
        #[prost(int64, tag = "15")]
        pub timestamp: i64,
        #[prost(double, repeated, tag = "16")]
        pub custom_values: Vec<f64>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Metadata {
        #[prost(int32, tag = "1")]
        pub kind: i32,
        #[prost(bytes = "vec", tag = "2")]
        pub metric_family_name: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub help: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")]
        pub unit: Vec<u8>,
    }
}

/// Names and values of one series.
type LabelBytes = Vec<(Vec<u8>, Vec<u8>)>;

/// What both sides can say of a message.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    series: Vec<(LabelBytes, u32, u32, u32, i64)>,
    metadata: usize,
}

fn by_prost(body: &[u8]) -> Option<Seen> {
    let request = oracle::WriteRequest::decode(body).ok()?;
    let series = request.timeseries.iter().map(|s| {
        let labels = s.labels.iter().map(|l| (l.name.clone(), l.value.clone())).collect();
        let histograms = s.histograms.iter().map(|histogram| histogram.timestamp);
        let newest = s.samples.iter().map(|s| s.timestamp).chain(histograms).max().unwrap_or(i64::MIN);
        let counts = [s.samples.len(), s.histograms.len(), s.exemplars.len()].map(|n| n as u32);
        (labels, counts[0], counts[1], counts[2], newest)
    });
    Some(Seen { series: series.collect(), metadata: request.metadata.len() })
}

fn by_walk(body: &[u8]) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut rest = &[][..];
    for field in Fields::new(body) {
        let field = field.ok()?;
        match field.kind {
            FieldKind::Series => {
                let frame = v1::series(body, &field).ok();
                assert_eq!(v1::series_after(body, &field, &mut rest).ok(), frame, "alone and after another");
                let frame = frame?;
                let labels = LabelRun::new(body, frame.labels.start, frame.labels.end)
                    .map(|label| label.map(|l| (l.name.to_vec(), l.value.to_vec())))
                    .collect::<Result<_, _>>()
                    .ok()?;
                seen.series.push((labels, frame.samples, frame.histograms, frame.exemplars, frame.newest_ms));
            }
            FieldKind::Metadata => {
                v1::metadata(body, &field).ok()?;
                seen.metadata += 1;
            }
            FieldKind::Unknown => {}
        }
    }
    Some(seen)
}

fn label() -> impl Strategy<Value = oracle::Label> {
    let text = || proptest::collection::vec(any::<u8>(), 0..12);
    (text(), text()).prop_map(|(name, value)| oracle::Label { name, value })
}

fn labels() -> impl Strategy<Value = Vec<oracle::Label>> {
    proptest::collection::vec(label(), 0..5)
}

fn span() -> impl Strategy<Value = Vec<oracle::Span>> {
    let one = (any::<i32>(), any::<u32>()).prop_map(|(offset, length)| oracle::Span { offset, length });
    proptest::collection::vec(one, 0..3)
}

fn histogram() -> impl Strategy<Value = oracle::Histogram> {
    let doubles = || proptest::collection::vec(any::<f64>(), 0..4);
    let deltas = || proptest::collection::vec(any::<i64>(), 0..4);
    (any::<Option<u64>>(), span(), deltas(), doubles(), any::<i64>(), doubles(), any::<i32>()).prop_map(
        |(count_int, spans, deltas, counts, timestamp, custom_values, schema)| oracle::Histogram {
            count_int,
            schema,
            negative_spans: spans.clone(),
            negative_deltas: deltas.clone(),
            positive_spans: spans,
            positive_deltas: deltas,
            positive_counts: counts,
            timestamp,
            custom_values,
            ..Default::default()
        },
    )
}

fn series() -> impl Strategy<Value = oracle::TimeSeries> {
    let sample =
        (any::<f64>(), any::<i64>()).prop_map(|(value, timestamp)| oracle::Sample { value, timestamp });
    let exemplar = (labels(), any::<f64>(), any::<i64>())
        .prop_map(|(labels, value, timestamp)| oracle::Exemplar { labels, value, timestamp });
    let many = |n| 0..n;
    (
        labels(),
        proptest::collection::vec(sample, many(3)),
        proptest::collection::vec(exemplar, many(2)),
        proptest::collection::vec(histogram(), many(2)),
    )
        .prop_map(|(labels, samples, exemplars, histograms)| oracle::TimeSeries {
            labels,
            samples,
            exemplars,
            histograms,
        })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let metadata = (any::<i32>(), proptest::collection::vec(any::<u8>(), 0..9))
        .prop_map(|(kind, help)| oracle::Metadata { kind, help, ..Default::default() });
    // neighbours have most labels in common
    let all = proptest::collection::vec((series(), any::<bool>()), 0..5).prop_map(|all| {
        let mut timeseries: Vec<oracle::TimeSeries> = Vec::new();
        for (mut series, is_alike) in all {
            if let (Some(before), true) = (timeseries.last(), is_alike) {
                series.labels.truncate(1);
                series.labels.extend(before.labels.iter().skip(1).cloned());
            }
            timeseries.push(series);
        }
        timeseries
    });
    (all, proptest::collection::vec(metadata, 0..2))
        .prop_map(|(timeseries, metadata)| oracle::WriteRequest { timeseries, metadata }.encode_to_vec())
}

/// Ways to spoil a message, or to say the same in another way.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let unknown = prop_oneof![
        Just(vec![0x78, 0x01]),             // field 15, varint
        Just(vec![0x7b, 0x7c]),             // field 15, a group
        Just(vec![0x7a, 0x02, 0x00, 0x01]), // field 15, two bytes
        Just(vec![0x8a, 0x00, 0x00]),       // field 1 with a tag that is too long, empty
        proptest::collection::vec(any::<u8>(), 1..6),
    ];
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, to)| Mutation::Flip(at, to)),
        1 => any::<prop::sample::Index>().prop_map(Mutation::Cut),
        3 => (any::<prop::sample::Index>(), unknown).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => any::<prop::sample::Index>().prop_map(Mutation::Remove),
    ]
}

fn mutate(mut body: Vec<u8>, mutations: Vec<Mutation>) -> Vec<u8> {
    for mutation in mutations {
        if body.is_empty() {
            return body;
        }
        match mutation {
            Mutation::Flip(at, to) => {
                let at = at.index(body.len());
                body[at] = to;
            }
            Mutation::Cut(at) => body.truncate(at.index(body.len())),
            Mutation::Insert(at, bytes) => {
                let at = at.index(body.len() + 1);
                body.splice(at..at, bytes);
            }
            Mutation::Remove(at) => {
                body.remove(at.index(body.len()));
            }
        }
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_sees_what_prost_sees(body in request()) {
        let seen = by_walk(&body);
        prop_assert!(seen.is_some());
        prop_assert_eq!(seen, by_prost(&body));
    }

    #[test]
    fn the_walk_refuses_what_prost_refuses(
        body in request(),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let body = mutate(body, mutations);
        prop_assert_eq!(by_walk(&body), by_prost(&body), "{:02x?}", body);
    }

    #[test]
    fn noise_is_judged_alike(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(by_walk(&body), by_prost(&body), "{:02x?}", body);
    }
}

fn a_full_request() -> Vec<u8> {
    let series = oracle::TimeSeries {
        labels: vec![
            oracle::Label { name: b"__name__".to_vec(), value: b"up".to_vec() },
            oracle::Label { name: b"job".to_vec(), value: b"node".to_vec() },
        ],
        samples: vec![oracle::Sample { value: 1.5, timestamp: 1_700_000_000_000 }],
        exemplars: vec![oracle::Exemplar { labels: vec![], value: 2.0, timestamp: 3 }],
        histograms: vec![oracle::Histogram { positive_deltas: vec![1, -1], ..Default::default() }],
    };
    let metadata = oracle::Metadata { kind: 1, help: b"help".to_vec(), ..Default::default() };
    oracle::WriteRequest { timeseries: vec![series.clone(), series], metadata: vec![metadata] }
        .encode_to_vec()
}

#[test]
fn every_byte_corrupted_in_every_way_is_judged_as_prost_judges() {
    let body = a_full_request();
    for at in 0..body.len() {
        for value in 0..=255 {
            let mut bad = body.clone();
            bad[at] = value;
            assert_eq!(by_walk(&bad), by_prost(&bad), "byte {at} = {value:#04x}");
        }
        assert_eq!(by_walk(&body[..at]), by_prost(&body[..at]), "cut at {at}");
    }
}

#[test]
fn text_outside_of_labels_is_checked() {
    let exemplar =
        proto::Exemplar { labels: vec![proto::Label::new("trace_id", "ab")], value: 1.0, timestamp: 1 };
    let series = proto::TimeSeries { exemplars: vec![exemplar], ..Default::default() };
    let mut body = proto::WriteRequest { timeseries: vec![series], metadata: vec![] }.encode_to_vec();
    let at = body.windows(2).position(|w| w == b"ab").unwrap();
    for (byte, expected) in
        [(b'x', seriesgate::wire::schema::Text::Utf8), (0xff, seriesgate::wire::schema::Text::Invalid)]
    {
        body[at] = byte;
        let field = Fields::new(&body).next().unwrap().unwrap();
        assert_eq!(v1::series(&body, &field).unwrap().text, expected);
    }
}
