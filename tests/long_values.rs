//! `upstreams[].max_label_value`: no label value that goes out is longer, no two series become one by it, and known series cost nothing.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;

use seriesgate::pipeline::{Body, Fate, Settings};
use seriesgate::policy::{Action, Aggregation, Definition, Keys, MetricKind, Mode};
use seriesgate::series::{Invalid, LongValues};
use seriesgate_proto::{WriteRequest, v2};
use support::{
    Gate, NOW_MS, STALE, assert_conserved, labeldrop, policy, put, relabel, rule, sent, series, set,
};

const CUT: LongValues = LongValues { most: 40, drops: false };

fn gate(policies: &[Definition]) -> Gate {
    Gate::with(policies, |settings| settings.long_values = Some(CUT))
}

/// A value of a hundred bytes.
fn long(letter: &str) -> String {
    letter.repeat(100)
}

/// As it is sent.
fn cut(value: &str) -> String {
    CUT.sent("a", value).unwrap().into_owned()
}

fn fates(gate: &Gate) -> Vec<(Fate, u64)> {
    let mut fates = Vec::new();
    let (none, tell) = (Default::default(), &mut |fate, _, counts: seriesgate::pipeline::Counts| {
        fates.push((fate, counts.samples));
    });
    gate.outcome.fates(none, none, &[], tell);
    fates
}

#[test]
fn long_values_are_cut_and_all_others_keep_their_bytes() {
    let mut gate = gate(&[]);
    let (a, b) = (format!("{}1", long("a")), format!("{}2", long("a")));
    let request = WriteRequest::of(vec![
        series(&[("__name__", "up"), ("image", &a)]),
        series(&[("__name__", "up"), ("image", &b)]),
        series(&[("__name__", "up"), ("image", "short")]),
        series(&[("__name__", &long("n")), ("image", "short")]),
    ]);
    let expected = [
        format!("up{{image=\"{}\"}}", cut(&a)),
        format!("up{{image=\"{}\"}}", cut(&b)),
        "up{image=\"short\"}".to_owned(),
        format!("{}{{image=\"short\"}}", cut(&long("n"))),
    ];
    for round in 0..3 {
        gate.pass("", &request);
        assert_conserved(&gate.outcome);
        assert_eq!(sent(&gate, &request), expected, "{round}");
        assert_eq!((gate.outcome.cut(), gate.outcome.forwarded.samples), (3, 4));
        assert_eq!(gate.outcome.complaint(true), None);
    }
    // another gate, and this one in 2.0, say the same
    let mut other = Gate::with(&[], |settings| settings.long_values = Some(CUT));
    for gate in [&mut gate, &mut other] {
        gate.pass_v2("", &v2::Request::of(&request));
        assert_eq!(sent(gate, &request), expected);
    }
    let short = WriteRequest::of(vec![series(&[("__name__", "up"), ("image", "short")])]);
    gate.pass("", &short);
    assert_eq!((gate.outcome.body, gate.outcome.cut()), (Body::Untouched, 0));
}

#[test]
fn a_value_that_is_what_another_was_cut_to_waits() {
    let mut gate = gate(&[]);
    let (long, short) = (long("a"), cut(&long("a")));
    let text = format!("up{{image=\"{short}\"}}");
    assert_eq!(put(&mut gate, &[("__name__", "up"), ("image", &long)]), Some(text.clone()));
    assert_eq!(put(&mut gate, &[("__name__", "up"), ("image", &short)]), None, "the other has the identity");
    assert_eq!(put(&mut gate, &[("__name__", "up"), ("image", &long)]), Some(text));
    assert_eq!(fates(&gate), [(Fate::Forwarded, 1)]);
}

#[test]
fn a_series_of_a_long_number_is_not_sent_and_none_is_where_they_are_dropped() {
    let bucket = [("__name__", "x_bucket"), ("le", &*long("1"))];
    let image = [("__name__", "up"), ("image", &*long("a"))];
    let (mut cuts, mut drops) = (
        gate(&[]),
        Gate::with(&[], |settings| settings.long_values = Some(LongValues { drops: true, ..CUT })),
    );
    for _ in 0..2 {
        for (drop, labels) in [(false, &bucket), (true, &bucket), (true, &image)] {
            let gate = if drop { &mut drops } else { &mut cuts };
            assert_eq!(put(gate, labels), None);
            assert_eq!(fates(gate), [(Fate::Rejected(Invalid::LongLabelValue), 1)]);
            // a sender cannot mend it, and would come again with it
            assert_eq!(gate.outcome.complaint(true), None);
        }
        assert!(put(&mut cuts, &image).is_some());
        assert_eq!(put(&mut drops, &[("__name__", "up")]), Some("up".into()));
    }
}

#[test]
fn what_rules_make_longer_is_cut_and_what_they_make_shorter_is_not() {
    let lengthened =
        rule("replace", &["pod"], "(.*)", "image", Some("registry.example.com/library/of/many/images/$1"));
    let mut gate = gate(&[relabel("long", &[lengthened]), relabel("short", &[labeldrop("image")])]);
    for _ in 0..2 {
        let image = cut("registry.example.com/library/of/many/images/p");
        let expected = format!("long{{image=\"{image}\",pod=\"p\"}}");
        assert_eq!(put(&mut gate, &[("__name__", "long"), ("pod", "p")]), Some(expected));
        let labels = [("__name__", "short"), ("image", &*long("a")), ("pod", "p")];
        assert_eq!(put(&mut gate, &labels), Some("short{pod=\"p\"}".into()));
        assert_eq!(gate.outcome.cut(), 0);
    }
}

#[test]
fn groups_go_under_cut_values_and_their_members_are_told_apart_by_whole_ones() {
    let by = Aggregation {
        keys: Keys::Without(vec!["pod".into()]),
        kind: Some(MetricKind::Gauge),
        ..Aggregation::default()
    };
    let aggregate = policy("agg", "g", Action::Aggregate(by.into()), Mode::Enforce);
    let mut gate = gate(std::slice::from_ref(&aggregate));
    let of = |image: &str, pod: &str| series(&[("__name__", "g"), ("image", image), ("pod", pod)]);
    let (a, b) = (format!("{}1", long("a")), format!("{}2", long("a")));
    let request = WriteRequest::of(vec![of(&a, "x"), of(&a, "y"), of(&b, "x")]);
    gate.pass("", &request);
    let batch = &gate.outcome.effects.aggregated;
    let mut groups: Vec<String> = Vec::new();
    for join in &batch.joins {
        let labels = &batch.labels[join.labels.start as usize..join.labels.end as usize];
        groups.push(String::from_utf8_lossy(labels).into_owned());
    }
    assert_eq!(groups.len(), 3);
    assert!(groups[0] == groups[1] && groups[0] != groups[2]);
    assert!(groups[0].contains(&cut(&a)) && groups[2].contains(&cut(&b)), "{groups:?}");
    assert_eq!(gate.outcome.body, Body::Nothing);
    // where long ones are dropped, a group is not to have one either
    let drops = Some(LongValues { drops: true, ..CUT });
    let mut gate = Gate::with(&[aggregate], |settings| settings.long_values = drops);
    gate.pass("", &request);
    assert_eq!((gate.outcome.body, gate.outcome.effects.aggregated.joins.len()), (Body::Nothing, 0));
    assert_eq!(fates(&gate), [(Fate::Rejected(Invalid::LongLabelValue), 3)]);
    let passed: Vec<&str> = gate.outcome.not_aggregated.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(passed, ["long_label_value"; 3]);
}

/// A limit that is new, another or gone: what was sent until then ends, in the same request.
#[test]
fn another_limit_ends_what_was_sent_under_the_one_before() {
    let mut gate = Gate::new(&[]);
    let labels = [("__name__", "up"), ("image", &*long("a"))];
    let whole = put(&mut gate, &labels).unwrap();
    let mut before = whole.clone();
    for limit in [Some(CUT), Some(LongValues { most: 50, ..CUT }), None] {
        let settings = Settings { long_values: limit, ..Gate::settings() };
        gate.pipeline.replace_settings(settings);
        gate.pipeline.replace_policies(set(&[]));
        gate.pipeline.clock().advance_ms(1000);
        let request = WriteRequest::of(vec![series(&labels)]);
        gate.pass("", &request);
        let value = limit.map_or(long("a"), |limit| limit.sent("a", &long("a")).unwrap().into_owned());
        let now = format!("up{{image=\"{value}\"}}");
        assert_eq!(sent(&gate, &request), [before, now.clone()], "{limit:?}");
        let ended = gate.spliced().timeseries.remove(0).samples.remove(0);
        assert_eq!((ended.value.to_bits(), ended.timestamp), (STALE.to_bits(), NOW_MS));
        before = now;
    }
    assert_eq!(before, whole);
}

/// A scope that is one too many has its values cut too.
#[test]
fn series_of_a_scope_without_a_place_are_cut_too() {
    let mut gate = gate(&[]);
    let request = WriteRequest::of(vec![series(&[("__name__", "up"), ("image", &long("a"))])]);
    for tenant in ["one", "two", "three", "four"] {
        gate.pass(tenant, &request);
        assert_eq!(sent(&gate, &request), [format!("up{{image=\"{}\"}}", cut(&long("a")))], "{tenant}");
    }
    assert!(gate.outcome.overflow_tenant);
}
