//! A recording that is sent again: every sample of every copy, in order, with the values that were recorded.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seriesgate_loadtest::fleet::ExpectAll;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::replay::Replay;
use seriesgate_loadtest::run::{self, RunOptions};
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::source::read_recording;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

const FIRST_MS: i64 = 1_700_000_000_000;

/// Six bodies of two scrapes, three compressed and three not.
fn recording() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for scrape in 0..6 {
        let at_ms = FIRST_MS + scrape * 15_000;
        let series = (0..40).map(|i| {
            let pod = format!("web-5d8f7c9b4c-{:05}", i % 7 + 22222);
            let name = format!("requests_{i}_total");
            TimeSeries::named(&name, &[("namespace", "shop"), ("pod", &pod)])
                .with_sample(at_ms, (scrape * 10 + i) as f64)
        });
        let request =
            WriteRequest::of(series.chain([TimeSeries::named("up", &[]).with_sample(at_ms, 1.0)]).collect());
        let body =
            if scrape % 2 == 0 { encode_snappy(&request) } else { prost::Message::encode_to_vec(&request) };
        std::fs::write(directory.path().join(format!("{scrape:03}.body")), body).unwrap();
    }
    directory
}

fn replay(directory: &Path) -> Replay {
    Replay {
        records: read_recording(directory).unwrap(),
        speed: 100.0,
        copies: 3,
        times: 2,
        renamed: vec!["pod".into()],
        max_bytes: 1 << 30,
    }
}

#[test]
fn copies_have_pods_of_their_own_and_time_goes_on() {
    let directory = recording();
    let end_ms = FIRST_MS + 1_000_000_000;
    let lanes = replay(directory.path()).bodies(3, (50, Protocol::V1), end_ms, &ExpectAll).unwrap();
    let mut times: BTreeMap<Vec<(String, String)>, Vec<i64>> = BTreeMap::new();
    let mut homes: BTreeMap<Vec<(String, String)>, usize> = BTreeMap::new();
    for (lane, bodies) in lanes.iter().enumerate() {
        assert!(bodies.is_sorted_by_key(|body| body.after));
        for body in bodies {
            let mut raw = vec![0; snap::raw::decompress_len(&body.body).unwrap()];
            let len = snap::raw::Decoder::new().decompress(&body.body, &mut raw).unwrap();
            let request: WriteRequest = prost::Message::decode(&raw[..len]).unwrap();
            assert!(request.timeseries.len() <= 50);
            for series in request.timeseries {
                let labels: Vec<(String, String)> =
                    series.labels.into_iter().map(|l| (l.name, l.value)).collect();
                assert_eq!(*homes.entry(labels.clone()).or_insert(lane), lane);
                times.entry(labels).or_default().push(series.samples[0].timestamp);
            }
        }
    }
    // forty series and `up` of each of three clusters, six scrapes twice
    assert_eq!(times.len(), 3 * 41);
    for times in times.values() {
        assert_eq!(times.len(), 12);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 15_000), "{times:?}");
        assert!(*times.last().unwrap() <= end_ms && *times.last().unwrap() > end_ms - 30_000);
    }
    let pods: BTreeSet<&str> =
        times.keys().flatten().filter(|label| label.0 == "pod").map(|label| label.1.as_str()).collect();
    assert_eq!(pods.len(), 21);
    assert!(pods.iter().all(|pod| pod.starts_with("web-5d8f7c9b4c-")));
    let last = lanes.iter().flatten().map(|body| body.after).max().unwrap();
    assert_eq!(last.as_millis(), (11 * 15_000) / 100);
}

#[test]
fn every_sample_arrives_as_it_was_recorded() {
    let directory = recording();
    let text = "{ name: replay, warm: 0, scrapes: 1, metadata: false, source: { plain: { series: 1 } } }";
    let scenario = Scenario::parse(text, Path::new(".")).unwrap();
    for protocol in [Protocol::V1, Protocol::V2, Protocol::Zstd] {
        let scenario = Scenario { protocol, ..scenario.clone() };
        let variant = scenario.variant(None).unwrap();
        let mut options = RunOptions::new(scenario, variant, ProxySpec::Nothing);
        options.replay = Some(replay(directory.path()));
        let outcome = run::run(&options, |_| {}).unwrap();
        let verdict = outcome.verdict.unwrap();
        assert_eq!(verdict.faults, Vec::<String>::new());
        assert_eq!((verdict.exact_series, verdict.arrived_samples), (123, 123 * 12));
        assert_eq!(outcome.flow.out_forms.keys().collect::<Vec<_>>(), [&protocol.to_string()]);
    }
}

#[test]
fn what_is_no_recording_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let empty = format!("{:#}", read_recording(directory.path()).unwrap_err());
    assert!(empty.contains("no recorded bodies"), "{empty}");
    std::fs::write(directory.path().join("x"), b"\xff\xff\xff not a body").unwrap();
    let error = format!("{:#}", read_recording(directory.path()).unwrap_err());
    assert!(error.contains("/x") && error.contains("remote-write"), "{error}");
}
