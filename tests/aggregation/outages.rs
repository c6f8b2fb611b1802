//! What is promised of outages of backends and agents, of clocks that are set, and of several gates.

use seriesgate::policy::{Action, Aggregation, Keys, MetricKind, Mode};
use seriesgate_proto::WriteRequest;

use crate::IDLE_MS;
use crate::pipeline::policy;
use crate::rig::{Rig, aggregation};
use crate::steps::*;

/// A counter and a gauge of two pods, in windows of 5 s that wait for 2 s.
pub(crate) fn quick(instance: Option<&str>) -> Rig {
    let of = |kind| {
        let instance = instance.map(|gate| ("gate".to_owned(), gate.to_owned()));
        let keys = Keys::Without(vec!["pod".into()]);
        let quick = Aggregation { interval_ms: 5_000, delay_ms: 2_000, instance, kind, ..aggregation(0) };
        Action::Aggregate(Aggregation { keys, collapse: Vec::new(), ..quick }.into())
    };
    let counters = policy("counters", "x_total", of(None), Mode::Enforce);
    let gauges = policy("gauges", "g", of(Some(MetricKind::Gauge)), Mode::Enforce);
    Rig::of(vec![counters, gauges], IDLE_MS)
}

pub(crate) fn scrape(at: i64, pods: &[&str]) -> WriteRequest {
    let of = |pod: &&str| {
        [series("x_total", pod, &[(at, (1000 + 10 * at) as f64)]), series("g", pod, &[(at, 5.0)])]
    };
    WriteRequest::of(pods.iter().flat_map(of).collect())
}

/// Points of both, if each gauge was 10 in all windows up to `last` and the counter grew by 100 in each.
pub(crate) fn assert_whole(rig: &mut Rig, last: i64) {
    let output = rig.finish();
    let points = |series: &str| {
        let points =
            output[series].iter().map(|(ms, value)| ((ms - T) / 1000, value.parse::<f64>().unwrap()));
        points.collect::<Vec<_>>()
    };
    let ends = || (0..=last / 5).map(|window| window * 5);
    assert_eq!(points("g"), ends().map(|end| (end, 10.0)).collect::<Vec<_>>());
    let counted = ends().map(|end| (end, (20 * end) as f64));
    assert_eq!(points("x_total"), [(-5, 0.0)].into_iter().chain(counted).collect::<Vec<_>>());
}

#[test]
fn after_an_outage_of_the_backend_every_window_comes_from_the_times_of_what_was_kept() {
    let mut rig = quick(None);
    let mut kept = Vec::new();
    for at in 0..=150 {
        rig.pass_time(T + at * 1000);
        kept.push(scrape(at, &["a", "b"]));
        if (30..130).contains(&at) {
            rig.refuse(&kept[0]);
            continue;
        }
        kept.drain(..).for_each(|request| rig.send(&request));
    }
    assert_whole(&mut rig, 150);
}

#[test]
fn an_agent_that_was_cut_off_brings_what_it_kept() {
    let mut rig = quick(None);
    (0..30).for_each(|at| rig.deliver(&scrape(at, &["a", "b"])));
    for at in 30..130 {
        rig.pass_time(T + at * 1000);
    }
    (30..130).for_each(|at| rig.send(&scrape(at, &["a", "b"])));
    (130..=150).for_each(|at| rig.deliver(&scrape(at, &["a", "b"])));
    assert_whole(&mut rig, 150);
}

#[test]
fn a_sender_that_catches_up_faster_than_another_makes_it_late_for_nothing() {
    let mut rig = quick(None);
    (0..30).for_each(|at| ["a", "b"].iter().for_each(|pod| rig.deliver(&scrape(at, &[pod]))));
    (30..130).for_each(|at| {
        rig.pass_time(T + at * 1000);
        ["a", "b"].iter().for_each(|pod| rig.refuse(&scrape(30, &[pod])));
    });
    // one brings all at once, the other ten seconds of it with each second
    (30..130).for_each(|at| rig.send(&scrape(at, &["a"])));
    let mut slow = 30;
    for at in 130..=150 {
        rig.pass_time(T + at * 1000);
        rig.send(&scrape(at, &["a"]));
        let until = (slow + 10).min(at + 1);
        (slow..until).for_each(|at| rig.send(&scrape(at, &["b"])));
        slow = until;
    }
    assert_whole(&mut rig, 150);
}

#[test]
fn a_clock_that_is_set_by_an_hour_for_two_seconds_loses_nothing() {
    let mut rig = quick(None);
    for at in 0..=60 {
        rig.pass_time(T + at * 1000);
        // agent and gate are on one machine
        let by = if (30..32).contains(&at) { 3600 } else { 0 };
        rig.gate.pipeline.clock().step_ms(by * 1000);
        let mut request = scrape(at, &["a", "b"]);
        for sample in request.timeseries.iter_mut().flat_map(|series| &mut series.samples) {
            sample.timestamp += by * 1000;
        }
        rig.send(&request);
        rig.gate.pipeline.clock().step_ms(-by * 1000);
        rig.collect();
        if at == 45 {
            rig.restart();
        }
    }
    let output = rig.finish();
    let points = |series: &str| {
        let points =
            output[series].iter().map(|(ms, value)| ((ms - T) / 1000, value.parse::<f64>().unwrap()));
        points.filter(|(at, _)| *at <= 60).collect::<Vec<_>>()
    };
    assert_eq!(points("g").len(), 13);
    assert!(points("g").iter().all(|(_, value)| *value == 10.0));
    let grown = points("x_total");
    // the two that had the wrong time wait in a window of an hour later
    assert!(grown.windows(2).all(|pair| pair[1].1 - pair[0].1 >= 60.0 || pair[0].0 < 0), "{grown:?}");
    assert_eq!(grown.last(), Some(&(60, 1160.0)));
}

#[test]
fn what_a_wrong_clock_has_closed_is_opened_again() {
    let mut rig = quick(None);
    let hour = 3600;
    // the machine started with a clock that is an hour ahead
    (hour..hour + 30).for_each(|at| rig.deliver(&scrape(at, &["a", "b"])));
    rig.gate.pipeline.clock().step_ms(-hour * 1000);
    for at in 30..300 {
        rig.pass_time(T + at * 1000);
        let mut request = scrape(at, &["a", "b"]);
        let counters = request.timeseries.iter_mut().filter(|series| series.samples[0].value > 5.0);
        counters.for_each(|series| series.samples[0].value += (hour * 10) as f64);
        rig.send(&request);
        rig.collect();
    }
    let counts = rig.gate.pipeline.engine().aggregators()[0].counts();
    assert!(counts.reopened > 0, "{counts:?}");
    let output = rig.finish();
    // it takes a minute until the clock is believed, then every window is right
    let gauges: Vec<_> =
        output["g"].iter().filter(|(ms, _)| (T + 100_000..T + 290_000).contains(ms)).collect();
    assert_eq!(gauges.len(), 38, "{gauges:?}");
    assert!(gauges.iter().all(|(_, value)| value == "10"), "{gauges:?}");
}

#[test]
fn members_sampled_slower_than_the_interval_are_in_every_window() {
    let mut rig = quick(None);
    for at in (0..300).step_by(5) {
        let slow = (at % 20 == 0).then(|| series("g", "slow", &[(at, 3.0)]));
        rig.deliver(&WriteRequest::of(slow.into_iter().chain([series("g", "fast", &[(at, 2.0)])]).collect()));
    }
    // one goes without a word, the other ends
    for at in (300..400).step_by(5) {
        rig.deliver(&WriteRequest::of(vec![series("g", "fast", &[(at, 2.0)])]));
    }
    let output = rig.finish();
    let values = |from: i64, to: i64| -> Vec<&str> {
        let points = output["g"].iter().filter(|(ms, _)| (from..to).contains(&((ms - T) / 1000)));
        points.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(values(0, 300), vec!["5"; 60]);
    assert_eq!(values(330, 400), vec!["2"; 14], "a value holds for a period and a half");
}

#[test]
fn no_bucket_grows_by_more_than_a_larger_one_in_any_window() {
    let mut rig = quick(None);
    rig.policies[0] = policy("h", "{__name__=~\".*_bucket\"}", rig.policies[0].action.clone(), Mode::Enforce);
    let mut rig = Rig::of(rig.policies, IDLE_MS);
    let bucket = |le: &str, at: i64, value: i64| {
        let mut series = series("h_bucket", "a", &[(at, value as f64)]);
        series.labels.insert(1, seriesgate_proto::Label { name: "le".into(), value: le.into() });
        WriteRequest::of(vec![series])
    };
    for at in 0..=100 {
        rig.deliver(&bucket("1", at, 10 * at));
        // the larger ones come over another connection, four seconds later
        if at >= 4 {
            rig.deliver(&bucket("10", at - 4, 10 * (at - 4)));
            rig.deliver(&bucket("+Inf", at - 4, 11 * (at - 4)));
        }
    }
    for at in 97..=100 {
        rig.deliver(&bucket("10", at, 10 * at));
        rig.deliver(&bucket("+Inf", at, 11 * at));
    }
    let output = rig.finish();
    let of = |le: &str| -> Vec<f64> {
        let points = output[&format!("h_bucket{{le=\"{le}\"}}")].iter().filter(|(ms, _)| *ms >= T);
        points.map(|(_, value)| value.parse().unwrap()).collect()
    };
    let (small, middle, all) = (of("1.0"), of("10.0"), of("+Inf"));
    assert!(small.len() > 15 && small.len() == all.len(), "{small:?} {all:?}");
    for window in 1..small.len() {
        let grown = |values: &[f64]| values[window] - values[window - 1];
        assert!(
            grown(&small) <= grown(&middle) && grown(&middle) <= grown(&all),
            "{small:?} {middle:?} {all:?}"
        );
    }
    assert_eq!((small.last(), all.last()), (Some(&1000.0), Some(&1100.0)), "nothing is lost");
}

/// Two gates behind a Service; `plan` says for each second to which of them the agent's connection goes.
fn grown_at_two_gates(plan: impl Fn(i64) -> usize, seconds: i64) -> (f64, Vec<Vec<f64>>) {
    let mut gates = [quick(Some("a")), quick(Some("b"))];
    for at in 0..seconds {
        for gate in &mut gates {
            gate.pass_time(T + at * 1000);
        }
        gates[plan(at)].deliver(&scrape(at, &["p"]));
    }
    let of = |(gate, name): (&mut Rig, &str)| -> Vec<f64> {
        let output = gate.finish();
        let points = output.get(&format!("x_total{{gate=\"{name}\"}}")).cloned().unwrap_or_default();
        points.iter().map(|(_, value)| value.parse().unwrap()).collect()
    };
    let series: Vec<_> = gates.iter_mut().zip(["a", "b"]).map(of).collect();
    (series.iter().filter_map(|values| values.last()).sum(), series)
}

#[test]
fn an_agent_that_moves_between_gates_is_counted_once() {
    let plan = |at: i64| usize::from((20..60).contains(&at) || at >= 80);
    let (grown, series) = grown_at_two_gates(plan, 100);
    // each move costs what came between two samples, and once what it takes to know the period
    assert!((900.0..=990.0).contains(&grown), "{grown} {series:?}");
    for plan in [
        |at: i64| (at / 3 % 2) as usize,
        |at| (at * at % 7 % 2) as usize,
        |at| (at * at % 11 % 3 % 2) as usize,
    ] {
        let (grown, series) = grown_at_two_gates(plan, 200);
        assert!(grown <= 1990.0, "{grown} {series:?}");
    }
}

#[test]
fn connections_dealt_out_anew_between_gates_make_no_births() {
    let mut gates = [quick(Some("a")), quick(Some("b"))];
    for at in (0..240).step_by(10) {
        // two connections of one agent, each with series that have counted for long
        for (connection, pods) in [["a", "b"], ["c", "d"]].iter().enumerate() {
            let gate = (connection + usize::from(at >= 120)) % 2;
            let old = pods.map(|pod| series("x_total", pod, &[(at, (2_000_000 + at) as f64)]));
            gates[gate].deliver(&WriteRequest::of(old.into()));
        }
    }
    for (gate, name) in gates.iter_mut().zip(["a", "b"]) {
        let output = gate.finish();
        let grown = output[&format!("x_total{{gate=\"{name}\"}}")].last().unwrap().1.parse::<f64>().unwrap();
        assert!(grown <= 480.0, "{grown}");
    }
}

#[test]
fn pods_that_were_away_for_longer_than_anybody_remembers_series_go_on() {
    let mut rig = rig();
    let pods: Vec<String> = (0..2000).map(|pod| pod.to_string()).collect();
    let all = |at: i64| {
        WriteRequest::of(
            pods.iter().map(|pod| series("x_total", pod, &[(at, (100_000 + at) as f64)])).collect(),
        )
    };
    // they come in several rounds, and go
    for at in [0, 40, 80] {
        rig.deliver(&all(at));
        rig.pass_time(T + at * 1000);
    }
    for at in (90..2000).step_by(30) {
        rig.put("x_total", "steady", &[(at, 0.0)]);
        rig.pass_time(T + at * 1000);
    }
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().tombstones, 2000);
    rig.deliver(&all(2000));
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, (2000 * 2000).to_string());
}

#[test]
fn what_is_given_up_for_room_is_counted_and_never_born_again() {
    let mut rig = rig();
    rig.change_settings(|settings| settings.max_tombstones = 100);
    let pods: Vec<String> = (0..400).map(|pod| pod.to_string()).collect();
    let all = |at: i64| pods.iter().map(|pod| series("x_total", pod, &[(at, 1e6)])).collect::<Vec<_>>();
    for at in [0, 30] {
        rig.deliver(&WriteRequest::of(all(at)));
    }
    for at in (60..3000).step_by(30) {
        rig.put_all(at, &[("x_total", "steady", 5.0), ("y_total", "steady", 5.0)]);
        rig.pass_time(T + at * 1000);
    }
    let engine = rig.gate.pipeline.engine();
    assert_eq!((engine.aggregators()[0].counts().tombstones, engine.given_up()), (100, 300));
    rig.restart();
    assert_eq!(rig.gate.pipeline.engine().given_up(), 300);
    for at in (3000..3300).step_by(30) {
        rig.put_all(at, &[("x_total", "steady", 5.0), ("y_total", "steady", 5.0)]);
    }
    // each comes with one that is known, and nothing else speaks against a birth
    for (number, pod) in pods.iter().enumerate() {
        rig.put_all(3300, &[("x_total", pod, 1e6), ("x_total", "steady", 5.0), ("y_total", "steady", 5.0)]);
        let _each = number;
    }
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "0");
}

#[test]
fn what_a_refused_sender_has_is_neither_forgotten_nor_over_while_another_goes_on() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 1.0), (15, 2.0)]);
    for at in (30..1800).step_by(15) {
        rig.pass_time(T + at * 1000);
        rig.refuse(&request("x_total", "a", &[(30, 3.0)]));
        rig.put("y_total", "b", &[(at, 1.0)]);
    }
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().members, 2);
}

#[test]
fn silence_of_all_ages_nobody() {
    let mut rig = rig();
    rig.put("x_total", "slow", &[(0, 1.0)]);
    for at in (0..=160).step_by(40) {
        rig.put("x_total", "fast", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    for at in (200..=720).step_by(40) {
        rig.pass_time(T + at * 1000);
    }
    rig.put("x_total", "fast", &[(721, 1.0)]);
    for at in (760..=800).step_by(40) {
        rig.put("x_total", "fast", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().members, 2);
}

/// A request of one of several senders, taken or not.
pub(crate) fn from(rig: &mut Rig, sender: u8, request: &WriteRequest, taken: bool) {
    let origin =
        seriesgate::pipeline::Origin { sender: Some([10, 0, 0, sender].into()), ..Default::default() };
    let body = seriesgate_proto::encode_snappy(request);
    let gate = &mut rig.gate;
    gate.pipeline.decide(origin, &body, &mut gate.scratch, &mut gate.outcome).unwrap();
    if taken {
        gate.pipeline.commit(&gate.outcome);
    } else {
        gate.pipeline.refuse(&gate.outcome);
    }
    rig.collect();
}

#[test]
fn a_sender_that_was_refused_is_waited_for_and_one_that_stays_away_holds_nobody_up_later() {
    let mut rig = rig();
    let last = |rig: &Rig| (rig.output["x_total"].last().unwrap().0 - T) / 1000;
    for at in (0..1000).step_by(10) {
        rig.pass_time(T + at * 1000);
        // the upstream is away for a moment, twice; the second sender is never heard of again
        if at == 70 {
            from(&mut rig, 2, &request("x_total", "b", &[(70, 1.0)]), false);
        }
        let taken = at != 70 && at != 600;
        from(&mut rig, 1, &request("x_total", "a", &[(at, at as f64)]), taken);
        match at {
            150 => assert_eq!(last(&rig), 60, "it may come again"),
            170 | 700 => assert_eq!(last(&rig), at / 60 * 60, "it does not"),
            _ => {}
        }
    }
}

#[test]
fn one_that_is_waited_for_keeps_sixty_windows_open_at_most() {
    let mut rig = rig();
    for at in (0..7200).step_by(30) {
        rig.pass_time(T + at * 1000);
        from(&mut rig, 2, &request("x_total", "b", &[(30, 1.0)]), false);
        from(&mut rig, 1, &request("x_total", "a", &[(at, at as f64)]), true);
    }
    let last = (rig.output["x_total"].last().unwrap().0 - T) / 1000;
    assert!((7170 - 3660..=7170 - 3600).contains(&last), "{last}");
}

#[test]
fn a_pause_within_a_window_is_no_silence() {
    let long = Aggregation { interval_ms: 300_000, delay_ms: 120_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(long.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.put("x_total", "a", &[(300, 100.0), (330, 107.0), (361, 110.0)]);
    rig.put("x_total", "b", &[(362, 100.0)]);
    rig.pass_time(T + 440_000);
    rig.send(&request("x_total", "c", &[(357, 3.0), (359, 8.0)]));
    let output = rig.finish();
    assert!(output["x_total"].contains(&(T + 360_000, "12".to_owned())), "{output:?}");
}

/// A clock that is an hour ahead and is set back; the counters end at `end`.
fn clock_set_back(end: i64) -> crate::world::Output {
    let mut rig = quick(None);
    let hour = 3600;
    (hour..hour + 30).for_each(|at| rig.deliver(&scrape(at, &["a", "gone"])));
    rig.gate.pipeline.clock().step_ms(-hour * 1000);
    for at in 30..1500 {
        rig.pass_time(T + at * 1000);
        let counter = series("x_total", "a", &[(at, (1000 + 10 * (hour + at)) as f64)]);
        let mut all = vec![series("g", "a", &[(at, 5.0)])];
        all.extend((at < end).then_some(counter));
        rig.send(&WriteRequest::of(all));
    }
    rig.finish()
}

#[test]
fn what_was_last_by_a_wrong_clock_holds_no_longer_than_by_the_right_one() {
    for end in [300, 30] {
        let output = clock_set_back(end);
        let points = |series: &str, from: i64, to: i64| -> Vec<&str> {
            let points = output[series].iter().filter(|(ms, _)| (from..=to).contains(&((ms - T) / 1000)));
            points.map(|(_, value)| value.as_str()).collect()
        };
        // twenty in each second up to the last window that the wrong clock closed; then one counter goes on from where
        // it was, and what is in windows that it did not close waits for their time
        assert_eq!(points("x_total", 95, 95), [if end == 300 { "1160" } else { "500" }]);
        assert!(points("g", 500, 1400).iter().all(|value| *value == "5"));
        assert_eq!(points("x_total", 300, 1400).last(), Some(&"stale"));
    }
}

#[test]
fn what_has_ended_waits_for_no_delay_where_nothing_more_comes() {
    let waits = Aggregation { delay_ms: 900_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(waits.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.put("x_total", "a", &[(10, 100.0), (50, 150.0), (61, 151.0)]);
    rig.pass_time(T + 120_000);
    assert!(rig.output.is_empty());
    rig.pass_time(T + 121_000);
    assert_eq!(rig.output["x_total"].last(), Some(&(T + 60_000, "50".to_owned())));
}

/// A gate beside others, with one counter that is scraped each five seconds.
fn beside_others(seconds: std::ops::Range<i64>) -> Rig {
    let mut rig = quick(Some("a"));
    seconds.step_by(5).for_each(|at| rig.put("x_total", "a", &[(at, (1000 + at) as f64)]));
    rig
}

fn moved(rig: &Rig) -> u64 {
    rig.gate.pipeline.engine().aggregators()[0].counts().moved
}

#[test]
fn with_several_gates_the_second_sample_says_nothing_and_a_failed_scrape_is_no_move() {
    let mut rig = beside_others(0..30);
    assert_eq!(moved(&rig), 1, "it may have been elsewhere before the second");
    rig.put("x_total", "a", &[(30, STALE_MARKER), (35, 1035.0), (40, 1040.0)]);
    assert_eq!(moved(&rig), 1);
    assert_eq!(rig.finish()["x_total{gate=\"a\"}"].last().unwrap().1, "35");
}

#[test]
fn with_several_gates_a_stale_marker_after_a_time_elsewhere_hides_no_move() {
    let mut rig = beside_others(0..30);
    // it was elsewhere for a minute, and its first scrape here fails
    rig.put("x_total", "a", &[(90, STALE_MARKER), (95, 1095.0), (100, 1100.0), (105, 1105.0)]);
    assert_eq!(rig.finish()["x_total{gate=\"a\"}"].last().unwrap().1, "30", "20 before and 10 after");
}

#[test]
fn with_several_gates_a_group_of_gauges_ends_where_its_members_are_silent() {
    for (instance, ends) in [(Some("a"), true), (None, false)] {
        let mut rig = quick(instance);
        (0..30).step_by(5).for_each(|at| rig.deliver(&scrape(at, &["p"])));
        (30..90).step_by(5).for_each(|at| rig.put("x_total", "stays", &[(at, 1.0)]));
        let output = rig.finish();
        let points = output.iter().find(|(series, _)| series.starts_with('g')).unwrap().1;
        assert_eq!(points.last().unwrap().1 == "stale", ends, "{points:?}");
    }
}

#[test]
fn with_several_gates_a_time_that_was_a_mistake_costs_one_sample() {
    let mut rig = beside_others(0..30);
    rig.send(&request("x_total", "a", &[(90, 1026.0)]));
    (30..100).step_by(5).for_each(|at| rig.put("x_total", "a", &[(at, (1000 + at) as f64)]));
    assert_eq!(moved(&rig), 3);
}

#[test]
fn a_slow_gauge_is_in_every_window_after_a_time_that_was_a_mistake() {
    let mut rig = quick(None);
    for at in (0..400).step_by(5) {
        let slow = (at % 20 == 0).then(|| series("g", "slow", &[(at, 3.0)]));
        rig.deliver(&WriteRequest::of(slow.into_iter().chain([series("g", "fast", &[(at, 2.0)])]).collect()));
        if at == 200 {
            rig.send(&request("g", "slow", &[(260, 3.0)]));
        }
    }
    let output = rig.finish();
    let values: Vec<_> =
        output["g"].iter().filter(|(ms, _)| *ms < T + 260_000).map(|(_, v)| v.as_str()).collect();
    assert_eq!(values, vec!["5"; 52]);
}

#[test]
fn with_several_gates_nothing_is_born_by_being_watched_alone() {
    let mut rig = quick(Some("a"));
    for at in (0..200).step_by(5) {
        rig.put_all(at, &[("x_total", "a", 1e6), ("x_total", "b", 1e6)]);
    }
    rig.put_all(200, &[("x_total", "a", 1e6), ("x_total", "b", 1e6), ("x_total", "from elsewhere", 5e6)]);
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().births, 0);
}

#[test]
fn a_counter_that_is_gone_is_remembered_for_a_day() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 1.0), (30, 2.0)]);
    let told = |rig: &Rig| {
        let engine = rig.gate.pipeline.engine();
        (engine.aggregators()[0].counts().tombstones, engine.given_up())
    };
    for at in (60..98_000).step_by(40) {
        rig.pass_time(T + at * 1000);
        if at == 86_020 {
            assert_eq!(told(&rig), (1, 0));
        }
    }
    assert_eq!(told(&rig), (0, 1));
}

#[test]
fn of_tombstones_without_room_the_oldest_are_given_up() {
    let mut rig = rig();
    rig.change_settings(|settings| settings.max_tombstones = 50);
    let all = |name: &str, at: i64, value: f64| {
        (0..100).map(|pod| series("x_total", &format!("{name}{pod}"), &[(at, value)])).collect::<Vec<_>>()
    };
    let steady = |at: i64| {
        [("x_total", "steady", 5.0), ("y_total", "steady", 5.0)].map(|(n, p, v)| series(n, p, &[(at, v)]))
    };
    rig.deliver(&WriteRequest::of(all("old", 0, 1000.0)));
    for at in (40..2400).step_by(40) {
        rig.deliver(&WriteRequest::of(steady(at).into()));
        if at == 80 {
            rig.deliver(&WriteRequest::of(all("new", at, 1000.0)));
        }
        // both are found to be silent at once
        if at <= 80 || at > 1000 {
            rig.pass_time(T + at * 1000);
        }
    }
    assert_eq!(rig.gate.pipeline.engine().given_up(), 150);
    rig.deliver(&WriteRequest::of([&all("old", 2400, 3000.0)[..], &all("new", 2400, 1001.0)].concat()));
    assert_eq!(rig.finish()["x_total"].last().unwrap().1, "50");
}
