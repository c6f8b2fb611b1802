//! What is promised of series that leave their groups, because they pass from now on, and come back.

use seriesgate::policy::{Action, Aggregation, Definition, MetricKind, Mode, Output as Made, PolicySet, Run};

use crate::IDLE_MS;
use crate::pipeline::{policy, sent};
use crate::rig::Rig;
use crate::steps::*;
use crate::world::Output;

fn own(kind: Option<MetricKind>) -> Definition {
    let aggregation = Aggregation { kind, ..without_pod() };
    policy("agg", "{pod!=\"\"}", Action::Aggregate(aggregation.into()), Mode::Enforce)
}

/// A policy with or without an exception of one pod.
fn policies(kind: Option<MetricKind>, excepted: bool) -> Vec<Definition> {
    let exception = policy("exc", "{pod=\"b\"}", Action::Pass, Mode::Enforce);
    excepted.then_some(exception).into_iter().chain([own(kind)]).collect()
}

fn change(rig: &mut Rig, policies: Vec<Definition>) {
    rig.gate.pipeline.replace_policies(PolicySet::compile(&policies, Run::AsConfigured).unwrap());
    rig.policies = policies;
}

/// A scrape of both pods at a time; each value grows by one a second.
fn both(rig: &mut Rig, name: &str, at: i64) {
    rig.put_all(at, &[(name, "a", (1000 + at) as f64), (name, "b", (5000 + at) as f64)]);
}

#[test]
fn a_counter_that_passed_for_a_while_is_not_counted_again() {
    for (restarts, refused) in [(false, false), (true, false), (false, true)] {
        let mut rig = Rig::of(policies(None, false), IDLE_MS);
        (0..120).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        change(&mut rig, policies(None, true));
        if refused {
            rig.refuse(&request("x_total", "b", &[(120, 5120.0)]));
        }
        (120..240).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        assert_eq!(sent(&rig.gate, &request("x_total", "b", &[(225, 5225.0)])), ["x_total{pod=\"b\"}"]);
        if restarts {
            rig.restart();
        }
        change(&mut rig, policies(None, false));
        (240..=360).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        // b was seen as itself from 120 to 225, and is where it is at 240
        let grown = (360.0, 105.0 + 120.0);
        let output = rig.finish();
        let last: f64 = output["x_total"].last().unwrap().1.parse().unwrap();
        assert_eq!(last, grown.0 + grown.1, "{restarts} {refused} {output:?}");
    }
}

#[test]
fn a_counter_that_is_gone_and_passes_when_it_comes_back_is_not_counted_again() {
    let mut rig = Rig::of(policies(None, false), IDLE_MS);
    both(&mut rig, "x_total", 0);
    // it is silent for so long that it is no member any more
    for at in (15..1200).step_by(15) {
        rig.put("x_total", "a", &[(at, 1000.0)]);
        rig.pass_time(T + at * 1000);
    }
    change(&mut rig, policies(None, true));
    (1200..1300).step_by(15).for_each(|at| rig.put("x_total", "b", &[(at, 9000.0)]));
    change(&mut rig, policies(None, false));
    (1300..1400).step_by(15).for_each(|at| rig.put("x_total", "b", &[(at, 9000.0)]));
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "0");
}

#[test]
fn a_gauge_that_passes_is_in_no_window_that_ends_later() {
    let mut rig = Rig::of(policies(Some(MetricKind::Gauge), false), IDLE_MS);
    let scrape = |rig: &mut Rig, at: i64| rig.put_all(at, &[("g", "a", 3.0), ("g", "b", 4.0)]);
    (0..=120).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, policies(Some(MetricKind::Gauge), true));
    (135..=240).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, policies(Some(MetricKind::Gauge), false));
    (255..=360).step_by(15).for_each(|at| scrape(&mut rig, at));
    assert_eq!(rig.points("g"), "0:7 60:7 120:7 180:3 240:3 300:7 360:7");
}

/// What would be at the end of the window would stand beside the members that pass by then, or that another process adds up.
#[test]
fn what_ends_before_its_window_does_is_no_later_than_its_newest_sample() {
    let scraped = || {
        let mut rig = Rig::of(policies(Some(MetricKind::Gauge), false), IDLE_MS);
        (0..=75).step_by(15).for_each(|at| rig.put_all(at, &[("g", "a", 3.0), ("g", "b", 4.0)]));
        rig
    };
    let mut rig = scraped();
    change(&mut rig, Vec::new());
    rig.put_all(90, &[("g", "a", 3.0), ("g", "b", 4.0)]);
    assert_eq!(rig.points("g"), "0:7 60:7 75:7 75.001:stale");

    let rig = scraped();
    let made = rig.gate.pipeline.engine().stop();
    let times: Vec<i64> = made.iter().flat_map(|(.., points)| points).map(|point| point.ms - T).collect();
    assert_eq!(times, [75_000]);
}

#[test]
fn what_is_open_of_a_counter_that_passes_is_not_counted_unless_a_start_says_so() {
    let mut rig = Rig::of(policies(None, false), IDLE_MS);
    let scrape = |rig: &mut Rig, at: i64| {
        let new = (at >= 105).then_some(("x_total", "b", 57.0));
        let old = ["a", "c", "d"].map(|pod| ("x_total", pod, 1e6));
        rig.put_all(at, &old.into_iter().chain(new).collect::<Vec<_>>());
    };
    (0..=105).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, policies(None, true));
    (120..=300).step_by(15).for_each(|at| scrape(&mut rig, at));
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "0");
}

/// Members whose type was learned pass until the next process has learned it, and those of one of several gates are at others.
#[test]
fn at_a_stop_gauges_end_where_their_members_are_seen_elsewhere() {
    let gauge = Some(MetricKind::Gauge);
    let instance = Some(("gate".to_owned(), "1".to_owned()));
    let sum = vec![Made::Sum];
    for (kind, outputs, instance, ends) in [
        (gauge, Vec::new(), None, false),
        (None, Vec::new(), None, true),
        // what has no type is a gauge there: its members never pass
        (None, sum, None, false),
        (gauge, Vec::new(), instance, true),
    ] {
        let aggregation = Aggregation { kind, outputs, instance: instance.clone(), ..without_pod() };
        let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(aggregation.into()), Mode::Enforce);
        let mut rig = Rig::of(vec![own], IDLE_MS);
        let mut first = request("mem", "a", &[(0, 3.0)]);
        first.metadata = crate::writers::gauge("mem");
        rig.send(&first);
        (15..=75).step_by(15).for_each(|at| rig.put("mem", "a", &[(at, 3.0)]));
        let _sent = rig.gate.pipeline.collect();
        let made = rig.gate.pipeline.engine().stop();
        let points: Vec<(i64, bool)> = made
            .iter()
            .flat_map(|(.., points)| points)
            .map(|point| (point.ms - T, f64::from_bits(point.bits).is_nan()))
            .collect();
        let expected = if ends { vec![(75_000, false), (75_001, true)] } else { vec![(75_000, false)] };
        assert_eq!(points, expected, "{kind:?} {instance:?}");
    }
}

/// The same with a narrower policy in front, which takes one pod.
fn narrowed(kind: Option<MetricKind>) -> Vec<Definition> {
    let aggregation = Aggregation { kind, suffix: Some(":b".into()), ..without_pod() };
    let narrow = policy("narrow", "{pod=\"b\"}", Action::Aggregate(aggregation.into()), Mode::Enforce);
    vec![narrow, own(kind)]
}

/// The points of one series: seconds after [`T`], value.
fn shown(output: &Output, name: &str) -> String {
    let each = output[name].iter().map(|(ms, value)| format!("{}:{value}", (ms - T) as f64 / 1000.0));
    each.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_gauge_that_another_policy_takes_is_in_one_group_only() {
    let kind = Some(MetricKind::Gauge);
    let mut rig = Rig::of(policies(kind, false), IDLE_MS);
    let scrape = |rig: &mut Rig, at: i64| rig.put_all(at, &[("g", "a", 3.0), ("g", "b", 4.0)]);
    (0..=120).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, narrowed(kind));
    (135..=240).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, policies(kind, false));
    (255..=360).step_by(15).for_each(|at| scrape(&mut rig, at));
    let output = rig.finish();
    assert_eq!(shown(&output, "g"), "0:7 60:7 120:7 180:3 240:3 300:7 360:7");
    assert_eq!(shown(&output, "g:b"), "180:4 240:4 240.001:stale");
}

#[test]
fn a_counter_that_another_policy_takes_is_counted_once() {
    for restarts in [false, true] {
        let mut rig = Rig::of(policies(None, false), IDLE_MS);
        (0..=120).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        change(&mut rig, narrowed(None));
        (135..=240).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        if restarts {
            // what was edited is so while the gate is down, too
            let snapshot = rig.snapshot();
            rig.policies = policies(None, false);
            rig.restore(&snapshot);
        }
        change(&mut rig, policies(None, false));
        (255..=360).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        let output = rig.finish();
        let last =
            |name: &str| output[name].iter().rev().find(|(_, value)| value != "stale").unwrap().1.clone();
        // b: to 120 here, from 135 to 240 there, from 255 on here again
        assert_eq!(last("x_total"), (360 + 120 + 105).to_string(), "{restarts} {output:?}");
        assert_eq!(last("x:b_total"), "105", "{restarts} {output:?}");
    }
}

#[test]
fn members_that_a_restart_lets_pass_or_gives_to_another_policy_leave_their_group() {
    for other in [policies(None, true), narrowed(None)] {
        let mut rig = Rig::of(policies(None, false), IDLE_MS);
        (0..=120).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        for policies in [other, policies(None, false)] {
            let snapshot = rig.snapshot();
            rig.policies = policies;
            rig.restore(&snapshot);
            let from = rig.now() - T;
            let from = (from / 15_000 + 1) * 15;
            (from..from + 120).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
        }
        let output = rig.finish();
        let last: f64 = output["x_total"].last().unwrap().1.parse().unwrap();
        // two stretches of 105 that a was seen through whole, with 15 between them, and of b what it was a member for
        assert_eq!(last, 120.0 + 240.0 + 120.0 + 105.0, "{output:?}");
    }
}

#[test]
fn an_exception_takes_what_is_kept_beside_out_of_its_group_too() {
    let kept = || {
        let aggregation = Aggregation { suffix: Some(":all".into()), keep_input: true, ..without_pod() };
        policy("kept", "{pod!=\"\"}", Action::Aggregate(aggregation.into()), Mode::Enforce)
    };
    let exception = policy("exc", "{pod=\"b\"}", Action::Pass, Mode::Enforce);
    let mut rig = Rig::of(vec![kept()], IDLE_MS);
    (0..=120).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
    change(&mut rig, vec![exception, kept()]);
    (135..=240).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
    change(&mut rig, vec![kept()]);
    (255..=360).step_by(15).for_each(|at| both(&mut rig, "x_total", at));
    let output = rig.finish();
    assert_eq!(output["x:all_total"].last().unwrap().1, (360 + 120 + 105).to_string(), "{output:?}");
}

#[test]
fn an_edit_of_labels_in_front_takes_no_whole_window_from_the_group_that_a_gauge_leaves() {
    let own = |name: &str| {
        let rename = crate::pipeline::rule("replace", &["__name__"], "g", "__name__", Some(name));
        let kind = Some(MetricKind::Gauge);
        let gauges = Aggregation { kind, delay_ms: 30_000, ..without_pod() };
        let sum = policy("agg", "{pod!=\"\"}", Action::Aggregate(gauges.into()), Mode::Enforce);
        vec![crate::pipeline::relabel("g", &[rename]), sum]
    };
    let mut rig = Rig::of(own("first"), IDLE_MS);
    let scrape = |rig: &mut Rig, at: i64| rig.put_all(at, &[("g", "a", 3.0), ("g", "b", at as f64)]);
    (0..=75).step_by(15).for_each(|at| scrape(&mut rig, at));
    change(&mut rig, own("second"));
    (90..=240).step_by(15).for_each(|at| scrape(&mut rig, at));
    // the window that ended at 60 waited for what is late until 90
    let output = rig.finish();
    assert_eq!(shown(&output, "first"), "0:3 60:63 120:stale");
    assert_eq!(shown(&output, "second"), "120:123 180:183 240:243");
}
