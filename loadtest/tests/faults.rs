//! Faults that were put in on purpose: each is found, and a proxy without any is not accused.

#![allow(clippy::unwrap_used)] // the helpers are tests too

#[path = "faults/expected.rs"]
mod expected;
#[path = "faults/gates.rs"]
mod gates;
#[path = "faults/support.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;

use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, Outcome, RunOptions};
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::sink::{Level, OnThread, SinkOptions, parse_episode};
use support::{Fault, proxy};

const SCENARIO: &str = "
name: faults
interval: 15s
every: 100ms
warm: 2
scrapes: 20
shards: 3
batch: 300
source: { plain: { series: 3000, shape: short6, churn: 0.02 } }
";

/// A run through a proxy with a fault, into a sink that is asked over HTTP.
fn run_through(fault: Fault, episodes: &[&str]) -> Outcome {
    let options = SinkOptions { level: Level::Verify, ..SinkOptions::default() };
    let sink = OnThread::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let proxy = runtime.block_on(proxy(fault, &sink.handle().write_url()));
    let scenario = Scenario::parse(SCENARIO, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    let spec = ProxySpec::Running { url: format!("http://{proxy}/api/v1/write"), pid: None };
    let options = RunOptions {
        sink: Some(format!("http://{}", sink.handle().addr())),
        episodes: episodes.iter().map(|text| parse_episode(text).unwrap()).collect(),
        ..RunOptions::new(scenario, variant, spec)
    };
    run::run(&options, |_| {}).unwrap()
}

fn faults(fault: Fault) -> String {
    let outcome = run_through(fault, &[]);
    assert_eq!(outcome.refused + outcome.unknown, 0, "{:?}", outcome.last_error);
    assert_eq!(outcome.is_clean(), outcome.verdict.as_ref().unwrap().faults.is_empty());
    outcome.verdict.unwrap().faults.join("; ")
}

#[test]
fn a_good_proxy_is_not_accused() {
    let outcome = run_through(Fault::None, &[]);
    let verdict = outcome.verdict.unwrap();
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!(verdict.exact_series, verdict.sent_series);
    assert_eq!(verdict.arrived_samples, verdict.sent_samples);
    assert!(verdict.sent_samples > 60_000, "{verdict:?}");
    assert!(outcome.born > 500, "{}", outcome.born);
}

#[test]
fn one_sample_in_ten_thousand_is_missed() {
    let faults = faults(Fault::Drops(10_000));
    assert!(faults.contains("6 samples are missing, 0 whole series"), "{faults}");
}

#[test]
fn one_altered_bit_is_found() {
    let faults = faults(Fault::AltersABit(10_000));
    assert!(faults.contains("6 series arrived with other values"), "{faults}");
}

#[test]
fn one_millisecond_is_found() {
    let faults = faults(Fault::Delays(10_000));
    assert!(faults.contains("6 series arrived with other values"), "{faults}");
}

#[test]
fn what_is_sent_twice_is_found() {
    let faults = faults(Fault::DoubleSends(50));
    assert!(faults.contains("samples arrived twice, 0 were sent again"), "{faults}");
}

#[test]
fn what_comes_after_a_newer_sample_is_found() {
    let faults = faults(Fault::Reorders(10_000));
    assert!(faults.contains("samples arrived after a newer one"), "{faults}");
}

#[test]
fn what_nobody_sent_is_found() {
    let faults = faults(Fault::Invents(10_000));
    assert!(faults.contains("6 series arrived that nobody sent"), "{faults}");
}

/// A backend on a bad day makes senders send again, which is no fault of anybody.
#[test]
fn a_bad_day_of_the_backend_is_survived() {
    let outcome = run_through(
        Fault::None,
        &["503@0.2+0.3", "taken:500@0.7+0.3*0.5", "reset@1.2+0.2*0.3", "latency:30@1.5+0.2"],
    );
    let verdict = outcome.verdict.unwrap();
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!(outcome.refused + outcome.unknown, 0);
    assert!(outcome.retries > 0 && verdict.duplicates > 0, "{verdict:?}");
    assert!(verdict.duplicates <= verdict.resent);
    assert!(outcome.codes.get(&500).is_some_and(|n| *n > 0), "{:?}", outcome.codes);
    assert!(
        outcome.latency.max_ms >= 200.0,
        "the wait counts from when a body was due: {:?}",
        outcome.latency
    );
}

/// What is refused before the measurement is lost all the same, and no run is clean that lost something.
#[test]
fn what_is_refused_while_warming_up_is_told() {
    let episodes = vec![parse_episode("400@0+60*0.3").unwrap()];
    let options = SinkOptions { level: Level::Verify, episodes, ..SinkOptions::default() };
    let sink = OnThread::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap();
    let scenario = Scenario::parse(SCENARIO, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    let spec = ProxySpec::Running { url: sink.handle().write_url(), pid: None };
    let options = RunOptions {
        sink: Some(format!("http://{}", sink.handle().addr())),
        ..RunOptions::new(scenario, variant, spec)
    };
    // the measurement brings a schedule of its own, which is empty
    let outcome = run::run(&options, |_| {}).unwrap();
    assert_eq!((outcome.refused, outcome.unknown), (0, 0), "{outcome}");
    assert!(outcome.warm_lost > 0 && !outcome.is_clean(), "{outcome}");
    assert_eq!(outcome.verdict.unwrap().faults, Vec::<String>::new());
}
