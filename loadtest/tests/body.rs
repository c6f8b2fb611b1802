//! Bodies hold what was put in, as prost reads them.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use prost::Message;
use seriesgate_loadtest::body::{Body, BodyBuilder};
use seriesgate_loadtest::cluster::{Cluster, ClusterSpec};
use seriesgate_loadtest::names::Seed;
use seriesgate_loadtest::shape::{Population, Shape};
use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest};

fn read(body: &Body) -> WriteRequest {
    let mut raw = vec![0; snap::raw::decompress_len(&body.bytes).unwrap()];
    snap::raw::Decoder::new().decompress(&body.bytes, &mut raw).unwrap();
    assert_eq!(raw.len() as u64, body.raw_bytes);
    WriteRequest::decode(raw.as_slice()).unwrap()
}

fn series(labels: &[(&str, &str)], value: f64, timestamp_ms: i64) -> TimeSeries {
    let labels = labels.iter().map(|&(name, text)| Label::new(name, text)).collect();
    TimeSeries { labels, samples: vec![Sample::at(timestamp_ms, value)], ..TimeSeries::default() }
}

#[test]
fn a_scrape_comes_back_label_by_label_and_in_batches() {
    let mut cluster = Cluster::new(ClusterSpec::incident(1), 1_767_225_630_000);
    let (mut builder, mut bodies, mut expected) = (BodyBuilder::new(500), Vec::new(), Vec::new());
    let now_ms = cluster.now_ms() + 3_600_000;
    cluster.scrape(now_ms, |labels, value, _| {
        expected.push(series(labels, value, now_ms));
        bodies.extend(builder.push(labels, value, now_ms));
    });
    bodies.extend(builder.finish());
    assert!(builder.finish().is_none());

    assert!(bodies[..bodies.len() - 1].iter().all(|body| body.series == 500));
    let found: Vec<TimeSeries> = bodies.iter().flat_map(|body| read(body).timeseries).collect();
    assert_eq!(found, expected);
}

#[test]
fn odd_values_times_and_texts_survive() {
    let long = "x".repeat(20_000);
    type Case<'a> = (&'a [(&'a str, &'a str)], f64, i64);
    let cases: [Case<'_>; 4] = [
        (&[], 0.0, 0),
        (&[("__name__", "up"), ("a", "")], f64::NEG_INFINITY, -1),
        (&[("__name__", long.as_str())], -0.0, i64::MAX),
        (&[("ü", "日本")], f64::MIN_POSITIVE, i64::MIN),
    ];
    for (labels, value, timestamp_ms) in cases {
        let mut builder = BodyBuilder::default();
        assert!(builder.push(labels, value, timestamp_ms).is_none());
        let found = read(&builder.finish().unwrap());
        assert_eq!(found.timeseries, [series(labels, value, timestamp_ms)]);
        assert_eq!(found.timeseries[0].samples[0].value.to_bits(), value.to_bits());
    }
}

#[test]
fn shapes_have_the_size_they_are_named_for() {
    for (shape, labels, bytes) in [(Shape::K8s14, 14, 590..650), (Shape::Short6, 6, 170..210)] {
        let population = Population { series: 4000, shape, churn: 0.0, seed: Seed::new(1) };
        let mut builder = BodyBuilder::new(4000);
        let mut body = None;
        for pod in 0..population.pods() {
            population.visit(
                pod,
                0,
                |_| true,
                |_, found| {
                    assert!(found.len() == labels && found.is_sorted_by(|a, b| a.0 < b.0));
                    body = builder.push(found, 1.0, 1_767_225_630_000).or(body.take());
                },
            );
        }
        let body = body.expect("4000 series fill it");
        assert!(bytes.contains(&(body.raw_bytes / 4000)), "{} bytes", body.raw_bytes / 4000);
    }
}
