//! What is promised of histograms whose members have different bounds.

use seriesgate_proto::{Label, TimeSeries, WriteRequest};

use crate::steps::*;

/// A rollout adds a bound, and pods of the old version stay; later they are gone.
#[test]
fn a_bound_that_a_rollout_adds_or_takes_away_neither_jumps_nor_holds_up_the_others() {
    for bound_goes in [false, true] {
        let mut rig = rig();
        let of = |pod: &str, les: &[(&'static str, f64)], at: i64, count: f64| -> Vec<TimeSeries> {
            let bucket = |(le, share): &(&'static str, f64)| {
                let mut series = series("h_bucket", pod, &[(at, count * share)]);
                series.labels.insert(1, Label { name: "le".into(), value: (*le).into() });
                series
            };
            les.iter().map(bucket).collect()
        };
        let few = [("0.1", 1.0), ("1", 2.0), ("+Inf", 3.0)];
        let many = [("0.1", 1.0), ("0.5", 1.5), ("1", 2.0), ("+Inf", 3.0)];
        let (before, after) = if bound_goes { (&many[..], &few[..]) } else { (&few[..], &many[..]) };
        for at in (0..5400).step_by(30) {
            let mut all = Vec::new();
            if at < 1800 {
                all.extend(of("old", before, at, 1e6 + 10.0 * at as f64));
            }
            if at >= 900 {
                all.extend(of("new", after, at, 10.0 * at as f64));
            }
            rig.deliver(&WriteRequest::of(all));
            rig.pass_time(T + at * 1000);
        }
        let output = rig.finish();
        // each window of two scrapes: what the pods that have the bound grew by
        for (le, share, all) in
            [("0.1", 1.0, true), ("0.5", 1.5, false), ("1.0", 2.0, true), ("+Inf", 3.0, true)]
        {
            let points = &output[&format!("h_bucket{{le=\"{le}\"}}")];
            let values: Vec<(i64, f64)> = points
                .iter()
                .filter_map(|(ms, value)| Some(((ms - T) / 1000, value.parse().ok()?)))
                .collect();
            for pair in values.windows(2).filter(|pair| pair[1].0 > 120) {
                let end = pair[1].0;
                let window = |from: i64, to: i64| (end.min(to) - (end - 60).max(from)).max(0) as f64 / 30.0;
                let old = if all || bound_goes { window(0, 1770) } else { 0.0 };
                // its first scrape says where it is, or that it was born: both are right within the minute after it
                let new = if all || !bound_goes { window(900, 5370) } else { 0.0 };
                if !(900..1080).contains(&end) {
                    let right = (old + new) * 300.0 * share;
                    assert_eq!(pair[1].1 - pair[0].1, right, "{bound_goes} le={le} at {end}: {values:?}");
                }
            }
        }
    }
}

/// Prometheus 2 sends bounds as targets show them, Prometheus 3 as numbers.
#[test]
fn an_agent_that_spells_bounds_otherwise_goes_on_with_the_same_buckets() {
    for (before, after) in [("1", "1.0"), ("1.0", "1"), ("1000000", "1e+06"), ("5e-05", "0.00005")] {
        let mut rig = rig();
        for at in (0..=600).step_by(15) {
            let le = if at < 300 { before } else { after };
            let bucket = |le: &str| {
                let mut series = series("h_bucket", "a", &[(at, 1e6 + at as f64)]);
                series.labels.insert(1, Label { name: "le".into(), value: le.into() });
                series
            };
            let others = (0..8).map(|pod| series("x_total", &pod.to_string(), &[(at, 1e6)]));
            rig.deliver(&WriteRequest::of(others.chain([bucket(le), bucket("+Inf")]).collect()));
        }
        let output = rig.finish();
        for (series, points) in output.iter().filter(|(series, _)| series.starts_with('h')) {
            assert_eq!(points.last().unwrap().1, "600", "{before} {after} {series} {points:?}");
        }
    }
}
