//! Raw samples out of either store, in one shape.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::programs::Program;
use crate::support::http;

/// The labels of a series.
pub(crate) type Labels = BTreeMap<String, String>;
/// Samples of each series by time, in milliseconds since the Unix epoch.
pub(crate) type Store = BTreeMap<Labels, BTreeMap<i64, f64>>;

/// Every series, as a selector in a query string.
const ALL: &str = "%7B__name__!%3D%22%22%7D";

fn labels(of: &Value) -> Labels {
    let labels = of.as_object().unwrap().iter();
    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// All that Prometheus has up to `end_ms`, but markers of staleness, which it does not show.
pub(crate) async fn prometheus(program: &Program, end_ms: i64) -> Store {
    let time = format!("{}.{:03}", end_ms / 1000, end_ms % 1000);
    let url = program.url(&format!("/api/v1/query?query={ALL}%5B10m%5D&time={time}"));
    let answer: Value = serde_json::from_str(&http::get(&url).await.unwrap().text).unwrap();
    let series = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
    let samples = |one: &Value| {
        let samples = one["values"].as_array().unwrap().iter();
        samples
            .map(|sample| {
                let ms = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
                (ms, sample[1].as_str().unwrap().parse().unwrap())
            })
            .collect()
    };
    series.map(|one| (labels(&one["metric"]), samples(one))).collect()
}

/// All that VictoriaMetrics has up to `end_ms`.
pub(crate) async fn victoria_metrics(program: &Program, end_ms: i64) -> Store {
    // what came in the last second is not searchable otherwise
    assert!(http::is_ok(&program.url("/internal/force_flush")).await);
    let time = format!("{}.{:03}", end_ms / 1000, end_ms % 1000);
    let url = program.url(&format!("/api/v1/export?match[]={ALL}&start=0&end={time}&reduce_mem_usage=1"));
    let text = http::get(&url).await.unwrap().text;
    let mut store = Store::new();
    for line in text.lines() {
        let one: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let values = one["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN));
        let times = one["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap());
        // a series comes in as many lines as it has blocks
        store.entry(labels(&one["metric"])).or_default().extend(times.zip(values));
    }
    store
}

/// The first few differences; empty where there are none.
pub(crate) fn difference(expected: &Store, found: &Store) -> String {
    let missing = expected.iter().filter(|(labels, _)| !found.contains_key(*labels));
    let missing = missing.map(|(labels, samples)| format!("missing: {labels:?} {samples:?}\n"));
    let extra = found.iter().filter(|(labels, _)| !expected.contains_key(*labels));
    let extra = extra.map(|(labels, samples)| format!("not expected: {labels:?} {samples:?}\n"));
    let other = expected.iter().filter_map(|(labels, samples)| {
        let has = found.get(labels).filter(|has| *has != samples)?;
        Some(format!("differs: {labels:?}\n  expected {samples:?}\n  found    {has:?}\n"))
    });
    missing.chain(extra).chain(other).take(8).collect()
}
