//! One identity has one writer: groups among themselves, groups and series that pass, a series and the group it comes into.

use std::slice::from_ref;

use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{Action, Aggregation, Keys, MetricKind, Mode, Output, PolicySet, Run};
use seriesgate_proto::metric_metadata::MetricType;
use seriesgate_proto::{Label, MetricMetadata, WriteRequest};

use crate::IDLE_MS;
use crate::pipeline::{assert_conserved, forwarded, policy, sent, shown, text};
use crate::rig::{Rig, aggregation, begun};
use crate::steps::*;

pub(crate) fn gauge(family: &str) -> Vec<MetricMetadata> {
    let metric_family_name = family.to_owned();
    vec![MetricMetadata { r#type: MetricType::Gauge.into(), metric_family_name, ..Default::default() }]
}

/// The sum over all series of a metric as a query sees it at each second: the last value of each that has not ended.
fn sums(points: &[(i64, String, f64)], until: i64) -> Vec<f64> {
    let at = |second: i64| {
        let mut last = std::collections::BTreeMap::new();
        for (_, series, value) in points.iter().filter(|(at, ..)| *at <= second) {
            last.insert(series, *value);
        }
        last.values().filter(|value| !value.is_nan()).sum::<f64>()
    };
    (0..until).map(at).collect()
}

/// Gauges pass as long as nobody says what they are. Whenever metadata comes, a sum over the metric has no hole and
/// counts nothing twice.
#[test]
fn a_sum_is_right_throughout_when_metadata_comes_late() {
    for metadata_at in [20, 57, 60, 61, 89, 90] {
        let mut rig = rig();
        let mut points: Vec<(i64, String, f64)> = Vec::new();
        for second in 0..400i64 {
            if second % 5 == 0 || second % 5 == 2 {
                let (pod, value) = if second % 5 == 0 { ("a", 1.0) } else { ("b", 2.0) };
                let mut sent = request("mem", pod, &[(second, value)]);
                if second >= metadata_at && second < metadata_at + 5 {
                    sent.metadata = gauge("mem");
                }
                rig.deliver(&sent);
                assert_conserved(&rig.gate.outcome);
                for series in forwarded(&rig.gate, &sent) {
                    let samples = series.samples.iter();
                    points.extend(samples.map(|s| ((s.timestamp - T) / 1000, text(&series), s.value)));
                }
            }
        }
        let group = rig.finish().remove("mem").unwrap();
        points
            .extend(group.iter().map(|(ms, value)| ((ms - T) / 1000, "mem".into(), value.parse().unwrap())));
        points.sort_by_key(|(at, ..)| *at);
        let sums = sums(&points, 300);
        assert!(sums[5..].iter().all(|sum| *sum == 3.0), "metadata at {metadata_at}: {sums:?}");
        let ends = points.iter().filter(|(_, _, value)| value.is_nan()).count();
        assert_eq!(ends, 2, "each once");
    }
}

#[test]
fn two_policies_never_write_to_one_series() {
    let by = |name: &str, app: &str| {
        let keys = Keys::Without(vec!["pod".into(), "app".into()]);
        let all = Aggregation { keys, collapse: Vec::new(), ..aggregation(0) };
        let selector = format!("{{app=\"{app}\"}}");
        policy(name, &selector, Action::Aggregate(all.into()), Mode::Enforce)
    };
    let mut rig = Rig::of(vec![by("web", "web"), by("api", "api")], IDLE_MS);
    let one = |app: &str, at: i64, value| {
        let mut one = series("hits_total", app, &[(at, value)]);
        one.labels.insert(1, Label { name: "app".into(), value: app.into() });
        one
    };
    for at in (0..600).step_by(60) {
        let request = WriteRequest::of(vec![one("web", at, at as f64), one("api", at, 1.0)]);
        rig.deliver(&request);
        assert_conserved(&rig.gate.outcome);
        assert_eq!(sent(&rig.gate, &request), ["hits_total{app=\"api\",pod=\"api\"}"]);
        if at == 0 {
            assert_eq!(rig.gate.outcome.not_aggregated.len(), 1);
        }
        rig.pass_time(T + at * 1000);
    }
    let output = rig.finish();
    assert_eq!(output.keys().collect::<Vec<_>>(), ["hits_total"]);
    // the policy that had it is gone: what it had is free
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[by("api", "api")], Run::AsConfigured).unwrap());
    let request = WriteRequest::of(vec![one("web", 660, 0.0), one("api", 660, 1.0)]);
    rig.deliver(&request);
    assert_eq!(
        shown(&rig.gate, &request).iter().map(|s| s.rsplit(':').next().unwrap()).collect::<Vec<_>>(),
        ["0", "stale"],
        "one passes again, the other is in a group"
    );
}

#[test]
fn each_output_of_a_group_has_one_owner() {
    let outputs = vec![Output::Sum, Output::Max];
    let all = Aggregation { kind: Some(MetricKind::Gauge), outputs, ..without_pod() };
    let plain = |name: &str, at: i64| {
        let mut one = series(name, "", &[(at, 9.0)]);
        one.labels.pop();
        one
    };
    let definitions = vec![policy("agg", "g", Action::Aggregate(all.into()), Mode::Enforce)];
    // the series first: members pass, and the first output is nobody's
    let mut rig = Rig::of(definitions.clone(), IDLE_MS);
    let request = WriteRequest::of(vec![plain("g:max", 0), series("g", "a", &[(0, 1.0)])]);
    rig.deliver(&request);
    assert_eq!(sent(&rig.gate, &request), ["g:max", "g{pod=\"a\"}"]);
    assert_eq!(rig.gate.pipeline.index().claimed(), 0);
    // the group first: the series waits, for as long as the group is there
    let mut rig = Rig::of(definitions, IDLE_MS);
    for at in (0..3600).step_by(60) {
        let request = WriteRequest::of(vec![series("g", "a", &[(at, 1.0)]), plain("g:max", at)]);
        rig.deliver(&request);
        assert_conserved(&rig.gate.outcome);
        assert_eq!(sent(&rig.gate, &request), [""; 0]);
        assert_eq!(rig.gate.outcome.by_verdict.len(), 2);
        rig.pass_time(T + at * 1000);
    }
    assert_eq!(rig.gate.pipeline.index().contested(), 1);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[], Run::AsConfigured).unwrap());
    let request = WriteRequest::of(vec![plain("g:max", 3700)]);
    rig.deliver(&request);
    assert_eq!(sent(&rig.gate, &request), ["g:max"]);
}

/// What another process sent is not known; that it was sent before this one began is.
#[test]
fn a_group_of_a_process_without_state_begins_no_earlier_than_the_process() {
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.gate = begun(T + 70_000, &rig.policies, IDLE_MS);
    rig.put("x_total", "a", &[(75, 100.0), (100, 110.0), (115, 150.0), (170, 160.0)]);
    assert_eq!(rig.points("x_total"), "70.001:0 120:50 180:60");
    // samples of windows that were over by then have waited: what another process sent is older than the first of them
    rig.gate = begun(T + 7_000_000, &rig.policies, IDLE_MS);
    rig.put("y_total", "a", &[(75, 100.0), (115, 150.0), (170, 160.0)]);
    assert_eq!(rig.points("y_total"), "75:0 120:50 180:60");
}

#[test]
fn a_group_that_goes_on_as_what_its_member_was_sent_as_begins_after_that() {
    let own = policy("agg", "x_total", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let mut rig = Rig::of(Vec::new(), IDLE_MS);
    let scrape = |rig: &mut Rig, at: i64| {
        rig.put_all(at, &[("x_total", "", (100 + at) as f64), ("x_total", "a", (1000 + at) as f64)]);
    };
    (0..=45).step_by(15).for_each(|at| scrape(&mut rig, at));
    rig.gate.pipeline.replace_policies(PolicySet::compile(from_ref(&own), Run::AsConfigured).unwrap());
    // its sender comes again with the same: what was decided holds
    rig.refuse(&request("x_total", "", &[(60, 160.0)]));
    (60..=180).step_by(15).for_each(|at| scrape(&mut rig, at));
    // the last sample that was sent as it is is of 45
    assert_eq!(rig.points("x_total"), "60:0 120:120 180:240");
}

/// The first of those that rules make alike is sent as what the group is, and has the identity.
#[test]
fn what_is_held_back_is_added_up_once_the_policy_says_so() {
    let rules =
        RuleText { action: Some("labeldrop".into()), regex: Some("pod".into()), ..RuleText::default() };
    let held = policy("r", "g", Action::Relabel([rules.clone()].into()), Mode::Enforce);
    let gauge = Aggregation { kind: Some(MetricKind::Gauge), ..Aggregation::default() };
    let added = policy("r", "g", Action::RelabelAggregate([rules].into(), gauge.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![held], IDLE_MS);
    let scrape =
        |rig: &mut Rig, at: i64| rig.put_all(at, &[("g", "a", 1.0), ("g", "b", 1.0), ("g", "c", 1.0)]);
    (0..=45).step_by(15).for_each(|at| scrape(&mut rig, at));
    assert_eq!(rig.gate.outcome.forwarded.samples, 1);
    rig.gate.pipeline.replace_policies(PolicySet::compile(from_ref(&added), Run::AsConfigured).unwrap());
    (60..=240).step_by(15).for_each(|at| scrape(&mut rig, at));
    let points = rig.points("g");
    assert!(points.ends_with("120:3 180:3 240:3"), "{points}");
}

#[test]
fn what_a_group_was_sent_as_is_free_when_it_has_ended() {
    let gauge = Aggregation { kind: Some(MetricKind::Gauge), ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(gauge.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    // what has no pod is sent as what the group is sent as, and waits
    let scrape = |rig: &mut Rig, at: i64, members: f64| {
        rig.put_all(at, &[("g", "a", members), ("g", "b", members)]);
        rig.put("g", "", &[(at, 7.0)]);
    };
    (0..=60).step_by(15).for_each(|at| scrape(&mut rig, at, 1.0));
    scrape(&mut rig, 75, STALE_MARKER);
    let waits = |rig: &Rig, at: i64| sent(&rig.gate, &request("g", "", &[(at, 7.0)])).is_empty();
    assert!(waits(&rig, 76));
    // a sixteenth of the time after which what is silent is forgotten
    for at in (90..=300).step_by(15) {
        rig.put("g", "", &[(at, 7.0)]);
        rig.pass_time(T + at * 1000);
    }
    assert!(!waits(&rig, 301));
    assert_eq!(rig.gate.pipeline.engine().all_members(), 0);
    // who comes back finds it taken, and passes as itself
    rig.put_all(315, &[("g", "a", 2.0), ("other", "x", 1.0)]);
    rig.put("g", "", &[(330, 7.0)]);
    rig.put("g", "a", &[(330, 2.0)]);
    assert_eq!(sent(&rig.gate, &request("g", "a", &[(330, 2.0)])), ["g{pod=\"a\"}"]);
    let output = rig.finish();
    assert_eq!(output["g"].last().unwrap().1, "stale", "{output:?}");
}

#[test]
fn a_group_that_ended_begins_again_with_its_members() {
    let gauge = Aggregation { kind: Some(MetricKind::Gauge), ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(gauge.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    let other = |rig: &mut Rig, at: i64| {
        rig.put("h", "x", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    };
    (0..=60).step_by(15).for_each(|at| rig.put_all(at, &[("g", "a", 1.0), ("g", "b", 1.0)]));
    rig.put_all(75, &[("g", "a", STALE_MARKER), ("g", "b", STALE_MARKER)]);
    (90..=300).step_by(15).for_each(|at| other(&mut rig, at));
    assert_eq!(rig.gate.pipeline.engine().all_members(), 1);
    // the very first sample counts
    rig.put_all(315, &[("g", "a", 1.0), ("g", "b", 1.0)]);
    (330..=375).step_by(15).for_each(|at| other(&mut rig, at));
    let points = rig.points("g");
    assert!(points.starts_with("0:2 60:2 120:stale 360:2"), "{points}");
}
