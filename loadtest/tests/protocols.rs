//! Senders of each protocol against a sink that takes it, refuses it, or loses it.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::net::SocketAddr;
use std::path::Path;

use seriesgate_loadtest::blast::{self, BlastOptions};
use seriesgate_loadtest::client::{Reach, Target};
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, Outcome, RunOptions};
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::sink::{Level, Sink, SinkHandle, SinkOptions, parse_episode};

const ALL: [Protocol; 3] = [Protocol::V1, Protocol::V2, Protocol::Zstd];

/// A run without a proxy; the sink behaves so during the measurement.
fn run(protocol: &str, level: Level, behave: &[&str]) -> Outcome {
    let text = format!(
        "{{ name: x, every: 100ms, warm: 2, scrapes: 10, shards: 2, batch: 500, protocol: {protocol},
            source: {{ plain: {{ series: 4000, shape: k8s14, churn: 0.05 }} }} }}"
    );
    let scenario = Scenario::parse(&text, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    let episodes = behave.iter().map(|text| parse_episode(text).unwrap()).collect();
    let options = RunOptions { episodes, level, ..RunOptions::new(scenario, variant, ProxySpec::Nothing) };
    run::run(&options, |_| {}).unwrap()
}

#[test]
fn every_sample_arrives_in_the_form_that_was_asked_for() {
    let mut bytes = Vec::new();
    for (name, protocol) in ["v1", "v2", "zstd"].into_iter().zip(ALL) {
        let outcome = run(name, Level::Verify, &[]);
        assert!(outcome.is_clean(), "{outcome}");
        let verdict = outcome.verdict.as_ref().unwrap();
        assert_eq!(verdict.exact_series, verdict.sent_series);
        assert!(outcome.born > 500 && verdict.sent_samples > 40_000, "{outcome}");
        assert_eq!(outcome.flow.out_forms.keys().collect::<Vec<_>>(), [&protocol.to_string()]);
        assert_eq!(outcome.flow.out_forms.values().sum::<u64>(), outcome.flow.out_requests);
        assert!(outcome.to_string().contains(&format!("protocol    {protocol} sent; ")), "{outcome}");
        bytes.push(outcome.flow.in_wire_bytes);
    }
    assert!(bytes[1] < bytes[0] && bytes[2] < bytes[0] / 2, "smaller than 1.0 in snappy: {bytes:?}");
}

#[test]
fn a_receiver_that_answers_and_takes_nothing_is_found_by_its_answer() {
    // nobody looks at what arrives, as with a sink of somebody else
    for level in [Level::Bytes, Level::Verify] {
        let outcome = run("v2", level, &["lose-v2@0+1000"]);
        assert!(!outcome.is_clean());
        assert_eq!((outcome.accepted, outcome.flow.out_requests), (0, 0), "{outcome}");
        assert!(outcome.refused > 30_000 && outcome.codes[&204] > 0, "{outcome}");
        let error = outcome.last_error.unwrap();
        assert!(error.contains("204") && error.contains("samples-written"), "{error}");
    }
    let outcome = run("v1", Level::Verify, &["lose-v2@0+1000"]);
    assert!(outcome.is_clean(), "{outcome}");
}

#[test]
fn a_receiver_that_refuses_a_form_takes_the_others() {
    for (refused, behave) in [("v2", "v2:415@0+1000"), ("zstd", "zstd:400@0+1000")] {
        for name in ["v1", "v2", "zstd"] {
            let outcome = run(name, Level::Verify, &[behave]);
            assert_eq!(outcome.is_clean(), name != refused, "{name}, {behave}: {outcome}");
            assert_eq!(outcome.accepted == 0, name == refused, "{name}, {behave}: {outcome}");
        }
    }
}

async fn sink(behave: &[&str]) -> SinkHandle {
    let episodes = behave.iter().map(|text| parse_episode(text).unwrap()).collect();
    let options = SinkOptions { episodes, ..SinkOptions::default() };
    Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap()
}

async fn blasted(sink: &SinkHandle, protocol: Protocol) -> blast::Report {
    let options = BlastOptions {
        series: 5_010,
        scrapes: 3,
        connections: 3,
        batch_series: 700,
        protocol,
        ..BlastOptions::default()
    };
    blast::run(Target::parse(&sink.write_url(), Reach::Loopback).unwrap(), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blast_in_each_protocol_is_counted_by_the_sink() {
    for protocol in ALL {
        let sink = sink(&[]).await;
        let report = blasted(&sink, protocol).await;
        assert!(report.is_complete(), "{report}");
        assert!(report.to_string().contains(&format!("protocol    {protocol}")), "{report}");
        let stats = sink.shutdown().await;
        assert_eq!((stats.samples, stats.distinct_series), (4 * 5_010, 5_010));
        assert_eq!(stats.forms, [(protocol.to_string(), stats.requests)].into());
        let sent = report.raw_bytes_per_sample * stats.samples as f64;
        assert!((sent - stats.raw_bytes as f64).abs() < 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blast_of_2_0_that_is_lost_was_not_accepted() {
    let sink = sink(&["lose-v2@0+1000"]).await;
    let report = blasted(&sink, Protocol::V2).await;
    assert_eq!((report.samples_accepted, report.samples_refused, report.retries), (0, 3 * 5_010, 0));
    assert!(report.last_error.unwrap().contains("samples-written"));
}
