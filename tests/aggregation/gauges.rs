//! What is promised of gauges: whose values are in which window, and when their group ends.

use seriesgate::policy::{Action, Aggregation, Definition, MetricKind, Mode, Output, PolicySet, Run};
use seriesgate_proto::{WriteRequest, encode_snappy};

use crate::IDLE_MS;
use crate::pipeline::{policy, relabel, rule};
use crate::rig::Rig;
use crate::steps::*;
use crate::world::Dice;

fn own(interval_s: i64, delay_s: i64) -> Definition {
    let (interval_ms, delay_ms) = (interval_s * 1000, delay_s * 1000);
    let (kind, outputs) = (Some(MetricKind::Gauge), vec![Output::Sum, Output::Count]);
    let own = Aggregation { kind, outputs, interval_ms, delay_ms, ..without_pod() };
    policy("agg", "{__name__=~\"g|h\"}", Action::Aggregate(own.into()), Mode::Enforce)
}

/// Sum and count of a gauge `g` in windows of so many seconds.
fn gauges(interval_s: i64) -> Rig {
    Rig::of(vec![own(interval_s, 0)], IDLE_MS)
}

/// Everybody's samples, each second's in one request; something else is scraped once in five seconds.
fn scrape(rig: &mut Rig, seconds: impl Iterator<Item = i64>, value: impl Fn(&str, i64) -> Option<f64>) {
    for at in seconds {
        rig.pass_time(T + at * 1000);
        let of = |pod: &&'static str| value(pod, at).map(|value| ("g", *pod, value));
        let mut all: Vec<_> = ["a", "b", "slow"].iter().filter_map(of).collect();
        if at % 5 == 0 {
            all.push(("other", "x", 1.0));
        }
        if !all.is_empty() {
            rig.put_all(at, &all);
        }
    }
}

/// A sample each so many seconds, up to that second.
fn each(step: i64, at: i64, last: i64, value: f64) -> Option<f64> {
    (at % step == 0 && at <= last).then_some(value)
}

/// What came out: time in seconds after `T`, sum, count.
fn both(rig: &mut Rig) -> String {
    let output = rig.finish();
    let (sums, counts) = (&output["g"], &output["g:count"]);
    let shown = sums.iter().zip(counts).map(|((ms, sum), (also_ms, count))| {
        assert_eq!(ms, also_ms, "{output:?}");
        format!("{}:{sum}/{count}", (ms - T) as f64 / 1000.0)
    });
    assert_eq!(sums.len(), counts.len(), "{output:?}");
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn one_that_is_gone_without_a_word_is_in_no_window_more_where_several_of_its_samples_were_due() {
    let mut rig = gauges(15);
    scrape(&mut rig, 1..=105, |pod, at| match pod {
        "a" => each(5, at, 60, 4.0),
        "b" => each(5, at, 105, 5.0).filter(|_| at > 60),
        _ => each(60, at, 105, 10.0),
    });
    assert_eq!(both(&mut rig), "15:4/1 30:4/1 45:4/1 60:14/2 75:15/2 90:15/2 105:15/2");
}

#[test]
fn of_several_samples_of_a_window_one_is_enough_and_a_window_without_any_is_a_hole() {
    let mut rig = gauges(15);
    scrape(&mut rig, 1..=90, |pod, at| match pod {
        "a" => each(5, at, 90, 4.0).filter(|_| at == 20 || !(20..=45).contains(&at)),
        "b" => each(5, at, 90, 5.0),
        _ => None,
    });
    assert_eq!(both(&mut rig), "15:9/2 30:9/2 45:5/1 60:9/2 75:9/2 90:9/2");
}

#[test]
fn at_the_pace_of_the_interval_a_lost_sample_leaves_no_hole_wherever_in_a_window_it_was_due() {
    for phase in 1..=15 {
        let mut rig = gauges(15);
        scrape(&mut rig, 1..=200, |pod, at| match pod {
            // one is lost, and after three more it is gone
            "a" => each(15, at - phase, 105, 4.0).filter(|_| at - phase != 60 && at >= phase),
            _ => None,
        });
        let windows: Vec<String> = (1..=9).map(|window| format!("{}:4/1", window * 15)).collect();
        assert_eq!(both(&mut rig), windows.join(" "), "{phase}");
    }
}

#[test]
fn one_that_is_slower_than_the_interval_is_in_every_window_for_a_period_and_a_half() {
    let mut rig = gauges(15);
    scrape(&mut rig, 1..=240, |pod, at| match pod {
        "a" => each(60, at - 2, 60, 4.0),
        _ => None,
    });
    // its last is of 62, in the window that ends at 75
    let windows: Vec<String> = (1..=11).map(|window| format!("{}:4/1", window * 15)).collect();
    assert_eq!(both(&mut rig), windows.join(" "));
}

#[test]
fn before_its_period_is_known_one_holds_for_five_minutes() {
    let mut rig = gauges(60);
    scrape(&mut rig, 1..=500, |pod, at| (pod == "a" && at == 7).then_some(4.0));
    assert_eq!(both(&mut rig), "60:4/1 120:4/1 180:4/1 240:4/1 300:4/1 360:4/1");
}

#[test]
fn a_group_ends_with_the_stale_markers_of_its_members_and_comes_back_after_its_own() {
    let mut rig = gauges(5);
    scrape(&mut rig, 0..=40, |pod, at| match (pod, at) {
        ("slow", _) => None,
        (_, 17) => Some(STALE_MARKER),
        // the very next window
        ("a", 21..) => each(1, at, 24, 5.0),
        (_, ..17) => each(5, at, 15, if pod == "a" { 5.0 } else { 7.0 }),
        _ => None,
    });
    assert_eq!(both(&mut rig), "0:12/2 5:12/2 10:12/2 15:12/2 20:stale/stale 25:5/1");
}

#[test]
fn a_stale_marker_and_a_value_after_it_in_one_window_end_nothing() {
    let mut rig = gauges(5);
    scrape(&mut rig, 0..=20, |pod, at| match (pod, at) {
        ("a", 11) => Some(STALE_MARKER),
        ("a", 15) => Some(6.0),
        ("a", _) => each(5, at, 10, 5.0),
        _ => None,
    });
    assert_eq!(both(&mut rig), "0:5/1 5:5/1 10:5/1 15:6/1 20:6/1");
}

#[test]
fn one_that_is_silent_keeps_its_group_for_as_long_as_its_value_holds_and_then_the_group_just_stops() {
    let mut rig = gauges(5);
    scrape(&mut rig, 0..=700, |pod, at| match (pod, at) {
        ("slow", _) => each(20, at, 20, 10.0),
        ("a", 21) => Some(STALE_MARKER),
        ("a", _) => each(5, at, 20, 1.0),
        _ => None,
    });
    // as its members: who asks sees the last value for a while; `idle_after` ends it
    let of_both = ["0:11/2", "5:11/2", "10:11/2", "15:11/2", "20:11/2"];
    let of_one = ["25:10/1", "30:10/1", "35:10/1", "40:10/1", "45:10/1", "50:10/1", "620:stale/stale"];
    assert_eq!(both(&mut rig), [&of_both[..], &of_one].concat().join(" "));
}

#[test]
fn a_stale_marker_ends_a_group_of_which_all_others_are_silent_for_long() {
    let mut rig = gauges(5);
    scrape(&mut rig, 0..=60, |pod, at| match (pod, at) {
        ("b", _) => each(5, at, 10, 2.0),
        ("a", 21) => Some(STALE_MARKER),
        ("a", _) => each(5, at, 20, 1.0),
        _ => None,
    });
    // `b` is of one more window, as a sample of it may be lost
    assert_eq!(both(&mut rig), "0:3/2 5:3/2 10:3/2 15:3/2 20:1/1 25:stale/stale");
}

/// A group whose window is over; its member's stale marker of a time before comes after that.
fn ended_late() -> Rig {
    let mut rig = gauges(5);
    scrape(&mut rig, 0..=21, |pod, at| if pod == "a" { each(5, at, 15, 3.0) } else { None });
    rig.put("other", "x", &[(21, 1.0)]);
    rig.gate.decide("", &encode_snappy(&request("g", "a", &[(16, STALE_MARKER)]))).unwrap();
    let told = rig.gate.pipeline.commit(&rig.gate.outcome).aggregated;
    assert_eq!((told[0].1.late, told[0].1.all()), (0, 0));
    rig
}

#[test]
fn a_stale_marker_is_never_late() {
    let mut rig = ended_late();
    scrape(&mut rig, 22..=60, |_, _| None);
    assert_eq!(both(&mut rig), "0:3/1 5:3/1 10:3/1 15:3/1 20:3/1 25:stale/stale");
}

#[test]
fn a_value_after_a_stale_marker_that_came_late_stands() {
    let mut rig = ended_late();
    scrape(&mut rig, 22..=30, |pod, at| (pod == "a" && at == 23).then_some(4.0));
    assert_eq!(both(&mut rig), "0:3/1 5:3/1 10:3/1 15:3/1 20:3/1 25:4/1 30:4/1");
}

#[test]
fn a_group_ends_in_a_window_that_makes_no_points() {
    let mut rig = Rig::of(vec![own(5, 150)], IDLE_MS);
    let scraped = |pod: &str, at: i64| if pod == "a" { each(5, at, 30, 3.0) } else { None };
    scrape(&mut rig, 0..=30, scraped);
    // nobody sends for long; then another agent brings what is older than what the first one has by then
    rig.put("other", "x", &[(200, 1.0)]);
    rig.send(&request("g", "a", &[(101, STALE_MARKER)]));
    scrape(&mut rig, 201..=300, |_, _| None);
    assert_eq!(both(&mut rig), "0:3/1 5:3/1 10:3/1 15:3/1 20:3/1 25:3/1 30:3/1 105:stale/stale");
}

#[test]
fn a_restart_between_the_stale_marker_and_the_end_of_its_window_changes_nothing() {
    let mut rig = gauges(60);
    scrape(&mut rig, 0..=70, |pod, at| match (pod, at) {
        ("a", 65) => Some(STALE_MARKER),
        ("a", _) => each(20, at, 60, 3.0),
        _ => None,
    });
    rig.restart();
    scrape(&mut rig, 71..=130, |_, _| None);
    rig.restart();
    scrape(&mut rig, 131..=200, |pod, at| (pod == "a" && at == 140).then_some(4.0));
    assert_eq!(both(&mut rig), "0:3/1 60:3/1 120:stale/stale 180:4/1");
}

#[test]
fn a_group_whose_members_are_all_in_others_ends() {
    let mut rig = gauges(60);
    let scraped = |pod: &str, at: i64| if pod == "slow" { None } else { each(20, at, 180, 3.0) };
    scrape(&mut rig, 0..=70, scraped);
    let renames = [rule("replace", &["__name__"], "g", "__name__", Some("h"))];
    let renamed = [relabel("{pod!=\"\"}", &renames), own(60, 0)];
    rig.gate.pipeline.replace_policies(PolicySet::compile(&renamed, Run::AsConfigured).unwrap());
    scrape(&mut rig, 71..=180, scraped);
    let output = rig.finish();
    let shown = |series: &str| {
        let shown = output[series].iter().map(|(ms, value)| format!("{}:{value}", (ms - T) / 1000));
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown("g"), "0:6 60:6 120:stale");
    assert_eq!(shown("h"), "120:6 180:6");
    assert_eq!(shown("g:count"), "0:2 60:2 120:stale");
}

#[test]
fn a_group_of_one_member_goes_on_beside_one_that_ends() {
    let mut rig = gauges(5);
    let marker = |pod: &str| series("g", pod, &[(21, STALE_MARKER)]);
    scrape(&mut rig, 0..=20, |pod, at| each(5, at, 20, if pod == "a" { 1.0 } else { 2.0 }));
    rig.deliver(&WriteRequest::of(vec![marker("b"), marker("slow")]));
    scrape(&mut rig, 22..=30, |pod, at| if pod == "a" { each(5, at, 30, 1.0) } else { None });
    assert_eq!(both(&mut rig), "0:5/3 5:5/3 10:5/3 15:5/3 20:5/3 25:1/1 30:1/1");
}

#[test]
fn gauges_sampled_at_uneven_times_are_in_every_window() {
    // as cAdvisor gives them: with times of its own, 10 to 20 s apart, of which a scrape sees the newest
    let mut dice = Dice::new(7);
    let mut times: Vec<(i64, &str)> = Vec::new();
    for (offset, pod) in (30..).step_by(3).zip(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]) {
        let (mut newest, mut next) = (0, 10);
        for scrape in (offset..7200).step_by(30) {
            while next <= scrape {
                (newest, next) = (next, next + 10 + dice.below(11) as i64);
            }
            times.push((newest, pod));
        }
    }
    times.sort_unstable();
    let mut rig = gauges(30);
    times.iter().for_each(|(at, pod)| rig.put("g", pod, &[(*at, 1.0)]));
    let output = rig.finish();
    let windows = &output["g:count"];
    let without = windows[5..].iter().filter(|(_, count)| count != "10").count();
    assert!(windows.len() > 230 && without < 3, "{without} of {}: {windows:?}", windows.len());
}
