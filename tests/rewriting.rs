//! Series that go under other labels, and what keeps two of them from becoming one.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use seriesgate::pipeline::Body;
use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{Action, Definition, Disposition, Mode, PolicySet, Run};
use seriesgate::series::{Freed, Invalid, Labels, Limits, Reopen};
use seriesgate_proto::{Histogram, Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy};
use support::{Gate, NOW_MS, assert_conserved, policy, series};

fn rule(action: &str, sources: &[&str], regex: &str, target: &str, replacement: Option<&str>) -> RuleText {
    RuleText {
        source_labels: (!sources.is_empty()).then(|| sources.iter().map(|name| (*name).to_owned()).collect()),
        regex: Some(regex.to_owned()),
        target_label: target.to_owned(),
        replacement: replacement.map(str::to_owned),
        action: Some(action.to_owned()),
        ..RuleText::default()
    }
}

fn labeldrop(regex: &str) -> RuleText {
    rule("labeldrop", &[], regex, "", None)
}

fn relabel(selector: &str, rules: &[RuleText]) -> Definition {
    policy("house", selector, Action::Relabel(rules.into()), Mode::Enforce)
}

fn set(definitions: &[Definition]) -> PolicySet {
    PolicySet::compile(definitions, Run::AsConfigured).unwrap()
}

/// What was forwarded, as text, in order.
fn sent(gate: &Gate, request: &WriteRequest) -> Vec<String> {
    let request = match gate.outcome.body {
        Body::Nothing => return Vec::new(),
        Body::Untouched => request.clone(),
        Body::Spliced => gate.spliced(),
    };
    request.timeseries.iter().map(text).collect()
}

fn text(series: &TimeSeries) -> String {
    let mut pairs: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
    pairs.retain(|(_, value)| !value.is_empty());
    pairs.sort_unstable();
    Labels::from_sorted(&pairs).to_string()
}

/// Sends one series and says what came out.
fn put(gate: &mut Gate, labels: &[(&str, &str)]) -> Option<String> {
    let request = WriteRequest::of(vec![series(labels)]);
    gate.pass("", &request);
    assert_conserved(&gate.outcome);
    sent(gate, &request).pop()
}

/// Forgets what was not seen for `seconds`, in two rounds: the second reopens what the first set free.
fn expire(gate: &Gate, seconds: u32) {
    let index = gate.pipeline.index();
    let horizon = gate.pipeline.clock().unix_seconds() - seconds;
    let mut freed = Freed::default();
    for _ in 0..3 {
        let mut freeing = Freed::default();
        for shard in 0..index.shards() {
            index.expire(shard, horizon, Reopen::Waiting(&freed), &mut freeing, |_, _| {});
        }
        freed = freeing;
    }
}

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
            assert_eq!(gate.outcome.complaint(), None, "it is the policy's doing, not the sender's");
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

fn pod(name: &str) -> [(&'static str, &str); 2] {
    [("__name__", "up"), ("pod", name)]
}

#[test]
fn the_first_owner_flows_until_it_expires() {
    let mut gate = Gate::new(&[relabel("{}", &[labeldrop("pod")])]);
    for _ in 0..3 {
        assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
        assert_eq!(put(&mut gate, &pod("b")), None);
        assert_eq!(gate.outcome.by_verdict[0].0.disposition(), Disposition::Collide);
        assert_eq!(
            put(&mut gate, &[("__name__", "up")]),
            None,
            "one that passes as it is comes too late as well"
        );
    }
    assert_eq!(gate.pipeline.index().contested(), 2);
    gate.pipeline.clock().advance_ms(60_000);
    assert_eq!(put(&mut gate, &pod("b")), None);
    expire(&gate, 30);
    assert_eq!(put(&mut gate, &pod("b")).as_deref(), Some("up"), "the owner is gone");
    assert_eq!(put(&mut gate, &pod("a")), None);
    gate.pipeline.clock().advance_ms(600_000);
    expire(&gate, 30);
    let index = gate.pipeline.index();
    assert_eq!((index.live(), index.claimed(), index.contested()), (0, 0, 0));
}

#[test]
fn an_owner_that_goes_on_keeps_what_it_has() {
    let mut gate = Gate::new(&[relabel("{}", &[labeldrop("pod")])]);
    for _ in 0..10 {
        assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
        assert_eq!(put(&mut gate, &pod("b")), None);
        gate.pipeline.clock().advance_ms(20_000);
        expire(&gate, 30);
    }
}

#[test]
fn a_series_that_passes_as_it_is_owns_itself() {
    let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
    for _ in 0..2 {
        assert_eq!(put(&mut gate, &[("__name__", "up")]).as_deref(), Some("up"));
        assert_eq!(put(&mut gate, &pod("a")), None);
    }
    assert_eq!(gate.pipeline.index().claimed(), 0, "its place in the index is claim enough");
    gate.pipeline.clock().advance_ms(60_000);
    put(&mut gate, &pod("a"));
    expire(&gate, 30);
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
    assert_eq!(put(&mut gate, &[("__name__", "up")]), None);
}

#[test]
fn the_same_series_twice_in_a_body_is_no_collision_and_two_are() {
    let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
    let request = WriteRequest::of(vec![series(&pod("a")), series(&pod("b")), series(&pod("a"))]);
    for _ in 0..2 {
        gate.pass("", &request);
        assert_eq!(sent(&gate, &request), ["up", "up"]);
    }
    let plain =
        WriteRequest::of(vec![series(&[("__name__", "x")]), series(&[("__name__", "x"), ("pod", "a")])]);
    gate.pass("", &plain);
    assert_eq!(sent(&gate, &plain), ["x"], "both are new, and the first has it");
}

#[test]
fn what_is_on_its_way_counts_before_it_is_committed() {
    let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
    let plain = encode_snappy(&WriteRequest::of(vec![series(&[("__name__", "up")])]));
    gate.decide("", &plain).unwrap();
    assert_eq!(put(&mut gate, &pod("a")), None, "the other is in flight");
    // It comes again and arrives; its claim is not needed any longer.
    gate.decide("", &plain).unwrap();
    gate.pipeline.commit(&gate.outcome);
    assert_eq!(gate.pipeline.index().claimed(), 0);
    // One that never comes again is forgotten as any idle series is.
    gate.decide("", &encode_snappy(&WriteRequest::of(vec![series(&[("__name__", "ghost")])]))).unwrap();
    assert_eq!(put(&mut gate, &[("__name__", "ghost"), ("pod", "a")]), None);
    gate.pipeline.clock().advance_ms(60_000);
    expire(&gate, 30);
    assert_eq!(put(&mut gate, &[("__name__", "ghost"), ("pod", "a")]).as_deref(), Some("ghost"));
}

#[test]
fn changed_policies_leave_owners_what_they_have_and_take_what_they_leave() {
    let by_pod = [relabel("{pod=~\".+\"}", &[labeldrop("pod")])];
    let mut gate = Gate::new(&by_pod);
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
    assert_eq!(put(&mut gate, &pod("b")), None);
    // the same under another generation, the loser asks first
    gate.pipeline.replace_policies(set(&by_pod));
    assert_eq!(put(&mut gate, &pod("b")), None);
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
    // now the owner keeps its labels: once it was asked, what it had is free
    gate.pipeline.replace_policies(set(&[relabel("{pod=\"b\"}", &[labeldrop("pod")])]));
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up{pod=\"a\"}"));
    assert_eq!(put(&mut gate, &pod("b")).as_deref(), Some("up"));
}

#[test]
fn without_rules_nobody_waits() {
    let by_pod = [relabel("{pod=~\".+\"}", &[labeldrop("pod")])];
    let mut gate = Gate::new(&by_pod);
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
    assert_eq!(put(&mut gate, &[("__name__", "up")]), None);
    // bypassed: what was held back goes on at once, though the owner was not asked yet
    gate.pipeline.replace_policies(PolicySet::compile(&by_pod, Run::Bypassed).unwrap());
    for _ in 0..3 {
        assert_eq!(put(&mut gate, &[("__name__", "up")]).as_deref(), Some("up"));
        assert_eq!(gate.outcome.effects.births.len(), 0);
    }
    // and back: one of the two has it, whoever is asked first
    gate.pipeline.replace_policies(set(&by_pod));
    assert_eq!(put(&mut gate, &pod("a")), None);
    assert_eq!(put(&mut gate, &[("__name__", "up")]).as_deref(), Some("up"));
    assert_eq!(put(&mut gate, &pod("a")), None);
}

#[test]
fn a_full_index_still_rewrites_and_keeps_series_apart() {
    let mut gate = Gate::with(&[relabel("{}", &[labeldrop("pod")])], |settings| settings.max_tracked = 1);
    for _ in 0..3 {
        assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up"));
        assert_eq!(put(&mut gate, &pod("b")), None);
        assert_eq!(put(&mut gate, &[("__name__", "down"), ("pod", "c")]).as_deref(), Some("down"));
    }
    assert_eq!(gate.pipeline.index().live(), 1);
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

const MODEL_LIMITS: Limits = Limits { max_labels: 8, max_name_bytes: 64, max_value_bytes: 256 };

/// Who owns what, told the plain way.
#[derive(Default)]
struct Model {
    owners: BTreeMap<String, String>,
    last_seen: BTreeMap<String, u32>,
}

impl Model {
    /// What is sent for a series, if anything.
    fn send(&mut self, set: &PolicySet, series: &TimeSeries, now: u32) -> Option<String> {
        let mut pairs: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
        pairs.sort_unstable();
        let walk = set.walk(Labels::from_sorted(&pairs), &MODEL_LIMITS);
        self.last_seen.insert(text(series), now);
        if !walk.disposition.forwards() {
            return None;
        }
        let last = walk.steps.last().map(|step| &step.labels);
        let pairs: Vec<_> = match last {
            Some(labels) => labels.iter().map(|(n, v)| (&**n, &**v)).collect(),
            None => pairs,
        };
        let output = Labels::from_sorted(&pairs).to_string();
        let owner = self.owners.entry(output.clone()).or_insert_with(|| text(series));
        (*owner == text(series)).then_some(output)
    }

    fn expire(&mut self, horizon: u32) {
        self.last_seen.retain(|_, seen| *seen >= horizon);
        self.owners.retain(|_, owner| self.last_seen.contains_key(owner));
    }
}

#[derive(Clone, Debug)]
enum Event {
    Send(Vec<(u8, u8, bool)>),
    Wait,
}

fn event() -> impl Strategy<Value = Event> {
    let series = (0u8..3, 0u8..4, any::<bool>());
    prop_oneof![4 => prop::collection::vec(series, 1..6).prop_map(Event::Send), 1 => Just(Event::Wait)]
}

proptest! {
    #[test]
    fn no_two_series_ever_become_one(events in prop::collection::vec(event(), 1..25)) {
        let rules = [labeldrop("pod"), rule("replace", &["zone"], "z1", "zone", Some(""))];
        let definitions = [
            relabel("{pod=~\"p.\"}", &rules),
            policy("drop", "{zone=\"z2\"}", Action::Drop, Mode::Enforce),
        ];
        let reference = set(&definitions);
        let mut gate = Gate::new(&definitions);
        let mut model = Model::default();
        for event in events {
            match event {
                Event::Send(all) => {
                    let all: Vec<_> = all.iter().map(|(pod, zone, turned)| {
                        let (pod, zone) = (format!("p{pod}"), format!("z{zone}"));
                        let mut labels = vec![("__name__", "up")];
                        if pod != "p0" { labels.push(("pod", &pod)); }
                        if zone != "z0" { labels.push(("zone", &zone)); }
                        if *turned { labels.reverse(); }
                        series(&labels)
                    }).collect();
                    let now = gate.pipeline.clock().unix_seconds();
                    let expected: Vec<_> = all.iter().filter_map(|s| model.send(&reference, s, now)).collect();
                    let request = WriteRequest::of(all);
                    gate.pass("", &request);
                    assert_conserved(&gate.outcome);
                    prop_assert_eq!(sent(&gate, &request), expected);
                }
                Event::Wait => {
                    gate.pipeline.clock().advance_ms(20_000);
                    expire(&gate, 30);
                    model.expire(gate.pipeline.clock().unix_seconds() - 30);
                }
            }
            prop_assert_eq!(gate.pipeline.index().live(), model.last_seen.len());
        }
    }
}
