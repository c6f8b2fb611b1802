//! What is promised of values, births, types and time, one by one.

use seriesgate::policy::{Action, Aggregation, Keys, MetricKind, Mode, Output};
use seriesgate_proto::metric_metadata::MetricType;
use seriesgate_proto::{Histogram, Label, MetricMetadata, Sample, WriteRequest};

use crate::IDLE_MS;
use crate::pipeline::{NOW_MS, labeldrop, policy, relabel, sent, shown};
use crate::rig::{Rig, aggregation};
use crate::steps::*;

#[test]
fn neither_silence_nor_a_stale_marker_ends_a_counter() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(10, 100.0), (40, STALE_MARKER), (70, 105.0)]);
    // the others go on
    rig.put("y_total", "a", &[(100, 1.0), (130, 1.0), (160, 1.0), (190, 1.0), (220, 1.0)]);
    rig.put("x_total", "a", &[(250, 107.0)]);
    assert_eq!(rig.points("x_total"), "0:0 60:0 120:5 180:5 240:5 300:7");
}

#[test]
fn where_nothing_comes_there_are_no_points() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(10, 100.0), (40, 101.0), (250, 107.0)]);
    rig.pass_time(T + 400_000);
    assert_eq!(rig.points("x_total"), "0:0 60:1 300:7");
}

#[test]
fn a_reset_counts_from_zero_and_a_member_that_ends_keeps_what_it_counted() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(10, 100.0), (40, 110.0), (70, 4.0)]);
    rig.put("x_total", "b", &[(45, 1000.0), (100, 1001.0), (200, 1002.0)]);
    assert_eq!(rig.points("x_total"), "0:0 60:10 120:15 240:16");
}

#[test]
fn far_future_samples_neither_hold_nor_close_a_window() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    // the clock stays where it is: a sender's clock is wrong by a year, or by five minutes
    for ahead in [365 * 86_400, 330] {
        let future = request("x_total", "b", &[(ahead, 1e9)]);
        rig.gate.pass("", &future);
    }
    rig.put("x_total", "a", &[(45, 115.0), (90, 120.0)]);
    let points = rig.points("x_total");
    assert_eq!(points, "-60:0 0:0 60:15 120:20");
}

#[test]
fn late_increases_are_carried_on_and_late_gauges_are_dropped() {
    let mut rig = rig();
    let mut gauges = WriteRequest::of(vec![]);
    let metric_family_name = "g".to_owned();
    gauges.metadata.push(MetricMetadata {
        r#type: MetricType::Gauge.into(),
        metric_family_name,
        ..Default::default()
    });
    rig.deliver(&gauges);
    rig.put("x_total", "a", &[(10, 100.0), (50, 101.0)]);
    rig.put("g", "a", &[(10, 1.0), (50, 2.0)]);
    rig.put("x_total", "b", &[(10, 5.0), (130, 6.0)]);
    rig.put("x_total", "a", &[(55, 103.0)]);
    rig.put("g", "a", &[(55, 9.0)]);
    let output = rig.finish();
    let values =
        |series: &str| output[series].iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ");
    assert_eq!(values("x_total"), "0 1 1 4");
    // carried exactly one window
    assert_eq!(values("g"), "2 2");
}

#[test]
fn an_ended_group_comes_back_at_zero_and_never_on_its_stale_marker() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(10, 100.0), (50, 150.0)]);
    rig.put("y_total", "b", &[(640, 1.0), (655, 1.0), (670, 1.0)]);
    rig.put("x_total", "a", &[(690, 160.0)]);
    // its last sample is ten minutes old in the window that ends at 660
    assert_eq!(rig.points("x_total"), "0:0 60:50 660:stale 660.001:0 720:10");
}

#[test]
fn types_come_from_names_metadata_and_siblings_and_the_unknown_pass() {
    let mut rig = rig();
    let quantile = |value: &str| {
        let mut series = series("s", "a", &[(0, 1.0)]);
        series.labels.push(Label { name: "quantile".into(), value: value.into() });
        series
    };
    let bucket = |pod: &str| {
        let mut series = series("h_bucket", pod, &[(0, 1.0)]);
        series.labels.insert(1, Label { name: "le".into(), value: "+Inf".into() });
        series
    };
    let mut native = series("n", "a", &[]);
    native.histograms.push(Histogram { timestamp: T, ..Histogram::default() });
    let one = |name: &str| series(name, "a", &[(0, 1.0)]);
    let first = WriteRequest::of(vec![
        one("x_total"),
        one("s_sum"),
        one("s_count"),
        quantile("0.5"),
        bucket("a"),
        one("h_count"),
        one("lonely_count"),
        one("up"),
        native,
    ]);
    rig.deliver(&first);
    assert_eq!(
        sent(&rig.gate, &first),
        ["s{pod=\"a\",quantile=\"0.5\"}", "lonely_count{pod=\"a\"}", "up{pod=\"a\"}", "n{pod=\"a\"}"]
    );
    assert_eq!(rig.gate.pipeline.engine().types.most_untyped(9).len(), 2);
    // metadata comes later, and the series is asked about with its next sample: it ends, and the group begins
    rig.deliver(&WriteRequest { metadata: crate::writers::gauge("up"), ..WriteRequest::default() });
    let again = request("up", "a", &[(60, 1.0)]);
    rig.deliver(&again);
    assert_eq!(shown(&rig.gate, &again), [format!("up{{pod=\"a\"}} {}:stale", (T - NOW_MS) / 1000 + 60)]);
}

#[test]
fn gauges_have_several_outputs_and_replicas_stay_apart() {
    let outputs = vec![Output::Sum, Output::Max, Output::Min, Output::Avg, Output::Count, Output::Last];
    let all = Aggregation { kind: Some(MetricKind::Gauge), outputs, ..without_pod() };
    let mut rig = Rig::of(vec![policy("agg", "g", Action::Aggregate(all.into()), Mode::Enforce)], IDLE_MS);
    rig.put("g", "a", &[(10, 1.0), (50, 4.0)]);
    rig.put("g", "b", &[(30, 2.0)]);
    let mut replica = series("g", "a", &[(30, 50.0)]);
    replica.labels.insert(1, Label { name: "__replica__".into(), value: "r1".into() });
    rig.deliver(&WriteRequest::of(vec![replica]));
    let output = rig.finish();
    let value = |series: &str| output[series][0].1.clone();
    let values: Vec<String> = ["g", "g:max", "g:min", "g:avg", "g:count", "g:last"].map(value).into();
    assert_eq!(values, ["6", "4", "2", "3", "2", "4"]);
    assert_eq!(value("g{__replica__=\"r1\"}"), "50");
}

#[test]
fn of_histograms_with_other_buckets_each_grows_by_what_its_members_do() {
    let bucket = |pod: &str, le: &str, at: i64, value: f64| {
        let mut series = series("h_bucket", pod, &[(at, value)]);
        series.labels.insert(1, Label { name: "le".into(), value: le.into() });
        series
    };
    let mut rig = rig();
    for (at, n) in [(0, 0.0), (30, 10.0), (90, 10.0), (150, 10.0), (210, 10.0), (270, 10.0)] {
        let of_a = ["0.1", "1", "+Inf"].map(|le| bucket("a", le, at, n));
        let of_b = ["0.5", "+Inf"].map(|le| bucket("b", le, at, n / 10.0));
        rig.deliver(&WriteRequest::of([&of_a[..], &of_b[..]].concat()));
    }
    let output = rig.finish();
    let last = |le: &str| output[&format!("h_bucket{{le=\"{le}\"}}")].last().unwrap().1.clone();
    assert_eq!(["0.1", "0.5", "1.0", "+Inf"].map(last), ["10", "1", "10", "11"]);
    let counts = rig.gate.pipeline.engine().aggregators()[0].counts();
    assert_eq!(counts.mixed_buckets, 1);
}

#[test]
fn what_cannot_be_added_up_is_counted_and_poisons_nothing() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 1.0), (10, f64::NAN), (20, f64::INFINITY), (30, 3.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:2");
}

#[test]
fn labels_dropped_before_an_aggregation_are_no_collision() {
    let own = policy("agg", "{job!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let drop = relabel("{pod!=\"\"}", &[labeldrop("pod")]);
    let mut rig = Rig::of(vec![drop, own], IDLE_MS);
    let of = |pod: &str, at: i64, value: f64| {
        let mut series = series("x_total", pod, &[(at, value)]);
        series.labels.insert(1, Label { name: "job".into(), value: "j".into() });
        series
    };
    for at in [0, 30] {
        rig.deliver(&WriteRequest::of(vec![of("a", at, at as f64), of("b", at, at as f64)]));
    }
    let output = rig.finish();
    assert_eq!(output["x_total{job=\"j\"}"].last().unwrap().1, "60");
}

#[test]
fn what_relabeling_makes_one_is_added_up_where_the_policy_says_so() {
    let together = Aggregation { keys: Keys::All, collapse: Vec::new(), ..aggregation(0) };
    let rules = vec![labeldrop("pod")];
    let action = Action::RelabelAggregate(rules.into(), together.into());
    let mut rig = Rig::of(vec![policy("slim", "{pod!=\"\"}", action, Mode::Enforce)], IDLE_MS);
    for at in [0, 30, 60] {
        let up = [series("up", "a", &[(at, 1.0)]), series("up", "b", &[(at, 1.0)])];
        let counters = ["a", "b"].map(|pod| series("x_total", pod, &[(at, at as f64)]));
        let request = WriteRequest::of([&up[..], &counters[..]].concat());
        rig.deliver(&request);
        // what has no type cannot be added up: the first keeps the identity
        assert_eq!(sent(&rig.gate, &request), ["up"]);
    }
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:120");
}

#[test]
fn times_that_nobody_means_are_counted_and_move_nothing() {
    for (first, odd) in [(true, i64::MIN), (false, i64::MIN), (true, -1), (false, i64::MAX), (true, i64::MAX)]
    {
        let mut rig = rig();
        let mut strange = request("x_total", "b", &[(0, 7.0)]);
        strange.timeseries[0].samples[0].timestamp = odd;
        strange.timeseries.push(series("other", "", &[]));
        strange.timeseries[1].labels.pop();
        strange.timeseries[1].samples.push(Sample { value: 1.0, timestamp: odd });
        if first {
            rig.gate.pass("", &strange);
        }
        rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
        rig.gate.pass("", &strange);
        rig.put("x_total", "a", &[(60, 120.0), (90, 130.0)]);
        assert_eq!(rig.points("x_total"), "-60:0 0:0 60:20 120:30", "{odd} first: {first}");
    }
}

#[test]
fn each_sample_of_a_request_counts_in_its_own_window() {
    let mut rig = rig();
    rig.deliver(&request("x_total", "a", &[(10, 100.0), (50, 101.0), (70, 103.0), (130, 104.0)]));
    assert_eq!(rig.points("x_total"), "0:0 60:1 120:3 180:4");
}

#[test]
fn of_two_samples_of_one_time_the_first_counts() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0), (30, 50.0), (60, 120.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:20");
}

#[test]
fn a_window_that_waits_behind_a_silence_keeps_what_is_in_it() {
    let waits = Aggregation { delay_ms: 120_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(waits.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.put("x_total", "a", &[(10, 100.0), (50, 103.0), (400, 107.0)]);
    assert_eq!(rig.points("x_total"), "0:0 60:3 420:7");
}

#[test]
fn a_window_that_waits_for_longer_than_members_are_remembered_is_whole_and_its_group_ends() {
    let waits = Aggregation { delay_ms: 900_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(waits.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.put("x_total", "a", &[(10, 100.0), (50, 150.0)]);
    for at in (80..2400).step_by(40) {
        rig.put("y_total", "b", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    let points = rig.points("x_total");
    assert!(points.starts_with("0:0 60:50 ") && points.ends_with(" 600:50 660:stale"), "{points}");
}

#[test]
fn a_group_that_is_gone_and_comes_back_at_once_begins_after_its_stale_marker() {
    let waits = Aggregation { delay_ms: 120_000, ..without_pod() };
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(waits.into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], IDLE_MS);
    rig.put("x_total", "a", &[(10, 100.0), (50, 150.0)]);
    for at in (80..=820).step_by(40) {
        rig.put("y_total", "b", &[(at, 1.0)]);
        rig.pass_time(T + at * 1000);
    }
    // it lags behind, but by less than windows wait
    rig.send(&request("x_total", "a", &[(705, 160.0)]));
    assert!(rig.points("x_total").contains(" 600:50 660:stale 660.001:0 720:10"));
}

#[test]
fn who_was_heard_of_in_this_very_window_is_not_idle_however_short_that_is() {
    let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
    let mut rig = Rig::of(vec![own], 20_000);
    for at in [10, 70, 130, 190, 250] {
        rig.put("x_total", "a", &[(at, at as f64)]);
    }
    rig.pass_time(T + 300_000);
    let points = rig.points("x_total");
    assert!(points.contains("60:0 120:60 180:120 240:180"), "{points}");
}

#[test]
fn a_window_that_is_over_takes_no_gauge_though_it_is_not_closed_yet() {
    let gauge = Aggregation { kind: Some(MetricKind::Gauge), ..without_pod() };
    let mut rig = Rig::of(vec![policy("agg", "g", Action::Aggregate(gauge.into()), Mode::Enforce)], IDLE_MS);
    rig.put("g", "a", &[(10, 1.0), (50, 2.0)]);
    rig.gate.pipeline.clock().advance_ms(20_000);
    for late in [request("g", "b", &[(70, 3.0)]), request("g", "a", &[(55, 9.0)])] {
        rig.gate.pass("", &late);
    }
    assert_eq!(rig.points("g"), "60:2 120:5");
}

#[test]
fn a_window_that_is_over_takes_no_counter_though_it_is_not_closed_yet() {
    for collected in [false, true] {
        let own = policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce);
        let mut rig = Rig::of(vec![own], IDLE_MS);
        rig.put("x_total", "a", &[(10, 100.0), (30, 110.0)]);
        rig.gate.pipeline.clock().advance_ms(60_000);
        rig.gate.pass("", &request("x_total", "b", &[(90, 5.0)]));
        if collected {
            rig.collect();
        }
        rig.gate.pass("", &request("x_total", "a", &[(55, 150.0)]));
        rig.gate.pass("", &request("x_total", "a", &[(85, 151.0)]));
        assert_eq!(rig.points("x_total"), "0:0 60:10 120:51", "{collected}");
    }
}

#[test]
fn the_last_value_of_gauges_is_the_newest_whoever_came_first() {
    for order in [["a", "b"], ["b", "a"]] {
        let last =
            Aggregation { kind: Some(MetricKind::Gauge), outputs: vec![Output::Last], ..without_pod() };
        let own = policy("agg", "g", Action::Aggregate(last.into()), Mode::Enforce);
        let mut rig = Rig::of(vec![own], IDLE_MS);
        rig.deliver(&WriteRequest::of(vec![series("g", order[0], &[(30, 1.0)])]));
        rig.deliver(&WriteRequest::of(vec![series("g", order[1], &[(50, 2.0)])]));
        let mut other = Rig::of(rig.policies.clone(), IDLE_MS);
        other.deliver(&WriteRequest::of(vec![series("g", order[0], &[(50, 2.0)])]));
        other.deliver(&WriteRequest::of(vec![series("g", order[1], &[(30, 1.0)])]));
        for mut rig in [rig, other] {
            let output = rig.finish();
            let all: Vec<_> = output.values().flatten().map(|(_, value)| value.as_str()).collect();
            assert_eq!(all, ["2"], "{output:?}");
        }
    }
}

#[test]
fn after_a_time_that_was_a_mistake_nothing_counts_twice() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    // a minute ahead of our clock, and then samples from before again
    rig.gate.pass("", &request("x_total", "a", &[(90, 112.0)]));
    rig.put("x_total", "a", &[(45, 111.0), (50, 113.0), (100, 114.0)]);
    assert!(rig.points("x_total").ends_with("120:14"));
}

#[test]
fn a_clock_that_is_ahead_by_seconds_is_no_mistake() {
    let gauge = Aggregation { kind: Some(MetricKind::Gauge), ..without_pod() };
    let mut rig = Rig::of(vec![policy("agg", "g", Action::Aggregate(gauge.into()), Mode::Enforce)], IDLE_MS);
    rig.put("g", "a", &[(30, 1.0)]);
    rig.send(&request("g", "a", &[(33, 5.0)]));
    rig.send(&request("g", "a", &[(29, 4.0)]));
    assert_eq!(rig.points("g"), "60:5");
}

#[test]
fn what_comes_with_one_time_for_long_is_not_forgotten() {
    let mut rig = rig();
    let still = WriteRequest::of(vec![series("x_total", "a", &[(0, 1.0)]), series("g", "a", &[(0, 1.0)])]);
    rig.deliver(&WriteRequest { metadata: crate::writers::gauge("g"), ..WriteRequest::default() });
    rig.deliver(&still);
    for at in (0..1800).step_by(30) {
        rig.pass_time(T + at * 1000);
        rig.put("y_total", "b", &[(at, 1.0)]);
        rig.gate.decide("", &seriesgate_proto::encode_snappy(&still)).unwrap();
        let told = rig.gate.pipeline.commit(&rig.gate.outcome).aggregated;
        assert_eq!((told[0].1.duplicates, told[0].1.all()), (2, 2), "{at}");
    }
}

#[test]
fn a_request_whose_times_nobody_means_says_nothing_of_what_is_over() {
    let mut rig = rig();
    rig.put("x_total", "a", &[(0, 100.0), (30, 110.0)]);
    rig.gate.pipeline.clock().advance_ms(50_000);
    let future = request("x_total", "b", &[(365 * 86_400, 1e9)]);
    rig.gate.decide("", &seriesgate_proto::encode_snappy(&future)).unwrap();
    let told = rig.gate.pipeline.commit(&rig.gate.outcome).aggregated;
    assert_eq!((told[0].1.future, told[0].1.all()), (1, 1));
    rig.collect();
    rig.put("x_total", "a", &[(45, 115.0), (90, 120.0)]);
    assert_eq!(rig.points("x_total"), "-60:0 0:0 60:15 120:20");
}

#[test]
fn a_new_member_whose_buckets_come_one_by_one_does_not_mix_a_histogram() {
    let bucket = |pod: &str, le: &str, at: i64, value: f64| {
        let mut series = series("h_bucket", pod, &[(at, value)]);
        series.labels.insert(1, Label { name: "le".into(), value: le.into() });
        series
    };
    let mut rig = rig();
    for at in [0, 30, 60, 90] {
        rig.deliver(&WriteRequest::of(vec![bucket("a", "1", at, 1.0), bucket("a", "+Inf", at, 1.0)]));
    }
    rig.deliver(&WriteRequest::of(vec![bucket("b", "1", 100, 1.0)]));
    for at in [130, 190] {
        rig.deliver(&WriteRequest::of(vec![bucket("a", "1", at, 1.0), bucket("a", "+Inf", at, 1.0)]));
    }
    assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().mixed_buckets, 0);
}
