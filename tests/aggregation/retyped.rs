//! Metadata that says, after a while, that a metric is another thing than its name does.

use seriesgate::policy::{Action, Aggregation, Mode, Output};
use seriesgate_proto::metric_metadata::MetricType;
use seriesgate_proto::{MetricMetadata, WriteRequest, encode_snappy};

use crate::pipeline::{assert_conserved, policy};
use crate::rig::Rig;
use crate::steps::*;

fn says(metric: &str, kind: MetricType) -> WriteRequest {
    let entry = MetricMetadata {
        r#type: kind.into(),
        metric_family_name: metric.into(),
        ..MetricMetadata::default()
    };
    WriteRequest { metadata: vec![entry], ..WriteRequest::default() }
}

fn of(aggregation: Aggregation) -> Rig {
    let action = Action::Aggregate(aggregation.into());
    Rig::of(vec![policy("agg", "{pod!=\"\"}", action, Mode::Enforce)], crate::IDLE_MS)
}

/// Two pods of one metric for five minutes; at `said_at` seconds somebody says what it is. Returns the rig.
fn run(mut rig: Rig, metric: &str, said_at: i64, family: &str, kind: MetricType) -> Rig {
    for at in (0..=300).step_by(15) {
        let value = if at % 30 == 0 { 5.0 } else { 4.0 };
        rig.put_all(at, &[(metric, "a", value), (metric, "b", value)]);
        if at == said_at {
            rig.deliver(&says(family, kind));
            assert_conserved(&rig.gate.outcome);
        }
        rig.pass_time(T + at * 1000 + 7_000);
    }
    rig
}

fn retyped(rig: &Rig) -> u64 {
    rig.gate.pipeline.engine().aggregators()[0].counts().retyped
}

#[test]
fn a_gauge_that_is_called_a_total_begins_anew_when_metadata_says_what_it_is() {
    for family in ["cap_total", "cap"] {
        let mut rig = run(rig(), "cap_total", 135, family, MetricType::Gauge);
        assert_eq!(retyped(&rig), 1);
        // what was taken for a counter ends before anything else is said under its name
        assert_eq!(
            rig.points("cap_total"),
            "-60:0 0:0 60:20 120:40 120.001:stale 180:10 240:10 300:10",
            "{family}"
        );
    }
}

#[test]
fn what_its_name_says_rightly_goes_on() {
    let mut rig = run(rig(), "cap_total", 135, "cap_total", MetricType::Counter);
    assert_eq!((retyped(&rig), rig.points("cap_total").contains("stale")), (0, false));
    // of another metric
    let mut rig = run(of(without_pod()), "cap_total", 135, "cup_total", MetricType::Gauge);
    assert_eq!((retyped(&rig), rig.points("cap_total").contains("stale")), (0, false));
}

#[test]
fn a_type_that_the_policy_says_is_not_asked_of_anybody() {
    let counter = Aggregation { kind: Some(seriesgate::policy::MetricKind::Counter), ..without_pod() };
    let mut rig = run(of(counter), "cap_total", 135, "cap_total", MetricType::Gauge);
    assert_eq!((retyped(&rig), rig.points("cap_total").contains("stale")), (0, false));
}

#[test]
fn two_that_do_not_agree_on_a_type_do_not_have_groups_end_again_and_again() {
    let mut rig = rig();
    for at in (0..=600).step_by(15) {
        rig.put_all(at, &[("cap_total", "a", 5.0)]);
        let kind = if at % 30 == 0 { MetricType::Gauge } else { MetricType::Counter };
        rig.deliver(&says("cap_total", kind));
        rig.pass_time(T + at * 1000 + 7_000);
    }
    assert!(retyped(&rig) <= 1, "{}", retyped(&rig));
    // nor do they where metadata of other metrics comes all the while
    for at in (615..=1200).step_by(15) {
        rig.put_all(at, &[("cap_total", "a", 5.0)]);
        let kind = if at % 30 == 0 { MetricType::Gauge } else { MetricType::Counter };
        rig.deliver(&says("cap_total", kind));
        rig.deliver(&says(&format!("other_{at}"), MetricType::Gauge));
        rig.pass_time(T + at * 1000 + 7_000);
    }
    assert!(retyped(&rig) <= 1, "{}", retyped(&rig));
}

#[test]
fn the_outputs_that_a_group_has_only_now_are_claimed_and_who_has_one_keeps_it() {
    let outputs = Aggregation { outputs: vec![Output::Sum, Output::Max], ..without_pod() };
    let mut rig = of(outputs);
    let mut taken = 0;
    for at in (0..=300).step_by(15) {
        let mut raw = series("cap_total:max", "", &[(at, 77.0)]);
        raw.labels.retain(|label| label.name == "__name__");
        rig.deliver(&WriteRequest::of(vec![raw]));
        rig.put_all(at, &[("cap_total", "a", 5.0)]);
        taken += rig.gate.outcome.not_aggregated.len();
        if at == 135 {
            rig.deliver(&says("cap_total", MetricType::Gauge));
        }
        rig.pass_time(T + at * 1000 + 7_000);
    }
    assert!(taken > 0, "it passes, and that is counted");
    let output = rig.finish();
    assert!(!output.contains_key("cap_total:max"), "{output:?}");
}

#[test]
fn a_counter_that_outputs_made_a_gauge_begins_anew_from_zero_after_its_end() {
    let outputs = Aggregation { outputs: vec![Output::Sum, Output::Max], ..without_pod() };
    let mut rig = of(outputs);
    for at in (0..=300).step_by(15) {
        rig.put_all(at, &[("hits", "a", 100.0 + at as f64)]);
        if at == 135 {
            rig.deliver(&says("hits", MetricType::Counter));
        }
        rig.pass_time(T + at * 1000 + 7_000);
    }
    let output = rig.finish();
    let all = |name: &str| {
        output[name]
            .iter()
            .map(|(ms, value)| format!("{}:{value}", (ms - T) as f64 / 1e3))
            .collect::<Vec<_>>()
    };
    // its first sample says where it is
    assert_eq!(all("hits").join(" "), "0:100 60:160 120:220 120.001:stale 120.002:0 180:30 240:90 300:150");
    assert_eq!(all("hits:max").join(" "), "0:100 60:160 120:220 120.001:stale");
}

#[test]
fn buckets_that_are_said_to_be_of_a_gauge_histogram_pass_from_then_on() {
    let mut rig = rig();
    let bucket = |at: i64, value: f64| {
        let mut series = series("age_bucket", "a", &[(at, value)]);
        series.labels.insert(1, seriesgate_proto::Label { name: "le".into(), value: "1.0".into() });
        WriteRequest::of(vec![series])
    };
    let mut passed = Vec::new();
    for at in (0..=300).step_by(15) {
        rig.deliver(&bucket(at, 5.0));
        passed.extend((rig.gate.outcome.forwarded.samples > 0).then_some(at));
        if at == 135 {
            rig.deliver(&says("age", MetricType::Gaugehistogram));
        }
        rig.pass_time(T + at * 1000 + 7_000);
    }
    assert_eq!(passed[0], 150);
    let output = rig.finish();
    assert!(output["age_bucket{le=\"1.0\"}"].last().unwrap().1 == "stale", "{output:?}");
}

#[test]
fn what_was_decided_before_and_is_taken_after_makes_no_group_of_the_old_type() {
    let mut rig = rig();
    rig.put_all(0, &[("cap_total", "a", 5.0)]);
    rig.pass_time(T + 1_000);
    // on its way to the upstream while metadata comes
    rig.gate.decide("", &encode_snappy(&request("cap_total", "late", &[(1, 7.0)]))).unwrap();
    let in_hand = std::mem::take(&mut rig.gate.outcome);
    rig.deliver(&says("cap_total", MetricType::Gauge));
    rig.pass_time(T + 7_000);
    let told = rig.gate.pipeline.commit(&in_hand).aggregated;
    assert_eq!((told[0].1.forgotten, told[0].1.all()), (1, 1));
    for at in [30, 60, 90] {
        rig.put_all(at, &[("cap_total", "a", 5.0), ("cap_total", "late", 7.0)]);
    }
    assert_eq!(rig.points("cap_total"), "60:12 120:12");
}

#[test]
fn what_metadata_said_right_before_a_restart_holds_after_it() {
    let mut rig = rig();
    for at in (0..=120).step_by(30) {
        rig.put_all(at, &[("cap_total", "a", 5.0)]);
        rig.pass_time(T + at * 1000 + 7_000);
    }
    rig.deliver(&says("cap_total", MetricType::Gauge));
    rig.restart();
    rig.pass_time(rig.now() + 7_000);
    for at in (150..=300).step_by(30) {
        rig.put_all(at, &[("cap_total", "a", 5.0)]);
        rig.pass_time(rig.now().max(T + at * 1000 + 7_000));
    }
    let points = rig.points("cap_total");
    assert!(points.ends_with("stale 180:5 240:5 300:5"), "{points}");
}
