//! The comparison of what was sent with what arrived, where policies are expected to do something.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seriesgate_loadtest::client::{Client, Reach, Target};
use seriesgate_loadtest::expect::{Expectation, Expectations};
use seriesgate_loadtest::fleet::{Lane, Planner, Spread};
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, RunOptions};
use seriesgate_loadtest::scenario::{Scenario, Variant};
use seriesgate_loadtest::sink::{Level, OnThread, SinkOptions};
use seriesgate_loadtest::verify::{Setting, Verdict, compare};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use super::support::{Fault, proxy};

pub(crate) const START_MS: i64 = 1_700_000_040_000;
pub(crate) const STEP_MS: i64 = 15_000;

pub(crate) fn sink() -> OnThread {
    let options = SinkOptions { level: Level::Verify, ..SinkOptions::default() };
    OnThread::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A run through a proxy with a fault, under an expectation.
fn faults(fault: Fault, expect: Expectation) -> String {
    let (sink, runtime) = (sink(), runtime());
    let proxy = runtime.block_on(proxy(fault, &sink.handle().write_url()));
    let text =
        "{ name: x, every: 100ms, warm: 1, scrapes: 10, source: { plain: { series: 2000, shape: short6 } } }";
    let scenario = Scenario::parse(text, Path::new(".")).unwrap();
    let variant = Variant { name: "v".into(), expect: vec![expect], ..Variant::default() };
    let spec = ProxySpec::Running { url: format!("http://{proxy}/api/v1/write"), pid: None };
    let options = RunOptions {
        sink: Some(format!("http://{}", sink.handle().addr())),
        ..RunOptions::new(scenario, variant, spec)
    };
    run::run(&options, |_| {}).unwrap().verdict.unwrap().faults.join("; ")
}

#[test]
fn under_other_labels_every_sample_still_counts() {
    let relabeled = || Expectation::Relabeled(r#"{__name__=~"container_.+"}"#.into());
    assert_eq!(faults(Fault::None, relabeled()), "");
    let lost = faults(Fault::Drops(2000), relabeled());
    assert!(lost.contains("were to arrive under other labels"), "{lost}");
    let altered = faults(Fault::AltersABit(2000), relabeled());
    assert!(altered.contains("samples under other labels have other values"), "{altered}");
}

#[test]
fn what_must_not_arrive_is_seen() {
    let selector = "container_memory_rss".to_owned();
    let arrived = faults(Fault::None, Expectation::Removed(selector));
    assert!(arrived.contains("series arrived that must not"), "{arrived}");
}

/// Pods of one metric that come and go, added up by hand as an aggregation would; then with one count too few.
#[test]
fn a_group_gains_what_its_members_gain() {
    assert_eq!(aggregated(Some(0.0)).faults, Vec::<String>::new());
    let verdict = aggregated(Some(-1.0));
    assert_eq!((verdict.groups, verdict.wrong_groups), (2, 2), "{verdict:?}");
    let lost = aggregated(None).faults.join("; ");
    assert!(lost.contains("2 groups did not arrive"), "{lost}");
    assert!(verdict.faults[0].contains("2 of 2 groups do not gain what their members gain"), "{verdict:?}");
}

/// What is found if the last points are off by a number, or if there are none at all.
fn aggregated(off: Option<f64>) -> Verdict {
    let text = "{ name: x, stale_markers: true, source: { template: { file: page.txt, copies: 20, churn: 0.05, renamed: [pod] } } }";
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("page.txt"),
        "a_total{pod=\"x-12345\"} 5000\nb_total{pod=\"x-12345\"} 70000\n",
    )
    .unwrap();
    let scenario = Scenario::parse(text, directory.path()).unwrap();
    let select = r#"{__name__=~".+_total"}"#.to_owned();
    let expect =
        Expectations::new(&[Expectation::Aggregated { select, without: vec!["pod".into()] }]).unwrap();
    let spread = Spread {
        lanes: 1,
        batch: 1000,
        within_ms: 0,
        stale_markers: true,
        metadata: false,
        shards: 1,
        protocol: Protocol::V1,
    };
    let mut planner = Planner::new(scenario.source(START_MS).unwrap(), Arc::new(expect), spread);
    let mut lanes = vec![Lane::new(1000)];
    // by metric: what was shown so far, and by series its last value
    let mut shown: BTreeMap<String, f64> = BTreeMap::new();
    let mut last: BTreeMap<String, f64> = BTreeMap::new();
    let sink = sink();
    let mut client = Client::new(Target::parse(&sink.handle().write_url(), Reach::Loopback).unwrap());
    let runtime = runtime();
    for scrape in 0..40 {
        let at_ms = START_MS + scrape * STEP_MS;
        lanes[0].begin(planner.scrape(at_ms).remove(0));
        let mut body = Vec::new();
        while lanes[0].next_body(&mut body).is_some() {
            let mut raw = vec![0; snap::raw::decompress_len(&body).unwrap()];
            snap::raw::Decoder::new().decompress(&body, &mut raw).unwrap();
            let request: WriteRequest = prost::Message::decode(raw.as_slice()).unwrap();
            for series in request.timeseries {
                let value = series.samples[0].value;
                if value.is_nan() {
                    continue;
                }
                let name = series.label("__name__").unwrap().to_owned();
                let before = last.insert(format!("{:?}", series.labels), value);
                // what is there from the start or in the first two minutes is a baseline, what is born later counts
                let gained = before.map_or(if scrape < 8 { 0.0 } else { value }, |before| value - before);
                *shown.entry(name).or_default() += gained;
            }
        }
        // points for windows of a minute
        if let Some(off) = off.filter(|_| scrape % 4 == 0) {
            let end = if scrape == 36 { off } else { 0.0 };
            let series = shown
                .iter()
                .map(|(name, value)| TimeSeries::named(name, &[]).with_sample(at_ms, value + end));
            let body = encode_snappy(&WriteRequest::of(series.collect()));
            let posted = client.post(body.into(), Duration::from_secs(10));
            assert!(runtime.block_on(posted).unwrap().status.is_success());
        }
    }
    let setting = Setting { step_ms: STEP_MS, ..Setting::default() };
    sink.handle().ledger(|ledger| compare(&lanes, 0, &setting, ledger))
}
