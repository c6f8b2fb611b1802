//! Aggregation by the real program: what reaches the upstream, what waits, and what outlives the process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use tempfile::TempDir;

use super::support::backend::{Backend, answer, stored};
use super::support::gate::{Gate, SOON};
use super::support::wait::until;
use super::support::{http, ports};

/// Seconds between windows and between samples; times are some minutes ago, so nothing here waits for the clock.
pub(super) const INTERVAL_MS: i64 = 10_000;

pub(super) fn yaml(url: &str, write: SocketAddr, admin: SocketAddr, more: &str) -> String {
    format!(
        "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\nupstreams: [ {{ name: primary, url: '{url}' }} ]\n\
         policies:\n  - {{ name: agg, match: '{{pod!=\"\"}}', action: aggregate, without: [pod], interval: 10s, delay: 0s }}\n{more}"
    )
}

pub(super) async fn start(url: &str, more: &str) -> Gate {
    let (write, admin) = (ports::free(), ports::free());
    let gate = Gate::spawn(&yaml(url, write, admin, more), write, admin);
    let ready = gate.admin_url("/-/ready");
    until("the gate is ready", SOON, async || http::is_ok(&ready).await.then_some(())).await;
    gate
}

/// The start of a window, ten minutes ago.
pub(super) fn start_ms() -> i64 {
    let now = seriesgate::clock::Clock::system().unix_ms();
    (now - 600_000) / INTERVAL_MS * INTERVAL_MS
}

pub(super) fn hits(pod: &str, at_ms: i64, value: f64) -> WriteRequest {
    WriteRequest::of(vec![TimeSeries::named("hits_total", &[("pod", pod)]).with_sample(at_ms, value)])
}

/// What the backend has: by series without labels but for the name, its points in order of arrival.
pub(super) fn points(backend: &Backend) -> Vec<(i64, f64)> {
    let requests = backend.seen();
    let series = requests.iter().flat_map(|seen| seen.decoded().timeseries);
    series.flat_map(|series| series.samples).map(|sample| (sample.timestamp, sample.value)).collect()
}

pub(super) fn values(backend: &Backend) -> Vec<f64> {
    let by_time: BTreeMap<i64, f64> = points(backend).into_iter().collect();
    by_time.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_series_goes_out_for_many_under_the_headers_of_its_tenant() {
    let backend = Backend::start(|_| stored()).await;
    let gate = start(&backend.url(), "aggregation: { instance_label: gate, instance: g1 }\n").await;
    let start = start_ms();
    for (tick, tenant) in [(1, "blue"), (2, "blue"), (3, "blue"), (4, "blue")] {
        let at = start + tick * INTERVAL_MS - 5000;
        let both = [hits("a", at, 10.0 * tick as f64), hits("b", at, 5.0 * tick as f64)];
        let request = WriteRequest::of(both.into_iter().flat_map(|request| request.timeseries).collect());
        let mut request = http::write_request(gate.write, encode_snappy(&request));
        request.headers_mut().insert("x-scope-orgid", tenant.parse().unwrap());
        assert_eq!(http::send(request).await.unwrap().status, 204);
    }
    // of several gates: it takes a second sample to know a rhythm, and only then is it sure that none went elsewhere
    until("three windows are there", SOON, async || (points(&backend).len() >= 4).then_some(())).await;
    // the samples are older than the process: its group begins with the first of them
    let mut expected = vec![(start + INTERVAL_MS - 5000, 0.0)];
    expected.extend([(1, 0.0), (2, 0.0), (3, 15.0)].map(|(tick, value)| (start + tick * INTERVAL_MS, value)));
    assert_eq!(points(&backend), expected);
    for seen in backend.seen() {
        assert!(seen.head.contains("x-scope-orgid: blue"), "{}", seen.head);
        for series in seen.decoded().timeseries {
            let labels: Vec<(&str, &str)> =
                series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
            assert_eq!(labels, [("__name__", "hits_total"), ("gate", "g1")]);
        }
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.fate("aggregated"), 8.0);
    assert_eq!(metrics.sum("seriesgate_generated_samples_total", &[("kind", "aggregate")]), 4.0);
    assert_eq!(metrics.sum("seriesgate_aggregation_members", &[]), 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_sent_again_in_order_and_feeding_a_full_buffer_has_to_wait() {
    let backend = Backend::start(|_| answer("503 Service Unavailable", "", "no")).await;
    let gate = start(&backend.url(), "aggregation: { max_pending_samples: 1000 }\n").await;
    let start = start_ms();
    // 400 groups, and as many points for each window
    let request = |tick: i64| {
        let at = start + tick * INTERVAL_MS - 5000;
        let series = |n: usize| {
            let job = n.to_string();
            TimeSeries::named("hits_total", &[("job", &job), ("pod", "a")]).with_sample(at, tick as f64)
        };
        WriteRequest::of((0..400).map(series).collect())
    };
    let mut tick = 1;
    let refused = until("a request has to wait", SOON, async || {
        let reply = gate.send(&request(tick)).await;
        tick += i64::from(reply.status == 204);
        (reply.status != 204).then_some(reply)
    })
    .await;
    assert_eq!(refused.status, 503);
    assert!(
        refused.header("retry-after").is_some() && refused.text.contains("max_pending_samples"),
        "{refused:?}"
    );
    // nobody else has to wait
    let plain = WriteRequest::of(vec![TimeSeries::named("up", &[]).with_sample(start, 1.0)]);
    assert_eq!(gate.send(&plain).await.status, 503, "the upstream itself refuses that one");
    assert!(gate.metrics().await.sum("seriesgate_samples_total", &[("reason", "backlog")]) >= 400.0);
    backend.answer_by(|_| stored());
    // one request is sent after the other, and a sender that has to wait asks again
    let taken = async |tick: i64| {
        let sent = async || (gate.send(&request(tick)).await.status == 204).then_some(());
        until("there is room again", SOON, sent).await;
    };
    taken(tick).await;
    let before = backend.seen().len();
    taken(tick + 1).await;
    until("the next window is there", SOON, async || (backend.seen().len() > before).then_some(())).await;
    gate.finish().await;
}

/// A gate that is killed and one that is ended in good order, each with what it leaves behind.
async fn goes_on_after(end: Signal) {
    let backend = Backend::start(|_| stored()).await;
    let dir = TempDir::new().unwrap();
    let more = format!("data_dir: '{}'\n", dir.path().display());
    let gate = start(&backend.url(), &more).await;
    let start_at = start_ms();
    let at = |tick: i64| start_at + tick * INTERVAL_MS - 5000;
    for tick in 1..=4 {
        assert_eq!(gate.send(&hits("a", at(tick), 100.0 * tick as f64)).await.status, 204);
    }
    // of several gates: it takes a second sample to know a rhythm, and only then is it sure that none went elsewhere
    until("three windows are there", SOON, async || (points(&backend).len() >= 4).then_some(())).await;
    gate.signal(end);
    gate.exit().await;
    assert!(dir.path().join("aggregation.snapshot").exists());

    let gate = start(&backend.url(), &more).await;
    assert!(gate.log().contains("go on from the snapshot"), "{}", gate.log());
    for tick in 5..=7 {
        assert_eq!(gate.send(&hits("a", at(tick), 100.0 * tick as f64)).await.status, 204);
    }
    until("three more windows are there", SOON, async || (values(&backend).len() >= 7).then_some(())).await;
    assert_eq!(values(&backend), [0.0, 0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_go_on_after_a_restart() {
    goes_on_after(Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_go_on_after_a_kill() {
    goes_on_after(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_set_aside_and_said_so() {
    let backend = Backend::start(|_| stored()).await;
    let dir = TempDir::new().unwrap();
    let path = |name: &str| Path::new(dir.path()).join(name);
    std::fs::write(path("aggregation.snapshot"), b"not a snapshot").unwrap();
    let gate = start(&backend.url(), &format!("data_dir: '{}'\n", dir.path().display())).await;
    let log = gate.log();
    assert!(log.contains("cannot be used") && log.contains("aggregation.snapshot.damaged"), "{log}");
    assert_eq!(std::fs::read(path("aggregation.snapshot.damaged")).unwrap(), b"not a snapshot");
    assert_eq!(gate.send(&hits("a", start_ms(), 1.0)).await.status, 204);
    gate.finish().await;
}

/// Gauges whose type comes late: each ends once, in the request in which it is withheld, and the sum is right throughout.
#[tokio::test(flavor = "multi_thread")]
async fn a_gauge_that_becomes_part_of_a_group_ends_when_the_group_begins() {
    use seriesgate_proto::MetricMetadata;
    use seriesgate_proto::metric_metadata::MetricType;
    let backend = Backend::start(|_| stored()).await;
    let gate = start(&backend.url(), "").await;
    let start = start_ms();
    for second in 0..60 {
        let gauge = |pod: &str, value| {
            TimeSeries::named("mem", &[("pod", pod)]).with_sample(start + second * 1000, value)
        };
        let mut request = WriteRequest::of(vec![gauge("a", 1.0), gauge("b", 2.0)]);
        if second == 23 {
            let metric_family_name = "mem".to_owned();
            let r#type = MetricType::Gauge.into();
            request.metadata = vec![MetricMetadata { r#type, metric_family_name, ..Default::default() }];
        }
        assert_eq!(gate.send(&request).await.status, 204);
    }
    let all = || {
        let mut points: Vec<(i64, usize, f64)> = Vec::new();
        for series in backend.seen().iter().flat_map(|seen| seen.decoded().timeseries) {
            let writer = match series.label("pod") {
                None => 0,
                Some("a") => 1,
                Some(_) => 2,
            };
            points.extend(series.samples.iter().map(|s| ((s.timestamp - start) / 1000, writer, s.value)));
        }
        points.sort_by_key(|(at, ..)| *at);
        points
    };
    let group = |points: &[(i64, usize, f64)]| points.iter().filter(|(_, writer, _)| *writer == 0).count();
    // of several gates: it takes a second sample to know a rhythm, and only then is it sure that none went elsewhere
    until("three windows are there", SOON, async || (group(&all()) >= 3).then_some(())).await;
    let points = all();
    for second in 0..50 {
        let mut last = [f64::NAN; 3];
        for (_, writer, value) in points.iter().filter(|(at, ..)| *at <= second) {
            last[*writer] = *value;
        }
        let sum: f64 = last.iter().filter(|value| !value.is_nan()).sum();
        assert_eq!(sum, 3.0, "at {second}: {last:?}");
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_generated_samples_total", &[("kind", "stale_marker")]), 2.0);
    assert_eq!((metrics.fate("forwarded"), metrics.fate("aggregated")), (60.0, 60.0));
    gate.finish().await;
}
