//! Series that go under other labels: what is sent, what is remembered, what is told.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use prost::Message;
use seriesgate::config::Validation;
use seriesgate::policy::{Action, Disposition, Mode};
use seriesgate::series::Invalid;
use seriesgate_proto::{Histogram, Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy};
use support::{
    Gate, NOW_MS, STALE, assert_conserved, is_stale, labeldrop, pod, policy, put, relabel, rule, series, set,
    shown,
};

#[test]
fn everything_but_the_labels_keeps_its_bits() {
    let rules = [labeldrop("pod"), rule("replace", &["job"], "(.*)", "a_job", Some("$1"))];
    // no series should be so, and none is changed for it
    let mut gate = Gate::with(&[relabel("{}", &rules)], |settings| settings.validation = Validation::Off);
    let mut one = series(&[("__name__", "up"), ("job", "node"), ("pod", "x-1")]);
    one.samples.push(Sample { value: f64::from_bits(0x7ff0_0000_0000_0002), timestamp: NOW_MS + 1 });
    one.samples.push(Sample { value: f64::from_bits(0x7ff8_dead_beef_0001), timestamp: -1 });
    one.histograms.push(Histogram {
        timestamp: NOW_MS,
        schema: -53,
        custom_values: vec![1.0],
        ..Default::default()
    });
    let request = WriteRequest::of(vec![one.clone()]);
    let mut expected = one;
    expected.labels = [("__name__", "up"), ("a_job", "node"), ("job", "node")]
        .map(|(name, value)| Label { name: name.into(), value: value.into() })
        .into();
    for _ in 0..3 {
        gate.pass("", &request);
        let bits = |series: &TimeSeries| series.samples.iter().map(|s| s.value.to_bits()).collect::<Vec<_>>();
        let got = gate.spliced().timeseries.remove(0);
        assert_eq!(bits(&got), bits(&expected));
        assert_eq!((got.labels, got.histograms), (expected.labels.clone(), expected.histograms.clone()));
        assert_eq!(gate.outcome.forwarded.samples, 3);
    }
    assert_eq!(gate.pipeline.edits(), 1);
}

#[test]
fn lengths_grow_and_shrink_across_the_size_of_their_own_length() {
    let long = "v".repeat(200);
    let add = rule("replace", &[], "(.*)", "added", Some(&long));
    let mut gate = Gate::new(&[relabel("short", &[add]), relabel("long", &[labeldrop("big|huge")])]);
    let huge = "h".repeat(250);
    for _ in 0..2 {
        assert_eq!(put(&mut gate, &[("__name__", "short")]), Some(format!("short{{added=\"{long}\"}}")));
        let labels = [("__name__", "long"), ("big", &*huge), ("huge", &*huge)];
        assert_eq!(put(&mut gate, &labels), Some("long".into()));
    }
}

#[test]
fn labels_in_any_order_are_rewritten_the_same() {
    let mut gate = Gate::new(&[relabel("{}", &[labeldrop("pod")])]);
    for _ in 0..3 {
        for labels in [
            [("__name__", "up"), ("pod", "x"), ("zone", "a")],
            [("zone", "a"), ("pod", "x"), ("__name__", "up")],
            [("pod", "x"), ("zone", "a"), ("__name__", "up")],
        ] {
            assert_eq!(put(&mut gate, &labels).as_deref(), Some("up{zone=\"a\"}"));
        }
    }
    assert_eq!((gate.pipeline.index().live(), gate.pipeline.index().claimed()), (1, 1));
}

#[test]
fn labels_scattered_between_samples_come_out_in_one_run() {
    let mut gate = Gate::new(&[relabel("{}", &[labeldrop("pod")])]);
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() }.encode_to_vec();
    let field = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
    let sample = Sample { value: 1.0, timestamp: NOW_MS };
    let content = [
        field(0x0a, &label("__name__", "up")),
        field(0x12, &sample.encode_to_vec()),
        field(0x0a, &label("pod", "x")),
        field(0x0a, &label("zone", "a")),
    ];
    let body = snappy(&field(0x0a, &content.concat()));
    for _ in 0..3 {
        gate.decide("", &body).unwrap();
        gate.pipeline.commit(&gate.outcome);
        let expected = TimeSeries { samples: vec![sample], ..TimeSeries::named("up", &[("zone", "a")]) };
        assert_eq!(gate.spliced().timeseries, [expected]);
    }
    assert_eq!(
        gate.pipeline.index().live(),
        1,
        "sorted labels that are not one run have an identity all the same"
    );
}

#[test]
fn later_policies_see_the_new_labels() {
    let rename = rule("replace", &["__name__"], "old_(.*)", "__name__", Some("new_$1"));
    let drop = |selector| policy("drop", selector, Action::Drop, Mode::Enforce);
    let mut gate = Gate::new(&[relabel("{}", &[rename]), drop("new_noise"), drop("old_b")]);
    for _ in 0..2 {
        assert_eq!(put(&mut gate, &[("__name__", "old_noise")]), None);
        assert_eq!(put(&mut gate, &[("__name__", "old_b")]).as_deref(), Some("new_b"));
        assert_eq!(put(&mut gate, &[("__name__", "other")]).as_deref(), Some("other"));
    }
}

#[test]
fn who_loses_its_name_or_all_labels_is_rejected_and_the_sender_hears_nothing() {
    for (rules, reason) in [
        (labeldrop("__name__"), Invalid::NoName),
        (labeldrop(".*"), Invalid::NoLabels),
        (rule("labelmap", &[], "job", "", Some("$2")), Invalid::EmptyLabelName),
        (rule("replace", &[], "(.*)", "big", Some(&"x".repeat(300))), Invalid::LabelValueTooLong),
    ] {
        let mut gate = Gate::new(&[relabel("{}", &[rules])]);
        for _ in 0..2 {
            assert_eq!(put(&mut gate, &[("__name__", "up"), ("job", "x")]), None, "{reason:?}");
            let (verdict, counts) = gate.outcome.by_verdict[0];
            let row = gate.outcome.policies.as_ref().unwrap().set.row(verdict);
            assert_eq!((row.disposition, row.reason), (Disposition::Reject, Some(reason)));
            assert_eq!(counts.samples, 1);
            assert_eq!(gate.outcome.complaint(true), None, "it is the policy's doing, not the sender's");
        }
    }
}

#[test]
fn rules_that_blow_labels_up_are_stopped() {
    let double = rule("replace", &["v"], "(.*)", "v", Some("$1$1"));
    let spread = rule("labelmap", &[], "(.*)", "", Some("a_$1"));
    for (rules, reason) in
        [(vec![double; 40], Invalid::LabelValueTooLong), (vec![spread; 40], Invalid::TooManyLabels)]
    {
        let mut gate = Gate::new(&[relabel("{}", &rules)]);
        assert_eq!(put(&mut gate, &[("__name__", "up"), ("v", "0123456789")]), None);
        let row = gate.outcome.policies.as_ref().unwrap().set.row(gate.outcome.by_verdict[0].0);
        assert_eq!(row.reason, Some(reason));
    }
}

#[test]
fn edits_of_series_that_are_gone_are_left_behind() {
    let copy = rule("replace", &["pod"], "(.*)", "p", Some("$1-"));
    let mut gate = Gate::with(&[relabel("{}", &[copy])], |settings| settings.max_tracked = 100_000);
    for pass in 0..3 {
        let all: Vec<_> =
            (0..6000).map(|i| series(&[("__name__", "up"), ("pod", &format!("{pass}-{i}"))])).collect();
        gate.pass("", &WriteRequest::of(all));
    }
    assert_eq!(gate.pipeline.edits(), 18_000);
    assert!(!gate.pipeline.renew_edits(6000));
    assert!(gate.pipeline.renew_edits(100));
    assert_eq!(gate.pipeline.edits(), 0);
    assert_eq!(put(&mut gate, &pod("2-1")).as_deref(), Some("up{p=\"2-1-\",pod=\"2-1\"}"));
}

#[test]
fn examples_are_the_last_of_each_policy() {
    let drop = policy("drop", "noise", Action::Drop, Mode::Preview);
    let mut gate = Gate::new(&[drop, relabel("{}", &[labeldrop("pod")])]);
    let all =
        (0..30).map(|i| series(&[("__name__", "noise"), ("n", &i.to_string()), ("pod", "x")])).collect();
    gate.pass("", &WriteRequest::of(all));
    let examples = &gate.outcome.effects.examples;
    let of =
        |policy: u16| examples.iter().filter(move |example| example.policy.0 == policy).collect::<Vec<_>>();
    for policy in [0, 1] {
        assert_eq!(of(policy).len(), 20);
        assert_eq!(of(policy)[19].input, "noise{n=\"29\",pod=\"x\"}");
        assert_eq!(of(policy)[0].input, "noise{n=\"10\",pod=\"x\"}");
        assert_eq!(of(policy)[19].output.as_deref(), Some("noise{n=\"29\"}"));
    }
    gate.decide(
        "",
        &encode_snappy(&WriteRequest::of(vec![series(&[("__name__", "noise"), ("n", "3"), ("pod", "x")])])),
    )
    .unwrap();
    assert!(gate.outcome.effects.examples.is_empty(), "known series are no news");
}

/// One sample of each of these, so many seconds after the beginning.
fn at(seconds: i64, all: &[&[(&str, &str)]]) -> WriteRequest {
    let samples = vec![Sample { value: 1.0, timestamp: NOW_MS + seconds * 1000 }];
    let one = |labels: &&[(&str, &str)]| TimeSeries { samples: samples.clone(), ..series(labels) };
    WriteRequest::of(all.iter().map(one).collect())
}

fn pass(gate: &mut Gate, request: &WriteRequest) -> (Vec<String>, u64) {
    gate.pass("", request);
    assert_conserved(&gate.outcome);
    (shown(gate, request), gate.outcome.stale_markers)
}

#[test]
fn what_policies_drop_from_now_on_ends_once_and_for_all() {
    let mut gate = Gate::new(&[]);
    let [a, b, other] = [&pod("a")[..], &[("zone", "z"), ("__name__", "up")], &[("__name__", "other")]];
    pass(&mut gate, &at(0, &[a, b, other]));
    let drop = policy("drop", "up", Action::Drop, Mode::Enforce);
    gate.pipeline.replace_policies(set(&[drop]));
    let request = at(10, &[a, other, b, &pod("new")]);
    let ended = ["up{pod=\"a\"} 10:stale", "other 10:1", "up{zone=\"z\"} 10:stale"].map(str::to_owned);
    // the upstream does not take it: it is said again, until it does
    for _ in 0..3 {
        gate.decide("", &encode_snappy(&request)).unwrap();
        assert_conserved(&gate.outcome);
        assert_eq!((shown(&gate, &request), gate.outcome.stale_markers), (ended.to_vec(), 2));
        assert_eq!((gate.outcome.received.samples, gate.outcome.forwarded.samples), (4, 1));
    }
    gate.pipeline.commit(&gate.outcome);
    for seconds in [20, 30] {
        assert_eq!(pass(&mut gate, &at(seconds, &[a, other, b])), (vec![format!("other {seconds}:1")], 0));
    }
    // alone, it leaves nothing but its end
    gate.pipeline.replace_policies(set(&[]));
    pass(&mut gate, &at(40, &[a]));
    gate.pipeline.replace_policies(set(&[policy("drop", "up", Action::Drop, Mode::Enforce)]));
    assert_eq!(pass(&mut gate, &at(50, &[a])), (vec!["up{pod=\"a\"} 50:stale".to_owned()], 1));
    assert_eq!(pass(&mut gate, &at(60, &[a])), (vec![], 0));
}

#[test]
fn under_other_labels_the_old_ones_end_where_the_new_ones_begin() {
    let by = |rules: &[_]| [relabel("{pod!=\"\"}", rules)];
    let mut gate = Gate::new(&[]);
    let (a, b) = (&pod("a")[..], &[("__name__", "down"), ("pod", "b")][..]);
    let step = |gate: &mut Gate, seconds| pass(gate, &at(seconds, &[a, b])).0.join(", ");
    assert_eq!(step(&mut gate, 0), "up{pod=\"a\"} 0:1, down{pod=\"b\"} 0:1");
    gate.pipeline.replace_policies(set(&by(&[labeldrop("pod")])));
    assert_eq!(step(&mut gate, 10), "up{pod=\"a\"} 10:stale, up 10:1, down{pod=\"b\"} 10:stale, down 10:1");
    assert_eq!(step(&mut gate, 20), "up 20:1, down 20:1");
    // the same labels by other rules: nothing ends
    gate.pipeline.replace_policies(set(&by(&[labeldrop("po."), labeldrop("none")])));
    assert_eq!(step(&mut gate, 30), "up 30:1, down 30:1");
    let rename = rule("replace", &["pod"], "(.*)", "host", Some("$1"));
    gate.pipeline.replace_policies(set(&by(&[rename, labeldrop("pod")])));
    assert_eq!(step(&mut gate, 40), "up 40:stale, up{host=\"a\"} 40:1, down 40:stale, down{host=\"b\"} 40:1");
    gate.pipeline.replace_policies(set(&[]));
    assert_eq!(
        step(&mut gate, 50),
        "up{host=\"a\"} 50:stale, up{pod=\"a\"} 50:1, down{host=\"b\"} 50:stale, down{pod=\"b\"} 50:1"
    );
    assert_eq!(step(&mut gate, 60), "up{pod=\"a\"} 60:1, down{pod=\"b\"} 60:1");
}

#[test]
fn nothing_ends_that_this_process_did_not_send_and_the_config_can_say_no() {
    let drop = || set(&[policy("drop", "up", Action::Drop, Mode::Enforce)]);
    let mut gate = Gate::new(&[policy("drop", "up", Action::Drop, Mode::Enforce)]);
    assert_eq!(pass(&mut gate, &at(0, &[&pod("a")])), (vec![], 0), "right after the start");
    gate.pipeline.replace_policies(drop());
    assert_eq!(pass(&mut gate, &at(10, &[&pod("a")])), (vec![], 0), "it was dropped before");
    let mut quiet = Gate::with(&[], |settings| settings.stale_markers = false);
    pass(&mut quiet, &at(0, &[&pod("a")]));
    quiet.pipeline.replace_policies(drop());
    assert_eq!(pass(&mut quiet, &at(10, &[&pod("a")])), (vec![], 0));
    // one that waits for another's identity has none to end
    let mut gate = Gate::new(&[relabel("{pod!=\"\"}", &[labeldrop("pod")])]);
    pass(&mut gate, &at(0, &[&pod("a"), &pod("b")]));
    gate.pipeline.replace_policies(drop());
    assert_eq!(pass(&mut gate, &at(10, &[&pod("b"), &pod("a")])), (vec!["up 10:stale".to_owned()], 1));
}

#[test]
fn native_histograms_end_as_such_and_a_series_without_samples_goes_on() {
    let mut gate = Gate::new(&[]);
    let mut native = TimeSeries { samples: vec![], ..series(&pod("a")) };
    native.histograms.push(Histogram { timestamp: NOW_MS + 5, ..Default::default() });
    let request = WriteRequest::of(vec![native]);
    pass(&mut gate, &request);
    gate.pipeline.replace_policies(set(&[policy("drop", "up", Action::Drop, Mode::Enforce)]));
    let empty = WriteRequest::of(vec![TimeSeries { samples: vec![], ..series(&pod("a")) }]);
    assert_eq!(pass(&mut gate, &empty), (vec![], 0));
    gate.pass("", &request);
    let ended = gate.spliced().timeseries.remove(0);
    assert_eq!((ended.labels.len(), ended.samples.len(), ended.histograms.len()), (2, 0, 1));
    let histogram = &ended.histograms[0];
    assert_eq!((histogram.timestamp, histogram.sum.to_bits()), (NOW_MS + 5, STALE.to_bits()));
    assert_eq!(Histogram { sum: 0.0, timestamp: 0, ..histogram.clone() }, Histogram::default());
    assert_eq!(pass(&mut gate, &request), (vec![], 0));
}

#[test]
fn several_samples_end_at_the_first_and_an_end_is_one() {
    let mut gate = Gate::new(&[]);
    pass(&mut gate, &at(0, &[&pod("a")]));
    gate.pipeline.replace_policies(set(&[policy("drop", "up", Action::Drop, Mode::Enforce)]));
    let sample = |seconds: i64, value| Sample { value, timestamp: NOW_MS + seconds * 1000 };
    let several = |samples| WriteRequest::of(vec![TimeSeries { samples, ..series(&pod("a")) }]);
    let request = several(vec![sample(10, 2.0), sample(20, 3.0), sample(30, STALE)]);
    assert_eq!(pass(&mut gate, &request), (vec!["up{pod=\"a\"} 10:stale".to_owned()], 1));
    assert!(is_stale(&request.timeseries[0].samples[2]));
    assert_eq!(pass(&mut gate, &several(vec![sample(40, STALE)])), (vec![], 0));
}
