//! Remote-write messages as prost types, for load generation, recorded bodies and as an oracle in tests: 1.0 here,
//! 2.0 in [`v2`].
//!
//! The types are generated from `proto/prometheus/*.proto` and committed, so a build needs neither
//! `protoc` nor a build script; `tests/generated.rs` keeps the two together. The proxy's hot path
//! never builds these: it walks the bytes.

use std::collections::BTreeMap;

use prost::Message;

#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
mod prometheus;

/// Remote write 2.0.
#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
pub mod v2;

pub use prometheus::*;

impl Label {
    /// A label of this name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Sample {
    /// A value at a time in milliseconds since the Unix epoch.
    pub fn at(timestamp_ms: i64, value: f64) -> Self {
        Self { value, timestamp: timestamp_ms }
    }
}

impl TimeSeries {
    /// A series without samples yet, its labels sorted by name as senders must sort them.
    pub fn named(metric: &str, labels: &[(&str, &str)]) -> Self {
        let mut labels: Vec<Label> = labels.iter().map(|&(name, value)| Label::new(name, value)).collect();
        labels.push(Label::new("__name__", metric));
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        Self { labels, ..Self::default() }
    }

    /// The same series with one more sample, at a time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn with_sample(mut self, timestamp_ms: i64, value: f64) -> Self {
        self.samples.push(Sample::at(timestamp_ms, value));
        self
    }

    /// The value of a label; `None` if the series does not have it.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|label| label.name == name).map(|label| label.value.as_str())
    }
}

impl WriteRequest {
    /// A request that carries these series and no metadata.
    pub fn of(timeseries: Vec<TimeSeries>) -> Self {
        Self { timeseries, metadata: Vec::new() }
    }
}

impl v2::Request {
    /// The same request in remote write 2.0. Metadata, which 2.0 has with each series, is left out.
    pub fn of(request: &WriteRequest) -> Self {
        let mut symbols = Symbols::default();
        let series = |series: &TimeSeries| v2::TimeSeries {
            labels_refs: symbols.refs(&series.labels),
            samples: series.samples.iter().map(v2_sample).collect(),
            histograms: series.histograms.iter().map(v2_histogram).collect(),
            exemplars: series
                .exemplars
                .iter()
                .map(|exemplar| v2::Exemplar {
                    labels_refs: symbols.refs(&exemplar.labels),
                    value: exemplar.value,
                    timestamp: exemplar.timestamp,
                })
                .collect(),
            metadata: None,
        };
        let timeseries = request.timeseries.iter().map(series).collect();
        Self { symbols: symbols.texts, timeseries }
    }
}

/// A table of texts that is being made.
struct Symbols {
    texts: Vec<String>,
    positions: BTreeMap<String, u32>,
}

impl Default for Symbols {
    fn default() -> Self {
        Self { texts: vec![String::new()], positions: BTreeMap::from([(String::new(), 0)]) }
    }
}

impl Symbols {
    fn refs(&mut self, labels: &[Label]) -> Vec<u32> {
        labels.iter().flat_map(|label| [&label.name, &label.value]).map(|text| self.position(text)).collect()
    }

    fn position(&mut self, text: &str) -> u32 {
        if let Some(position) = self.positions.get(text) {
            return *position;
        }
        let position = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.positions.insert(text.to_owned(), position);
        position
    }
}

fn v2_sample(sample: &Sample) -> v2::Sample {
    v2::Sample { value: sample.value, timestamp: sample.timestamp, start_timestamp: 0 }
}

/// Both versions encode histograms alike.
fn v2_histogram(histogram: &Histogram) -> v2::Histogram {
    v2::Histogram::decode(histogram.encode_to_vec().as_slice())
        .expect("fields have the same numbers and types")
}

/// The body a sender would post: the request's protobuf in snappy's block format.
pub fn encode_snappy(request: &WriteRequest) -> Vec<u8> {
    snappy(&request.encode_to_vec())
}

/// Compresses bytes in snappy's block format, whatever they are.
pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("snappy takes any input below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_series_has_sorted_labels_and_survives_the_wire() {
        let series = TimeSeries::named("up", &[("job", "api"), ("Zone", "a")]).with_sample(-5, 1.0);
        let names: Vec<&str> = series.labels.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["Zone", "__name__", "job"]);
        assert_eq!(series.label("job"), Some("api"));

        let sent = WriteRequest::of(vec![series]);
        let body = encode_snappy(&sent);
        let size = snap::raw::decompress_len(&body).unwrap();
        let mut raw = vec![0; size];
        snap::raw::Decoder::new().decompress(&body, &mut raw).unwrap();
        assert_eq!(WriteRequest::decode(raw.as_slice()).unwrap(), sent);
    }

    #[test]
    fn histograms_keep_custom_bounds() {
        let histogram = Histogram {
            count: Some(histogram::Count::CountInt(3)),
            schema: -53,
            custom_values: vec![0.5, 1.0],
            positive_spans: vec![BucketSpan { offset: -2, length: 2 }],
            positive_deltas: vec![1, -1],
            reset_hint: histogram::ResetHint::Gauge.into(),
            ..Histogram::default()
        };
        let bytes = histogram.encode_to_vec();
        assert_eq!(Histogram::decode(bytes.as_slice()).unwrap(), histogram);
    }
}
