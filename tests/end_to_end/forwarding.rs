//! What arrives at the backend, and what does not.

use hyper::header::HeaderValue;
use prost::Message as _;
use seriesgate_proto::{Exemplar, Histogram, Label, TimeSeries, WriteRequest, encode_snappy, snappy};

use super::support::backend::{Backend, stored};
use super::support::gate::Setup;
use super::support::http;
use super::{NO_NOISE, mixture, pods, sink};

#[tokio::test(flavor = "multi_thread")]
async fn untouched_bodies_arrive_bit_for_bit() {
    let backend = Backend::start(|_| stored()).await;
    // with nothing looked for: its labels are not sorted, and a series has both samples and a histogram
    let gate = Setup::to(backend.url()).upstream("validation: off").policy(NO_NOISE).start().await;
    let mut rich =
        TimeSeries::named("latency", &[("job", "api")]).with_sample(1, 1.5).with_sample(2, f64::NAN);
    rich.exemplars.push(Exemplar { labels: vec![Label::new("trace", "t")], value: 1.0, timestamp: 1 });
    rich.histograms.push(Histogram { custom_values: vec![1.0, 2.0], schema: -53, ..Histogram::default() });
    let mut unsorted = TimeSeries::named("up", &[("job", "api")]).with_sample(1, 1.0);
    unsorted.labels.reverse();
    let mut raw = WriteRequest::of(vec![rich, unsorted]).encode_to_vec();
    // a field that no version of the protocol has: number 15, three bytes
    raw.extend_from_slice(&[0x7a, 3, b'n', b'e', b'w']);
    let body = snappy(&raw);

    // the second time all series are known
    for _ in 0..2 {
        assert_eq!(gate.post(body.clone()).await.status, 204);
    }
    for seen in backend.seen() {
        assert_eq!(seen.body, body, "the compressed bytes changed");
    }
    let metrics = gate.metrics().await;
    assert_eq!((backend.seen().len(), metrics.fate("forwarded")), (2, 6.0));
    assert_eq!(metrics.sum("seriesgate_histograms_total", &[("fate", "forwarded")]), 2.0);
    assert_eq!(metrics.sum("seriesgate_exemplars_total", &[("fate", "forwarded")]), 2.0);
    assert_eq!(metrics.sum("seriesgate_new_series_total", &[]), 2.0);
    assert_eq!(metrics.sum("seriesgate_active_series", &[]), 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_takes_out_its_series_and_nothing_else() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    // first unknown, then known
    for _ in 0..2 {
        assert_eq!(gate.send(&mixture(30, 12)).await.status, 204);
    }
    for seen in backend.seen() {
        assert_eq!(seen.decoded(), mixture(30, 0));
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.fate("forwarded"), 60.0);
    assert_eq!(metrics.sum("seriesgate_samples_total", &[("fate", "dropped"), ("policy", "no-noise")]), 24.0);
    let through = |direction| {
        let labels = [("policy", "no-noise"), ("mode", "enforce"), ("direction", direction)];
        metrics.sum("seriesgate_policy_samples_total", &labels)
    };
    assert_eq!((through("in"), through("out")), (24.0, 0.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_nothing_is_left() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(NO_NOISE).start().await;
    assert_eq!(gate.send(&mixture(0, 9)).await.status, 204);
    assert_eq!(gate.send(&WriteRequest::default()).await.status, 204);
    assert_eq!(sink.stats().requests, 0);
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("dropped"), metrics.sum("seriesgate_upstream_requests_total", &[])), (9.0, 0.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_and_forwards() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(&format!("{NO_NOISE}, mode: preview")).start().await;
    assert_eq!(gate.send(&mixture(3, 4)).await.status, 204);
    assert_eq!(sink.stats().samples, 7);
    let metrics = gate.metrics().await;
    let labels = [("policy", "no-noise"), ("mode", "preview"), ("direction", "in")];
    assert_eq!(metrics.sum("seriesgate_policy_samples_total", &labels), 4.0);
    assert_eq!(metrics.fate("forwarded"), 7.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_policy_that_ends_the_walk_wins() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url())
        .policy("name: one-pod, match: 'noise{pod=\"pod-1\"}', action: pass")
        .policy("name: some, match: ['{__name__=~\"no.+\",pod=~\"pod-[0-4]\"}', 'other'], action: drop")
        .start()
        .await;
    assert_eq!(gate.send(&mixture(1, 6)).await.status, 204);
    let mut expected = pods("kept", 1);
    expected.extend([1, 5].map(|n| pods("noise", 6)[n].clone()));
    assert_eq!(backend.seen()[0].decoded().timeseries, expected);
    assert_eq!(gate.metrics().await.fate("dropped"), 4.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_headers_and_queries_go_along() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    let mut request = http::write_request(gate.write, encode_snappy(&mixture(1, 1)));
    *request.uri_mut() = format!("http://{}/api/v1/push?extra_label=a=b", gate.write).parse().unwrap();
    for (name, value) in [
        ("x-scope-orgid", "team-1"),
        ("accountid", "7"),
        ("authorization", "Bearer secret"),
        ("x-other", "y"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(http::send(request).await.unwrap().status, 204);
    let head = &backend.seen()[0].head;
    assert!(head.starts_with("post /api/v1/write?extra_label=a=b http/1.1\r\n"), "{head}");
    for line in [
        "x-scope-orgid: team-1",
        "accountid: 7",
        "user-agent: end-to-end/1",
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
        "x-prometheus-remote-write-version: 0.1.0",
    ] {
        assert!(head.lines().any(|has| has == line), "{line} is not in {head}");
    }
    assert!(!head.contains("authorization") && !head.contains("x-other"), "{head}");
    // the same series of another tenant is another series
    assert_eq!(gate.send(&mixture(1, 0)).await.status, 204);
    assert_eq!(gate.metrics().await.sum("seriesgate_active_series", &[]), 3.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_senders_at_a_time_lose_nothing() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(NO_NOISE).start().await;
    let body = encode_snappy(&mixture(400, 200));
    let senders = (0..8).map(|_| {
        let (write, body) = (gate.write, body.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                assert_eq!(http::send(http::write_request(write, body.clone())).await.unwrap().status, 204);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let (stats, metrics) = (sink.stats(), gate.metrics().await);
    assert_eq!((stats.samples, stats.distinct_series), (160 * 400, 400));
    assert_eq!(metrics.fate("dropped"), 160.0 * 200.0);
    assert_eq!(metrics.sum("seriesgate_new_series_total", &[]), 600.0);
    gate.finish().await;
}
