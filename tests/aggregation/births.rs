//! Where members start from: births, and all that looks like one.

use seriesgate::policy::{Action, Aggregation, Mode};
use seriesgate_proto::{Label, WriteRequest};

use crate::pipeline::{labeldrop, policy, relabel};
use crate::rig::Rig;
use crate::steps::*;

#[test]
fn what_is_born_while_its_sender_is_watched_counts_from_zero_and_nothing_else_does() {
    let mut rig = rig();
    rig.put("x_total", "old", &[(0, 1e6), (30, 1e6)]);
    // half a minute is too short
    rig.put_all(31, &[("x_total", "old", 1e6), ("x_total", "early", 50.0)]);
    rig.put("x_total", "old", &[(60, 1e6), (90, 1e6)]);
    rig.put_all(91, &[("x_total", "old", 1e6), ("x_total", "born", 5.0)]);
    rig.put_all(121, &[("x_total", "old", 1e6), ("x_total", "born", 7.0)]);
    // who comes alone is a stranger
    rig.put("x_total", "another agent's", &[(92, 4e6)]);
    // the agent is gone for ten minutes
    rig.put("x_total", "old", &[(690, 1e6)]);
    rig.put_all(691, &[("x_total", "old", 1e6), ("x_total", "meanwhile", 5e5)]);
    rig.put("x_total", "old", &[(720, 1e6), (750, 1e6)]);
    rig.put_all(751, &[("x_total", "old", 1e6), ("x_total", "again", 2.0)]);
    rig.put_all(781, &[("x_total", "old", 1e6), ("x_total", "again", 3.0)]);
    // it is settled when a minute is over
    rig.put("x_total", "old", &[(811, 1e6), (841, 1e6)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:0 120:0 180:7 720:7 780:7 840:10 900:10");
}

#[test]
fn what_says_that_a_counter_is_old_may_come_in_another_request_of_its_scrape() {
    let mut rig = rig();
    let old = |at: i64| ("x_total", "old", 1e6 + at as f64);
    for at in (0..=90).step_by(15) {
        rig.put_all(at, &[old(at), ("hb", "old", 1.0)]);
    }
    // a sender with several connections: the counter comes first
    rig.put_all(105, &[old(105), ("x_total", "added", 5e6)]);
    rig.put_all(
        105,
        &[("hb", "old", 1.0), ("process_start_time_seconds", "added", (T / 1000 - 9999) as f64)],
    );
    rig.put_all(120, &[old(120), ("x_total", "added", 5e6 + 1.0)]);
    rig.put_all(135, &[old(135), ("x_total", "added", 5e6 + 2.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:60 120:121 180:137");
}

#[test]
fn a_second_agent_behind_the_address_is_a_stranger_until_it_was_there_for_a_minute() {
    let mut rig = rig();
    let ours = |at: i64| ("x_total", "old", 1e6 + at as f64);
    for at in (0..=300).step_by(15) {
        rig.put_all(at, &[ours(at), ("hb", "old", 1.0)]);
        // it has counted for long, and one of its targets is scraped less often than the others
        let theirs = ("x_total", "theirs", 5e6 + at as f64);
        match at {
            ..200 => {}
            240 => rig.put_all(at + 1, &[theirs, ("hb", "theirs", 1.0), ("x_total", "their slow one", 3e6)]),
            _ => rig.put_all(at + 1, &[theirs, ("hb", "theirs", 1.0)]),
        }
    }
    let points = rig.points("x_total");
    assert!(points.ends_with("300:375 360:390"), "{points}");
}

#[test]
fn a_sample_that_is_late_makes_nobody_watched_for_longer() {
    let mut rig = rig();
    rig.put("x_total", "late", &[(-120, 1.0)]);
    rig.put_all(0, &[("x_total", "old", 1e6), ("x_total", "late", 1.0)]);
    rig.put_all(15, &[("x_total", "old", 1e6), ("x_total", "late", 1.0), ("x_total", "slow", 3e6)]);
    rig.put_all(30, &[("x_total", "old", 1e6 + 7.0), ("x_total", "slow", 3e6)]);
    assert!(rig.points("x_total").ends_with("60:7"));
}

#[test]
fn a_run_that_was_due_while_we_watched_counts_from_zero_at_once() {
    let minute = T / 60_000;
    let mut rig = rig();
    let old = ("x_total", "web-7d764666f9-qdcxt", 500.0);
    rig.put_all(0, &[old]);
    // due in this minute, and in one long ago
    let run = |minute: i64| format!("sync-{minute}-x7k2p");
    rig.put_all(20, &[old, ("x_total", &run(minute), 5.0)]);
    rig.put_all(25, &[old, ("x_total", &run(minute - 100), 900.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:5");
}

#[test]
fn a_pod_that_was_created_while_we_watched_counts_from_zero_at_once() {
    let mut rig = rig();
    rig.put("x_total", "old", &[(0, 500.0)]);
    let seconds = |at: i64| (T / 1000 + at) as f64;
    // what says when it was comes behind what it is about
    rig.put_all(
        21,
        &[
            ("x_total", "old", 500.0),
            ("x_total", "young", 5.0),
            ("x_total", "late-to-the-party", 900.0),
            ("kube_pod_created", "young", seconds(15)),
            ("kube_pod_created", "late-to-the-party", seconds(-3600)),
        ],
    );
    for at in [50, 80, 110] {
        rig.put("x_total", "old", &[(at, 500.0)]);
    }
    // a process that ran before we came, of a pod that nobody names; its target was added
    let added = [("x_total", "old", 500.0), ("x_total", "added", 7e6)];
    rig.put_all(119, &[&added[..], &[("process_start_time_seconds", "added", seconds(-99))]].concat());
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:5 120:5");
}

#[test]
fn a_counter_that_says_of_itself_when_it_began_is_believed() {
    let mut rig = rig();
    let old = |at: i64| ("x_total", "old", 500.0, if at == 0 { -3600 } else { 0 });
    rig.put_started(0, &[old(0)]);
    // born while we watched, and in front of us for an hour; nothing else says so, or it says something else
    let young = ("x_total", "young", 5.0, 15);
    rig.put_started(21, &[old(21), young, ("x_total", "late-to-the-party", 900.0, -3600)]);
    for at in [50, 80, 110] {
        rig.put_started(at, &[old(at)]);
    }
    // without a word it would be taken for born by now; and its process is older than it
    let process = ("process_start_time_seconds", "lazy", (T / 1000 - 9999) as f64, 0);
    let added = ("x_total", "added", 7e6, -99);
    rig.put_started(119, &[old(119), added, ("x_total", "lazy", 3.0, 112), process]);
    for at in [130, 150, 180] {
        rig.put_started(
            at,
            &[old(at), ("x_total", "added", 7e6, -99), ("x_total", "lazy", 3.0, 112), process],
        );
    }
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:5 120:8 180:8");
}

#[test]
fn a_counter_that_says_that_it_began_anew_has_although_its_value_did_not_fall() {
    let mut rig = rig();
    let grew = |began: i64| move |(at, value): (i64, f64)| (at, [("x_total", "old", value, began)]);
    let first = [(0, 500.0), (15, 510.0), (30, 510.0)].map(grew(-3600));
    // it is another since second 40, of which 600 were counted by second 45, and yet another since 62; then it stays
    let second = [(45, 600.0), (60, 600.0)].map(grew(40));
    let third = [(75, 700.0), (90, 705.0), (105, 705.0), (120, 705.0), (135, 705.0)].map(grew(62));
    for (at, all) in first.into_iter().chain(second).chain(third) {
        rig.put_started(at, &all);
    }
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:610 120:1315 180:1315");
}

#[test]
fn a_beginning_before_the_last_sample_or_at_it_is_no_new_one() {
    let mut rig = rig();
    for at in (0..=180).step_by(15) {
        // from one sample to the next, as senders of differences say it; a millisecond of doubt is none
        rig.put_started(at, &[("x_total", "old", 500.0 + at as f64, at - 15)]);
    }
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:60 120:120 180:180");
}

#[test]
fn what_a_counter_says_of_itself_is_not_forgotten_over_a_restart() {
    let mut rig = rig();
    for at in (0..=90).step_by(15) {
        rig.put_started(at, &[("x_total", "old", 500.0, 0)]);
    }
    rig.put_started(105, &[("x_total", "old", 500.0, 0), ("x_total", "added", 7e6, -99)]);
    rig.restart();
    for at in (120..=240).step_by(15) {
        rig.put_started(at, &[("x_total", "old", 500.0, 0), ("x_total", "added", 7e6, -99)]);
    }
    assert!(rig.points("x_total").ends_with("240:0"));
}

#[test]
fn a_pod_made_anew_under_its_name_is_told_by_the_same_series_whatever_order_its_labels_have() {
    let seconds = |at: i64| (T / 1000 + at) as f64;
    let mut rig = rig();
    rig.put_all(0, &[("x_total", "old", 500.0), ("kube_pod_created", "web-0", seconds(-3600))]);
    rig.put("x_total", "old", &[(50, 500.0)]);
    let mut told = series("kube_pod_created", "web-0", &[(100, seconds(95))]);
    told.labels.reverse();
    let born = series("x_total", "web-0", &[(100, 5.0)]);
    rig.deliver(&WriteRequest::of(vec![series("x_total", "old", &[(100, 500.0)]), born, told]));
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:0 120:5");
}

#[test]
fn a_counter_that_is_born_below_zero_takes_nothing_from_its_group() {
    let mut rig = rig();
    for at in (0..=120).step_by(15) {
        rig.put_all(at, &[("x_total", "old", 100.0 + at as f64)]);
    }
    rig.put_all(121, &[("x_total", "old", 221.0), ("x_total", "born", -50.0)]);
    assert!(rig.points("x_total").ends_with("120:120 180:121"));
}

#[test]
fn half_of_what_is_known_says_for_how_long_a_request_is_known() {
    let mut rig = rig();
    let pods = |names: &[&'static str]| names.iter().map(|pod| ("x_total", *pod, 1e6)).collect::<Vec<_>>();
    for at in (0..285).step_by(15) {
        rig.put_all(at, &pods(&["a", "b", "c"]));
    }
    // one young pod among old ones
    rig.put_all(285, &pods(&["a", "b", "c", "young"]));
    rig.put_all(300, &[&pods(&["a", "b", "c", "young"])[..], &[("x_total", "born", 5.0)]].concat());
    // one old series among those of an agent that has just come
    rig.put_all(315, &pods(&["a", "theirs 1", "theirs 2", "theirs 3"]));
    rig.put_all(330, &pods(&["a", "theirs 1", "theirs 2", "theirs 3", "their slow one"]));
    rig.put_all(480, &pods(&["a"]));
    rig.collect();
    let points = rig.points("x_total");
    assert!(points.ends_with(" 300:0 360:1000005 480:1000005"), "the young one and the one born: {points}");
}

#[test]
fn a_pod_that_was_given_up_is_not_born_again_by_its_creation() {
    let mut rig = rig();
    rig.change_settings(|settings| settings.max_tombstones = 0);
    let created = ("kube_pod_created", "young", (T / 1000 + 15) as f64);
    rig.put("x_total", "old", &[(0, 500.0), (15, 500.0)]);
    rig.put_all(21, &[("x_total", "old", 500.0), ("x_total", "young", 5.0), created]);
    for at in (30..2000).step_by(30) {
        rig.put("x_total", "old", &[(at, 500.0)]);
        rig.pass_time(T + at * 1000);
    }
    assert_eq!(rig.gate.pipeline.engine().given_up(), 1);
    rig.put_all(2000, &[("x_total", "old", 500.0), ("x_total", "young", 900.0), created]);
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "5");
}

#[test]
fn a_pod_that_is_created_right_after_a_reload_counts_from_zero() {
    let mut rig = rig();
    (0..=195).step_by(15).for_each(|at| rig.put("x_total", "old", &[(at, 1e6)]));
    let set = seriesgate::policy::PolicySet::compile(&rig.policies, seriesgate::policy::Run::AsConfigured);
    rig.gate.pipeline.replace_policies(set.unwrap());
    let created = ("kube_pod_created", "young", (T / 1000 + 205) as f64);
    rig.put_all(210, &[("x_total", "old", 1e6), ("x_total", "young", 7.0), created]);
    assert!(rig.points("x_total").ends_with("240:7"));
}

#[test]
fn for_how_long_a_sender_is_known_is_an_age_by_our_clock_though_a_series_lags_behind() {
    let mut rig = rig();
    (0..=240).step_by(15).for_each(|at| rig.put("x_total", "old", &[(at, 1e6)]));
    [250, 265, 280].iter().for_each(|at| rig.put("x_total", "theirs", &[(*at, 5e6)]));
    // it was made before the second agent came
    let created = series("kube_pod_created", "lags", &[(300, (T / 1000 + 240) as f64)]);
    let lags = [series("x_total", "theirs", &[(300, 5e6)]), series("x_total", "lags", &[(260, 900.0)])];
    rig.deliver(&WriteRequest::of([&lags[..], &[created]].concat()));
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().births, 0);
}

/// The pods of a rollout, whose request holds little else, and of which another request of the scrape says when they were made.
fn rollout(rig: &mut Rig, created: i64) {
    let old: Vec<(&str, &str, f64)> = vec![("x_total", "a", 1e6), ("x_total", "b", 1e6), ("hb", "a", 1.0)];
    for at in (0..300).step_by(15) {
        rig.put_all(at, &old);
    }
    let pods = ["c", "d", "e", "f"];
    for at in (300..420).step_by(15) {
        let value = (at - 290) as f64;
        let mut new: Vec<_> = pods.iter().map(|pod| ("x_total", *pod, value)).collect();
        // the old ones go on for a scrape
        new.push(("hb", "a", 1.0));
        rig.put_all(at, &new);
        let told: Vec<_> =
            pods.iter().map(|pod| ("kube_pod_created", *pod, (T / 1000 + created) as f64)).collect();
        rig.put_all(at, &told);
    }
}

#[test]
fn the_pods_of_a_rollout_count_from_zero_though_most_of_their_request_is_new() {
    let mut rig = rig();
    rollout(&mut rig, 290);
    let points = rig.points("x_total");
    // four of them, each at 115 by 405
    assert!(points.ends_with(":460"), "{points}");
    let counts = rig.gate.pipeline.engine().aggregators()[0].counts();
    assert_eq!((counts.births, counts.baselines), (4, 2));
}

#[test]
fn what_says_when_a_counter_began_is_found_though_a_rule_drops_its_pod() {
    let mut rig = Rig::of(
        vec![
            relabel("x_total", &[labeldrop("pod")]),
            policy("agg", "x_total", Action::Aggregate(without_pod().into()), Mode::Enforce),
        ],
        crate::IDLE_MS,
    );
    rollout(&mut rig, 290);
    let points = rig.points("x_total");
    assert!(points.ends_with(":460"), "{points}");
}

#[test]
fn pods_that_are_older_do_not() {
    let mut rig = rig();
    rollout(&mut rig, -100);
    let points = rig.points("x_total");
    assert!(points.ends_with(":420"), "{points}");
}

#[test]
fn what_was_born_with_it_does_not_speak_against_a_birth() {
    let mut rig = rig();
    let old = [("x_total", "a", 1e6), ("x_total", "b", 1e6), ("x_total", "c", 1e6)];
    for at in (0..300).step_by(15) {
        rig.put_all(at, &old);
    }
    let born = [("x_total", "d", 5.0), ("x_total", "e", 5.0)];
    rig.put_all(300, &[&old[..], &born[..]].concat());
    rig.put_all(301, &[("kube_pod_created", "d", (T / 1000 + 299) as f64)]);
    // requests are cut otherwise this time: all that is known there is as young
    for at in (315..480).step_by(15) {
        rig.put_all(at, &born);
        rig.put_all(at, &old);
    }
    assert!(rig.points("x_total").ends_with(":10"));
}

#[test]
fn what_has_one_sample_counts_whether_a_stale_marker_follows_or_nothing() {
    for ends in [true, false] {
        let mut rig = rig();
        let old = |at: i64| ("x_total", "old", 1e6 + at as f64);
        for at in (0..=300).step_by(15) {
            match at {
                105 => rig.put_all(at, &[old(at), ("x_total", "brief", 50.0)]),
                120 if ends => rig.put_all(at, &[old(at), ("x_total", "brief", STALE_MARKER)]),
                _ => rig.put_all(at, &[old(at)]),
            }
        }
        // it is settled in the window in which a minute is over
        assert_eq!(rig.points("x_total"), "-60:0 0:0 60:60 120:120 180:230 240:290 300:350", "{ends}");
    }
}

#[test]
fn a_birth_that_is_not_settled_lives_through_a_restart_and_does_not_count_where_its_policy_ends() {
    for restarts in [true, false] {
        let mut rig = rig();
        let old = |at: i64| ("x_total", "old", 1e6 + at as f64);
        for at in (0..=90).step_by(15) {
            rig.put_all(at, &[old(at)]);
        }
        rig.put_all(105, &[old(105), ("x_total", "born", 50.0)]);
        if restarts {
            rig.restart();
            rig.put_all(120, &[old(120), ("x_total", "born", 51.0)]);
            // what says when something began has a minute again
            for at in (135..=260).step_by(15) {
                rig.put_all(at, &[old(at), ("x_total", "born", 52.0)]);
            }
        }
        let last = if restarts { "180:232 240:292 300:307" } else { "120:105" };
        let points = rig.points("x_total");
        assert!(points.ends_with(last), "{points}");
    }
}

/// A sender that is known for a minute and a half, with one old series.
fn watched() -> Rig {
    let mut rig = rig();
    for at in (0..=90).step_by(15) {
        rig.put_all(at, &[("x_total", "old", 1e6)]);
    }
    rig
}

fn started(pod: &str, seconds: i64) -> (&'static str, &str, f64) {
    ("process_start_time_seconds", pod, (T / 1000 + seconds) as f64)
}

#[test]
fn what_says_that_a_counter_is_old_has_a_minute_whatever_its_target_is_scraped() {
    // its second sample comes before that, or long after
    for every in [5, 120] {
        let mut rig = watched();
        for at in (105..=400).step_by(5) {
            let mut all = vec![("x_total", "old", 1e6)];
            if (at - 105) % every == 0 {
                all.push(("x_total", "added", 5e6 + at as f64));
            }
            rig.put_all(at, &all);
            if at >= 120 {
                rig.put_all(at, &[started("added", -9999)]);
            }
        }
        let points = rig.points("x_total");
        let last: f64 = points.rsplit(':').next().unwrap().parse().unwrap();
        assert!(last < 300.0, "every {every} s: {points}");
    }
}

#[test]
fn a_process_that_starts_again_says_so_in_the_request_of_its_new_counters() {
    let mut rig = watched();
    rig.put_all(105, &[("x_total", "a", 7.0), started("a", -9999)]);
    rig.put_all(120, &[("x_total", "old", 1e6), ("x_total", "a", 8.0), started("a", -9999)]);
    let born = [("x_total", "a", 1.0), ("y_total", "a", 500.0), started("a", 130)];
    rig.put_all(135, &born);
    rig.put_all(150, &born);
    assert!(rig.points("y_total").ends_with(":500"));
}

#[test]
fn a_pod_that_comes_alone_in_its_request_is_born_if_it_is_young() {
    for (made, ends) in [(60, ":500"), (30, ":0")] {
        let mut rig = watched();
        for at in [105, 120] {
            rig.put_all(at, &[("y_total", "alone", 500.0), started("alone", made)]);
            rig.put_all(at, &[("x_total", "old", 1e6)]);
        }
        assert!(rig.points("y_total").ends_with(ends), "made at {made}");
    }
}

#[test]
fn all_buckets_of_a_histogram_are_born_or_none() {
    let bucket = |le: &str, at: i64, value: f64| {
        let mut series = series("lat_bucket", "new", &[(at, value)]);
        series.labels.insert(1, Label { name: "le".into(), value: le.into() });
        series
    };
    let old = |at: i64| series("x_total", "old", &[(at, 1e6)]);
    for alone in [true, false] {
        let mut rig = watched();
        for (at, value) in [(105, 1000.0), (120, 1000.0), (135, 1000.0), (150, 1090.0)] {
            // the larger ones come in a request of their own, which holds nothing that is known; no observation is fast later
            let fast = bucket("1", at, 1000.0);
            let rest = vec![bucket("+Inf", at, value), series("lat_count", "new", &[(at, value)])];
            if alone {
                rig.deliver(&WriteRequest::of(vec![old(at), fast]));
                rig.deliver(&WriteRequest::of(rest));
            } else {
                let known: Vec<_> =
                    (0..4).map(|pod| series("x_total", &pod.to_string(), &[(at, 1.0)])).collect();
                rig.deliver(&WriteRequest::of([known, vec![old(at), fast], rest].concat()));
            }
        }
        let output = rig.finish();
        let last = |le: &str| output[&format!("lat_bucket{{le=\"{le}\"}}")].last().unwrap().1.clone();
        assert_eq!((&*last("1.0"), &*last("+Inf")), ("0", "90"), "{alone}");
    }
}

#[test]
fn a_birth_counts_in_no_window_before_its_own_however_long_is_waited() {
    let late = Aggregation { delay_ms: 150_000, ..without_pod() };
    let agg = policy("agg", "x_total", Action::Aggregate(late.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![agg], crate::IDLE_MS);
    for at in (0..=420).step_by(15) {
        let mut all = vec![("x_total", "old", 1e6)];
        if at >= 105 {
            all.push(("x_total", "born", 50.0));
        }
        rig.put_all(at, &all);
        rig.collect();
    }
    let points = rig.points("x_total");
    assert!(points.starts_with("-60:0 0:0 60:0 120:50 180:50"), "{points}");
}

/// An old target that is there for a while only, or comes and goes; how its group ends.
fn flaps(rig: &mut Rig, there: impl Fn(i64) -> bool) -> f64 {
    let mut was = false;
    for at in (105..=400).step_by(5) {
        let mut all = vec![("x_total", "old", 1e6), ("hb", "old", 1.0)];
        match there(at) {
            true => all.extend([("x_total", "added", 5e6 + at as f64), started("added", -9999)]),
            false if was => all.extend([
                ("x_total", "added", STALE_MARKER),
                ("process_start_time_seconds", "added", STALE_MARKER),
            ]),
            false => {}
        }
        was = there(at);
        rig.put_all(at, &all);
    }
    rig.points("x_total").rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn what_was_said_of_an_old_target_holds_though_it_ends_before_its_minute_is_over() {
    assert!(flaps(&mut watched(), |at| at < 125) < 25.0);
    assert!(flaps(&mut watched(), |at| at == 105 || at >= 180) < 400.0);
}

#[test]
fn a_birth_that_is_proved_counts_though_its_pod_ends_before_its_window_does() {
    let mut rig = watched();
    let alone = |at: i64, value: f64, told: f64| {
        [("x_total", "old", 1e6), ("x_total", "brief", value), ("process_start_time_seconds", "brief", told)]
            .map(|(name, pod, value)| (at, name, pod, value))
    };
    let seconds = (T / 1000 + 130) as f64;
    for (at, value, told) in [(135, 60.0, seconds), (150, 70.0, seconds), (155, STALE_MARKER, STALE_MARKER)] {
        let all: Vec<_> =
            alone(at, value, told).into_iter().map(|(_, name, pod, value)| (name, pod, value)).collect();
        rig.put_all(at, &all);
    }
    rig.put("x_total", "old", &[(180, 1e6), (210, 1e6), (241, 1e6)]);
    let points = rig.points("x_total");
    assert!(points.contains("180:70"), "{points}");
}

#[test]
fn nothing_that_is_open_counts_where_its_policy_or_its_minute_is_cut_short() {
    // what says that it is old comes half a minute after it
    for restarts in [true, false] {
        let mut rig = watched();
        let all = |at: i64| [("x_total", "old", 1e6), ("x_total", "added", 5e6 + at as f64)];
        rig.put_all(105, &all(105));
        rig.put_all(120, &all(120));
        if restarts {
            rig.restart();
            // the counters of what was kept come first, then what says when they began
            for at in (135..=240).step_by(15) {
                rig.put_all(at, &all(at));
                if at == 150 {
                    rig.put_all(at, &[started("added", -9999)]);
                }
            }
            for at in (255..=900).step_by(15) {
                rig.put_all(at, &[&all(at)[..], &[started("added", -9999)]].concat());
            }
        }
        let points = rig.points("x_total");
        let last: f64 = points.rsplit(':').next().unwrap().parse().unwrap();
        assert!(last < 1000.0, "{restarts}: {points}");
    }
}
