//! Scopes: what is told apart by where it lands, and how one that is silent gives its place back.

use seriesgate::aggregate::{Outbox, Outgoing, Settings, Snapshot};
use seriesgate::policy::{Action, Definition, Mode};
use seriesgate::series::tenants::SILENT_ROUNDS;
use seriesgate::series::{Fingerprinter, Tenant, scope};
use seriesgate_proto::{MetricMetadata, TimeSeries, WriteRequest};

use crate::pipeline::{Gate, NOW_MS, decode, expire, labeldrop, policy, put, relabel, series, text};
use crate::rig::aggregation;

const MINUTE_MS: i64 = 60_000;
const IDLE_MS: i64 = 20 * MINUTE_MS;

fn collapsed() -> Definition {
    policy("agg", "{pod!=\"\"}", Action::Aggregate(aggregation(0).into()), Mode::Enforce)
}

fn gate(policies: &[Definition], scopes: usize) -> Gate {
    Gate::with(policies, |settings| {
        settings.max_tenants = scopes;
        settings.aggregation = Settings { idle_ms: IDLE_MS, ..Settings::default() };
    })
}

fn hits(pod: &str, at_ms: i64, value: f64) -> TimeSeries {
    TimeSeries::named("hits_total", &[("pod", pod)]).with_sample(at_ms, value)
}

/// What was made, by number of the scope: series, time, value.
fn collect(gate: &Gate) -> Vec<(u32, String, i64, f64)> {
    let made = gate.pipeline.engine().collect(gate.pipeline.clock().now());
    let requests = made.into_iter().flat_map(|(scope, _, points)| {
        Outgoing::of(points).into_iter().map(move |outgoing| (scope, outgoing))
    });
    let series = requests.flat_map(|(scope, outgoing)| {
        let request = decode(snap::raw::Decoder::new(), &outgoing.encode().unwrap());
        request.timeseries.into_iter().map(move |series| (scope, series))
    });
    series
        .flat_map(|(scope, series)| {
            let name = text(&series);
            series.samples.into_iter().map(move |s| (scope, name.clone(), s.timestamp, s.value))
        })
        .collect()
}

/// What loops do in a minute in which only `talks` sends.
fn pass_minute(gate: &mut Gate, talks: &str, waits: impl Fn(u32) -> bool) {
    gate.pipeline.clock().advance_ms(MINUTE_MS);
    let now_ms = gate.pipeline.clock().unix_ms();
    let up = TimeSeries::named("up", &[]).with_sample(now_ms, 1.0);
    gate.pass(talks, &WriteRequest::of(vec![up]));
    collect(gate);
    expire(gate, (IDLE_MS / 1000) as u32);
    gate.pipeline.tracker().sweep(gate.pipeline.clock().unix_seconds());
    gate.pipeline.forget_silent_tenants(waits);
}

fn pass_hours(gate: &mut Gate, hours: i64, talks: &str) {
    for minute in 0..hours * 60 {
        if minute % 2 == 0 {
            gate.pipeline.expire_groups();
        }
        pass_minute(gate, talks, |_| false);
    }
}

#[test]
fn the_same_labels_in_two_scopes_are_two_series() {
    let mut gate = gate(&[], 10);
    let request = WriteRequest::of(vec![series(&[("__name__", "up")])]);
    let scopes =
        ["a", "a\naccountid=1", "a\naccountid=2", "a\nprojectid=1", "a\n?db=1", "a\n?db=2", "\n?db=1"];
    assert_eq!(scopes.map(|scope| gate.pass(scope, &request)), [1; 7]);
    assert_eq!(scopes.map(|scope| gate.pass(scope, &request)), [0; 7]);
    assert_eq!(gate.pipeline.tenants().len(), 7);
}

#[test]
fn an_identity_has_an_owner_in_each_scope() {
    let mut gate = gate(&[relabel("up", &[labeldrop("pod")])], 10);
    assert_eq!(put(&mut gate, &[("__name__", "up"), ("pod", "a")]).as_deref(), Some("up"));
    assert_eq!(put(&mut gate, &[("__name__", "up"), ("pod", "b")]), None);
    let other = WriteRequest::of(vec![series(&[("__name__", "up"), ("pod", "b")])]);
    gate.pass("\naccountid=1", &other);
    assert_eq!(gate.outcome.forwarded.samples, 1, "nobody has it there");
}

#[test]
fn the_same_labels_in_two_scopes_are_two_groups() {
    let mut gate = gate(&[collapsed()], 10);
    let scopes = ["\naccountid=1", "\naccountid=2"];
    let start = NOW_MS / MINUTE_MS * MINUTE_MS;
    for tick in 1..5 {
        gate.pipeline.clock().advance_ms(MINUTE_MS);
        for (scope, step) in scopes.iter().zip([10.0, 100.0]) {
            let at = start + tick * MINUTE_MS - 1000;
            gate.pass(scope, &WriteRequest::of(vec![hits("a", at, step * tick as f64)]));
        }
    }
    assert_eq!(gate.pipeline.engine().groups().len(), 2);
    let made = collect(&gate);
    let of = |scope: u32| {
        let own: Vec<_> = made.iter().filter(|(of, ..)| *of == scope).map(|(.., value)| *value).collect();
        own
    };
    assert_eq!((of(0), of(1)), (vec![0.0, 0.0, 10.0, 20.0], vec![0.0, 0.0, 100.0, 200.0]));
}

#[test]
fn a_silent_scope_gives_its_place_back_once_nothing_refers_to_it() {
    let mut gate = gate(&[collapsed()], 3);
    let junk = ["junk", "junk\naccountid=1"];
    gate.pass("live", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    for scope in junk {
        gate.pass(scope, &WriteRequest::of(vec![hits("a", NOW_MS, 5.0), series(&[("__name__", "up")])]));
    }
    let late = WriteRequest::of(vec![series(&[("__name__", "up")])]);
    gate.pass("late", &late);
    assert!(gate.outcome.overflow_tenant);
    assert_eq!(gate.pipeline.tenants().overflowed(), 1);

    // many rounds in no time: all of it is still counted and aggregated
    for _ in 0..2 * SILENT_ROUNDS {
        gate.pipeline.forget_silent_tenants(|_| false);
    }
    assert_eq!(gate.pipeline.tenants().len(), 3);
    // a group that is not over, and points that wait, keep their scopes
    for _ in 0..4 * 60 {
        pass_minute(&mut gate, "live", |_| false);
    }
    assert_eq!((gate.pipeline.tenants().len(), gate.pipeline.engine().groups().len()), (3, 2));
    for _ in 0..20 {
        gate.pipeline.expire_groups();
    }
    collect(&gate);
    for _ in 0..10 {
        pass_minute(&mut gate, "live", |scope| scope == 1);
    }
    assert_eq!(gate.pipeline.tenants().names(), ["live", "junk", scope::VACANT]);
    gate.pass("late", &late);
    assert!(!gate.outcome.overflow_tenant);
    assert_eq!(gate.pipeline.tenants().names(), ["live", "junk", "late"]);
    assert_eq!(gate.pipeline.tenants().forgotten(), 1);
}

#[test]
fn three_hours_of_silence_are_enough_and_less_is_not() {
    let mut gate = gate(&[collapsed()], 2);
    gate.pass("live", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    gate.pass("rare", &WriteRequest::of(vec![hits("a", NOW_MS, 5.0)]));
    pass_hours(&mut gate, 2, "live");
    assert_eq!(gate.pipeline.tenants().len(), 2);
    gate.pass("rare", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    pass_hours(&mut gate, 2, "live");
    assert_eq!(gate.pipeline.tenants().len(), 2);
    pass_hours(&mut gate, 2, "live");
    assert_eq!(gate.pipeline.tenants().names(), ["live", scope::VACANT]);
}

/// What a scope of this name is sent and counted as in a gate, from now on.
fn first_steps(gate: &mut Gate, scope: &str) -> (Vec<(u32, String, i64, f64)>, u64) {
    let mut forwarded = 0;
    for _ in 0..5 {
        gate.pipeline.clock().advance_ms(MINUTE_MS);
        let at = gate.pipeline.clock().unix_ms();
        let load = TimeSeries::named("load", &[("pod", "a")]).with_sample(at, 3.0);
        gate.pass(scope, &WriteRequest::of(vec![hits("a", at, at as f64), load]));
        forwarded += gate.outcome.forwarded.samples;
    }
    (collect(gate), forwarded)
}

#[test]
fn a_number_that_is_used_again_begins_with_nothing() {
    let mut gate = gate(&[collapsed()], 2);
    gate.pass("live", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    let metadata =
        vec![MetricMetadata { r#type: 2, metric_family_name: "load".into(), ..Default::default() }];
    let load = TimeSeries::named("load", &[("pod", "a")]).with_sample(NOW_MS, 3.0);
    gate.pass("junk", &WriteRequest { timeseries: vec![hits("a", NOW_MS, 5.0), load], metadata });
    let (_, forwarded) = first_steps(&mut gate, "junk");
    assert_eq!(forwarded, 0, "the test sees that types are known");
    let tombstones = |gate: &Gate| gate.pipeline.engine().aggregators()[0].counts().tombstones;
    pass_hours(&mut gate, 1, "live");
    assert_eq!(tombstones(&gate), 1);
    pass_hours(&mut gate, 5, "live");
    assert_eq!((gate.pipeline.tenants().len(), tombstones(&gate)), (1, 0));

    let mut fresh = self::gate(&[collapsed()], 2);
    fresh.pipeline.clock().advance_ms(gate.pipeline.clock().unix_ms() - NOW_MS);
    fresh.pass("live", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    let (points, forwarded) = first_steps(&mut gate, "next");
    assert_eq!(gate.pipeline.tenants().names(), ["live", "next"]);
    assert!(!points.is_empty() && forwarded == 5, "{points:?}");
    assert_eq!((points, forwarded), first_steps(&mut fresh, "next"));
}

#[test]
fn a_scope_comes_back_from_a_snapshot_with_its_state_and_its_age() {
    let mut gate = gate(&[collapsed()], 3);
    let start = NOW_MS / MINUTE_MS * MINUTE_MS;
    let request = |tick: i64, value| WriteRequest::of(vec![hits("a", start + tick * MINUTE_MS, value)]);
    gate.pass("junk", &WriteRequest::of(vec![series(&[("__name__", "up")])]));
    let own = "shop\naccountid=7\n?db=x";
    for tick in 0..3 {
        gate.pass(own, &request(tick, tick as f64));
        gate.pipeline.clock().advance_ms(MINUTE_MS);
    }
    assert_eq!(collect(&gate).last().map(|(scope, ..)| *scope), Some(1));

    let (mut bytes, keys) = (Vec::new(), vec![0; Fingerprinter::KEY_BYTES]);
    gate.pipeline.engine().save((1, own), &keys, &Outbox::new(1000), &mut bytes).unwrap();
    let restored = || {
        let next = self::gate(&[collapsed()], 3);
        next.pipeline.clock().advance_ms(gate.pipeline.clock().unix_ms() - NOW_MS + 15 * MINUTE_MS);
        let register = |text: &str| match next.pipeline.tenants().resolve(text, &Fingerprinter::from_seed(1))
        {
            Tenant::Known { group, .. } => Some(group),
            Tenant::Overflow => None,
        };
        let (snapshot, now) = (Snapshot::read(bytes.as_slice()).unwrap(), next.pipeline.clock().now());
        let restored = next.pipeline.engine().restore(&snapshot, now, &Outbox::new(1000), register).unwrap();
        next.pipeline.date_restored_tenants();
        assert_eq!((restored.groups, next.pipeline.tenants().names()), (1, vec![own.to_owned()]));
        next
    };

    // who goes on goes on where it was
    let mut next = restored();
    let tick = (next.pipeline.clock().unix_ms() - start) / MINUTE_MS;
    next.pass(own, &request(tick, 500.0));
    next.pass(own, &request(tick + 1, 500.0));
    next.pipeline.clock().advance_ms(MINUTE_MS);
    let made = collect(&next);
    let last = made.iter().rfind(|(_, name, _, value)| name.starts_with("hits_total") && !value.is_nan());
    assert_eq!(last.map(|(.., value)| *value), Some(500.0));

    // the minutes on the shelf count for who stays silent
    let mut next = restored();
    let pass_minutes = |next: &mut Gate, minutes| {
        (0..minutes).for_each(|_| {
            next.pipeline.expire_groups();
            pass_minute(next, "live", |_| false);
        });
    };
    pass_minutes(&mut next, 155);
    assert_eq!(next.pipeline.tenants().names()[0], own);
    pass_minutes(&mut next, 10);
    assert_eq!(next.pipeline.tenants().names()[0], scope::VACANT);
}
