//! Series that go under other labels: what is sent, what is remembered, what is told.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use prost::Message;
use seriesgate::policy::{Action, Disposition, Mode};
use seriesgate::series::Invalid;
use seriesgate_proto::{Histogram, Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy};
use support::{Gate, NOW_MS, labeldrop, pod, policy, put, relabel, rule, series};

#[test]
fn everything_but_the_labels_keeps_its_bits() {
    let rules = [labeldrop("pod"), rule("replace", &["job"], "(.*)", "a_job", Some("$1"))];
    let mut gate = Gate::new(&[relabel("{}", &rules)]);
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
