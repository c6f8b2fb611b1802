//! Scrapes that come in several requests: what says when a counter began is in another one than the counter, before or
//! after it, in the same scrape or in a later one.

use seriesgate_proto::{Label, TimeSeries, WriteRequest};

use crate::rig::Rig;
use crate::steps::*;

/// Bounds of a histogram, and what is in each bucket of every observation's thirty.
const BUCKETS: [(&str, f64); 4] = [("0.1", 10.0), ("0.5", 20.0), ("1.0", 30.0), ("+Inf", 30.0)];

fn labelled(name: &str, labels: &[(&str, &str)], at: i64, value: f64) -> TimeSeries {
    let mut series = series(name, "db-0", &[(at, value)]);
    series.labels.retain(|label| label.name == "__name__");
    series
        .labels
        .extend(labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }));
    series
}

fn bucket(pod: &str, path: &str, (le, share): (&str, f64), at: i64, count: f64) -> TimeSeries {
    labelled("lat_bucket", &[("le", le), ("path", path), ("pod", pod)], at, count * share)
}

fn started(pod: &str, at: i64, started: i64) -> TimeSeries {
    series("process_start_time_seconds", pod, &[(at, (T / 1000 + started) as f64)])
}

fn old(at: i64) -> Vec<TimeSeries> {
    (0..8).map(|pod| series("x_total", &pod.to_string(), &[(at, 1e6)])).collect()
}

fn send(rig: &mut Rig, series: Vec<TimeSeries>) {
    rig.deliver(&WriteRequest::of(series));
}

/// Whether in all points of a histogram of one path its buckets are in the proportion of [`BUCKETS`].
fn assert_whole(rig: &mut Rig, path: &str, last: f64) {
    let output = rig.finish();
    let points = |le: &str| {
        let of = |name: &&String| name.contains(&format!("le=\"{le}\"")) && name.contains(path);
        let name = output.keys().find(of).unwrap_or_else(|| panic!("{:?}", output.keys()));
        output[name]
            .iter()
            .filter_map(|(ms, value)| Some((*ms, value.parse::<f64>().ok()?)))
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = BUCKETS.iter().map(|(le, share)| (points(le), *share)).collect();
    for (of_bucket, share) in &all {
        for ((ms, value), (_, first)) in of_bucket.iter().zip(&all[0].0) {
            assert_eq!(value / share, first / BUCKETS[0].1, "at {}: {all:?}", (ms - T) / 1000);
        }
    }
    assert_eq!(all[0].0.last().unwrap().1, last * BUCKETS[0].1);
}

#[test]
fn a_new_histogram_in_two_requests_is_born_whole_whichever_of_them_tells_when() {
    for told_first in [false, true] {
        let mut rig = rig();
        for at in (0..=240).step_by(15) {
            let part = |buckets: &[(&'static str, f64)]| -> Vec<TimeSeries> {
                let new = buckets.iter().filter(|_| at >= 105);
                let count = 20.0 + at as f64;
                old(at).into_iter().chain(new.map(|of| bucket("new", "/", *of, at, count))).collect()
            };
            let (a, mut b) = (part(&BUCKETS[..2]), part(&BUCKETS[2..]));
            b.extend((at >= 105).then(|| started("new", at, 100)));
            let (first, second) = if told_first { (b, a) } else { (a, b) };
            send(&mut rig, first);
            send(&mut rig, second);
        }
        assert_whole(&mut rig, "/", 260.0);
        assert_eq!(rig.gate.pipeline.engine().aggregators()[0].counts().births, 4);
    }
}

#[test]
fn a_process_that_starts_again_under_its_name_shows_a_new_histogram_whole() {
    // what was said of its start before is known, and wrong by then
    for with_known_counters in [true, false] {
        let mut rig = rig();
        for at in (0..=240).step_by(15) {
            let again = at >= 105;
            let count = if again { at as f64 - 90.0 } else { 1000.0 };
            let part = |buckets: &[(&'static str, f64)]| -> Vec<TimeSeries> {
                let mut part = old(at);
                if with_known_counters {
                    part.extend(buckets.iter().map(|of| bucket("db-0", "/old", *of, at, count)));
                }
                part.extend(
                    buckets.iter().filter(|_| again).map(|of| bucket("db-0", "/new", *of, at, count)),
                );
                part
            };
            send(&mut rig, part(&BUCKETS[..2]));
            let told = started("db-0", at, if again { 100 } else { -9999 });
            send(&mut rig, [part(&BUCKETS[2..]), vec![told]].concat());
        }
        assert_whole(&mut rig, "/new", 150.0);
    }
}

#[test]
fn a_start_that_is_said_anew_is_learned_whatever_else_is_in_its_request() {
    let seconds = |at: i64| (T / 1000 + at) as f64;
    for told_before in [true, false] {
        let mut rig = rig();
        for at in (0..=240).step_by(15) {
            let again = at >= 105;
            // no counter begins in this request
            let told = vec![started("a", at, if again { 102 } else { -9999 })];
            let mut counters = vec![labelled("m_total", &[("code", "200"), ("pod", "a")], at, seconds(at))];
            if again {
                let failed = labelled("m_total", &[("code", "500"), ("pod", "a")], at, 25.0);
                counters.push(failed);
            }
            let all = if told_before { [told, counters] } else { [counters, told] };
            all.into_iter().for_each(|part| send(&mut rig, [old(at), part].concat()));
        }
        let output = rig.finish();
        let failed = output.iter().find(|(name, _)| name.contains("500")).unwrap().1;
        assert_eq!((failed[0].0 - T, &*failed[0].1), (60_000, "0"), "{told_before}");
        assert_eq!((failed[1].0 - T, &*failed[1].1), (120_000, "25"), "{told_before}");
    }
}

#[test]
fn a_pod_made_anew_under_its_name_is_born_in_whatever_order_its_series_come() {
    let made = |uid: &str, at: i64, seconds: i64| {
        let labels = [("namespace", "n"), ("pod", "db-0"), ("uid", uid)];
        labelled("kube_pod_created", &labels, at, (T / 1000 + seconds) as f64)
    };
    let counter = |uid: &str, at: i64, value: f64| {
        labelled("kc_total", &[("namespace", "n"), ("pod", "db-0"), ("uid", uid)], at, value)
    };
    let ended = |uid: &str, at: i64| {
        let mut series = made(uid, at, 0);
        series.samples[0].value = STALE_MARKER;
        series
    };
    // when kube-state-metrics ends the old one, and whether the counter comes before it
    for (ends_at, counter_first) in [(105, true), (105, false), (120, true), (120, false)] {
        let mut rig = rig();
        for at in (0..=240).step_by(15) {
            let mut told = old(at);
            if at < 105 {
                told.push(made("1", at, -86_400));
            } else {
                told.push(made("2", at, 102));
            }
            told.extend((at == ends_at).then(|| ended("1", at)));
            let counted = match at {
                ..105 => counter("1", at, 9e6),
                _ => counter("2", at, 500.0 + at as f64 - 105.0),
            };
            let mut parts = [told, [old(at), vec![counted]].concat()];
            if counter_first {
                parts.reverse();
            }
            parts.into_iter().for_each(|part| send(&mut rig, part));
        }
        let output = rig.finish();
        let born = output.iter().find(|(name, _)| name.contains("uid=\"2\"")).unwrap().1;
        let last: f64 = born.last().unwrap().1.parse().unwrap();
        assert_eq!(last, 635.0, "{ends_at} {counter_first}: {born:?}");
    }
}

#[test]
fn parts_that_come_seconds_apart_are_born_together_in_short_windows_too() {
    // nothing says when it began; the windows are shorter than starts are looked for
    let short = seriesgate::policy::Aggregation { interval_ms: 1_000, ..without_pod() };
    let action = seriesgate::policy::Action::Aggregate(short.into());
    let policies =
        vec![crate::pipeline::policy("agg", "{pod!=\"\"}", action, seriesgate::policy::Mode::Enforce)];
    let mut rig = Rig::of(policies, crate::IDLE_MS);
    for at in 0..=240 {
        let count = if at >= 105 { 20.0 } else { 0.0 };
        let part = |buckets: &[(&'static str, f64)], from: i64| -> Vec<TimeSeries> {
            let new = buckets.iter().filter(|_| at >= from);
            old(at).into_iter().chain(new.map(|of| bucket("new", "/", *of, at, count))).collect()
        };
        send(&mut rig, part(&BUCKETS[2..], 106));
        send(&mut rig, part(&BUCKETS[..2], 107));
    }
    let counts = rig.gate.pipeline.engine().aggregators()[0].counts();
    assert_eq!((counts.births, counts.baselines), (4, 8));
}
