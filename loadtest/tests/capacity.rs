//! The search for the highest rate, on a receiver whose capacity is known.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use seriesgate_loadtest::capacity::{Search, search};
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::RunOptions;
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::send::Pace;
use seriesgate_loadtest::sink::{Level, OnThread, SinkOptions};

/// One connection, 200 samples in a request, each answered after 20 ms and a little: somewhat below 10,000 samples/s.
#[test]
fn the_capacity_of_a_slow_receiver_is_found() {
    let text = "
name: slow
warm: 1
every: 100ms
shards: 1
batch: 200
metadata: false
source: { plain: { series: 400, shape: short6 } }
";
    let slow =
        SinkOptions { level: Level::Samples, delay: Duration::from_millis(20), ..SinkOptions::default() };
    let sink = OnThread::start(SocketAddr::from(([127, 0, 0, 1], 0)), slow).unwrap();
    let scenario = Scenario::parse(text, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    let mut options = RunOptions::new(scenario, variant, ProxySpec::Nothing);
    options.sink = Some(format!("http://{}", sink.handle().addr()));
    options.level = Level::Samples;
    options.pace = Some(Pace::Rate(4000.0));
    let plan = Search {
        from: 4000.0,
        hold: Duration::from_secs(1),
        p99: Duration::from_millis(150),
        precision: 0.1,
        repeat: 1,
        ..Search::default()
    };
    let found = search(&options, "", &plan, |_| {}).unwrap();
    let rate = found.middle();
    // never more than the receiver can do; on a busy machine it does less
    assert!((1000.0..=10_600.0).contains(&rate), "{found}\n{:?}", found.steps);
    assert!(found.steps.iter().any(|step| step.failed.is_some()), "{:?}", found.steps);
    assert!(found.steps.iter().all(|step| step.failed.is_some() || step.p99_ms <= 150.0));
}
