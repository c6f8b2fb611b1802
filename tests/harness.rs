//! The gate under the load harness, which keeps its own books: scenarios with every kind of policy, and a backend that goes
//! away. Every sample that the gate accepted has to arrive as the scenario says.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::path::PathBuf;
use std::time::Duration;

use seriesgate_loadtest::client::Reach;
use seriesgate_loadtest::outage::{self, Plan};
use seriesgate_loadtest::plan;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, Outcome, RunOptions};
use seriesgate_loadtest::scenario::{Join, Scenario, Span, Variant};
use seriesgate_loadtest::sink::{Act, Level, OnThread, SinkOptions, parse_episode};

fn options(scenario: &str, variant: Option<&str>) -> RunOptions {
    let mut scenario = Scenario::load(scenario).unwrap();
    scenario.every = Some(Span(Duration::from_millis(100)));
    let variant = scenario.variant(variant).unwrap();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_seriesgate"));
    RunOptions::new(scenario, variant, ProxySpec::Gate { binary })
}

/// Runs, and expects that everything arrived as it had to.
fn clean(options: &RunOptions) -> Outcome {
    let outcome = run::run(options, |_| {}).unwrap();
    assert!(outcome.is_clean(), "{outcome}");
    assert!(outcome.stopped_by_itself, "the gate had to be killed");
    outcome
}

#[test]
fn everything_is_forwarded_bit_for_bit() {
    let outcome = clean(&options("small", None));
    let verdict = outcome.verdict.unwrap();
    assert_eq!(verdict.exact_series, verdict.sent_series);
    assert!(outcome.born > 1000 && verdict.sent_samples > 100_000, "{verdict:?}");
    assert_eq!(outcome.flow.out_samples, outcome.accepted);
}

#[test]
fn what_a_policy_drops_and_nothing_else_is_gone() {
    let outcome = clean(&options("small", Some("drop-runs")));
    assert!(outcome.flow.out_samples < outcome.accepted * 95 / 100);
}

#[test]
fn relabeled_series_have_all_their_samples() {
    let verdict = clean(&options("small", Some("relabel"))).verdict.unwrap();
    assert!(verdict.relabeled.0 > 10_000 && verdict.exact_series > 1000, "{verdict:?}");
}

#[test]
fn aggregated_counters_gain_what_their_members_gain() {
    let mut options = options("small", Some("aggregate"));
    // pods come and go meanwhile
    let seriesgate_loadtest::scenario::SourceFile::Cluster(cluster) = &mut options.scenario.source else {
        panic!()
    };
    cluster.deployments[0].rollout_every = Some("4m".parse().unwrap());
    options.scenario.scrapes = 60;
    // The gate knows ages by its own clock in whole seconds. At this pace two of them, and the two minutes in which births are
    // judged by bounds, are over before the first rollout.
    options.scenario.every = Some(Span(Duration::from_millis(300)));
    let verdict = clean(&options).verdict.unwrap();
    assert_eq!(
        (verdict.groups, verdict.unjudged_groups, verdict.doubtful_groups),
        (120, 0, 0),
        "{verdict:?}"
    );
}

/// Connections go from gate to gate, a gate ends and comes back, an agent joins: what passes is there once, in order.
#[test]
fn several_gates_forward_every_sample_once() {
    let mut options = options("gate-restarts", None);
    options.scenario.deal_every = Some("4m".parse().unwrap());
    options.scenario.joins = vec![Join { agent: 1, at: "6m".parse().unwrap() }];
    options.scenario.addresses = 2;
    let verdict = clean(&options).verdict.unwrap();
    assert_eq!(verdict.exact_series, verdict.sent_series);
    assert!(verdict.sent_samples > 100_000, "{verdict:?}");
}

/// A gate that ends and comes back while senders wait goes on counting where it was, to the unit.
#[test]
fn one_gate_counts_on_over_a_restart() {
    let mut options = options("gate-restarts", Some("aggregate"));
    options.scenario.gates = 1;
    options.scenario.restarts[0].gate = 0;
    let verdict = clean(&options).verdict.unwrap();
    assert_eq!((verdict.groups, verdict.unjudged_groups), (620, 0), "{verdict:?}");
}

/// However connections are dealt out to gates: together they count what members gained, and nothing twice.
#[test]
fn gates_together_count_nothing_twice() {
    let verdict = clean(&options("gates-behind-a-service", Some("aggregate"))).verdict.unwrap();
    assert_eq!((verdict.groups, verdict.unjudged_groups), (620, 0), "{verdict:?}");
}

/// The same where one of them ends and comes back.
#[test]
fn a_gate_that_comes_back_counts_nothing_twice() {
    let verdict = clean(&options("gate-restarts", Some("aggregate"))).verdict.unwrap();
    assert_eq!((verdict.groups, verdict.unjudged_groups), (620, 0), "{verdict:?}");
}

/// A second agent behind a known address brings pods that have counted for a day: none of them was born.
#[test]
fn an_agent_behind_a_known_address_makes_no_births() {
    let verdict = clean(&options("shared-address", Some("aggregate"))).verdict.unwrap();
    assert_eq!((verdict.groups, verdict.unjudged_groups), (620, 0), "{verdict:?}");
}

/// Groups of the same labels under different scopes do not meet, and go out where their members came from.
#[test]
fn groups_keep_their_scope() {
    let verdict = clean(&options("scopes", Some("aggregate"))).verdict.unwrap();
    assert_eq!((verdict.groups, verdict.unjudged_groups), (1440, 0), "{verdict:?}");
}

/// The same labels under another tenant, account or query are other series.
#[test]
fn what_passes_keeps_its_scope() {
    let verdict = clean(&options("scopes", None)).verdict.unwrap();
    assert_eq!(verdict.exact_series, verdict.sent_series);
}

/// Two thirds of the time something is wrong with the backend. Senders send again; nothing is lost, nothing is there twice
/// that was not sent twice.
#[test]
fn a_bad_day_of_the_backend_costs_no_sample() {
    let mut options = options("small", None);
    options.scenario.scrapes = 30;
    options.scenario.retry_on_429 = true;
    let day = [
        "503@0.3+0.4",
        "taken:500@0.9+0.3*0.5",
        "reset@1.4+0.3*0.3",
        "429@1.8+0.3*0.5",
        "stall@2.2+0.3",
        "latency:60@2.6+0.3",
    ];
    options.episodes = day.iter().map(|text| parse_episode(text).unwrap()).collect();
    let outcome = clean(&options);
    assert!(outcome.retries > 0, "{outcome}");
}

#[test]
fn a_backend_that_goes_away_and_comes_back() {
    let options = options("small", None);
    let plan = Plan {
        before: Duration::from_secs(1),
        down: Duration::from_secs(3),
        after: Duration::from_secs(8),
        act: Act::Gone,
    };
    let found = outage::rehearse(&options, &plan, |_| {}).unwrap();
    assert!(found.run.is_clean(), "{found}");
    assert!(found.backlog_samples > 20_000 && found.failed_per_second > 0.0, "{found}");
    assert!(found.drained_after_s.is_some_and(|seconds| seconds <= 7.0), "{found}");
}

/// A plan for a gate that runs: what it is asked is seen through its admin port.
#[test]
fn a_plan_sees_the_traffic_of_a_gate_that_runs() {
    let mut options = options("small", Some("drop-runs"));
    let level = Level::Series;
    let sink =
        OnThread::start(([127, 0, 0, 1], 0).into(), SinkOptions { level, ..SinkOptions::default() }).unwrap();
    let gate = options.proxy.start(&options.variant, &sink.handle().write_url()).unwrap();
    options.proxy = ProxySpec::Running { url: gate.url.clone(), pid: None };
    options.variant = Variant::default();
    options.sink = Some(format!("http://{}", sink.handle().addr()));
    options.level = level;
    options.scenario.scrapes = 60;
    let sending = std::thread::spawn(move || run::run(&options, |_| {}).unwrap());
    let admin = gate.admin.clone().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let demands = runtime.block_on(async {
        // until something has come
        loop {
            let seen = plan::observe(&admin, Reach::Loopback, Duration::from_millis(1500)).await;
            match seen {
                Ok(demands) if demands[0].samples > 20_000.0 => break demands,
                Ok(_) => {}
                Err(error) => assert!(error.to_string().contains("no sample"), "{error:#}"),
            }
        }
    });
    let outcome = sending.join().unwrap();
    let names: Vec<&str> = demands.iter().map(|demand| demand.variant.as_str()).collect();
    assert_eq!(names, ["without policies", "all that are enforced", "cronjob-runs (enforce, alone)"]);
    let rate = demands[0].samples / demands[0].seconds;
    assert!(
        (0.3..2.0).contains(&(rate / outcome.offered_per_second)),
        "{rate} of {}",
        outcome.offered_per_second
    );
    assert!(demands[1].out_samples() < demands[0].out_samples() * 0.97, "{demands:?}");
    assert!(demands[1].out_series() < demands[0].out_series(), "{demands:?}");
}

/// The same scenario in another protocol, with exemplars and native histograms: what arrives, and whether that is all there was.
fn in_protocol(protocol: Protocol, variant: Option<&str>) -> Outcome {
    let mut options = options("small", variant);
    options.scenario.protocol = protocol;
    let seriesgate_loadtest::scenario::SourceFile::Cluster(cluster) = &mut options.scenario.source else {
        panic!()
    };
    (cluster.exemplars, cluster.native_histograms) = (true, true);
    let outcome = clean(&options);
    assert!(outcome.to_string().contains(&format!("protocol    {protocol} sent")), "{outcome}");
    let verdict = outcome.verdict.as_ref().unwrap();
    assert!(verdict.sent_samples > 100_000, "{verdict:?}");
    outcome
}

fn is_forwarded_bit_for_bit(protocol: Protocol) {
    let outcome = in_protocol(protocol, None);
    assert_eq!(outcome.flow.out_samples, outcome.accepted);
    let verdict = outcome.verdict.unwrap();
    assert_eq!(verdict.exact_series, verdict.sent_series);
}

#[test]
fn what_comes_as_2_0_is_forwarded_bit_for_bit() {
    is_forwarded_bit_for_bit(Protocol::V2);
}

#[test]
fn what_comes_in_zstd_is_forwarded_bit_for_bit() {
    is_forwarded_bit_for_bit(Protocol::Zstd);
}

/// A sender of 2.0 takes what is dropped for written, or it would say that it was lost.
#[test]
fn policies_see_the_same_series_in_2_0() {
    let outcome = in_protocol(Protocol::V2, Some("drop-runs"));
    assert!(outcome.flow.out_samples < outcome.accepted * 95 / 100, "{outcome}");
    let verdict = in_protocol(Protocol::V2, Some("relabel")).verdict.unwrap();
    assert!(verdict.relabeled.0 > 10_000 && verdict.exact_series > 1000, "{verdict:?}");
}
