//! A blast into a sink: what was sent arrives, and what could not be sent is said so.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::net::SocketAddr;
use std::time::Duration;

use hyper::StatusCode;
use seriesgate_loadtest::blast::{self, BlastOptions};
use seriesgate_loadtest::client::{Reach, Target};
use seriesgate_loadtest::shape::Shape;
use seriesgate_loadtest::sink::{Level, Sink, SinkHandle, SinkOptions};

async fn sink(level: Level) -> SinkHandle {
    let options = SinkOptions { level, group_by: Some("namespace".into()), ..SinkOptions::default() };
    Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap()
}

fn small() -> BlastOptions {
    BlastOptions { series: 5_010, scrapes: 3, connections: 3, batch_series: 700, ..BlastOptions::default() }
}

fn target(url: &str) -> Target {
    Target::parse(url, Reach::Loopback).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_counts_what_the_blast_says_it_sent() {
    for shape in [Shape::K8s14, Shape::Short6] {
        let sink = sink(Level::Series).await;
        let options = BlastOptions { churn: 0.1, shape, pid: Some(std::process::id()), ..small() };
        let report = blast::run(target(&sink.write_url()), options).await.unwrap();
        assert!(report.is_complete(), "{report}");
        assert_eq!((report.samples_accepted, report.warm_samples), (3 * 5_010, [5_010, 0, 0]));
        assert!(report.distinct_series > 5_010, "some pods were replaced");
        assert!(report.process.is_some_and(|cost| cost.rss_mib > 1.0));

        let stats = sink.shutdown().await;
        assert_eq!(stats.samples, 4 * 5_010);
        assert_eq!(stats.requests, 4 * 3 * 3, "three bodies a connection and scrape");
        // 40 short series differ by pod; the same pod name twice would show here
        assert_eq!(stats.distinct_series, report.distinct_series);
        assert_eq!(stats.groups.values().sum::<u64>(), stats.distinct_series);
        let sent = report.raw_bytes_per_sample * stats.samples as f64;
        assert!((sent - stats.raw_bytes as f64).abs() < 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_errors_are_tried_again_and_final_ones_are_not() {
    let sink = sink(Level::Samples).await;
    sink.answer_with(StatusCode::BAD_REQUEST);
    let options = BlastOptions { warm: 0, scrapes: 1, ..small() };
    let refused = blast::run(target(&sink.write_url()), options.clone()).await.unwrap();
    assert_eq!((refused.samples_accepted, refused.samples_refused, refused.retries), (0, 5_010, 0));

    sink.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    let url = sink.write_url();
    let blast = tokio::spawn(async move { blast::run(target(&url), options).await.unwrap() });
    while sink.stats().turned_away < 12 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sink.answer_with(StatusCode::NO_CONTENT);
    let report = blast.await.unwrap();
    assert!(report.is_complete() && report.retries >= 3, "{report}");
    assert_eq!(sink.shutdown().await.samples, 5_010);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blast_ends_when_its_time_is_up() {
    let options =
        SinkOptions { level: Level::Bytes, delay: Duration::from_secs(60), ..SinkOptions::default() };
    let sink = Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap();
    let options = BlastOptions { warm: 0, limit: Duration::from_millis(300), ..small() };
    let report = blast::run(target(&sink.write_url()), options).await.unwrap();
    assert!(report.wall_seconds < 10.0 && !report.is_complete());
    assert_eq!(report.samples_refused + report.samples_unsent, 3 * 5_010);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_bodies_are_bounded() {
    let options = BlastOptions { max_prepared_bytes: 10_000, ..small() };
    let sink = sink(Level::Bytes).await;
    let refused = blast::run(target(&sink.write_url()), options).await.unwrap_err();
    assert!(refused.to_string().contains("exceed 10000 bytes"), "{refused}");
    assert_eq!(sink.shutdown().await.requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_said_before_anything_is_prepared() {
    let gone = sink(Level::Bytes).await;
    let url = gone.write_url();
    gone.shutdown().await;
    let options = BlastOptions { series: u64::from(u32::MAX), ..small() };
    let refused = blast::run(target(&url), options).await.unwrap_err();
    assert!(refused.to_string().contains("cannot connect"), "{refused}");
}
