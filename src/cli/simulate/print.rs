//! `--print`: every sample that goes upstream, one a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use seriesgate_proto::{Histogram, TimeSeries};

use super::text::STALE_NAN;
use crate::series::{Labels, quote};

/// What was forwarded so far: by labels, then in the order of arrival.
#[derive(Default)]
pub(super) struct Collected {
    series: BTreeMap<Vec<(String, String)>, Points>,
}

#[derive(Default)]
struct Points {
    samples: Vec<(i64, u64)>,
    histograms: Vec<Histogram>,
}

impl Collected {
    pub(super) fn add(&mut self, series: TimeSeries) {
        let mut labels: Vec<(String, String)> = series
            .labels
            .into_iter()
            .map(|label| (label.name, label.value))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        labels.sort();
        let points = self.series.entry(labels).or_default();
        points.samples.extend(series.samples.iter().map(|sample| (sample.timestamp, sample.value.to_bits())));
        points.histograms.extend(series.histograms);
    }

    /// Writes all of it, ordered by series, then by time.
    pub(super) fn print(&mut self, out: &mut impl Write) -> io::Result<()> {
        for (labels, points) in &mut self.series {
            let pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let series = Labels::from_sorted(&pairs).to_string();
            points.samples.sort_by_key(|(timestamp, _)| *timestamp);
            for (timestamp, bits) in &points.samples {
                writeln!(out, "{series} {} {timestamp}", number(f64::from_bits(*bits)))?;
            }
            points.histograms.sort_by_key(|histogram| histogram.timestamp);
            for histogram in &points.histograms {
                writeln!(out, "# {}", quote::json(as_json(&pairs, histogram).to_string()))?;
            }
        }
        Ok(())
    }
}

/// Shortest text that reads as the same number.
fn number(value: f64) -> String {
    match value {
        _ if value.to_bits() == STALE_NAN => "StaleNaN".into(),
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        _ => value.to_string(),
    }
}

/// JSON has no infinities and no NaN: those are texts.
fn json_number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(number(value)) }
}

fn as_json(labels: &[(&str, &str)], histogram: &Histogram) -> Value {
    use seriesgate_proto::histogram::{Count, ZeroCount};
    let numbers = |values: &[f64]| values.iter().map(|value| json_number(*value)).collect::<Vec<_>>();
    let spans = |spans: &[seriesgate_proto::BucketSpan]| {
        spans.iter().map(|span| json!([span.offset, span.length])).collect::<Vec<_>>()
    };
    let count = match histogram.count {
        Some(Count::CountInt(count)) => json!(count),
        Some(Count::CountFloat(count)) => json_number(count),
        None => Value::Null,
    };
    let zero_count = match histogram.zero_count {
        Some(ZeroCount::ZeroCountInt(count)) => json!(count),
        Some(ZeroCount::ZeroCountFloat(count)) => json_number(count),
        None => Value::Null,
    };
    let labels: serde_json::Map<String, Value> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "labels": labels,
        "timestamp_ms": histogram.timestamp,
        "count": count,
        "sum": json_number(histogram.sum),
        "schema": histogram.schema,
        "zero_threshold": json_number(histogram.zero_threshold),
        "zero_count": zero_count,
        "negative_spans": spans(&histogram.negative_spans),
        "negative_deltas": histogram.negative_deltas,
        "negative_counts": numbers(&histogram.negative_counts),
        "positive_spans": spans(&histogram.positive_spans),
        "positive_deltas": histogram.positive_deltas,
        "positive_counts": numbers(&histogram.positive_counts),
        "reset_hint": histogram.reset_hint,
        "custom_values": numbers(&histogram.custom_values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_read_back() {
        for (value, expected) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1000000000000000000000"),
            (5e-324, &format!("0.{}5", "0".repeat(323))),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::from_bits(STALE_NAN), "StaleNaN"),
            (f64::from_bits(0x7ff8_dead_0000_0001), "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn lines_come_by_series_then_by_time() {
        let mut collected = Collected::default();
        for (pod, timestamp) in [("b", 2), ("a", 9), ("b", 1), ("a", 3)] {
            collected.add(TimeSeries::named("up", &[("pod", pod)]).with_sample(timestamp, 0.5));
        }
        let histogram = Histogram { sum: f64::from_bits(STALE_NAN), timestamp: 4, ..Histogram::default() };
        collected.add(TimeSeries { histograms: vec![histogram], ..TimeSeries::named("lat", &[]) });
        let mut out = Vec::new();
        collected.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let told: Value = serde_json::from_str(first.strip_prefix("# ").unwrap()).unwrap();
        assert_eq!((&told["sum"], &told["timestamp_ms"]), (&json!("StaleNaN"), &json!(4)));
        assert_eq!(
            rest,
            "up{pod=\"a\"} 0.5 3\nup{pod=\"a\"} 0.5 9\nup{pod=\"b\"} 0.5 1\nup{pod=\"b\"} 0.5 2\n"
        );
    }
}
