//! A pipeline that runs out of memory: what it gives up, in order, and that it comes back by itself.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::net::IpAddr;

use seriesgate::config::Config;
use seriesgate::memory::{Level, SHORTEST_IDLE_SECONDS, Status, room};
use seriesgate::pipeline::Origin;
use seriesgate::policy::Definition;
use seriesgate_proto::{WriteRequest, encode_snappy};
use support::{Gate, assert_conserved, expire, series};

/// Policies that make an edit of its own for each series of one metric, and a sum of another.
const EACH_AN_EDIT_AND_A_SUM: &str = r#"
  - { name: own, match: flood, action: relabel, relabel_configs: [{ source_labels: [id], replacement: "n-$1", target_label: n }] }
  - { name: sum, match: x_total, action: aggregate, without: [id] }
"#;

fn policies(text: &str) -> Vec<Definition> {
    let text = format!("upstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies:{text}");
    Config::parse(&text, "gate.yaml", std::path::Path::new("."), &|_| None).unwrap().config.policies
}

/// What the parts of a pipeline say that they hold.
fn held(gate: &Gate) -> usize {
    gate.pipeline.held().iter().map(|(_, bytes)| bytes).sum()
}

fn part(gate: &Gate, name: &str) -> usize {
    gate.pipeline.held().iter().find(|(part, _)| *part == name).unwrap().1
}

/// What the loop of a gate does ten times a second.
fn look(gate: &Gate, status: &mut Status) {
    *status = status.after(held(gate));
    gate.pipeline.degrade(status.level);
}

fn never_seen(from: usize, count: usize) -> WriteRequest {
    let one = |i: usize| series(&[("__name__", "flood"), ("id", &format!("id-{i}"))]);
    WriteRequest::of((from..from + count).map(one).collect())
}

#[test]
fn new_series_are_not_tracked_once_memory_is_used_up_and_all_comes_back_when_they_are_idle() {
    let mut gate = Gate::with(&[], |settings| settings.max_tracked = 10_000_000);
    let limit = 4 * (held(&gate) + (8 << 20)) / 3;
    let mut status = Status { limit, ..Status::default() };
    let live = WriteRequest::of(vec![series(&[("__name__", "up"), ("job", "node")])]);
    assert_eq!(gate.pass("", &live), 1);

    let (mut levels, mut sent) = (Vec::new(), 0);
    while sent < 400_000 {
        gate.decide("", &encode_snappy(&never_seen(sent, 2000))).unwrap();
        assert_conserved(&gate.outcome);
        assert_eq!(gate.outcome.forwarded.samples, 2000, "each sample goes on, tracked or not");
        let committed = gate.pipeline.commit(&gate.outcome);
        assert_eq!(committed.new_series + committed.untracked, 2000);
        if status.level == Level::Closed {
            assert_eq!(committed.untracked, 2000);
        }
        sent += 2000;
        look(&gate, &mut status);
        if levels.last() != Some(&status.level) {
            levels.push(status.level);
        }
    }
    assert_eq!(levels.first(), Some(&Level::Normal));
    assert!(levels.contains(&Level::Evicting) && levels.last() >= Some(&Level::Shrinking), "{levels:?}");
    let most = held(&gate);
    assert!(most < room(limit) + (1 << 20), "{most} of {}", room(limit));
    assert!(gate.pipeline.index().live() < 300_000);

    // what is sampled once a minute is never forgotten early
    for _ in 0..3 {
        gate.pipeline.clock().advance_ms(60_000);
        assert_eq!(gate.pass("", &live), 0);
        expire(&gate, SHORTEST_IDLE_SECONDS);
    }
    assert_eq!(gate.pipeline.index().live(), 1);
    look(&gate, &mut status);
    assert_eq!(status.level, Level::Normal);
    assert!(part(&gate, "index") < 100_000, "{}", part(&gate, "index"));
    assert_eq!(gate.pass("", &never_seen(1_000_000, 10)), 10, "new ones are tracked again");
}

#[test]
fn what_is_closed_remembers_nothing_more_of_rewritten_and_aggregated_series() {
    let mut gate = Gate::with(&policies(EACH_AN_EDIT_AND_A_SUM), |settings| settings.max_tracked = 1_000_000);
    let known = WriteRequest::of(vec![
        series(&[("__name__", "flood"), ("id", "known")]),
        series(&[("__name__", "x_total"), ("id", "known")]),
    ]);
    assert_eq!(gate.pass("", &known), 2);
    gate.pipeline.degrade(Level::Closed);
    let before = held(&gate);
    for round in 0..20 {
        gate.pass("", &never_seen(round * 500, 500));
        assert_conserved(&gate.outcome);
        let one = |i: usize| series(&[("__name__", "x_total"), ("id", &format!("{round}-{i}"))]);
        gate.pass("", &WriteRequest::of((0..500).map(one).collect()));
        assert_conserved(&gate.outcome);
        assert_eq!(gate.outcome.forwarded.samples, 500, "they pass as they are");
        assert_eq!(gate.pass("", &known), 0);
    }
    let index = gate.pipeline.index();
    assert!(index.is_closed() && index.is_full());
    assert_eq!((index.live(), gate.pipeline.edits(), gate.pipeline.engine().all_members()), (2, 1, 1));
    assert_eq!(held(&gate), before);
    gate.pipeline.degrade(Level::Normal);
    assert_eq!(gate.pass("", &never_seen(0, 10)), 10);
}

/// Sends each of `count` requests and looks at memory after every hundred; returns the most that was held.
fn flood(
    gate: &mut Gate,
    status: &mut Status,
    count: usize,
    request: impl Fn(usize) -> (String, Option<IpAddr>, WriteRequest),
) -> usize {
    let mut most = 0;
    for i in 0..count {
        let (scope, sender, request) = request(i);
        let origin = Origin { scope: &scope, sender, ..Origin::default() };
        let body = encode_snappy(&request);
        gate.pipeline.decide(origin, &body, &mut gate.scratch, &mut gate.outcome).unwrap();
        assert_conserved(&gate.outcome);
        gate.pipeline.commit(&gate.outcome);
        if i % 100 == 0 {
            look(gate, status);
            most = most.max(held(gate));
        }
    }
    most
}

/// A gate with room for so many MiB more than it has at first.
fn with_room(mib: usize) -> (Gate, Status) {
    let gate = Gate::with(&policies(EACH_AN_EDIT_AND_A_SUM), |settings| {
        settings.max_tracked = 10_000_000;
        settings.max_tenants = 65_535;
    });
    let limit = 4 * (held(&gate) + (mib << 20)) / 3;
    (gate, Status { limit, ..Status::default() })
}

fn counter(id: &str) -> WriteRequest {
    WriteRequest::of(vec![series(&[("__name__", "x_total"), ("id", id)])])
}

#[test]
fn ever_new_scopes_with_aggregations_of_their_own_stay_within_the_room() {
    let (mut gate, mut status) = with_room(16);
    let most = flood(&mut gate, &mut status, 20_000, |i| (format!("tenant-{i}"), None, counter("a")));
    assert!(most < room(status.limit) + (4 << 20), "{most} of {}", room(status.limit));
    assert!(status.level >= Level::Shrinking, "{status:?}");
    let told_apart = gate.pipeline.tenants().len();
    assert!(told_apart > 500 && told_apart < 10_000, "{told_apart}");
    // what a scope takes in an aggregation is said
    let each = part(&gate, "aggregation") / told_apart;
    assert!((8_000..24_000).contains(&each), "{each} bytes a scope");
    // once they are silent and idle their parts are forgotten: the index forgets their series, aggregations their members
    for _ in 0..60 {
        gate.pipeline.clock().advance_ms(75_000);
        drop(gate.pipeline.collect());
        expire(&gate, SHORTEST_IDLE_SECONDS);
        gate.pipeline.expire_groups();
    }
    assert!(part(&gate, "aggregation") < told_apart * 2_000, "{}", part(&gate, "aggregation") / told_apart);
    look(&gate, &mut status);
    assert_eq!(status.level, Level::Normal, "{status:?}");
    assert_eq!(gate.pipeline.engine().given_up(), told_apart as u64, "the last values of counters");
}

#[test]
fn ever_new_senders_take_no_more_than_so_many_have() {
    let (mut gate, mut status) = with_room(64);
    let address = |i: usize| Some(IpAddr::from([127, 1, (i >> 8) as u8, i as u8]));
    let half = flood(&mut gate, &mut status, 12_000, |i| (String::new(), address(i), counter("a")));
    let all = flood(&mut gate, &mut status, 24_000, |i| (String::new(), address(i), counter("a")));
    assert_eq!(status.level, Level::Normal);
    assert!(all < half + (1 << 20), "{half}, then {all}");
    assert!(gate.pipeline.engine().forgotten_senders() > 10_000);
}

#[test]
fn ever_new_label_names_take_no_more_than_so_many_have() {
    let (mut gate, mut status) = with_room(256);
    let named = |i: usize| {
        let names: Vec<String> = (0..6).map(|at| format!("l{}", i * 6 + at)).collect();
        let mut pairs = vec![("__name__", "wide")];
        pairs.extend(names.iter().map(|name| (name.as_str(), "v")));
        (String::new(), None, WriteRequest::of(vec![series(&pairs)]))
    };
    let before = part(&gate, "index");
    let some = flood(&mut gate, &mut status, 5_000, named) - part(&gate, "index");
    let more = flood(&mut gate, &mut status, 20_000, named) - part(&gate, "index");
    assert!(before < 1 << 20 && status.level == Level::Normal);
    // of the filters a part for each pair of a new name; the names themselves are told apart a thousand times
    assert!(more < some + (4 << 20), "{some}, then {more}");
}
