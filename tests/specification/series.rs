//! A series as both versions can say it, as it is sent and as it arrives. Values are compared by their bits.

use std::collections::BTreeMap;

use prost::Message as _;
use seriesgate_proto::{
    BucketSpan, Exemplar, Histogram, Label, Sample, TimeSeries, WriteRequest, histogram, v2,
};

/// What ends a series.
pub(crate) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// The NaN that Prometheus makes of `NaN`.
pub(crate) const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];
type Labels = Vec<(String, String)>;

/// One TimeSeries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// In the order in which they are sent.
    pub(crate) labels: Labels,
    /// Time, bits of the value, start.
    pub(crate) samples: Vec<(i64, u64, i64)>,
    /// Encoded: equal bytes are equal bits.
    pub(crate) histograms: Vec<Vec<u8>>,
    /// Labels, bits of the value, time.
    pub(crate) exemplars: Vec<(Labels, u64, i64)>,
    /// Type, help, unit.
    pub(crate) metadata: Option<(i32, String, String)>,
}

fn owned(pairs: Pairs<'_>) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Series {
    pub(crate) fn of(labels: Pairs<'_>) -> Self {
        Self { labels: owned(labels), ..Self::default() }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::of(&[("__name__", name)])
    }

    pub(crate) fn sample(mut self, ms: i64, value: f64) -> Self {
        self.samples.push((ms, value.to_bits(), 0));
        self
    }

    pub(crate) fn started(mut self, ms: i64) -> Self {
        self.samples.last_mut().unwrap().2 = ms;
        self
    }

    pub(crate) fn histogram(mut self, histogram: &Histogram) -> Self {
        self.histograms.push(histogram.encode_to_vec());
        self
    }

    pub(crate) fn exemplar(mut self, labels: Pairs<'_>, value: f64, ms: i64) -> Self {
        self.exemplars.push((owned(labels), value.to_bits(), ms));
        self
    }

    pub(crate) fn metadata(mut self, kind: v2::metadata::MetricType, help: &str, unit: &str) -> Self {
        self.metadata = Some((kind.into(), help.to_owned(), unit.to_owned()));
        self
    }

    /// The same as 1.0 can say it.
    pub(crate) fn in_v1(&self) -> Self {
        let mut plain = self.clone();
        plain.metadata = None;
        plain.samples.iter_mut().for_each(|sample| sample.2 = 0);
        plain
    }

    /// Whether what it brings last ends it.
    pub(crate) fn ends(&self) -> bool {
        let histogram =
            self.histograms.last().map(|bytes| Histogram::decode(&**bytes).unwrap().sum.to_bits());
        let last = self.samples.last().map(|sample| sample.1).or(histogram);
        last == Some(STALE.to_bits())
    }

    /// Samples, histograms and exemplars.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [self.samples.len() as u64, self.histograms.len() as u64, self.exemplars.len() as u64]
    }
}

/// How much there is in all of them.
pub(crate) fn counts(all: &[Series]) -> [u64; 3] {
    all.iter().fold([0; 3], |sum, series| {
        let one = series.counts();
        [sum[0] + one[0], sum[1] + one[1], sum[2] + one[2]]
    })
}

/// As a request of 1.0.
pub(crate) fn v1(all: &[Series]) -> WriteRequest {
    let label = |(name, value): &(String, String)| Label::new(name, value);
    let exemplar = |(labels, bits, timestamp): &(Labels, u64, i64)| Exemplar {
        labels: labels.iter().map(label).collect(),
        value: f64::from_bits(*bits),
        timestamp: *timestamp,
    };
    let one = |series: &Series| TimeSeries {
        labels: series.labels.iter().map(label).collect(),
        samples: series.samples.iter().map(|(ms, bits, _)| Sample::at(*ms, f64::from_bits(*bits))).collect(),
        exemplars: series.exemplars.iter().map(exemplar).collect(),
        histograms: series.histograms.iter().map(|bytes| Histogram::decode(&**bytes).unwrap()).collect(),
    };
    WriteRequest::of(all.iter().map(one).collect())
}

/// A table of texts in the making.
#[derive(Default)]
struct Table {
    texts: Vec<String>,
    places: BTreeMap<String, u32>,
}

impl Table {
    fn place(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    fn references(&mut self, labels: &Labels) -> Vec<u32> {
        labels.iter().flat_map(|(name, value)| [self.place(name), self.place(value)]).collect()
    }
}

/// As a request of 2.0.
pub(crate) fn v2(all: &[Series]) -> v2::Request {
    let mut table = Table::default();
    table.place("");
    let timeseries = all.iter().map(|series| v2_series(series, &mut table)).collect();
    v2::Request { symbols: table.texts, timeseries }
}

fn v2_series(series: &Series, table: &mut Table) -> v2::TimeSeries {
    let sample = |(timestamp, bits, start): &(i64, u64, i64)| v2::Sample {
        value: f64::from_bits(*bits),
        timestamp: *timestamp,
        start_timestamp: *start,
    };
    v2::TimeSeries {
        labels_refs: table.references(&series.labels),
        samples: series.samples.iter().map(sample).collect(),
        histograms: series.histograms.iter().map(|bytes| v2::Histogram::decode(&**bytes).unwrap()).collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|(labels, bits, timestamp)| v2::Exemplar {
                labels_refs: table.references(labels),
                value: f64::from_bits(*bits),
                timestamp: *timestamp,
            })
            .collect(),
        metadata: series.metadata.as_ref().map(|(kind, help, unit)| v2::Metadata {
            r#type: *kind,
            help_ref: table.place(help),
            unit_ref: table.place(unit),
        }),
    }
}

/// What a request of 1.0 says.
pub(crate) fn of_v1(request: &WriteRequest) -> Vec<Series> {
    let labels =
        |of: &[Label]| of.iter().map(|label| (label.name.clone(), label.value.clone())).collect::<Labels>();
    let one = |series: &TimeSeries| Series {
        labels: labels(&series.labels),
        samples: series.samples.iter().map(|s| (s.timestamp, s.value.to_bits(), 0)).collect(),
        histograms: series.histograms.iter().map(Histogram::encode_to_vec).collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|e| (labels(&e.labels), e.value.to_bits(), e.timestamp))
            .collect(),
        metadata: None,
    };
    request.timeseries.iter().map(one).collect()
}

/// What a request of 2.0 says. Every reference has to lead somewhere.
pub(crate) fn of_v2(request: &v2::Request) -> Vec<Series> {
    let text = |place: u32| request.symbols[place as usize].clone();
    let labels = |references: &[u32]| -> Labels {
        assert_eq!(references.len() % 2, 0, "references are pairs");
        references.chunks(2).map(|pair| (text(pair[0]), text(pair[1]))).collect()
    };
    let one = |series: &v2::TimeSeries| Series {
        labels: labels(&series.labels_refs),
        samples: series.samples.iter().map(|s| (s.timestamp, s.value.to_bits(), s.start_timestamp)).collect(),
        histograms: series.histograms.iter().map(v2::Histogram::encode_to_vec).collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|e| (labels(&e.labels_refs), e.value.to_bits(), e.timestamp))
            .collect(),
        metadata: series.metadata.as_ref().map(|m| (m.r#type, text(m.help_ref), text(m.unit_ref))),
    };
    request.timeseries.iter().map(one).collect()
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// A native histogram of exponential buckets with what is asked for; its count is that of its buckets.
pub(crate) fn exponential(ms: i64, positive: bool, negative: bool, zero: bool) -> Histogram {
    let mut made =
        Histogram { sum: 2.5, schema: 3, timestamp: ms, zero_threshold: 1e-9, ..Histogram::default() };
    let mut count = 0;
    if positive {
        made.positive_spans = vec![span(0, 3), span(2, 2)];
        made.positive_deltas = vec![2, 1, -1, 4, -3]; // 2, 3, 2, 6, 3
        count += 16;
    }
    if negative {
        made.negative_spans = vec![span(-1, 2)];
        made.negative_deltas = vec![4, 1]; // 4, 5
        count += 9;
    }
    if zero {
        made.zero_count = Some(histogram::ZeroCount::ZeroCountInt(2));
        count += 2;
    }
    made.count = Some(histogram::Count::CountInt(count));
    made
}

/// One with bounds of its own.
pub(crate) fn custom(ms: i64) -> Histogram {
    Histogram {
        count: Some(histogram::Count::CountInt(12)),
        sum: 7.0,
        schema: -53,
        positive_spans: vec![span(0, 4)],
        positive_deltas: vec![3, 2, -4, 2], // 3, 5, 1, 3
        custom_values: vec![0.25, 1.0, 4.0],
        timestamp: ms,
        ..Histogram::default()
    }
}

/// One that counts in floats, of a gauge.
pub(crate) fn float(ms: i64) -> Histogram {
    Histogram {
        count: Some(histogram::Count::CountFloat(4.0)),
        sum: -1.5,
        schema: 0,
        zero_count: Some(histogram::ZeroCount::ZeroCountFloat(0.5)),
        positive_spans: vec![span(0, 2)],
        positive_counts: vec![1.5, 2.0],
        reset_hint: histogram::ResetHint::Gauge.into(),
        timestamp: ms,
        ..Histogram::default()
    }
}

/// What ends a series of histograms.
pub(crate) fn stale_histogram(ms: i64) -> Histogram {
    Histogram { sum: STALE, timestamp: ms, ..Histogram::default() }
}

/// All kinds of them, in the order of their times.
pub(crate) fn histograms(ms: i64) -> Vec<Histogram> {
    vec![
        exponential(ms, true, true, true),
        exponential(ms + 1, true, false, false),
        exponential(ms + 2, false, false, true),
        exponential(ms + 3, false, false, false),
        custom(ms + 4),
        float(ms + 5),
        stale_histogram(ms + 6),
    ]
}
