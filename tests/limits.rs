//! Policies with `action: limit`: so many series flow, what flows keeps flowing, and nothing takes a place that does not use it.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "limits/property.rs"]
mod property;
#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use seriesgate::aggregate;
use seriesgate::pipeline::{Fate, Settings};
use seriesgate::policy::{
    Action, Aggregation, Definition, Fold, Keys, Limit, Mode, PolicyIndex, PolicySet, Run,
};
use seriesgate_proto::{Sample, TimeSeries, WriteRequest, encode_snappy};
use support::{Gate, NOW_MS, STALE, expire, labeldrop, policy, put, put_value, rule, sent, series, set};

/// After the warm-up of a gate that began at [`NOW_MS`].
const LATER_MS: i64 = NOW_MS + 600_000;

fn limit(max_series: u32, by: &[&str]) -> Limit {
    Limit {
        by: by.iter().map(|label| (*label).to_owned()).collect(),
        max_series: Some(max_series),
        max_new_per_hour: None,
        max_groups: 100,
        warn_at: 80,
        fold: None,
    }
}

fn limiting(limit: Limit, mode: Mode) -> Definition {
    policy("budget", "{__name__=~\"jobs.*\"}", Action::Limit(Arc::new(limit)), mode)
}

/// A gate that has learned what there is.
fn gate(policies: &[Definition]) -> Gate {
    gate_with(policies, |_| {})
}

fn gate_with(policies: &[Definition], change: impl FnOnce(&mut Settings)) -> Gate {
    let gate = Gate::with(policies, change);
    gate.pipeline.clock().advance_ms(LATER_MS - NOW_MS);
    gate
}

fn job(name: &str) -> [(&str, &str); 2] {
    [("__name__", "jobs_total"), ("job_name", name)]
}

/// Whether a series goes on.
fn flows(gate: &mut Gate, name: &str) -> bool {
    put(gate, &job(name));
    gate.outcome.forwarded.samples == 1
}

fn usage(gate: &Gate) -> (u64, u64) {
    let limits = gate.pipeline.limits().all();
    let usage = limits[0].usage(gate.pipeline.clock().unix_seconds());
    (usage.admitted, usage.groups)
}

/// What the last request came to.
fn fates(gate: &Gate) -> Vec<(&'static str, u64)> {
    let mut fates = BTreeMap::new();
    let none = Default::default();
    gate.outcome.fates(none, none, &[], &mut |fate: Fate, _, counts| {
        *fates.entry(fate.labels().0).or_default() += counts.samples;
    });
    fates.into_iter().collect()
}

#[test]
fn new_series_beyond_the_limit_are_held_and_what_flows_keeps_flowing() {
    let mut gate = gate(&[limiting(limit(2, &[]), Mode::Enforce)]);
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b"));
    assert!(!flows(&mut gate, "c"));
    assert_eq!(fates(&gate), [("held", 1)]);
    assert!(put(&mut gate, &[("__name__", "other")]).is_some(), "it does not match");
    for _ in 0..3 {
        gate.pipeline.clock().advance_ms(30_000);
        assert!(flows(&mut gate, "a") && flows(&mut gate, "b") && !flows(&mut gate, "c"));
    }
    assert_eq!(usage(&gate), (2, 1));
}

#[test]
fn a_place_is_free_when_a_series_ends_and_when_it_is_idle() {
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Enforce)]);
    assert!(flows(&mut gate, "a") && !flows(&mut gate, "b"));
    put_value(&mut gate, &job("a"), STALE);
    gate.pipeline.clock().advance_ms(61_000);
    assert!(!flows(&mut gate, "b"), "it may have been one scrape that failed");
    assert_eq!(usage(&gate).0, 1);
    gate.pipeline.clock().advance_ms(61_000);
    assert_eq!(usage(&gate).0, 0);
    assert!(flows(&mut gate, "b"));
    assert!(!flows(&mut gate, "a"), "it has ended, and another has its place");
    gate.pipeline.clock().advance_ms(1_300_000);
    expire(&gate, 1200);
    assert_eq!(usage(&gate).0, 0);
    assert!(flows(&mut gate, "a"));
    put_value(&mut gate, &job("a"), STALE);
    gate.pipeline.clock().advance_ms(121_000);
    // one that comes with its end
    put_value(&mut gate, &job("brief"), STALE);
    assert_eq!(usage(&gate).0, 1);
    gate.pipeline.clock().advance_ms(121_000);
    assert_eq!(usage(&gate).0, 0);
}

/// A scrape that fails, or a marker that was sent before and comes late, does not end what goes on.
#[test]
fn who_goes_on_after_a_stale_marker_keeps_its_place() {
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Enforce)]);
    for _ in 0..5 {
        assert!(flows(&mut gate, "a"));
        put_value(&mut gate, &job("a"), STALE);
        gate.pipeline.clock().advance_ms(60_000);
        assert!(!flows(&mut gate, "b"));
        assert!(flows(&mut gate, "a"));
    }
    assert_eq!(usage(&gate).0, 1);
}

/// Its sum has what it counted: by itself it would count that twice.
#[test]
fn what_is_folded_stays_so_whatever_is_reloaded() {
    let mut gate = gate(&[folding(1, &["job_name"])]);
    assert!(flows(&mut gate, "a") && !flows(&mut gate, "b"));
    let other = policy("other", "{x=\"y\"}", Action::Drop, Mode::Enforce);
    gate.pipeline.replace_policies(set(&[folding(1, &["job_name"]), other]));
    put_value(&mut gate, &job("a"), STALE);
    gate.pipeline.clock().advance_ms(130_000);
    assert!(!flows(&mut gate, "b"));
    gate.pipeline.replace_policies(set(&[folding(9, &["job_name"])]));
    assert!(!flows(&mut gate, "b"));
    assert_eq!(fates(&gate), [("folded", 1)]);
    put_value(&mut gate, &job("b"), STALE);
    gate.pipeline.clock().advance_ms(15_000);
    assert!(flows(&mut gate, "b"), "it has ended, and begins anew");
}

#[test]
fn a_series_that_comes_back_after_its_end_asks_again() {
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Enforce)]);
    assert!(flows(&mut gate, "a"));
    put_value(&mut gate, &job("a"), STALE);
    gate.pipeline.clock().advance_ms(15_000);
    assert!(flows(&mut gate, "a"));
    assert_eq!(usage(&gate).0, 1);
    assert!(!flows(&mut gate, "b"));
}

#[test]
fn a_request_that_fails_takes_no_place() {
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Enforce)]);
    let body = |name| encode_snappy(&WriteRequest::of(vec![series(&job(name))]));
    let mut in_hand = seriesgate::pipeline::Outcome::default();
    let mut scratch = seriesgate::pipeline::Scratch::default();
    gate.pipeline.decide("", &body("a"), &mut scratch, &mut in_hand).unwrap();
    assert_eq!(in_hand.forwarded.samples, 1);
    assert!(!flows(&mut gate, "b"), "a place is held for the other");
    gate.pipeline.refuse(&in_hand);
    drop(in_hand);
    gate.pipeline.clock().advance_ms(61_000);
    assert!(flows(&mut gate, "b"));
    assert!(!flows(&mut gate, "a"));
}

#[test]
fn groups_have_limits_of_their_own_and_so_have_tenants() {
    let mut gate = gate(&[limiting(limit(1, &["namespace"]), Mode::Enforce)]);
    let of = |namespace: &'static str, name: &'static str| {
        [("__name__", "jobs_total"), ("job_name", name), ("namespace", namespace)]
    };
    assert!(put(&mut gate, &of("x", "1")).is_some() && put(&mut gate, &of("y", "2")).is_some());
    assert!(put(&mut gate, &of("x", "3")).is_none());
    assert!(put(&mut gate, &job("none")).is_some(), "no label is a group, too");
    let request = WriteRequest::of(vec![series(&of("x", "3"))]);
    gate.pass("other", &request);
    assert_eq!(sent(&gate, &request).len(), 1, "another tenant");
    assert_eq!(usage(&gate), (4, 4));
}

#[test]
fn each_workload_can_have_a_limit_for_itself() {
    let mut gate = gate(&[limiting(limit(2, &["__workload__"]), Mode::Enforce)]);
    let of = |pod: &'static str| [("__name__", "jobs_total"), ("namespace", "x"), ("pod", pod)];
    for pod in ["web-7d764666f9-qdcxt", "web-7d764666f9-zr2nb", "api-5c9f8d7b6c-h7k2m"] {
        assert!(put(&mut gate, &of(pod)).is_some(), "{pod}");
    }
    assert!(put(&mut gate, &of("web-6b8f9c7d54-x4wqp")).is_none(), "a third pod of one workload");
    assert!(put(&mut gate, &of("api-5c9f8d7b6c-pl9tz")).is_some());
    let usage = gate.pipeline.limits().all()[0].usage(gate.pipeline.clock().unix_seconds());
    assert_eq!(&*usage.fullest[0].name.labels, "{__workload__=\"web\"}");
}

#[test]
fn what_flows_when_a_limit_comes_keeps_flowing() {
    let mut gate = gate(&[]);
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b") && flows(&mut gate, "c"));
    gate.pipeline.replace_policies(set(&[limiting(limit(1, &[]), Mode::Enforce)]));
    assert!(flows(&mut gate, "first"), "a new series that comes before those that flow finds room");
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b") && flows(&mut gate, "c"));
    gate.pipeline.clock().advance_ms(61_000);
    assert!(!flows(&mut gate, "new"));
    assert_eq!(usage(&gate).0, 4);
    // other numbers, the same places
    gate.pipeline.replace_policies(set(&[limiting(limit(5, &[]), Mode::Enforce)]));
    assert!(flows(&mut gate, "new") && flows(&mut gate, "a") && !flows(&mut gate, "more"));
    // without the policy all flows
    gate.pipeline.replace_policies(set(&[]));
    assert!(flows(&mut gate, "more"));
}

#[test]
fn while_a_gate_learns_it_counts_and_holds_nothing() {
    let mut gate = Gate::new(&[limiting(limit(1, &[]), Mode::Enforce)]);
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b"));
    gate.pipeline.clock().advance_ms(301_000);
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b"), "they flow, so they go on");
    assert!(!flows(&mut gate, "c"));
    assert_eq!(usage(&gate).0, 2);
}

#[test]
fn a_series_that_is_not_sent_has_no_place() {
    let dropped = policy("drop-x", "{x=\"1\"}", Action::Drop, Mode::Enforce);
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Enforce), dropped.clone()]);
    assert!(put(&mut gate, &[("__name__", "jobs_total"), ("x", "1")]).is_none());
    assert_eq!((fates(&gate), usage(&gate).0), (vec![("dropped", 1)], 0));
    assert!(flows(&mut gate, "a"));
    // a policy that drops what flows gives its place away, and so does a selector that is narrower now
    gate.pipeline.replace_policies(set(&[
        limiting(limit(1, &[]), Mode::Enforce),
        policy("drop-a", "{job_name=\"a\"}", Action::Drop, Mode::Enforce),
    ]));
    assert!(!flows(&mut gate, "a") && flows(&mut gate, "b"));
    let narrow = policy("budget", "{job_name!=\"b\"}", Action::Limit(Arc::new(limit(1, &[]))), Mode::Enforce);
    gate.pipeline.replace_policies(set(&[narrow]));
    assert!(flows(&mut gate, "b") && flows(&mut gate, "c"));
    assert_eq!(usage(&gate).0, 1);
}

#[test]
fn a_second_limit_that_refuses_gives_the_place_of_the_first_back() {
    let all =
        |max| policy("all", "{job_name!=\"\"}", Action::Limit(Arc::new(limit(max, &[]))), Mode::Enforce);
    let mut gate = gate(&[all(2), limiting(limit(1, &[]), Mode::Enforce)]);
    assert!(flows(&mut gate, "a") && !flows(&mut gate, "b"));
    assert!(put(&mut gate, &[("__name__", "other"), ("job_name", "c")]).is_some(), "the place is not b's");
    let admitted = |at: usize| gate.pipeline.limits().all()[at].usage(0).admitted;
    assert_eq!((admitted(0), admitted(1)), (2, 1));
}

#[test]
fn a_preview_counts_who_would_have_a_place_and_holds_nothing() {
    let mut gate = gate(&[limiting(limit(1, &[]), Mode::Preview)]);
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b"));
    assert_eq!((fates(&gate), usage(&gate).0), (vec![("forwarded", 1)], 1));
    // put in force, it does what it said
    gate.pipeline.replace_policies(set(&[limiting(limit(1, &[]), Mode::Enforce)]));
    gate.pipeline.clock().advance_ms(15_000);
    assert!(flows(&mut gate, "a"));
    put(&mut gate, &job("b"));
    assert_eq!(
        (gate.outcome.stale_markers, fates(&gate)),
        (1, vec![("held", 1)]),
        "it ends, since it was sent until now"
    );
    assert!(!flows(&mut gate, "b"));
}

#[test]
fn a_bypass_lets_all_through_and_gives_no_places_away() {
    let policies = [limiting(limit(1, &[]), Mode::Enforce)];
    let mut gate = gate(&policies);
    assert!(flows(&mut gate, "a") && !flows(&mut gate, "b"));
    gate.pipeline.replace_policies(PolicySet::compile(&policies, Run::Bypassed).unwrap());
    assert!(flows(&mut gate, "a") && flows(&mut gate, "b"));
    gate.pipeline.replace_policies(set(&policies));
    assert!(flows(&mut gate, "a"));
    assert!(!flows(&mut gate, "b"));
    assert_eq!(usage(&gate).0, 1);
}

#[test]
fn with_a_full_index_what_a_limit_takes_is_held_and_all_else_passes() {
    let mut gate =
        gate_with(&[limiting(limit(5000, &[]), Mode::Enforce)], |settings| settings.max_tracked = 20);
    for n in 0..20 {
        put(&mut gate, &[("__name__", "other"), ("n", &n.to_string())]);
    }
    assert!(!flows(&mut gate, "a"));
    assert!(put(&mut gate, &[("__name__", "yet_another")]).is_some());
    assert_eq!(usage(&gate).0, 0);
}

#[test]
fn what_is_held_leaves_room_in_the_index_for_what_is_sent() {
    let mut gate =
        gate_with(&[limiting(limit(2, &[]), Mode::Enforce)], |settings| settings.max_tracked = 100);
    for n in 0..200 {
        flows(&mut gate, &n.to_string());
    }
    assert!(gate.pipeline.index().live() <= 75);
    for n in 0..25 {
        assert!(put(&mut gate, &[("__name__", "other"), ("n", &n.to_string())]).is_some());
    }
    assert_eq!(gate.pipeline.index().live(), 100);
    assert!(!flows(&mut gate, "199"));
    assert_eq!(fates(&gate), [("held", 1)]);
}

#[test]
fn a_tenant_too_many_does_not_get_around_a_limit() {
    let mut gate = gate(&[limiting(limit(5, &[]), Mode::Enforce)]);
    gate.pass("a", &WriteRequest::of(vec![series(&job("a"))]));
    gate.pass("b", &WriteRequest::of(vec![series(&job("a"))]));
    let request = WriteRequest::of(vec![series(&job("a")), series(&[("__name__", "other")])]);
    gate.pass("too-many", &request);
    assert_eq!(fates(&gate), [("forwarded", 1), ("held", 1)]);
}

fn folding(max_series: u32, labels: &[&str]) -> Definition {
    let aggregation = Aggregation { keys: Keys::All, interval_ms: 60_000, ..Aggregation::default() };
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let fold = Some(Fold { labels, aggregation: Arc::new(aggregation) });
    limiting(Limit { fold, ..limit(max_series, &[]) }, Mode::Enforce)
}

#[test]
fn what_is_folded_is_added_up_and_what_cannot_be_is_held() {
    let mut gate = gate(&[folding(1, &["job_name"])]);
    assert!(flows(&mut gate, "a"));
    assert!(!flows(&mut gate, "b") && !flows(&mut gate, "c"));
    assert_eq!(fates(&gate), [("folded", 1)]);
    assert!(put(&mut gate, &[("__name__", "jobs_total")]).is_none());
    assert_eq!(fates(&gate), [("held", 1)], "it has no label to fold");
    assert!(put(&mut gate, &[("__name__", "jobs_of_no_type"), ("job_name", "x")]).is_none());
    assert_eq!(fates(&gate), [("held", 1)], "nobody said what it is");
    // once folded, it stays so: its sum would count it twice
    put_value(&mut gate, &job("a"), STALE);
    gate.pipeline.clock().advance_ms(130_000);
    assert!(!flows(&mut gate, "b"));
    assert_eq!(fates(&gate), [("folded", 1)]);
    assert_eq!(usage(&gate).0, 0);
}

#[test]
fn totals_are_conserved_where_series_are_folded() {
    let mut gate = gate(&[folding(2, &["job_name"])]);
    let (mut grown, mut sent_values) = (0.0, BTreeMap::new());
    let mut values = BTreeMap::new();
    for minute in 0..20_i64 {
        let mut batch = Vec::new();
        for (n, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let value: &mut f64 = values.entry(name).or_default();
            // all are seen at zero first, so that each knows where it starts
            if minute > 0 {
                *value += n as f64 + 1.0;
                grown += n as f64 + 1.0;
            }
            let timestamp = gate.pipeline.clock().unix_ms();
            batch.push(TimeSeries {
                samples: vec![Sample { value: *value, timestamp }],
                ..series(&job(name))
            });
        }
        let request = WriteRequest::of(batch);
        gate.pass("", &request);
        assert_eq!(fates(&gate), [("folded", 3), ("forwarded", 2)]);
        gate.pipeline.clock().advance_ms(60_000);
        for (_, _, points) in gate.pipeline.collect() {
            for point in points {
                sent_values.insert("__overflow__".to_owned(), point_value(&point));
            }
        }
    }
    sent_values.insert("a".into(), values["a"]);
    sent_values.insert("b".into(), values["b"]);
    for (_, _, points) in gate.pipeline.engine().stop() {
        for point in points {
            sent_values.insert("__overflow__".to_owned(), point_value(&point));
        }
    }
    let sum: f64 = sent_values.values().sum();
    assert!((sum - grown).abs() < 1e-9, "{sum} of {grown}: {sent_values:?}");
}

fn point_value(point: &aggregate::Point) -> f64 {
    f64::from_bits(point.bits)
}

#[test]
fn a_preview_of_an_aggregation_counts_the_groups_that_it_would_make() {
    let aggregation =
        Aggregation { keys: Keys::Without(vec!["job_name".to_owned()]), ..Aggregation::default() };
    let sum = policy("sum", "{job_name!=\"\"}", Action::Aggregate(Arc::new(aggregation)), Mode::Preview);
    let mut gate = gate(&[sum]);
    let groups = |gate: &Gate| gate.pipeline.policies().preview_groups(PolicyIndex(0));
    for n in 0..30 {
        let name = n.to_string();
        assert!(flows(&mut gate, &name));
        assert!(
            put(&mut gate, &[("__name__", "other"), ("job_name", &name), ("zone", ["a", "b"][n % 2])])
                .is_some()
        );
    }
    assert_eq!(groups(&gate), 3, "one, and one for each zone");
    gate.pipeline.replace_policies(set(&[]));
    assert_eq!(groups(&gate), 0);
}

/// A series that rules drop is no part of what they make of others.
#[test]
fn what_rules_drop_is_not_added_up() {
    let rules = [rule("drop", &["job_name"], "gone", "", None), labeldrop("job_name")];
    let aggregation = Arc::new(Aggregation { keys: Keys::All, ..Aggregation::default() });
    let house = policy(
        "house",
        "{__name__=~\"jobs.*\"}",
        Action::RelabelAggregate(rules.into(), aggregation),
        Mode::Enforce,
    );
    let mut gate = gate(&[house]);
    assert!(!flows(&mut gate, "gone"));
    assert_eq!(fates(&gate), [("dropped", 1)]);
    assert!(
        gate.outcome.effects.aggregated.joins.is_empty()
            && gate.outcome.effects.aggregated.samples.is_empty()
    );
    assert!(!flows(&mut gate, "b"));
    assert_eq!(fates(&gate), [("aggregated", 1)]);
}
