mod property;

use std::sync::Arc;

use super::*;
use crate::policy::{Admission, Limit, Limiting};
use crate::series::index::MAX_GENERATION;
use crate::series::{Fingerprint, Fingerprinter, TenantKey};

const IDLE: u32 = 1200;
const START: u32 = 1_800_000_000;

fn limit(max_series: Option<u32>, max_new_per_hour: Option<u32>, max_groups: u32) -> Limit {
    Limit { by: vec!["g".into()], max_series, max_new_per_hour, max_groups, warn_at: 80, fold: None }
}

/// One limit as the pipeline has it.
struct Rig {
    registry: Registry,
    admissions: Arc<Admissions>,
}

impl Rig {
    fn new(limit: Limit) -> Self {
        let registry = Registry::default();
        let admissions = put_in_force(&registry, limit, 7, START);
        Self { registry, admissions }
    }

    fn change(&mut self, limit: Limit, now: u32) {
        self.admissions = put_in_force(&self.registry, limit, 8, now);
    }

    fn ask(&self, ask: &Ask) -> Answer {
        self.admissions.ask(ask, || Name { tenant: "".into(), labels: format!("{:?}", ask.group).into() })
    }

    /// One request with one series, answered 2xx.
    fn send(&self, ask: &Ask) -> Answer {
        let answer = self.ask(ask);
        if answer == Answer::Reserved {
            let mut reserved = Reserved::default();
            reserved.push(&self.admissions, ask.series);
            reserved.commit(ask.now);
        }
        answer
    }

    fn usage(&self, now: u32) -> Usage {
        self.admissions.usage(now)
    }
}

fn put_in_force(registry: &Registry, limit: Limit, generation: u32, now: u32) -> Arc<Admissions> {
    let limiting = Limiting {
        name: "budget".into(),
        limit: Arc::new(limit),
        selection: "all".into(),
        is_enforced: true,
    };
    Arc::clone(&registry.adopt(&[None, Some(limiting)], generation, now)[0].1)
}

fn tenant(name: u8) -> TenantKey {
    Fingerprinter::from_keys(&[7; 4096]).tenant(&name.to_string())
}

fn print(of: u64) -> Fingerprint {
    Fingerprint { high: of.wrapping_mul(0x9e37_79b9_7f4a_7c15), low: of as u32 }
}

/// A new series of a tenant's group.
fn ask(series: u64, group: u64, now: u32) -> Ask {
    Ask {
        series: print(series),
        group: print(1_000_000 + group),
        tenant: tenant(0),
        sent_since: None,
        is_folded: false,
        is_warming_up: false,
        has_no_room: false,
        now,
    }
}

const EXCEEDED: Answer = Answer::Refused(Admission::Exceeded);

#[test]
fn so_many_are_admitted_and_a_place_is_free_when_one_ends() {
    let rig = Rig::new(limit(Some(2), None, 10));
    for (series, expected) in [(1, Answer::Reserved), (2, Answer::Reserved), (3, EXCEEDED)] {
        assert_eq!(rig.send(&ask(series, 0, START)), expected);
    }
    assert_eq!(rig.send(&ask(1, 0, START)), Answer::Admitted, "what flows keeps flowing");
    assert_eq!(rig.send(&ask(4, 1, START)), Answer::Reserved, "another group has its own");
    rig.admissions.end([print(2)]);
    assert_eq!(rig.send(&ask(3, 0, START)), Answer::Reserved);
    assert_eq!(rig.send(&ask(2, 0, START)), EXCEEDED);
    let usage = rig.usage(START);
    assert_eq!((usage.admitted, usage.groups, usage.full), (3, 2, 1));
    assert_eq!((usage.fullest[0].refused, usage.fullest[0].fullness), (2, Fullness::Full));
}

#[test]
fn a_request_that_fails_leaves_nothing_and_one_in_hand_holds_its_place() {
    let rig = Rig::new(limit(Some(1), Some(9), 10));
    let mut first = Reserved::default();
    assert_eq!(rig.ask(&ask(1, 0, START)), Answer::Reserved);
    first.push(&rig.admissions, print(1));
    assert_eq!(rig.send(&ask(2, 0, START)), EXCEEDED);
    // its sender tries again while the first try is in hand: one place, and whoever succeeds has it admitted
    let mut second = Reserved::default();
    assert_eq!(rig.ask(&ask(1, 0, START)), Answer::Reserved);
    second.push(&rig.admissions, print(1));
    drop(first);
    assert_eq!(rig.send(&ask(2, 0, START)), EXCEEDED, "the second try holds it");
    second.commit(START);
    drop(second);
    assert_eq!((rig.send(&ask(1, 0, START)), rig.send(&ask(2, 0, START))), (Answer::Admitted, EXCEEDED));
    rig.admissions.end([print(1)]);
    assert_eq!(rig.send(&ask(2, 0, START)), Answer::Reserved);
    rig.admissions.end([print(2)]);
    rig.admissions.sweep(START + 1, IDLE, false);
    let before = rig.usage(START).groups;
    rig.admissions.sweep(START + 4000, IDLE, false);
    assert_eq!(
        (before, rig.usage(START + 4000).groups),
        (1, 0),
        "what came within the hour is remembered for an hour"
    );
}

#[test]
fn an_hour_rolls() {
    let rig = Rig::new(limit(None, Some(3), 10));
    let at = |minute: u32| START / 3600 * 3600 + minute * 60;
    assert_eq!(rig.send(&ask(1, 0, at(0))), Answer::Reserved);
    assert_eq!(rig.send(&ask(2, 0, at(20))), Answer::Reserved);
    assert_eq!(rig.send(&ask(3, 0, at(40))), Answer::Reserved);
    assert_eq!(rig.send(&ask(4, 0, at(59))), EXCEEDED);
    rig.admissions.end([print(1), print(2)]);
    assert_eq!(rig.send(&ask(4, 0, at(59))), EXCEEDED, "those that ended came all the same");
    assert_eq!(rig.send(&ask(4, 0, at(60))), Answer::Reserved);
    assert_eq!(rig.send(&ask(5, 0, at(79))), EXCEEDED);
    assert_eq!(rig.send(&ask(5, 0, at(80))), Answer::Reserved);
    assert_eq!(rig.usage(at(80)).fullest[0].new_last_hour, 3);
    // a clock that is set back gives nothing away, a gap of days takes nothing
    assert_eq!(rig.send(&ask(6, 0, at(30))), EXCEEDED);
    assert_eq!(rig.send(&ask(6, 0, at(4000))), Answer::Reserved);
    assert_eq!(rig.usage(at(4000)).fullest[0].new_last_hour, 1);
}

#[test]
fn what_was_there_before_is_admitted_whatever_the_limit_says() {
    let mut rig = Rig::new(limit(Some(1), Some(1), 10));
    let sent = |series, since| Ask { sent_since: Some(since), ..ask(series, 0, START) };
    assert_eq!(rig.send(&sent(1, 6)), Answer::Reserved);
    assert_eq!(rig.send(&sent(2, 1)), Answer::Reserved, "it flowed when the limit came");
    assert_eq!(rig.send(&ask(3, 0, START)), EXCEEDED, "new ones wait until it is below");
    let learned = Ask { is_warming_up: true, ..ask(4, 0, START + 20) };
    assert_eq!(rig.send(&learned), Answer::Reserved);
    assert_eq!(rig.send(&sent(5, 7)), EXCEEDED, "it was sent by a bypass, or it has ended since");
    assert_eq!(rig.usage(START).fullest[0].new_last_hour, 0, "none of it was new");
    rig.change(limit(Some(4), Some(9), 10), START + 30);
    assert_eq!(rig.send(&sent(6, 7)), Answer::Reserved, "other numbers, the same places");
    assert_eq!(rig.usage(START).admitted, 4);
    assert_eq!(rig.send(&sent(7, 7)), EXCEEDED);
    // it selects others now
    let limiting = |selection: &str| Limiting {
        name: "budget".into(),
        limit: Arc::new(limit(Some(4), None, 10)),
        selection: selection.into(),
        is_enforced: true,
    };
    rig.registry.adopt(&[Some(limiting("more"))], 9, START + 40);
    assert_eq!(rig.send(&sent(7, 8)), Answer::Reserved);
    assert_eq!(rig.send(&sent(8, 9)), EXCEEDED);
    rig.change(Limit { by: vec!["h".into()], ..limit(Some(4), None, 10) }, START + 50);
    assert_eq!(rig.usage(START).admitted, 0, "other groups are another limit");
}

#[test]
fn compilations_are_told_apart_when_their_numbers_begin_anew() {
    let registry = Registry::default();
    let admissions = put_in_force(&registry, limit(Some(1), None, 10), 1, START);
    let ask = |series, since| Ask { sent_since: Some(since), ..ask(series, 0, START) };
    let answer = |series, since| admissions.ask(&ask(series, since), Name::default);
    assert_eq!(answer(1, MAX_GENERATION), Answer::Reserved, "the one before");
    assert_eq!(answer(2, MAX_GENERATION), Answer::Reserved);
    assert_eq!((answer(3, 1), answer(4, 2)), (EXCEEDED, EXCEEDED));
}

#[test]
fn groups_that_are_too_many_share_one_for_each_tenant() {
    let rig = Rig::new(limit(Some(1), None, 2));
    for (series, group, expected) in [
        (1, 1, Answer::Reserved),
        (2, 2, Answer::Reserved),
        (3, 3, Answer::Reserved),
        (4, 4, EXCEEDED),
        (5, 3, EXCEEDED),
    ] {
        assert_eq!(rig.send(&ask(series, group, START)), expected, "series {series}");
    }
    let other = Ask { tenant: tenant(1), ..ask(6, 6, START) };
    assert_eq!(rig.send(&other), Answer::Reserved, "another tenant has groups of its own");
    let usage = rig.usage(START);
    assert_eq!(usage.groups, 4);
    assert!(usage.fullest.iter().any(|group| &*group.name.labels == "other groups"), "{usage:?}");
    // what has a place in it keeps it when there is room for its own group again
    rig.admissions.end([print(1)]);
    rig.admissions.sweep(START + 7200, IDLE, false);
    assert_eq!(rig.send(&ask(3, 3, START + 7200)), Answer::Admitted);
    assert_eq!(rig.send(&ask(4, 4, START + 7200)), Answer::Reserved);
}

#[test]
fn a_series_of_which_other_labels_make_the_group_now_goes_to_that_one() {
    let rig = Rig::new(limit(Some(1), None, 10));
    assert_eq!(rig.send(&ask(1, 1, START)), Answer::Reserved);
    assert_eq!(rig.send(&ask(2, 2, START)), Answer::Reserved);
    assert_eq!(rig.send(&ask(1, 2, START)), Answer::Reserved, "it flows, so it is not held back");
    assert_eq!(rig.send(&ask(3, 1, START)), Answer::Reserved, "and has left its place");
    assert_eq!(rig.usage(START).admitted, 3);
}

#[test]
fn people_are_told_once_and_again_only_after_it_was_calm() {
    let rig = Rig::new(limit(Some(100), None, 10));
    let told = |now| rig.usage(now).fullest[0].fullness;
    (0..79).for_each(|series| assert_eq!(rig.send(&ask(series, 0, START)), Answer::Reserved));
    assert_eq!(told(START), Fullness::Calm);
    rig.send(&ask(79, 0, START));
    assert_eq!(told(START), Fullness::Near);
    rig.admissions.end((0..4).map(print));
    assert_eq!(told(START), Fullness::Near, "76 of 100: not yet calm");
    rig.admissions.end([print(4), print(5)]);
    assert_eq!(told(START), Fullness::Calm);
    for series in 100..150 {
        rig.send(&ask(series, 0, START));
    }
    assert_eq!(told(START), Fullness::Full);
    assert_eq!((rig.admissions.take_news().0.len(), rig.admissions.take_news().0.len()), (1, 0));
    rig.admissions.end([print(100)]);
    rig.send(&ask(200, 0, START));
    rig.send(&ask(201, 0, START));
    assert_eq!(rig.admissions.take_news(), (vec![], 0), "it was full all the time");
}

#[test]
fn a_stale_marker_frees_a_place_a_while_later_if_the_series_does_not_go_on() {
    let rig = Rig::new(limit(Some(2), None, 10));
    let at = |seconds: u32| START + seconds;
    (1..=2).for_each(|series| assert_eq!(rig.send(&ask(series, 0, START)), Answer::Reserved));
    // one that failed a scrape, or whose marker came late
    rig.admissions.ended([print(1), print(2)], at(10));
    assert_eq!(rig.send(&ask(1, 0, at(70))), Answer::Admitted);
    assert_eq!(rig.send(&ask(3, 0, at(129))), EXCEEDED);
    assert_eq!(rig.send(&ask(3, 0, at(130))), Answer::Reserved, "the other has not come again");
    assert_eq!(rig.send(&ask(2, 0, at(131))), EXCEEDED);
    // of two markers the first counts
    rig.admissions.ended([print(1)], at(200));
    rig.admissions.ended([print(1)], at(300));
    rig.admissions.sweep(at(319), IDLE, false);
    assert_eq!(rig.usage(at(319)).admitted, 2);
    assert_eq!(rig.usage(at(320)).admitted, 1);
}

#[test]
fn groups_without_series_go_and_with_little_memory_their_last_hour_does() {
    let rig = Rig::new(limit(Some(1), Some(5), 100_000));
    (0..10_000).for_each(|n| assert_eq!(rig.send(&ask(n, n, START)), Answer::Reserved));
    let bytes = rig.admissions.bytes();
    rig.admissions.end((1..10_000).map(print));
    rig.admissions.sweep(START + 60, IDLE, false);
    assert_eq!(rig.usage(START + 60).groups, 10_000, "each may admit four more within the hour");
    rig.admissions.sweep(START + 61, IDLE, true);
    assert_eq!(rig.usage(START + 61).groups, 1);
    assert!(rig.admissions.bytes() * 50 < bytes, "{} of {bytes} bytes are left", rig.admissions.bytes());
    // without an hour to remember they go by themselves
    let rig = Rig::new(limit(Some(1), None, 100_000));
    (0..100).for_each(|n| assert_eq!(rig.send(&ask(n, n, START)), Answer::Reserved));
    rig.admissions.end((0..100).map(print));
    rig.admissions.sweep(START + 1, IDLE, false);
    assert_eq!((rig.usage(START).groups, rig.admissions.bytes()), (0, 0));
}

#[test]
fn what_is_folded_stays_so_until_it_ends() {
    let aggregation = Arc::new(crate::policy::Aggregation::default());
    let fold = Some(crate::policy::Fold { labels: vec!["pod".into()], aggregation });
    let rig = Rig::new(Limit { fold, ..limit(Some(5), None, 10) });
    let folded = |series| Ask { is_folded: true, sent_since: Some(7), ..ask(series, 0, START) };
    assert_eq!(rig.send(&folded(1)), EXCEEDED, "there is room, and it is part of a sum");
    assert_eq!(rig.usage(START).full, 0);
    assert_eq!(rig.send(&ask(1, 0, START)), Answer::Reserved, "it has ended and begins anew");
    assert_eq!(rig.send(&folded(1)), Answer::Admitted, "added up by a later policy");
    let before = Ask { sent_since: Some(6), ..folded(2) };
    assert_eq!(rig.send(&before), Answer::Reserved, "another policy added it up when the limit came");
}

#[test]
fn of_many_groups_that_are_full_some_are_named_and_the_others_counted() {
    let rig = Rig::new(limit(Some(1), None, 100));
    for group in 0..20 {
        rig.send(&ask(2 * group, group, START));
        rig.send(&ask(2 * group + 1, group, START));
    }
    let (named, more) = rig.admissions.take_news();
    assert_eq!((named.len(), more, rig.usage(START).full), (8, 12, 20));
}

#[test]
fn a_request_that_brings_more_than_there_is_room_for_fills_its_group() {
    let rig = Rig::new(limit(Some(3), None, 10));
    let mut reserved = Reserved::default();
    for series in 0..10 {
        if rig.ask(&ask(series, 0, START)) == Answer::Reserved {
            reserved.push(&rig.admissions, print(series));
        }
    }
    reserved.commit(START);
    drop(reserved);
    let usage = rig.usage(START);
    assert_eq!((usage.admitted, usage.full, usage.near, usage.fullest[0].refused), (3, 1, 0, 7));
}

#[test]
fn without_room_in_the_index_nothing_new_is_let_in() {
    let rig = Rig::new(limit(Some(9), None, 10));
    rig.send(&ask(1, 0, START));
    let full = |series| Ask { has_no_room: true, is_warming_up: true, ..ask(series, 0, START) };
    assert_eq!(rig.send(&full(2)), Answer::Refused(Admission::NoRoom));
    assert_eq!(rig.send(&full(1)), Answer::Admitted);
}

#[test]
fn a_restart_knows_who_has_a_place() {
    let before = Rig::new(limit(Some(3), Some(10), 10));
    (1..=3).for_each(|series| assert_eq!(before.send(&ask(series, 0, START)), Answer::Reserved));
    before.send(&ask(9, 1, START));
    before.admissions.end([print(3)]);
    let mut held = Reserved::default();
    assert_eq!(before.ask(&ask(4, 0, START)), Answer::Reserved);
    held.push(&before.admissions, print(4));
    let file = |now| {
        let mut file = Vec::new();
        before.registry.save(&[1, 2, 3], now, &mut file).unwrap();
        file
    };
    let begin_anew = |now: u32, by: &str| {
        let saved = SavedLimits::read(&*file(START + 10)).unwrap();
        assert_eq!(saved.keys, [1, 2, 3]);
        let rig = Rig::new(Limit { by: vec![by.into()], ..limit(Some(3), Some(10), 10) });
        (rig.registry.restore(saved, now, IDLE), rig)
    };
    let (restored, after) = begin_anew(START + 20, "g");
    assert_eq!(restored, Restored { limits: 1, series: 3 });
    let now = START + 30;
    let learned = |series| Ask { is_warming_up: true, ..ask(series, 0, now) };
    assert_eq!(after.send(&learned(1)), Answer::Admitted);
    // what was in hand at the end has no place, and there is room for it
    assert_eq!(after.send(&learned(4)), Answer::Reserved);
    assert_eq!(after.send(&learned(5)), EXCEEDED, "the warm-up is for those who know nothing");
    assert_eq!(after.usage(now).fullest[0].new_last_hour, 4, "three before the restart, and one now");
    // what does not come again is idle
    after.admissions.sweep(START + 20 + IDLE, IDLE, false);
    assert_eq!(after.usage(now).admitted, 4);
    after.admissions.sweep(START + 21 + IDLE, IDLE, false);
    assert_eq!(after.usage(now).admitted, 2, "those that were seen");
    // of too long ago, and of other groups
    let (restored, after) = begin_anew(START + 11 + IDLE, "g");
    assert_eq!((restored, after.send(&learned(5))), (Restored::default(), Answer::Reserved));
    assert_eq!(begin_anew(START + 20, "h").0, Restored::default());
}

#[test]
fn a_damaged_file_is_not_taken() {
    let rig = Rig::new(limit(Some(3), Some(10), 10));
    (0..3).for_each(|series| assert_eq!(rig.send(&ask(series, 0, START)), Answer::Reserved));
    let mut file = Vec::new();
    rig.registry.save(&[7; 64], START, &mut file).unwrap();
    assert!(SavedLimits::read(&*file).is_ok());
    for cut in 0..file.len() {
        assert!(SavedLimits::read(&file[..cut]).is_err(), "cut at {cut}");
    }
    for at in 10..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 0x10;
        let read = SavedLimits::read(&*altered).map(|saved| (saved.keys.clone(), saved.limits_and_series()));
        assert!(read.is_err() || read.unwrap() == (vec![7; 64], (1, 3)), "altered at {at}");
    }
}
