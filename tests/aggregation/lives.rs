//! What becomes of aggregations that end, and of what is on its way to them.

use seriesgate::aggregate::Settings;
use seriesgate::pipeline::Outcome;
use seriesgate::policy::{Action, Aggregation, Definition, Mode, PolicySet, Run};
use seriesgate_proto::encode_snappy;

use crate::pipeline::{Gate, policy, sent};
use crate::rig::Rig;
use crate::steps::*;

fn changed(delay_ms: i64) -> Definition {
    let changed = Aggregation { delay_ms, ..without_pod() };
    policy("agg", "{pod!=\"\"}", Action::Aggregate(changed.into()), Mode::Enforce)
}

fn reload(gate: &Gate, policy: Definition) {
    gate.pipeline.replace_policies(PolicySet::compile(&[policy], Run::AsConfigured).unwrap());
}

/// A request that is decided and not yet answered.
fn in_hand(gate: &mut Gate, request: &seriesgate_proto::WriteRequest) -> Outcome {
    gate.decide("", &encode_snappy(request)).unwrap();
    std::mem::take(&mut gate.outcome)
}

#[test]
fn what_is_in_hand_at_a_reload_finds_nobody_who_takes_it_and_is_counted_so() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    let known = in_hand(&mut rig.gate, &request("x_total", "a", &[(60, 120.0)]));
    let unknown = in_hand(&mut rig.gate, &request("x_total", "b", &[(61, 7.0)]));
    reload(&rig.gate, changed(1000));
    for outcome in [&known, &unknown] {
        let told = rig.gate.pipeline.commit(outcome).aggregated;
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].1.forgotten, told[0].1.all()), (1, 1));
    }
    rig.collect();
    assert_eq!(rig.gate.pipeline.engine().uncollected(), 0);
    // the next samples bring both counters to where they are: a baseline, then increases
    rig.put("x_total", "a", &[(90, 130.0), (130, 134.0), (190, 134.0)]);
    rig.put("x_total", "b", &[(91, 8.0), (131, 9.0), (191, 9.0)]);
    let output = rig.finish();
    let last = output["x_total"].iter().rev().find(|(_, value)| value != "stale").unwrap();
    assert_eq!(last.1, "5");
}

#[test]
fn room_comes_back_from_every_aggregation_that_ends() {
    let room_for_one = |settings: &mut seriesgate::pipeline::Settings| {
        settings.aggregation = Settings { max_groups: 1, max_members: 1, ..Settings::default() };
    };
    let mut gate = Gate::with(&[changed(0)], room_for_one);
    for turn in 0..20 {
        let request = request("x_total", "a", &[(turn, 1.0)]);
        let outcome = in_hand(&mut gate, &request);
        assert_eq!(outcome.not_aggregated, [], "turn {turn}");
        reload(&gate, changed(turn + 1));
        gate.pipeline.commit(&outcome);
        gate.pipeline.engine().collect(gate.pipeline.clock().now());
    }
    let request = request("x_total", "a", &[(30, 1.0)]);
    gate.pass("", &request);
    assert_eq!(sent(&gate, &request), [""; 0], "it is aggregated");
    let counts = gate.pipeline.engine().aggregators()[0].counts();
    assert_eq!((counts.groups, counts.members), (1, 1));
}

/// Workers commit while policies change: whatever their turns, each sample is in the aggregation or counted as forgotten.
#[test]
fn a_reload_among_commits_loses_no_sample_without_a_count() {
    const WORKERS: i64 = 3;
    const REQUESTS: i64 = 150;
    let gate = Gate::with(&[changed(0)], |settings| settings.max_tracked = 10_000);
    let pipeline = &gate.pipeline;
    pipeline.clock().advance_ms((T + REQUESTS * 1000 - pipeline.clock().unix_ms()).max(0));
    let running = std::sync::atomic::AtomicUsize::new(WORKERS as usize);
    let forgotten = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (running, forgotten) = (&running, &forgotten);
            scope.spawn(move || {
                let (mut scratch, mut outcome) = Default::default();
                for at in 0..REQUESTS {
                    let pods = (0..20).map(|pod| series("x_total", &format!("{worker}-{pod}"), &[(at, 1.0)]));
                    let body = encode_snappy(&seriesgate_proto::WriteRequest::of(pods.collect()));
                    pipeline.decide("", &body, &mut scratch, &mut outcome).unwrap();
                    let told = pipeline.commit(&outcome).aggregated;
                    let all: u64 = told.iter().map(|(_, tally)| tally.forgotten).sum();
                    forgotten.fetch_add(all, std::sync::atomic::Ordering::Relaxed);
                }
                running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        let mut delay = 0;
        while running.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            delay += 1;
            pipeline.replace_policies(PolicySet::compile(&[changed(delay)], Run::AsConfigured).unwrap());
            pipeline.engine().collect(pipeline.clock().now());
        }
    });
    pipeline.engine().finish();
    let engine = pipeline.engine();
    assert_eq!((engine.uncollected(), engine.aggregators().len()), (0, 1));
    // what is in force holds what is held: nothing of those before is left in the sums
    let counts = engine.aggregators()[0].counts();
    assert_eq!((engine.all_members(), engine.all_groups()), (counts.members, counts.groups));
    assert!(forgotten.load(std::sync::atomic::Ordering::Relaxed) <= (WORKERS * REQUESTS * 20) as u64);
}

#[test]
fn an_aggregation_that_ended_is_gone_with_all_it_held() {
    let mut rig = Rig::of(vec![changed(0)], crate::IDLE_MS);
    rig.put("x_total", "a", &[(0, 1.0), (30, 2.0), (90, 3.0)]);
    let engine = rig.gate.pipeline.engine();
    assert_eq!((engine.all_members(), engine.all_groups()), (1, 1));
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[], Run::AsConfigured).unwrap());
    let engine = rig.gate.pipeline.engine();
    assert_eq!((engine.all_members(), engine.all_groups()), (0, 0));
    assert!(engine.uncollected() > 0, "its last points wait");
    rig.collect();
    assert_eq!(rig.gate.pipeline.engine().uncollected(), 0);
}

/// Metadata of so many gauges, and series of so many histograms that are no pods'.
fn flood(from: usize, to: usize) -> seriesgate_proto::WriteRequest {
    let mut flood = seriesgate_proto::WriteRequest::default();
    for number in from..to {
        flood.metadata.push(seriesgate_proto::MetricMetadata {
            r#type: 2,
            metric_family_name: format!("gauge_{number}"),
            ..Default::default()
        });
        flood.timeseries.push(series(&format!("req_{number}_sum"), "", &[(0, 1.0)]));
        flood.timeseries[number - from].labels.pop();
    }
    flood
}

#[test]
fn types_are_remembered_only_where_a_policy_could_use_them() {
    let mut gate = Gate::new(&[policy(
        "agg",
        "{__name__=~\"gauge_7|req_8_.+\"}",
        Action::Aggregate(without_pod().into()),
        Mode::Enforce,
    )]);
    gate.pass("", &flood(0, 300));
    assert_eq!(gate.pipeline.engine().types.len(), 2);
    // where no policy aggregates, nothing is
    let mut gate = Gate::new(&[policy("no", "x", Action::Drop, Mode::Enforce)]);
    gate.pass("", &flood(0, 10));
    assert!(gate.pipeline.engine().types.is_empty());
}

#[test]
fn a_flood_of_names_keeps_no_type_from_being_learned() {
    let mut gate = Gate::with(&[changed(0)], |settings| settings.aggregation.max_types = 100);
    let mut gauge = request("memory", "a", &[(0, 1.0)]);
    gauge.metadata.push(seriesgate_proto::MetricMetadata {
        r#type: 2,
        metric_family_name: "memory".into(),
        ..Default::default()
    });
    gate.pass("", &gauge);
    for turn in 0..10 {
        gate.pass("", &flood(turn * 300, turn * 300 + 300));
    }
    let mut late = request("late", "a", &[(0, 1.0)]);
    late.metadata.push(seriesgate_proto::MetricMetadata {
        r#type: 2,
        metric_family_name: "late".into(),
        ..Default::default()
    });
    gate.pass("", &late);
    assert_eq!(gate.outcome.not_aggregated, []);
    // and what an aggregation uses is not lost to it
    gate.pass("", &request("memory", "b", &[(0, 1.0)]));
    assert_eq!(gate.outcome.not_aggregated, []);
    let types = &gate.pipeline.engine().types;
    assert!(types.len() <= 100 && types.given_up() > 5000, "{} {}", types.len(), types.given_up());
}

#[test]
fn one_request_founds_no_more_groups_than_there_is_room_for() {
    let room_for_two = |settings: &mut seriesgate::pipeline::Settings| {
        settings.aggregation = Settings { max_groups: 2, ..Settings::default() };
    };
    let mut gate = Gate::with(&[changed(0)], room_for_two);
    let names = ["a_total", "b_total", "c_total", "a_total"];
    let all = (0..).zip(names).map(|(pod, name)| series(name, &format!("p{pod}"), &[(10, 1.0)]));
    gate.pass("", &seriesgate_proto::WriteRequest::of(all.collect()));
    let counts = gate.pipeline.engine().aggregators()[0].counts();
    assert_eq!((counts.groups, counts.members), (2, 3));
    assert_eq!(gate.outcome.not_aggregated.len(), 1);
}

#[test]
fn what_the_index_has_no_room_for_is_a_member_or_passes_from_its_first_sample_on() {
    let room_for_three = |settings: &mut seriesgate::pipeline::Settings| {
        settings.max_tracked = 3;
        settings.aggregation = Settings { max_members: 3, ..Settings::default() };
    };
    let mut gate = Gate::with(&[changed(0)], room_for_three);
    for at in [10, 25, 40] {
        let all = (0..5).map(|pod| series("x_total", &format!("p{pod}"), &[(at, 1.0)]));
        gate.pass("", &seriesgate_proto::WriteRequest::of(all.collect()));
        assert_eq!(gate.outcome.forwarded.samples, 2, "{at}");
        assert_eq!(gate.pipeline.engine().aggregators()[0].counts().members, 3);
    }
}
