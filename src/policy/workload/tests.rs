use super::*;

/// A Saturday, as good as any: Unix seconds.
const NOW: u32 = 1_700_000_000;
const FOREVER: u32 = u32::MAX;
const MINUTE: u32 = 60;

use RunProgress::{Ended, GoesOn, Unsaid};

/// A run that was due two hours ago, and came then.
fn run(progress: RunProgress) -> RunFacts {
    let due = NOW - 120 * MINUTE;
    RunFacts { scheduled: Some(due), came: Some(due), progress, newer: 0, fresh: false }
}

fn of(kind: Kind, name: &str, run: Option<RunFacts>) -> Option<WorkloadFacts> {
    Some(WorkloadFacts { kind, name: name.to_owned(), said: true, run })
}

fn cronjob(run: RunFacts) -> Option<WorkloadFacts> {
    of(Kind::Cronjob, "sync", Some(run))
}

fn told(condition: &Condition, facts: Option<WorkloadFacts>, now: u32) -> (bool, u32) {
    let (holds, until) = condition.compile().unwrap().holds(facts.as_ref(), &|| None, now);
    (holds, until.0)
}

fn finished_for(minutes: u32) -> Condition {
    Condition { run_finished_for: Some(minutes * MINUTE), ..Condition::default() }
}

fn keep(runs: u32) -> Condition {
    Condition { keep_runs: Some(runs), ..Condition::default() }
}

fn older(minutes: u32) -> Condition {
    Condition { run_older_than: Some(minutes * MINUTE), ..Condition::default() }
}

#[test]
fn a_condition_holds_as_the_run_stands_and_until_that_can_change() {
    let ended = |minutes: u32| run(Ended(NOW - minutes * MINUTE));
    let half = finished_for(30);
    let newer = |newer: u32, progress| RunFacts { newer, ..run(progress) };
    let by_hand = |progress| RunFacts { scheduled: None, ..run(progress) };
    let unseen = |progress| RunFacts { came: None, scheduled: None, ..run(progress) };
    for (what, condition, run, expected) in [
        ("it goes on", &half, run(GoesOn), (false, NOW + 60)),
        ("ended 29 minutes ago", &half, ended(29), (false, NOW + MINUTE)),
        ("a second short", &half, run(Ended(NOW - 30 * MINUTE + 1)), (false, NOW + 1)),
        ("ended 30 minutes ago", &half, ended(30), (true, NOW + 300)),
        ("ended just now", &half, ended(0), (false, NOW + 30 * MINUTE)),
        ("it ended, was tried again and goes on", &half, run(GoesOn), (false, NOW + 60)),
        ("it came back a moment ago", &half, RunFacts { fresh: true, ..ended(40) }, (true, NOW + 15)),
        ("nothing says how it stands, due long ago", &half, run(Unsaid), (true, NOW + 300)),
        (
            "the same, due 29 minutes ago",
            &half,
            RunFacts { scheduled: Some(NOW - 29 * MINUTE), ..run(Unsaid) },
            (false, NOW + MINUTE),
        ),
        ("nothing says how it stands, nor when it was due", &half, by_hand(Unsaid), (false, NOW + 300)),
        ("started by hand, ended", &half, by_hand(Ended(NOW - 30 * MINUTE)), (true, NOW + 300)),
        ("it counts at once", &finished_for(0), ended(0), (true, NOW + 300)),
        ("the newest", &keep(3), newer(0, Ended(NOW)), (false, NOW + 60)),
        ("the third", &keep(3), newer(2, Ended(NOW)), (false, NOW + 60)),
        ("the fourth", &keep(3), newer(3, Ended(NOW)), (true, NOW + 300)),
        ("the fourth goes on", &keep(3), newer(3, GoesOn), (false, NOW + 60)),
        ("the fourth, nothing says how it stands", &keep(3), newer(3, Unsaid), (true, NOW + 300)),
        ("none is kept", &keep(0), newer(0, Ended(NOW)), (true, NOW + 300)),
        ("none is kept, but it goes on", &keep(0), newer(0, GoesOn), (false, NOW + 60)),
        ("none is kept, but it may go on", &keep(0), newer(0, Unsaid), (false, NOW + 60)),
        ("old enough", &older(120), run(GoesOn), (true, FOREVER)),
        ("not old enough", &older(121), run(GoesOn), (false, NOW + MINUTE)),
        ("no schedule, by first sight", &older(120), by_hand(GoesOn), (true, FOREVER)),
        ("neither", &older(1), unseen(GoesOn), (false, NOW + MINUTE)),
    ] {
        assert_eq!(told(condition, cronjob(run), NOW), expected, "{what}");
    }
}

#[test]
fn all_that_is_given_has_to_hold_and_the_least_time_counts() {
    let both = Condition { run_finished_for: Some(600), keep_runs: Some(1), ..Condition::default() };
    let ended = |seconds, newer| RunFacts { newer, ..run(Ended(NOW - seconds)) };
    assert_eq!(told(&both, cronjob(ended(600, 1)), NOW), (true, NOW + 300));
    assert_eq!(told(&both, cronjob(ended(590, 1)), NOW), (false, NOW + 10));
    assert_eq!(told(&both, cronjob(ended(600, 0)), NOW), (false, NOW + 60));
}

#[test]
fn kind_and_name_say_which_workloads_are_meant() {
    let sync = Condition { kind: Some(Kind::Cronjob), name: Some("sync-.+".into()), ..Condition::default() };
    let kind = Condition { name: None, ..sync.clone() };
    let ended = run(Ended(NOW - 3600));
    for (what, condition, facts, expected) in [
        ("nothing is known", &sync, None, (false, FOREVER)),
        ("it is", &sync, of(Kind::Cronjob, "sync-a", None), (true, FOREVER)),
        ("another name", &sync, of(Kind::Cronjob, "async-a", None), (false, FOREVER)),
        ("not the whole name", &sync, of(Kind::Cronjob, "sync-", None), (false, FOREVER)),
        ("another kind", &sync, of(Kind::Job, "sync-a", Some(ended)), (false, FOREVER)),
        ("of the kind", &kind, of(Kind::Cronjob, "x", Some(run(GoesOn))), (true, FOREVER)),
    ] {
        assert_eq!(told(condition, facts, NOW), expected, "{what}");
    }
    // a name that was cut says less than its owner, which is asked first: all of it is there
    let long = "n".repeat(52);
    let whole = Condition { name: Some(long.clone()), ..finished_for(30) };
    assert_eq!(told(&whole, of(Kind::Cronjob, &long, Some(ended)), NOW), (true, NOW + 300));
    assert_eq!(told(&whole, of(Kind::Cronjob, &long[..48], Some(ended)), NOW), (false, FOREVER));
}

#[test]
fn what_a_name_says_is_asked_about_again() {
    let named = |kind| of(kind, "sync", None).map(|facts| WorkloadFacts { said: false, ..facts });
    let condition = Condition { kind: Some(Kind::Cronjob), ..Condition::default() };
    assert_eq!(told(&condition, named(Kind::Generated), NOW), (false, NOW + 3600));
    assert_eq!(told(&condition, named(Kind::Cronjob), NOW), (true, NOW + 3600));
}

#[test]
fn only_what_has_runs_that_end_is_met_by_its_runs() {
    let ended = Some(run(Ended(NOW - 3600)));
    for condition in [finished_for(30), keep(0), older(1)] {
        for kind in Kind::ALL {
            let holds = told(&condition, of(kind, "x", ended), NOW).0;
            assert_eq!(holds, kind.runs_end(), "{kind:?} {condition:?}");
        }
        assert_eq!(told(&condition, of(Kind::Cronjob, "x", None), NOW), (false, FOREVER));
    }
}

#[test]
fn a_series_is_asked_about_once_at_most() {
    let asked = std::cell::Cell::new(0);
    let find = || {
        asked.set(asked.get() + 1);
        cronjob(run(GoesOn))
    };
    let source = WorkloadSource::new(NOW, &find);
    assert_eq!(asked.get(), 0);
    let of_cronjobs = Condition { kind: Some(Kind::Cronjob), ..Condition::default() }.compile().unwrap();
    for _ in 0..3 {
        assert!(source.meets(&of_cronjobs));
        assert_eq!(source.label(VirtualLabel::Workload), "sync");
    }
    assert_eq!(asked.get(), 1);
}

#[test]
fn no_time_overflows() {
    let far = Condition {
        run_finished_for: Some(u32::MAX),
        run_older_than: Some(u32::MAX),
        keep_runs: Some(0),
        ..Condition::default()
    };
    for now in [0, 1, u32::MAX - 1, u32::MAX] {
        for at in [0, NOW, u32::MAX] {
            for progress in [GoesOn, Ended(at), Unsaid] {
                let facts = RunFacts { scheduled: Some(at), came: Some(at), ..run(progress) };
                told(&far, cronjob(facts), now);
            }
        }
    }
}

#[test]
fn a_run_is_unchanged_for_so_long_and_asked_about_at_each_sample() {
    let half = Condition { unchanged_for: Some(30 * MINUTE), ..Condition::default() }.compile().unwrap();
    for (what, changed, expected) in [
        ("it is not known", None, false),
        ("just now", Some(NOW), false),
        ("a second short", Some(NOW - 30 * MINUTE + 1), false),
        ("half an hour ago", Some(NOW - 30 * MINUTE), true),
        ("later than now", Some(NOW + 5), false),
    ] {
        let holds = half.holds(cronjob(run(GoesOn)).as_ref(), &|| changed, NOW);
        assert_eq!(holds, (expected, ValidUntil(NOW + 1)), "{what}");
    }
    // of what is not meant nothing is asked, and of what is meant whatever else holds
    let asked = Cell::new(0);
    let changed = || {
        asked.set(asked.get() + 1);
        Some(0)
    };
    let also = Condition { kind: Some(Kind::Cronjob), run_finished_for: Some(0), ..half.condition().clone() };
    let also = also.compile().unwrap();
    assert!(!also.holds(of(Kind::Job, "x", Some(run(Ended(0)))).as_ref(), &changed, NOW).0);
    assert_eq!(asked.get(), 0);
    assert!(!also.holds(cronjob(run(GoesOn)).as_ref(), &changed, NOW).0);
    assert_eq!(asked.get(), 1);
}
