//! Scopes by the real program: what goes out lands where it came from.

use std::collections::BTreeMap;

use hyper::header::{HeaderName, HeaderValue};
use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use tempfile::TempDir;

use super::support::backend::{Backend, answer, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::support::http;
use super::support::wait::until;

const AGGREGATE: &str =
    "name: agg, match: '{pod!=\"\"}', action: aggregate, without: [pod], interval: 10s, delay: 0s";
const INTERVAL_MS: i64 = 10_000;

/// The start of a window, ten minutes ago: nothing here waits for the clock.
fn start_ms() -> i64 {
    let now = seriesgate::clock::Clock::system().unix_ms();
    (now - 600_000) / INTERVAL_MS * INTERVAL_MS
}

/// Headers and a query string under which a request comes.
type Under<'a> = (&'a [(&'static str, &'a [u8])], &'a str);

/// Sends four scrapes of one counter, which grows by `step`, and a series that passes.
async fn scrape(gate: &Gate, (headers, query): Under<'_>, start: i64, step: f64) {
    for tick in 1..=4 {
        let at = start + tick * INTERVAL_MS - 5000;
        let hits = TimeSeries::named("hits_total", &[("pod", "a")]).with_sample(at, step * tick as f64);
        let up = TimeSeries::named("up", &[]).with_sample(at, 1.0);
        let mut request = http::write_request(gate.write, encode_snappy(&WriteRequest::of(vec![hits, up])));
        *request.uri_mut() = format!("http://{}/api/v1/write{query}", gate.write).parse().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        assert_eq!(http::send(request).await.unwrap().status, 204);
    }
}

/// What landed where: by request line and scope headers the metrics, and the newest value of the counter.
fn landed(backend: &Backend) -> BTreeMap<String, (Vec<String>, f64)> {
    let mut landed: BTreeMap<String, (Vec<String>, f64)> = BTreeMap::new();
    for seen in backend.seen() {
        let is_scope = |line: &&str| {
            ["post ", "x-scope-", "thanos-", "accountid", "projectid", "x-greptime"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let mut lines: Vec<&str> = seen.head.lines().filter(is_scope).collect();
        lines.sort_unstable();
        let (metrics, newest) = landed.entry(lines.join("; ")).or_default();
        for series in seen.decoded().timeseries {
            let name = series.labels[0].value.clone();
            if name == "hits_total" {
                *newest = series.samples.iter().fold(*newest, |most, sample| most.max(sample.value));
            }
            if !metrics.contains(&name) {
                metrics.push(name);
            }
        }
        metrics.sort_unstable();
    }
    landed
}

/// Waits until the counters have these values; each has grown by two steps since it was first seen.
async fn until_landed(backend: &Backend, values: &[f64]) -> BTreeMap<String, (Vec<String>, f64)> {
    until("all windows are there", SOON, async || {
        let landed = landed(backend);
        let mut found: Vec<f64> = landed.values().map(|(_, newest)| *newest).collect();
        found.sort_unstable_by(f64::total_cmp);
        (found == values).then_some(landed)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_aggregated_goes_out_under_the_headers_and_the_query_it_came_under() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(AGGREGATE).start().await;
    let start = start_ms();
    let scopes: [Under<'_>; 6] = [
        (&[], ""),
        (&[("accountid", b"1"), ("projectid", b"2")], ""),
        (&[("accountid", b"2"), ("projectid", b"1")], "?extra_label=cluster=c1"),
        (&[("accountid", b"2"), ("projectid", b"1")], "?extra_label=cluster=c2"),
        (&[("x-scope-orgid", "mandant-ä".as_bytes()), ("thanos-tenant", b"m\xe4x")], ""),
        (&[("x-greptime-db-name", b"shop")], "?db=public"),
    ];
    for (number, scope) in scopes.into_iter().enumerate() {
        scrape(&gate, scope, start, 10.0 * (number + 1) as f64).await;
    }
    let landed = until_landed(&backend, &[20.0, 40.0, 60.0, 80.0, 100.0, 120.0]).await;
    assert!(landed.values().all(|(metrics, _)| metrics == &["hits_total", "up"]), "{landed:?}");
    let value_in = |what: &[&str]| {
        let fits = |place: &&String| what.iter().all(|part| place.contains(part));
        let places: Vec<&String> = landed.keys().filter(fits).collect();
        assert_eq!(places.len(), 1, "{what:?} in {landed:?}");
        landed[places[0]].1
    };
    assert_eq!(value_in(&["accountid: 1", "projectid: 2"]), 40.0);
    assert_eq!(value_in(&["accountid: 2", "/write?extra_label=cluster=c1 "]), 60.0);
    assert_eq!(value_in(&["accountid: 2", "/write?extra_label=cluster=c2 "]), 80.0);
    assert_eq!(value_in(&["x-scope-orgid: mandant-", "thanos-tenant: m\u{fffd}x"]), 100.0);
    assert_eq!(value_in(&["x-greptime-db-name: shop", "?db=public "]), 120.0);

    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_aggregation_lost_samples_total", &[]), 0.0);
    assert_eq!(metrics.sum("seriesgate_aggregation_groups", &[]), 6.0);
    assert_eq!(metrics.sum("seriesgate_tenants", &[]), 6.0);
    let report = http::get(&gate.admin_url("/api/v1/churn?limit=100")).await.unwrap().text;
    assert!(report.contains(r#""scope":"accountid=2 projectid=1 ?extra_label""#), "{report}");
    assert!(!report.contains("cluster=c1"), "{report}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstreams_own_headers_replace_tells_nothing_apart() {
    let backend = Backend::start(|_| stored()).await;
    let setup = Setup::to(backend.url()).upstream("headers: { X-Scope-OrgID: ours, AccountID: '9' }");
    let gate = setup.policy(AGGREGATE).start().await;
    let start = start_ms();
    scrape(&gate, (&[("x-scope-orgid", b"a"), ("accountid", b"1")], ""), start, 10.0).await;
    // the same series from the same place: nothing of it is new
    scrape(&gate, (&[("x-scope-orgid", b"b"), ("accountid", b"2")], ""), start, 10.0).await;
    let landed = until_landed(&backend, &[20.0]).await;
    assert_eq!(landed.len(), 1, "{landed:?}");
    assert!(landed.keys().all(|place| place.contains("accountid: 9; ") && place.contains("orgid: ours")));
    assert_eq!(gate.metrics().await.sum("seriesgate_tenants", &[]), 1.0);
    assert_eq!(gate.metrics().await.sum("seriesgate_aggregation_groups", &[]), 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_backend_lands_in_its_scope_after_a_restart() {
    let takes_raw_only = |seen: &super::support::backend::Seen| {
        let aggregated = seen.decoded().timeseries.iter().any(|s| s.labels[0].value == "hits_total");
        if aggregated { answer("503 Service Unavailable", "", "no") } else { stored() }
    };
    let backend = Backend::start(takes_raw_only).await;
    let dir = TempDir::new().unwrap();
    let setup = Setup::to(backend.url()).data_dir(dir.path()).policy(AGGREGATE);
    let gate = setup.start().await;
    let start = start_ms();
    let scopes: [Under<'_>; 2] =
        [(&[("accountid", b"1")], "?db=a"), (&[("x-scope-orgid", b"shop")], "?db=a")];
    scrape(&gate, scopes[0], start, 10.0).await;
    scrape(&gate, scopes[1], start, 20.0).await;
    until("both wait", SOON, async || {
        let pending = gate.metrics().await.sum("seriesgate_aggregation_pending_samples", &[]);
        (pending >= 8.0).then_some(())
    })
    .await;
    gate.signal(Signal::TERM);
    gate.exit().await;

    let taken = Backend::start(|_| stored()).await;
    let gate = Setup::to(taken.url()).data_dir(dir.path()).policy(AGGREGATE).start().await;
    let landed = until_landed(&taken, &[20.0, 40.0]).await;
    let places: Vec<&str> = landed.keys().map(String::as_str).collect();
    let line = "post /api/v1/write?db=a http/1.1";
    assert_eq!(places, [format!("accountid: 1; {line}"), format!("{line}; x-scope-orgid: shop")]);
    assert_eq!(landed[places[1]].1, 40.0);
    assert_eq!(gate.metrics().await.sum("seriesgate_tenants", &[]), 2.0);
    gate.finish().await;
}
