//! What keeps two series from becoming one.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use seriesgate::policy::{Action, Disposition, Mode, PolicySet, Run};
use seriesgate::series::{Labels, Limits};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use support::{
    Gate, assert_conserved, expire, labeldrop, pod, policy, put, relabel, rule, sent, series, set, text,
};

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
