//! Each agent once, with policies that drop a cronjob's runs and one metric.

use std::collections::BTreeMap;
use std::path::Path;

use crate::programs::{self, LIMIT, Program};
use crate::query::{self, Labels, Store};
use crate::support::gate::{Gate, Setup};
use crate::support::wait::until;
use crate::target::Target;

const JOBS: [(&str, &str); 2] = [("state", "/ksm"), ("nodes", "/cadvisor")];
/// How often each page is read before anything is compared.
const SCRAPES: usize = 3;

/// The pages; the larger one with a real cluster's data, where that is at hand.
fn pages(with_real_data: bool) -> Vec<(&'static str, String)> {
    let mut state = include_str!("../data/ksm.prom.txt").to_owned();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ksm.prom.txt");
    if let (true, Ok(real)) = (with_real_data, std::fs::read_to_string(real)) {
        state = merged(&state, &real);
    }
    vec![("/ksm", state), ("/cadvisor", include_str!("../data/cadvisor.prom.txt").to_owned())]
}

/// Both, without comments: a metric may have one of a kind only.
fn merged(first: &str, second: &str) -> String {
    let lines = first.lines().chain(second.lines()).filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

async fn gate(backend: &Program) -> Gate {
    Setup::to(backend.url("/api/v1/write"))
        .policy("name: runs, match: ['{pod=~\"nightly-.+\"}', '{job_name=~\"nightly-.+\"}'], action: drop")
        .policy("name: one-metric, match: 'container_network_transmit_bytes_total{interface!=\"\"}', action: drop")
        .start()
        .await
}

/// What the policies of [`gate`] say, in other words.
fn is_dropped(labels: &Labels) -> bool {
    let starts = |name: &str| labels.get(name).is_some_and(|value| value.starts_with("nightly-"));
    starts("pod") || starts("job_name") || labels["__name__"] == "container_network_transmit_bytes_total"
}

async fn until_scraped(target: &Target, times: usize) {
    let shown = |path| target.shown().iter().filter(|shown| shown.path == path).count();
    let all = async || JOBS.iter().all(|(_, path)| shown(*path) >= times).then_some(());
    until(&format!("{times} scrapes of each page"), LIMIT, all).await;
}

/// Waits until VictoriaMetrics has exactly what is `expected` up to `end_ms`.
async fn until_stored(backend: &Program, end_ms: i64, expected: impl AsyncFn() -> Store) {
    let mut difference = String::new();
    let equal = tokio::time::timeout(LIMIT, async {
        loop {
            let (expected, found) = (expected().await, query::victoria_metrics(backend, end_ms).await);
            difference = query::difference(&expected, &found);
            if difference.is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let equal = equal.await.is_ok();
    assert!(equal, "VictoriaMetrics does not have what it should:\n{difference}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_writes_through_the_gate() {
    if !programs::are_here(&["prometheus", "victoria-metrics"]) {
        return;
    }
    let target = Target::start(pages(true)).await;
    let backend = programs::victoria_metrics().await;
    let gate = gate(&backend).await;
    let prometheus = programs::prometheus(target.address, &JOBS, gate.write).await;

    until_scraped(&target, SCRAPES).await;
    let end_ms = seriesgate::clock::Clock::system().unix_ms();
    // whatever bears a time before that is in Prometheus once both pages were read again, and again
    until_scraped(&target, target.shown().len() / 2 + 3).await;

    let scraped = query::prometheus(&prometheus, end_ms).await;
    let dropped: usize = scraped.keys().filter(|labels| is_dropped(labels)).count();
    assert!(dropped >= 10 && scraped.len() > dropped + 15, "{dropped} of {}", scraped.len());
    let marker = scraped.iter().filter(|(labels, _)| labels["__name__"] == "end_to_end_scrapes_total");
    assert!(marker.map(|(_, samples)| samples.len()).min() >= Some(2), "{scraped:?}");
    let mut expected = scraped;
    expected.retain(|labels, _| !is_dropped(labels));
    until_stored(&backend, end_ms, async || expected.clone()).await;

    let metrics = gate.metrics().await;
    assert!(metrics.sum("seriesgate_samples_total", &[("fate", "dropped"), ("policy", "runs")]) > 0.0);
    assert!(metrics.sum("seriesgate_samples_total", &[("fate", "dropped"), ("policy", "one-metric")]) > 0.0);
    assert_eq!((metrics.fate("returned"), metrics.fate("rejected")), (0.0, 0.0), "{}", metrics.0);
    drop(prometheus);
    gate.finish().await;
}

/// Series of a page as it was shown: labels, value, and the time where there is one.
fn parse(text: &str) -> Vec<(Labels, f64, Option<i64>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, rest) = line.split_once("} ").unwrap_or_else(|| line.split_once(' ').unwrap());
            let (name, pairs) = series.split_once('{').unwrap_or((series, ""));
            let pairs = pairs.split("\",").filter_map(|pair| pair.trim_end_matches('"').split_once("=\""));
            let mut labels: Labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            labels.insert("__name__".to_owned(), name.to_owned());
            // an empty value is no label
            labels.retain(|_, value| !value.is_empty());
            let (value, time) = rest.split_once(' ').unwrap_or((rest, ""));
            (labels, value.parse().unwrap(), time.parse().ok())
        })
        .collect()
}

/// What was shown, as a store has it; samples without a time in their page are counted by `without_time`.
fn shown(target: &Target) -> (Store, BTreeMap<Labels, Vec<f64>>) {
    let (mut timed, mut without_time) = (Store::new(), BTreeMap::<Labels, Vec<f64>>::new());
    for shown in target.shown() {
        let job = JOBS.iter().find(|(_, path)| *path == shown.path).unwrap().0;
        for (mut labels, value, time) in parse(&shown.text) {
            labels.insert("job".to_owned(), job.to_owned());
            labels.insert("instance".to_owned(), target.address.to_string());
            match time {
                Some(time) => drop(timed.entry(labels).or_default().insert(time, value)),
                None => without_time.entry(labels).or_default().push(value),
            }
        }
    }
    (timed, without_time)
}

#[tokio::test(flavor = "multi_thread")]
async fn vmagent_writes_through_the_gate() {
    if !programs::are_here(&["vmagent", "victoria-metrics"]) {
        return;
    }
    let target = Target::start(pages(false)).await;
    let backend = programs::victoria_metrics().await;
    let gate = gate(&backend).await;
    let vmagent = programs::vmagent(target.address, &JOBS, gate.write).await;
    until_scraped(&target, SCRAPES).await;

    // it does not tell what it has scraped; what it was shown is known
    let (timed, without_time) = shown(&target);
    let forever = seriesgate::clock::Clock::system().unix_ms() + 600_000;
    let has_all = |found: &Store| {
        let kept = |labels: &&Labels| !is_dropped(labels);
        timed.keys().filter(kept).all(|labels| {
            found
                .get(labels)
                .is_some_and(|has| timed[labels].iter().all(|(at, value)| has.get(at) == Some(value)))
        }) && without_time.keys().filter(kept).all(|labels| {
            let has = found.get(labels).map(|has| has.values().copied().collect::<Vec<_>>());
            has.is_some_and(|has| has.starts_with(&without_time[labels]))
        })
    };
    let found = until("VictoriaMetrics has what vmagent was shown", LIMIT, async || {
        let found = query::victoria_metrics(&backend, forever).await;
        has_all(&found).then_some(found)
    });
    let found = found.await;
    let dropped = timed.keys().chain(without_time.keys()).filter(|labels| is_dropped(labels)).count();
    assert!(dropped >= 10, "{dropped}");
    for labels in found.keys() {
        assert!(!is_dropped(labels), "{labels:?} was dropped and is there");
        let own = labels["__name__"] == "up" || labels["__name__"].starts_with("scrape_");
        assert!(own || timed.contains_key(labels) || without_time.contains_key(labels), "{labels:?}");
    }
    let metrics = gate.metrics().await;
    assert!(metrics.fate("dropped") >= (dropped * SCRAPES) as f64, "{}", metrics.0);
    drop(vmagent);
    gate.finish().await;
}
