//! What is promised of restarts, reloads, retries, crashes and workers, one by one.

use proptest::prelude::*;
use seriesgate::policy::{Action, Aggregation, Definition, MetricKind, Mode, PolicySet, Run};
use seriesgate_proto::WriteRequest;

use crate::pipeline::{policy, relabel, sent};
use crate::rig::Rig;
use crate::steps::*;
use crate::world::World;
use crate::{IDLE_MS, START_MS};

#[test]
fn a_gate_restart_makes_no_spike_and_forgets_nobody() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (60, 120.0), (90, 130.0)]);
    rig.restart();
    rig.put("x_total", "a", &[(100, 140.0)]);
    // the gate that began just now does not know who was there before
    rig.put_all(110, &[("x_total", "a", 141.0), ("x_total", "before us", 3e6)]);
    rig.restart();
    rig.put("x_total", "a", &[(130, 150.0), (160, 150.0), (190, 150.0)]);
    rig.put_all(191, &[("x_total", "a", 150.0), ("x_total", "born", 2.0)]);
    rig.put_all(221, &[("x_total", "a", 150.0), ("x_total", "born", 3.0)]);
    rig.put("x_total", "a", &[(251, 150.0), (301, 150.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:20 120:41 180:50 240:51 300:53 360:53");
}

#[test]
fn a_policy_that_is_new_after_a_restart_makes_no_spike() {
    let mut rig = rig();
    for at in [0, 30, 60, 90, 120] {
        rig.put("x_total", "a", &[(at, 1e6 + at as f64)]);
    }
    let snapshot = rig.snapshot();
    // a policy of another definition takes the same series from now on
    let other = Aggregation { delay_ms: 5000, ..without_pod() };
    rig.policies = vec![policy("other", "{pod!=\"\"}", Action::Aggregate(other.into()), Mode::Enforce)];
    rig.restore(&snapshot);
    rig.put("x_total", "a", &[(150, 1e6 + 150.0), (180, 1e6 + 180.0)]);
    // and knows after a minute who is born
    rig.put("x_total", "a", &[(210, 1e6 + 210.0)]);
    rig.put_all(211, &[("x_total", "a", 1e6 + 210.0), ("x_total", "born", 4.0)]);
    rig.put_all(235, &[("x_total", "a", 1e6 + 210.0), ("x_total", "born", 5.0)]);
    rig.put("x_total", "a", &[(265, 1e6 + 210.0), (311, 1e6 + 210.0)]);
    assert_eq!(
        rig.points("x_total"),
        "-60:0 0:0 60:60 120:120 120.001:stale 120.002:0 180:30 240:61 300:65 360:65"
    );
}

#[test]
fn a_policy_that_is_edited_while_the_gate_is_down_ends_its_gauges() {
    let gauges = |delay_ms| Aggregation { kind: Some(MetricKind::Gauge), delay_ms, ..without_pod() };
    let own = |delay_ms| {
        vec![policy("own", "size_bytes", Action::Aggregate(gauges(delay_ms).into()), Mode::Enforce)]
    };
    let pods = |at: i64| [("size_bytes", "a", 3.0), ("size_bytes", "b", at as f64)];
    let begun = || {
        let mut rig = Rig::of(own(0), IDLE_MS);
        [10, 40, 70, 100].iter().for_each(|at| rig.put_all(*at, &pods(*at)));
        rig
    };
    let mut rig = begun();
    let snapshot = rig.snapshot();
    rig.policies = own(1000);
    rig.restore(&snapshot);
    [130, 160, 190].iter().for_each(|at| rig.put_all(*at, &pods(*at)));
    assert_eq!(rig.points("size_bytes"), "60:43 100:103 100.001:stale 180:163 240:193");

    // and where nobody aggregates any more
    let mut rig = begun();
    let snapshot = rig.snapshot();
    rig.policies = Vec::new();
    rig.restore(&snapshot);
    rig.collect();
    assert_eq!(rig.points("size_bytes"), "60:43 100:103 100.001:stale");
}

#[test]
fn an_exception_that_is_taken_out_before_a_restart_makes_no_spike() {
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let exception = policy("exc", "x_total", Action::Pass, Mode::Enforce);
    let mut rig = Rig::of(vec![exception, own.clone()], IDLE_MS);
    let all = |at: i64| [("x_total", "a", 1e6 + at as f64), ("y_total", "a", 5e5 + at as f64)];
    (0..12).for_each(|scrape| rig.put_all(scrape * 10, &all(scrape * 10)));
    let snapshot = rig.snapshot();
    rig.policies = vec![own];
    rig.restore(&snapshot);
    (12..20).for_each(|scrape| rig.put_all(scrape * 10, &all(scrape * 10)));
    assert_eq!(rig.points("x_total"), "60:0 120:0 180:60 240:70");
}

#[test]
fn an_edit_of_other_policies_leaves_the_state_and_other_labels_make_no_spike() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (60, 120.0), (90, 130.0)]);
    let own = rig.policies[0].clone();
    // an earlier policy gives the series another name: it goes on in another group
    let renames =
        vec![crate::pipeline::rule("replace", &["__name__"], "x_total", "__name__", Some("y_total"))];
    let house: Definition = relabel("{pod!=\"\"}", &renames);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[house, own.clone()], Run::AsConfigured).unwrap());
    assert_eq!(rig.gate.pipeline.restarted(), 0);
    rig.put("x_total", "a", &[(120, 141.0), (150, 143.0)]);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[own], Run::AsConfigured).unwrap());
    rig.put("x_total", "a", &[(180, 146.0)]);
    let output = rig.finish();
    let last = |series: &str| output[series].last().unwrap().1.clone();
    assert_eq!((last("x_total"), last("y_total")), ("33".to_owned(), "13".to_owned()));
}

#[test]
fn a_changed_definition_flushes_and_starts_again() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (60, 120.0), (90, 130.0)]);
    let changed = Aggregation { delay_ms: 1000, ..without_pod() };
    let changed = policy("agg", "{pod!=\"\"}", Action::Aggregate(changed.into()), Mode::Enforce);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[changed], Run::AsConfigured).unwrap());
    assert_eq!(rig.gate.pipeline.restarted(), 1);
    rig.put("x_total", "a", &[(110, 135.0), (150, 143.0)]);
    // all of before is flushed and ends; then it begins at zero, after that, and its series with what they are
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:20 90:30 90.001:stale 90.002:0 120:0 180:8");
}

/// An earlier policy gives `x_total` another name, so that its series are in other groups from then on.
fn renaming() -> Definition {
    let name = crate::pipeline::rule("replace", &["__name__"], "x_total", "__name__", Some("y_total"));
    relabel("{pod!=\"\"}", &[name])
}

#[test]
fn series_that_a_restart_or_an_edit_brings_into_other_groups_go_on() {
    let mut rig = rig();
    let pods = |at: i64, value: f64| {
        WriteRequest::of((0..20).map(|pod| series("x_total", &pod.to_string(), &[(at, value)])).collect())
    };
    [0, 30, 60, 90].iter().for_each(|at| rig.deliver(&pods(*at, *at as f64)));
    let snapshot = rig.snapshot();
    rig.policies.insert(0, renaming());
    rig.restore(&snapshot);
    rig.deliver(&pods(120, 91.0));
    rig.deliver(&pods(150, 93.0));
    assert_eq!(rig.finish()["y_total"].last().unwrap().1, "60");

    // and so does one that was gone by then
    let mut rig = self::rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    for at in (40..1200).step_by(40) {
        rig.put("z_total", "steady", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().tombstones, 1);
    let snapshot = rig.snapshot();
    rig.policies.insert(0, renaming());
    rig.restore(&snapshot);
    rig.put("x_total", "a", &[(1200, 113.0), (1230, 114.0)]);
    assert_eq!(rig.finish()["y_total"].last().unwrap().1, "4");
}

#[test]
fn an_exception_that_is_taken_out_brings_no_spike_of_what_was_silent_for_long() {
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let exception = policy("exc", "{pod=\"old\"}", Action::Pass, Mode::Enforce);
    let mut rig = Rig::of(vec![exception, own.clone()], IDLE_MS);
    rig.put_all(0, &[("x_total", "old", 1e6), ("x_total", "a", 1.0)]);
    for at in (30..1500).step_by(30) {
        rig.put("x_total", "a", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[own], Run::AsConfigured).unwrap());
    rig.put("x_total", "a", &[(1500, 1.0)]);
    rig.put_all(1510, &[("x_total", "old", 1e6), ("x_total", "a", 1.0)]);
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "0");
}

#[test]
fn a_policy_that_is_taken_out_and_put_back_repeats_no_time() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (60, 120.0), (90, 130.0)]);
    let policies = rig.policies.clone();
    for policies in [&[][..], &policies] {
        rig.gate.pipeline.replace_policies(PolicySet::compile(policies, Run::AsConfigured).unwrap());
        rig.deliver(&request("y_total", "a", &[(95, 1.0)]));
    }
    rig.put("x_total", "a", &[(110, 135.0), (150, 143.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:20 90:30 90.001:stale 90.002:0 120:0 180:8");
}

#[test]
fn a_bypass_pauses_and_what_passes_meanwhile_is_not_counted_again() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    let policies = rig.policies.clone();
    rig.gate.pipeline.replace_policies(PolicySet::compile(&policies, Run::Bypassed).unwrap());
    let raw = request("x_total", "a", &[(60, 120.0)]);
    rig.deliver(&raw);
    assert_eq!(sent(&rig.gate, &raw), ["x_total{pod=\"a\"}"]);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&policies, Run::AsConfigured).unwrap());
    rig.put("x_total", "a", &[(90, 130.0), (120, 135.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:10 120:15");
}

#[test]
fn what_was_gathered_before_a_bypass_is_sent_at_a_stop() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (75, 130.0)]);
    rig.gate.pipeline.replace_policies(PolicySet::compile(&rig.policies, Run::Bypassed).unwrap());
    rig.put("x_total", "a", &[(90, 140.0), (150, 150.0)]);
    let made = rig.gate.pipeline.engine().stop();
    let points: Vec<(i64, f64)> = made
        .iter()
        .flat_map(|(.., points)| points)
        .map(|point| ((point.ms - T) / 1000, f64::from_bits(point.bits)))
        .collect();
    assert_eq!(points, [(75, 30.0)]);
}

#[test]
fn a_stop_of_days_leaves_no_last_value_to_go_on_from() {
    for (hours, growth) in [(20, "50"), (7 * 24, "20")] {
        let mut rig = rig();
        (0..=120).step_by(30).for_each(|at| rig.put("x_total", "a", &[(at, 100.0)]));
        let snapshot = rig.snapshot();
        let from = hours * 3600;
        rig.restore_at(&snapshot, T + from * 1000);
        (from..=from + 120).step_by(60).for_each(|at| {
            rig.put("x_total", "a", &[(at, (130 + (at - from) / 6) as f64)]);
        });
        assert_eq!(rig.finish()["x_total"].last().unwrap().1, growth, "{hours} hours");
    }
}

#[test]
fn a_counter_of_long_windows_begins_five_minutes_before_its_first_value() {
    let hours = Aggregation { interval_ms: 2 * 3_600_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(hours.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    (3600..=10_800).step_by(60).for_each(|at| rig.put("x_total", "a", &[(at, at as f64)]));
    let output = rig.finish();
    let (ms, times): (i64, Vec<i64>) = (2 * 3_600_000, output["x_total"].iter().map(|(ms, _)| *ms).collect());
    let end = (T + 3_600_000).div_euclid(ms) * ms + ms;
    assert_eq!(times[..2], [end - 300_000, end], "{output:?}");
}

#[test]
fn a_snapshot_that_was_altered_or_cut_off_is_refused() {
    use seriesgate::aggregate::Snapshot;
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 1.0), (30, 3.0)]);
    let good = rig.snapshot();
    assert!(Snapshot::read(&good[..]).is_ok());
    for length in 0..good.len() {
        assert!(Snapshot::read(&good[..length]).is_err(), "cut off at {length}");
    }
    for at in 10..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        // another copy of the same bytes is no damage
        let same = Snapshot::read(&bad[..]).is_ok_and(|bad| bad == Snapshot::read(&good[..]).ok().unwrap());
        assert!(same || Snapshot::read(&bad[..]).is_err(), "altered at {at}");
    }
}

#[test]
fn memory_comes_back_when_pods_go() {
    let mut rig = rig();
    rig.put("x_total", "stays", &[(0, 1.0)]);
    let counts = |rig: &Rig| rig.gate.pipeline.engine().aggregators()[0].counts();
    let before = counts(&rig).bytes;
    for generation in 0..20 {
        let at = 60 * generation;
        let all =
            (0..1000).map(|pod| series("x_total", &format!("{generation}-{pod}"), &[(at, 1.0)])).collect();
        rig.deliver(&WriteRequest::of(all));
        rig.pass_time(T + at * 1000);
    }
    let during = counts(&rig);
    for tick in 0..120 {
        rig.put("x_total", "stays", &[(1200 + tick * 30, 1.0)]);
        rig.pass_time(T + (1200 + tick * 30) * 1000);
    }
    let after = counts(&rig);
    assert!(during.members > 10_000, "{during:?}");
    assert_eq!((after.members, after.groups), (1, 1));
    // what is left is a tombstone of each, of which there is a bounded number
    assert_eq!(after.tombstones, 20_000);
    assert!(after.bytes < before + 60 * after.tombstones, "{after:?}");
}

/// The same history, with `trouble` for each request.
fn history(seed: u64, mut trouble: impl FnMut(&mut Rig, &WriteRequest)) -> crate::world::Output {
    let mut world = World::new(seed, START_MS);
    let mut rig = Rig::new(10_000, IDLE_MS);
    for tick in 0..400 {
        for delivery in world.scrape(tick) {
            let request = delivery.request();
            trouble(&mut rig, &request);
            rig.deliver(&request);
        }
        rig.pass_time(START_MS + tick * crate::SCRAPE_MS);
    }
    rig.finish()
}

#[test]
fn requests_refused_again_and_again_and_replies_cut_off_change_nothing() {
    let undisturbed = history(7, |_, _| {});
    let mut number = 0;
    let disturbed = history(7, |rig, request| {
        for _ in 0..number % 4 {
            rig.refuse(request);
        }
        if number % 3 == 0 {
            // the upstream has it, the sender does not know
            rig.deliver(request);
        }
        number += 1;
    });
    assert!(undisturbed == disturbed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Requests of one scrape in any order, and samples in any order within them: nothing is different.
    #[test]
    fn any_order_within_a_window_is_the_same(seed in 1u64..1000, shuffle in any::<u64>()) {
        let mut worlds = [World::new(seed, START_MS), World::new(seed, START_MS)];
        let mut rigs = [Rig::new(10_000, IDLE_MS), Rig::new(10_000, IDLE_MS)];
        let mut dice = crate::world::Dice::new(shuffle);
        for tick in 0..60 {
            for (number, (world, rig)) in worlds.iter_mut().zip(&mut rigs).enumerate() {
                let mut requests: Vec<WriteRequest> = world.scrape(tick).iter().map(|d| d.request()).collect();
                if number == 1 && requests.len() == 2 && dice.one_in(2) {
                    requests.swap(0, 1);
                }
                for request in &mut requests {
                    if number == 1 {
                        let length = request.timeseries.len() as u64;
                        for at in 0..length {
                            request.timeseries.swap(at as usize, dice.below(length) as usize);
                        }
                    }
                    rig.deliver(request);
                }
                rig.pass_time(START_MS + tick * crate::SCRAPE_MS);
            }
        }
        let [a, b] = rigs;
        let (mut a, mut b) = (a, b);
        prop_assert_eq!(a.finish(), b.finish());
    }

    /// The gate is killed at any moment and begins from its last snapshot: what was taken in between is found again by
    /// the next sample of each series, so nothing falls and, for those that live on, nothing is lost.
    #[test]
    fn after_a_crash_counters_go_on_without_a_dip(
        crash in 3usize..40,
        lost in 0usize..2,
        pods in 1usize..5,
        steps in prop::collection::vec(0u32..100, 45),
    ) {
        let mut rig = rig();
        let mut totals = vec![1000.0; pods];
        let (mut snapshot, mut sent) = (rig.snapshot(), rig.output.clone());
        for (tick, step) in steps.iter().enumerate() {
            for (pod, total) in totals.iter_mut().enumerate() {
                *total += f64::from(*step) + pod as f64;
                rig.put("x_total", &pod.to_string(), &[(tick as i64 * 5, *total)]);
            }
            // nothing is sent that is not in a snapshot
            if tick + lost < crash || tick > crash {
                (snapshot, sent) = (rig.snapshot(), rig.output.clone());
            }
            if tick == crash {
                rig.output = sent.clone();
                rig.restore(&snapshot);
            }
        }
        let grown: f64 = steps.iter().skip(1).map(|step| f64::from(*step) * pods as f64).sum::<f64>()
            + (steps.len() - 1) as f64 * (0..pods).sum::<usize>() as f64;
        let output = rig.finish();
        let values: Vec<f64> = output["x_total"].iter().map(|(_, value)| value.parse().unwrap()).collect();
        prop_assert!(values.is_sorted(), "{values:?}");
        prop_assert_eq!(values.last().copied(), Some(grown));
    }
}

#[test]
fn a_series_that_passes_and_a_group_never_share_an_identity() {
    let name_only = |value: f64, at: i64| {
        let mut series = series("x_total", "", &[(at, value)]);
        series.labels.pop();
        WriteRequest::of(vec![series])
    };
    // the group was first: who has its labels is held back, for as long as the group is there
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 1.0), (30, 2.0)]);
    for at in [31, 1300, 2600] {
        rig.put("x_total", "a", &[(at, 2.0)]);
        rig.pass_time(T + at * 1000);
        rig.deliver(&name_only(7.0, at));
        assert_eq!(sent(&rig.gate, &name_only(7.0, at)), [""; 0]);
    }
    rig.restart();
    rig.deliver(&name_only(7.0, 2610));
    assert_eq!(sent(&rig.gate, &name_only(7.0, 2610)), [""; 0]);
    // no policy makes the group any more
    rig.gate.pipeline.replace_policies(PolicySet::compile(&[], Run::AsConfigured).unwrap());
    rig.deliver(&name_only(7.0, 2620));
    assert_eq!(sent(&rig.gate, &name_only(7.0, 2620)), ["x_total"]);

    // the series was first: the members pass as they are
    let mut rig = self::rig();
    rig.deliver(&name_only(7.0, 0));
    let member = request("x_total", "a", &[(1, 1.0)]);
    rig.deliver(&member);
    assert_eq!(sent(&rig.gate, &member), ["x_total{pod=\"a\"}"]);
}

#[test]
fn a_silence_of_years_is_over_at_once() {
    let mut rig = rig();
    let years = 5 * 365 * 86_400;
    rig.put("x_total", "a", &[(10, 100.0), (50, 150.0), (years, 170.0)]);
    assert_eq!(rig.points("x_total"), format!("0:0 60:50 660:stale {}:0 {years}:20", years - 60));
}

/// Workers that take requests at the same time, while another closes windows: whatever their turns, no increase is lost
/// or counted twice, and nothing falls.
#[test]
fn any_interleaving_of_workers_adds_up_to_the_same() {
    const WORKERS: i64 = 4;
    const TICKS: i64 = 200;
    let rig = rig();
    let pipeline = &rig.gate.pipeline;
    pipeline.clock().advance_ms((T + TICKS * 5000 - pipeline.clock().unix_ms()).max(0));
    let running = std::sync::atomic::AtomicUsize::new(WORKERS as usize);
    let mut points: Vec<(i64, f64)> = Vec::new();
    let mut take = |made: Vec<seriesgate::aggregate::Collected>| {
        let all = made.into_iter().flat_map(|(_, _, points)| points);
        points.extend(all.map(|point| (point.ms, f64::from_bits(point.bits))));
    };
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let running = &running;
            scope.spawn(move || {
                let (mut scratch, mut outcome) = Default::default();
                for tick in 0..TICKS {
                    let pods = (0..50).map(|pod| {
                        let value = (1000 + tick * (pod + 1)) as f64;
                        series("x_total", &format!("{worker}-{pod}"), &[(tick * 5, value)])
                    });
                    let body = seriesgate_proto::encode_snappy(&WriteRequest::of(pods.collect()));
                    // each request twice: the sender did not get the first answer
                    for _ in 0..2 {
                        pipeline.decide("", &body, &mut scratch, &mut outcome).unwrap();
                        pipeline.commit(&outcome);
                    }
                }
                running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        while running.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            take(pipeline.engine().collect(pipeline.clock().now()));
        }
    });
    take(pipeline.engine().finish());
    let grown: i64 = WORKERS * (TICKS - 1) * (1..=50).sum::<i64>();
    assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{points:?}");
    // births go by the time of the samples, and all of them begin at the same
    assert_eq!(points.last().unwrap().1, grown as f64);
}
