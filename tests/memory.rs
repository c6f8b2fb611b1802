//! A pipeline that runs out of memory: what it gives up, in order, and that it comes back by itself.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use seriesgate::config::Config;
use seriesgate::memory::{Level, SHORTEST_IDLE_SECONDS, Status, room};
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
