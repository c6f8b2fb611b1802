//! What a plan counts is what a run sends.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::path::Path;

use seriesgate_loadtest::expect::Expectation;
use seriesgate_loadtest::plan::Demand;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, RunOptions};
use seriesgate_loadtest::scenario::{Scenario, Variant};

fn options() -> RunOptions {
    let text = "{ name: x, every: 100ms, warm: 2, scrapes: 12, shards: 2, batch: 500, metadata: false,
                  source: { plain: { series: 4000, shape: k8s14, churn: 0.05 } } }";
    let scenario = Scenario::parse(text, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    RunOptions::new(scenario, variant, ProxySpec::Nothing)
}

#[test]
fn a_demand_is_what_a_run_sends() {
    let options = options();
    let demand = Demand::of(&options, &options.variant).unwrap();
    let outcome = run::run(&options, |_| {}).unwrap();
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!(demand.samples as u64, outcome.accepted);
    assert_eq!(demand.born as u64, outcome.born);
    assert_eq!(demand.series as u64, outcome.series);
    assert_eq!(demand.raw_bytes as u64, outcome.flow.in_raw_bytes);
    assert_eq!(demand.requests as u64, outcome.flow.in_requests);
    assert!((demand.seconds - 1.2).abs() < 1e-9);
    assert_eq!(demand.out_samples(), demand.samples);
    // compressed, it depends a little on the time of day
    let close = |planned: f64, measured: u64| (planned / measured as f64 - 1.0).abs() < 0.03;
    assert!(close(demand.wire_bytes, outcome.flow.in_wire_bytes));
    assert!(close(demand.out_wire_bytes(), outcome.flow.out_wire_bytes));
    let known = outcome.verdict.unwrap().sent_series as f64;
    assert_eq!(demand.series + demand.gone, known);
}

/// What comes in otherwise is smaller on the wire, goes on as 1.0 in snappy, and is all compressed anew.
#[test]
fn a_demand_in_another_protocol_is_of_the_same_samples() {
    let in_protocol = |protocol| {
        let mut options = options();
        options.scenario.protocol = protocol;
        Demand::of(&options, &options.variant).unwrap()
    };
    let one = in_protocol(Protocol::V1);
    for protocol in [Protocol::V2, Protocol::Zstd] {
        let other = in_protocol(protocol);
        assert_eq!(
            (other.samples, other.born, other.series, other.requests),
            (one.samples, one.born, one.series, one.requests)
        );
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        assert!(close(other.raw_bytes, one.raw_bytes), "{} {}", other.raw_bytes, one.raw_bytes);
        // a whole body is packed better than segments, which refer to nothing outside of them
        assert!((0.7..1.05).contains(&(other.out_wire_bytes() / one.out_wire_bytes())), "{other:?} {one:?}");
        assert!(other.wire_bytes < one.wire_bytes);
        assert_eq!((one.rewritten_bytes(), other.rewritten_bytes()), (0.0, other.raw_bytes));
    }
    let mut options = options();
    options.scenario.protocol = Protocol::V2;
    let outcome = run::run(&options, |_| {}).unwrap();
    let close = in_protocol(Protocol::V2).wire_bytes / outcome.flow.in_wire_bytes as f64;
    assert!((0.97..1.03).contains(&close), "{close}");
}

#[test]
fn what_is_taken_out_does_not_go_on() {
    let options = options();
    let expecting = |expect| Variant { name: "v".into(), expect: vec![expect], ..Variant::default() };
    let forward = Demand::of(&options, &options.variant).unwrap();
    // one metric of ten
    let dropped =
        Demand::of(&options, &expecting(Expectation::Removed("container_memory_rss".into()))).unwrap();
    let share = dropped.out_samples() / forward.samples;
    assert!((0.89..0.91).contains(&share), "{share}");
    assert!((0.89..0.91).contains(&(dropped.out_series() / forward.series)));
    assert!(dropped.out_wire_bytes() < forward.wire_bytes);
    let select = r#"{__name__=~".+_total"}"#.to_owned();
    let without = ["id", "instance", "node", "pod", "job_name"].map(str::to_owned).to_vec();
    let aggregated = Demand::of(&options, &expecting(Expectation::Aggregated { select, without })).unwrap();
    let disposed = aggregated.disposed;
    assert!(disposed.groups > 50.0 && disposed.groups < disposed.aggregated_series, "{disposed:?}");
    assert!((0.45..0.55).contains(&(disposed.aggregated / forward.samples)), "{disposed:?}");
    assert!(aggregated.out_series() < forward.series && aggregated.out_samples() < forward.samples);
}
