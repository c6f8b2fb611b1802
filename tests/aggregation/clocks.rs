//! What is promised where the gate's clock and those of its senders differ.

use seriesgate_proto::WriteRequest;

use crate::outages::{assert_whole, from, quick, scrape};
use crate::rig::Rig;
use crate::steps::*;

const HOUR: i64 = 3600;

/// A gate whose clock is right, and goes on by `advance` alone.
fn right() -> Rig {
    let mut rig = quick(None);
    rig.pass_time(T);
    rig
}

/// A second passes, wherever the wall clock stands.
fn second(rig: &mut Rig) {
    rig.gate.pipeline.clock().advance_ms(1000);
    rig.collect();
}

fn step(rig: &Rig, seconds: i64) {
    rig.gate.pipeline.clock().step_ms(seconds * 1000);
}

/// A scrape of both pods in each of these seconds.
fn scraped(rig: &mut Rig, seconds: std::ops::Range<i64>) {
    for at in seconds {
        rig.send(&scrape(at, &["a", "b"]));
        second(rig);
    }
}

fn reopened(rig: &Rig) -> u64 {
    rig.gate.pipeline.engine().aggregators().iter().map(|aggregator| aggregator.counts().reopened).sum()
}

/// Seconds of the points of the gauge that come before one that was already made.
fn twice(rig: &Rig) -> Vec<i64> {
    let points = &rig.output["g"];
    points.windows(2).filter(|pair| pair[1].0 <= pair[0].0).map(|pair| (pair[1].0 - T) / 1000).collect()
}

#[test]
fn a_clock_that_goes_wrong_while_the_senders_are_right_is_not_believed() {
    for by in [-HOUR, -180, -30, -3, 3, 30, 180, HOUR] {
        for back_at in [100, 350] {
            let mut rig = right();
            scraped(&mut rig, 0..40);
            step(&rig, by);
            scraped(&mut rig, 40..back_at);
            step(&rig, -by);
            scraped(&mut rig, back_at..401);
            assert_eq!(reopened(&rig), 0, "{by} until {back_at}");
            assert_whole(&mut rig, 400);
        }
    }
}

#[test]
fn a_clock_that_was_ahead_of_the_senders_and_is_set_right_changes_nothing() {
    let mut rig = right();
    step(&rig, HOUR);
    rig.collect();
    scraped(&mut rig, 0..100);
    step(&rig, -HOUR);
    scraped(&mut rig, 100..301);
    assert_eq!(reopened(&rig), 0);
    // the right one is the one that is gone by: a sender that is ahead closes nothing
    rig.send(&scrape(HOUR - 1, &["c"]));
    scraped(&mut rig, 301..401);
    let counted = rig.finish()["x_total"].iter().filter(|(ms, _)| *ms <= T + 400_000).count();
    assert_eq!(counted, 82);
}

#[test]
fn a_clock_that_went_wrong_in_silence_is_judged_by_what_comes_then() {
    let mut rig = right();
    scraped(&mut rig, 0..40);
    step(&rig, -HOUR);
    (40..400).for_each(|_| second(&mut rig));
    scraped(&mut rig, 400..500);
    assert_eq!((reopened(&rig), twice(&rig)), (0, vec![]));
    let output = rig.finish();
    let late: Vec<_> = output["g"].iter().filter(|(ms, _)| *ms >= T + 405_000).collect();
    assert_eq!(late.len(), 20, "{late:?}");
    assert!(late.iter().all(|(_, value)| value == "10"), "{late:?}");
    assert_eq!(output["x_total"].last().unwrap().1, "9980");
}

#[test]
fn what_was_kept_speaks_for_no_wrong_clock() {
    let mut rig = right();
    scraped(&mut rig, 0..40);
    step(&rig, -180);
    scraped(&mut rig, 40..140);
    // the agent is cut off, and brings ten seconds of what it kept with each
    (140..740).for_each(|_| second(&mut rig));
    let mut kept = 140;
    for at in 740..1001 {
        let until = (kept + 10).min(at + 1);
        (kept..until).for_each(|at| rig.send(&scrape(at, &["a", "b"])));
        kept = until;
        second(&mut rig);
    }
    assert_eq!(reopened(&rig), 0);
    assert_whole(&mut rig, 1000);
}

#[test]
fn a_restart_with_a_clock_that_is_behind_goes_on_from_where_it_was() {
    for (by, down) in [(-180, 0), (-180, 20), (-HOUR, 0), (-HOUR, 50), (-HOUR, 900)] {
        let mut rig = right();
        scraped(&mut rig, 0..40);
        let snapshot = rig.snapshot();
        rig.restore_at(&snapshot, T + (40 + down + by) * 1000);
        let start = 40 + down;
        scraped(&mut rig, start..start + 200);
        step(&rig, -by);
        scraped(&mut rig, start + 200..start + 301);
        assert_eq!((reopened(&rig), twice(&rig)), (0, vec![]), "{by} {down}");
        let output = rig.finish();
        let first = (start / 5 + 1) * 5;
        let after: Vec<_> = output["g"].iter().filter(|(ms, _)| *ms >= T + first * 1000).collect();
        assert_eq!(after.len() as i64, (start + 300 - first) / 5 + 1, "{by} {down}: {after:?}");
        assert!(after.iter().all(|(_, value)| value == "10"), "{by} {down}: {after:?}");
        let counted: f64 = output["x_total"].last().unwrap().1.parse().unwrap();
        // after 900 seconds the group has ended, and begins anew: with what came since the last sample before
        let grown = 20 * if down < 600 { start + 300 } else { start + 300 - 39 };
        assert_eq!(counted, grown as f64, "{by} {down}");
    }
}

/// A second of scrapes by three agents, the time of whose samples is wrong by so much.
fn three(rig: &mut Rig, at: i64, wrong: [i64; 3]) {
    for (number, by) in (1u8..).zip(wrong) {
        let pod = ["a", "b", "c"][usize::from(number) - 1];
        let mut request = scrape(at, &[pod]);
        let samples = request.timeseries.iter_mut().flat_map(|series| &mut series.samples);
        samples.for_each(|sample| sample.timestamp += by * 1000);
        from(rig, number, &request, true);
    }
    second(rig);
}

/// Values of the gauge in windows of this time, seconds.
fn gauges(rig: &mut Rig, from: i64, to: i64) -> Vec<String> {
    let output = rig.finish();
    let points = output["g"].iter().filter(|(ms, _)| (from..=to).contains(&((ms - T) / 1000)));
    points.map(|(_, value)| value.clone()).collect()
}

#[test]
fn one_agent_whose_clock_goes_wrong_with_the_gates_decides_nothing() {
    for by in [-HOUR, HOUR] {
        let mut rig = right();
        (0..40).for_each(|at| three(&mut rig, at, [0, 0, 0]));
        step(&rig, by);
        (40..300).for_each(|at| three(&mut rig, at, [0, by, 0]));
        assert_eq!((reopened(&rig), twice(&rig)), (0, vec![]), "{by}");
        // the one is not there: it is dropped, ahead or late
        assert_eq!(gauges(&mut rig, 60, 295), vec!["10"; 48], "{by}");
    }
}

#[test]
fn one_agent_that_stays_wrong_when_all_others_are_set_right_decides_nothing() {
    let mut rig = quick(None);
    step(&rig, HOUR);
    rig.pass_time(T + HOUR * 1000);
    (0..40).for_each(|at| three(&mut rig, at, [HOUR, HOUR, HOUR]));
    step(&rig, -HOUR);
    (40..300).for_each(|at| three(&mut rig, at, [0, HOUR, 0]));
    assert!(reopened(&rig) > 0);
    assert_eq!(gauges(&mut rig, 150, 295), vec!["10"; 30]);
}

#[test]
fn a_gate_that_starts_behind_several_senders_follows_them_after_a_minute_and_one_alone_never() {
    let future = |rig: &mut Rig, request: &WriteRequest| {
        let body = seriesgate_proto::encode_snappy(request);
        rig.gate.decide("", &body).unwrap();
        rig.gate
            .pipeline
            .commit(&rig.gate.outcome)
            .aggregated
            .iter()
            .map(|(_, tally)| tally.future)
            .sum::<u64>()
    };
    for (wrong, follows) in [([0, 0, 0], true), ([-HOUR, -HOUR, 0], false)] {
        let mut rig = right();
        step(&rig, -HOUR);
        (0..100).for_each(|at| three(&mut rig, at, wrong));
        assert_eq!(future(&mut rig, &scrape(100, &["d"])), if follows { 0 } else { 2 });
        if follows {
            step(&rig, HOUR);
            (101..200).for_each(|at| three(&mut rig, at, wrong));
            assert_eq!((reopened(&rig), twice(&rig)), (0, vec![]));
            // the fourth holds for five minutes: its period is not known
            assert_eq!(gauges(&mut rig, 115, 195), vec!["20"; 17]);
        }
    }
}

#[test]
fn a_machine_that_was_suspended_goes_on_with_what_is_new() {
    for asleep in [20, 50] {
        // and so was the agent
        let mut rig = right();
        scraped(&mut rig, 0..40);
        step(&rig, asleep);
        scraped(&mut rig, 40 + asleep..asleep + 301);
        assert_eq!((reopened(&rig), twice(&rig)), (0, vec![]));
        assert_eq!(gauges(&mut rig, 45 + asleep, asleep + 300), vec!["10"; 52], "{asleep}");
    }
}
