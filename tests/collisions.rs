//! What keeps two series from becoming one.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use seriesgate::policy::{Action, Disposition, Mode, PolicySet, Run, WorkloadSource};
use seriesgate::series::{Labels, Limits};
use seriesgate_proto::{Sample, TimeSeries, WriteRequest, encode_snappy};
use support::{
    Gate, NOW_MS, STALE, assert_conserved, expire, forwarded, is_stale, labeldrop, pod, policy, put,
    put_value, relabel, rule, sent, series, set, text,
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
    let mut later = series(&pod("a"));
    later.samples[0].timestamp += 1;
    let request = WriteRequest::of(vec![series(&pod("a")), series(&pod("b")), later]);
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
    // now the owner keeps its labels: once it was asked, what it had is free, and newer samples have it
    gate.pipeline.replace_policies(set(&[relabel("{pod=\"b\"}", &[labeldrop("pod")])]));
    gate.pipeline.clock().advance_ms(1_000);
    assert_eq!(put(&mut gate, &pod("a")).as_deref(), Some("up{pod=\"a\"}"));
    assert_eq!(gate.outcome.stale_markers, 1);
    assert_eq!(put(&mut gate, &pod("b")), None, "it has a value of this time");
    gate.pipeline.clock().advance_ms(1_000);
    assert_eq!(put(&mut gate, &pod("b")).as_deref(), Some("up"));
}

#[test]
fn a_stale_marker_ends_ownership_and_the_next_sample_of_another_has_it() {
    for plain in [false, true] {
        let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
        let up = [("__name__", "up")];
        let a = pod("a");
        let owner = if plain { &up[..] } else { &a[..] };
        let tick = |gate: &Gate| gate.pipeline.clock().advance_ms(1_000);
        assert_eq!(put(&mut gate, owner).as_deref(), Some("up"));
        assert_eq!(put(&mut gate, &pod("b")), None);
        tick(&gate);
        let end = WriteRequest::of(vec![TimeSeries {
            samples: vec![Sample { value: STALE, timestamp: NOW_MS + 1_000 }],
            ..series(owner)
        }]);
        // until the upstream has it, nothing has ended
        gate.decide("", &encode_snappy(&end)).unwrap();
        assert_eq!(put(&mut gate, &pod("b")), None);
        gate.pass("", &end);
        assert_eq!(sent(&gate, &end), ["up"]);
        assert_eq!(put(&mut gate, &pod("b")), None, "there is a sample of this time");
        tick(&gate);
        assert_eq!(put(&mut gate, &pod("b")).as_deref(), Some("up"), "plain: {plain}");
        tick(&gate);
        assert_eq!(put(&mut gate, owner), None, "who comes back comes too late");
        assert_eq!(put(&mut gate, &pod("b")).as_deref(), Some("up"));
    }
}

#[test]
fn who_comes_back_before_another_asks_has_what_it_had() {
    for owner in [&pod("a")[..], &[("__name__", "up")]] {
        let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
        for value in [1.0, STALE, 1.0, STALE, STALE, 1.0, 1.0] {
            gate.pipeline.clock().advance_ms(1_000);
            assert_eq!(put_value(&mut gate, owner, value).as_deref(), Some("up"));
        }
        // also on its way, before the upstream has it
        gate.pipeline.clock().advance_ms(1_000);
        put_value(&mut gate, owner, STALE);
        gate.pipeline.clock().advance_ms(1_000);
        let samples = vec![Sample { value: 1.0, timestamp: gate.pipeline.clock().unix_ms() }];
        let back = WriteRequest::of(vec![TimeSeries { samples, ..series(owner) }]);
        gate.decide("", &encode_snappy(&back)).unwrap();
        gate.pipeline.clock().advance_ms(1_000);
        assert_eq!(put(&mut gate, &pod("b")), None);
        assert_eq!(put(&mut gate, owner).as_deref(), Some("up"));
    }
}

/// An HA pair whose replica label is removed: one of them is silent from some moment on.
#[test]
fn the_other_of_a_pair_takes_over_in_under_three_minutes() {
    for (every_s, least_s) in [(5, 45), (15, 45), (30, 90), (60, 120)] {
        for plain in [false, true] {
            let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
            let a = pod("a");
            let first = if plain { &[("__name__", "up")][..] } else { &a[..] };
            let mut silent_for = 0;
            for scrape in 0.. {
                gate.pipeline.clock().advance_ms(every_s * 500);
                if scrape < 20 {
                    assert_eq!(put(&mut gate, first).as_deref(), Some("up"));
                    silent_for = 0;
                }
                gate.pipeline.clock().advance_ms(every_s * 500);
                silent_for += if silent_for == 0 { every_s / 2 } else { every_s };
                if put(&mut gate, &pod("b")).is_some() {
                    break;
                }
                assert!(silent_for < 180, "{every_s}");
            }
            assert!((least_s..180).contains(&silent_for), "every {every_s} s: after {silent_for} s");
            gate.pipeline.clock().advance_ms(1_000);
            assert_eq!(put(&mut gate, first), None);
        }
    }
}

#[test]
fn an_outage_of_everybody_ends_no_ownership() {
    let mut gate = Gate::new(&[relabel("{pod=~\".+\"}", &[labeldrop("pod")])]);
    let both = |gate: &mut Gate| {
        gate.pipeline.clock().advance_ms(15_000);
        assert_eq!(put(gate, &pod("a")).as_deref(), Some("up"));
        assert_eq!(put(gate, &pod("b")), None);
    };
    for _ in 0..20 {
        both(&mut gate);
    }
    gate.pipeline.clock().advance_ms(600_000);
    // the one that waits comes back first, and is alone for a moment
    for _ in 0..3 {
        gate.pipeline.clock().advance_ms(14_000);
        assert_eq!(put(&mut gate, &pod("b")), None);
    }
    both(&mut gate);
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
        assert_eq!(gate.outcome.effects.new_series.len(), 0);
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

/// A series as the model knows it. All times are Unix seconds.
#[derive(Clone, Default)]
struct Known {
    born: u32,
    last_seen: u32,
    samples: u32,
    ended: bool,
    /// As the index has it: it is sent, though another may have what it is sent as since it ended.
    sent: bool,
    /// Waits for the identity of another, and asks again then.
    asks_at: Option<u32>,
}

impl Known {
    /// For how long it may be silent.
    fn patience(&self) -> u32 {
        if self.samples < 2 {
            return 120;
        }
        let period = (self.last_seen - self.born) / (self.samples - 1);
        (3 * period).clamp(45, 120.max(2 * period))
    }
}

/// Whose an identity is.
#[derive(Clone)]
struct Owner {
    series: String,
    /// Nobody's any more: since this sample.
    ended: Option<u32>,
    /// It is not its own in the index yet.
    on_its_way: bool,
}

/// Who owns what, told the plain way.
#[derive(Default)]
struct Model {
    owners: BTreeMap<String, Owner>,
    series: BTreeMap<String, Known>,
    /// Since when others have asked for an identity, and when last.
    asked: BTreeMap<String, (u32, u32)>,
    released: BTreeMap<String, u32>,
    /// Series whose labels came in another order, and when last so.
    forms: BTreeMap<String, u32>,
    /// When those that this request brought ask again.
    waits: BTreeMap<String, u32>,
}

impl Model {
    /// What is sent of a request, by series.
    fn request(&mut self, set: &PolicySet, all: &[TimeSeries], now: u32) -> Vec<String> {
        // all that are known by their bytes are seen before any other is decided
        let by_bytes = |model: &Self, series| is_sorted(series) || model.forms.contains_key(&text(series));
        let (first, later): (Vec<_>, Vec<_>) = all.iter().partition(|series| by_bytes(self, series));
        first.into_iter().for_each(|series| self.see(series, now));
        let later: Vec<String> = later.into_iter().map(text).collect();
        let mut sent = Vec::new();
        let mut after = Vec::new();
        for series in all {
            if later.contains(&text(series)) {
                self.see(series, now);
            }
            let (name, ends) = (text(series), is_stale(&series.samples[0]));
            let output = output(set, series);
            let mine = output.clone().filter(|output| self.has(&name, output, ends, now));
            after.push((name, ends, output, mine.is_some()));
            sent.extend(mine);
        }
        self.owners.values_mut().for_each(|owner| owner.on_its_way = false);
        for (name, ends, output, flows) in after {
            let new = Known { born: now, last_seen: now, samples: 1, ..Known::default() };
            let known = self.series.entry(name.clone()).or_insert(new);
            (known.ended, known.sent) = (ends, flows || known.sent);
            if let Some(at) = self.waits.remove(&name) {
                known.asks_at = Some(at);
            }
            if let Some(output) = output.filter(|_| ends && flows) {
                self.owners.get_mut(&output).unwrap().ended = Some(now);
                self.free(&output, now);
            }
        }
        sent
    }

    /// An identity is nobody's any more: who has asked for it may ask at once.
    fn free(&mut self, output: &str, now: u32) {
        if self.asked.contains_key(output) {
            self.released.insert(output.to_owned(), now);
        }
    }

    fn see(&mut self, series: &TimeSeries, now: u32) {
        if let Some(known) = self.series.get_mut(&text(series)) {
            (known.last_seen, known.samples) = (now, known.samples + 1);
        }
        if !is_sorted(series) {
            self.forms.insert(text(series), now);
        }
    }

    /// Whether a series may send this now.
    fn has(&mut self, name: &str, output: &str, ends: bool, now: u32) -> bool {
        let Some(owner) = self.owners.get(output).cloned() else {
            return self.give(name, output, ends);
        };
        if owner.series == name && owner.ended.is_none_or(|last| now > last || name == output) {
            return self.give(name, output, ends);
        }
        let fresh = self.released.get(output).is_some_and(|at| now - at < 120);
        let known = self.series.get(name);
        if known.is_some_and(|known| known.asks_at.is_some_and(|at| now < at) && !fresh) {
            return false;
        }
        let free = match owner.ended {
            Some(last) if now > last => true,
            None if !owner.on_its_way => self.owner_is_silent(&owner.series, output, now) && !ends,
            _ => {
                self.persist(output, 120, now);
                false
            }
        };
        if free {
            return self.give(name, output, ends);
        }
        self.series.entry(name.to_owned()).and_modify(|known| known.sent = false);
        self.waits.insert(name.to_owned(), now + 30);
        false
    }

    fn owner_is_silent(&mut self, owner: &str, output: &str, now: u32) -> bool {
        let (patience, last_seen) = (self.series[owner].patience(), self.series[owner].last_seen);
        self.persist(output, patience, now) && now - last_seen >= patience
    }

    /// Somebody asks for an identity: whether that is so since long ago.
    fn persist(&mut self, output: &str, patience: u32, now: u32) -> bool {
        let Some((since, last)) = self.asked.get_mut(output) else {
            self.asked.insert(output.to_owned(), (now, now));
            return false;
        };
        if now - *last >= patience {
            *since = now;
        }
        *last = now;
        now - *since >= patience
    }

    fn give(&mut self, name: &str, output: &str, ends: bool) -> bool {
        let before = self.owners.get(output).filter(|owner| owner.series == name);
        let on_its_way = match (self.series.get(name), before) {
            (None, _) => true,
            (Some(_), Some(before)) => name == output && before.ended.is_some(),
            (Some(known), None) => (ends || known.ended) && !known.sent,
        };
        let owner = Owner { series: name.to_owned(), ended: None, on_its_way };
        if let Some(before) = self.owners.insert(output.to_owned(), owner)
            && before.series != name
            && let Some(known) = self.series.get_mut(&before.series)
        {
            known.sent &= before.ended.is_some() && before.series != output;
            known.asks_at = known.asks_at.or(Some(0));
        }
        if let Some(known) = self.series.get_mut(name) {
            known.asks_at = None;
        }
        true
    }

    fn expire(&mut self, horizon: u32, now: u32) {
        let gone = |name: &str| self.series.get(name).is_some_and(|known| known.last_seen < horizon);
        let plain: Vec<String> = self.owners.keys().filter(|output| gone(output)).cloned().collect();
        plain.iter().filter(|name| self.owners[*name].series == **name).for_each(|name| {
            if self.asked.contains_key(name) {
                self.released.insert(name.clone(), now);
            }
        });
        self.asked.retain(|_, (_, last)| *last + 120 >= horizon);
        self.series.retain(|_, known| known.last_seen >= horizon);
        self.forms.retain(|_, seen| *seen >= horizon);
        let series = &self.series;
        let gone = |owner: &Owner| match owner.ended {
            Some(last) => last < horizon,
            None => !series.contains_key(&owner.series),
        };
        let (asked, released) = (&self.asked, &mut self.released);
        self.owners.retain(|output, owner| {
            if gone(owner) && asked.contains_key(output) {
                released.insert(output.clone(), now);
            }
            !gone(owner)
        });
    }
}

fn is_sorted(series: &TimeSeries) -> bool {
    series.labels.is_sorted_by(|a, b| a.name < b.name)
}

/// What the policies make of a series.
fn output(set: &PolicySet, series: &TimeSeries) -> Option<String> {
    let mut pairs: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
    pairs.sort_unstable();
    let walk = set.walk(Labels::from_sorted(&pairs), &WorkloadSource::nothing(), &MODEL_LIMITS);
    if !walk.disposition.forwards() {
        return None;
    }
    let pairs: Vec<_> = match walk.steps.last().map(|step| &step.labels) {
        Some(labels) => labels.iter().map(|(n, v)| (&**n, &**v)).collect(),
        None => pairs,
    };
    Some(Labels::from_sorted(&pairs).to_string())
}

/// Series of one request: pod, zone, whether its labels are in another order, whether it ends.
type Sent = Vec<(u8, u8, bool, bool)>;

#[derive(Clone, Debug)]
enum Event {
    /// After so many seconds.
    Send(u8, Sent),
    /// So many seconds, and expiry.
    Wait(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let ends = prop_oneof![6 => Just(false), 1 => Just(true)];
    let series = (0u8..3, 0u8..4, any::<bool>(), ends);
    let pause = prop_oneof![4 => Just(15u8), 1 => 1u8..60];
    prop_oneof![
        12 => (pause, prop::collection::vec(series, 1..6)).prop_map(|(after, all)| Event::Send(after, all)),
        1 => (20u8..250).prop_map(Event::Wait)
    ]
}

/// One pod goes on and the others come and go: so silence ends ownership often enough.
fn story() -> impl Strategy<Value = Vec<Event>> {
    let any = || prop::collection::vec(event(), 1..30);
    let steady = (0u8..3, 8usize..20).prop_map(|(pod, times)| {
        let all = vec![(pod, 0, false, false), (pod, 1, true, false)];
        vec![Event::Send(15, all); times]
    });
    (any(), steady, any()).prop_map(|(a, b, c)| [a, b, c].concat())
}

fn as_series((pod, zone, turned, ends): (u8, u8, bool, bool), at_ms: i64) -> TimeSeries {
    let (pod_name, zone_name) = (format!("p{pod}"), format!("z{zone}"));
    let mut labels = vec![("__name__", "up")];
    if pod > 0 {
        labels.push(("pod", &pod_name));
    }
    if zone > 0 {
        labels.push(("zone", &zone_name));
    }
    if turned {
        labels.reverse();
    }
    let value = if ends { STALE } else { f64::from(pod * 10 + zone) };
    TimeSeries { samples: vec![Sample { value, timestamp: at_ms }], ..series(&labels) }
}

proptest! {
    #[test]
    fn no_two_series_ever_become_one(events in story()) {
        const IDLE_S: u32 = 200;
        let rules = [labeldrop("pod"), rule("replace", &["zone"], "z1", "zone", Some(""))];
        let definitions = [
            relabel("{pod=~\"p.\"}", &rules),
            policy("drop", "{zone=\"z2\"}", Action::Drop, Mode::Enforce),
        ];
        let reference = set(&definitions);
        let mut gate = Gate::new(&definitions);
        let mut model = Model::default();
        let mut newest: BTreeMap<String, (i64, u64)> = BTreeMap::new();
        for event in events {
            let clock = gate.pipeline.clock();
            match event {
                Event::Send(after, all) => {
                    clock.advance_ms(i64::from(after) * 1000);
                    let (now, now_ms) = (clock.unix_seconds(), clock.unix_ms());
                    let mut all: Vec<_> = all.into_iter().map(|one| as_series(one, now_ms)).collect();
                    // one sample of a series in a request
                    let mut seen = Vec::new();
                    all.retain(|one| !seen.contains(&text(one)) && { seen.push(text(one)); true });
                    let expected = model.request(&reference, &all, now);
                    let request = WriteRequest::of(all);
                    gate.pass("", &request);
                    assert_conserved(&gate.outcome);
                    prop_assert_eq!(sent(&gate, &request), expected);
                    prop_assert_eq!(gate.outcome.stale_markers, 0, "whose identity is another's has not left it");
                    for series in forwarded(&gate, &request) {
                        let (at, writer) = (series.samples[0].timestamp, series.samples[0].value.to_bits());
                        let before = newest.insert(text(&series), (at, writer));
                        prop_assert!(before.is_none_or(|(before, _)| before < at), "two values of one time");
                    }
                }
                Event::Wait(seconds) => {
                    clock.advance_ms(i64::from(seconds) * 1000);
                    let now = clock.unix_seconds();
                    expire(&gate, IDLE_S);
                    model.expire(now - IDLE_S, now);
                }
            }
            prop_assert_eq!(gate.pipeline.index().live(), model.series.len());
        }
    }
}
