//! Remote write 2.0 at the write port, sent on as 1.0.

use prost::Message as _;
use seriesgate_proto::{Exemplar, Histogram, Label, TimeSeries, WriteRequest, encode_snappy, snappy, v2};

use super::support::backend::{Backend, answer, stored};
use super::support::gate::{Gate, Setup};
use super::support::http::{self, Reply};
use super::{NO_NOISE, mixture, pods};

/// Sends a request of 2.0.
pub(crate) async fn send(gate: &Gate, request: &v2::Request) -> Reply {
    http::send(http::write_v2(gate.write, snappy(&request.encode_to_vec()))).await.unwrap()
}

/// What an answer says was written: samples, histograms, exemplars.
pub(crate) fn written(reply: &Reply) -> Option<[u64; 3]> {
    let count = |kind: &str| reply.header(&format!("x-prometheus-remote-write-{kind}-written"))?.parse().ok();
    Some([count("samples")?, count("histograms")?, count("exemplars")?])
}

fn rich() -> WriteRequest {
    let mut series = TimeSeries::named("latency", &[("job", "api")]).with_sample(1, 1.5).with_sample(2, 2.0);
    series.exemplars.push(Exemplar { labels: vec![Label::new("trace", "t")], value: 1.0, timestamp: 1 });
    let mut native = TimeSeries::named("sizes", &[("job", "api")]);
    native.histograms.push(Histogram { timestamp: 3, schema: 3, sum: 2.5, ..Histogram::default() });
    WriteRequest::of(vec![series, native])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_the_same_content_as_1_0() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(NO_NOISE).start().await;
    // the second time all series are known
    for _ in 0..2 {
        let reply = send(&gate, &v2::Request::of(&rich())).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([2, 1, 1])));
    }
    for seen in backend.seen() {
        assert_eq!(seen.decoded(), rich());
        assert!(seen.head.contains("content-type: application/x-protobuf\r\n"), "{}", seen.head);
        assert!(seen.head.contains("x-prometheus-remote-write-version: 0.1.0\r\n"), "{}", seen.head);
    }
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_changes_its_version_stays_known() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").start().await;
    assert_eq!(send(&gate, &v2::Request::of(&rich())).await.status, 204);
    let reply = gate.send(&rich()).await;
    assert_eq!((reply.status, written(&reply)), (204, None), "only senders of 2.0 are told what was written");
    assert_eq!(send(&gate, &v2::Request::of(&rich())).await.status, 204);
    assert_eq!(gate.metrics().await.sum("seriesgate_new_series_total", &[]), 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_drops_was_accepted() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(NO_NOISE).start().await;
    let reply = send(&gate, &v2::Request::of(&mixture(3, 5))).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([8, 0, 0])));
    let reply = send(&gate, &v2::Request::of(&mixture(0, 5))).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([5, 0, 0])));
    let seen = backend.seen();
    assert_eq!((seen.len(), seen[0].decoded()), (1, mixture(3, 0)));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_whose_references_lead_nowhere_is_refused_and_the_rest_is_written() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").start().await;
    let whole = v2::Request::of(&WriteRequest::of(pods("up", 4)));
    let mut broken = whole.clone();
    let beyond = broken.symbols.len() as u32;
    broken.timeseries[1].labels_refs[3] = beyond;
    broken.timeseries[2].labels_refs.pop();
    for _ in 0..2 {
        let reply = send(&gate, &broken).await;
        assert_eq!((reply.status, written(&reply)), (400, Some([2, 0, 0])));
        let words =
            "2 of 4 series rejected, the valid rest was written (2 samples: references that are no pairs";
        assert!(reply.text.starts_with(words), "{}", reply.text);
        let at = reply.text.find("as `up`");
        assert!(at.is_some_and(|at| at < 256), "senders log no more: {}", reply.text);
    }
    let pods = pods("up", 4);
    let rest = WriteRequest::of(vec![pods[0].clone(), pods[3].clone()]);
    assert_eq!(backend.seen()[0].decoded(), rest);
    let metrics = gate.metrics().await;
    let rejected = [("fate", "rejected"), ("reason", "invalid_reference")];
    assert_eq!(metrics.sum("seriesgate_samples_total", &rejected), 4.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_begin_with_the_empty_text_makes_the_request_invalid() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").start().await;
    let mut request = v2::Request::of(&mixture(2, 0));
    request.symbols[0] = "x".to_owned();
    let reply = send(&gate, &request).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([0, 0, 0])));
    assert!(reply.text.contains("the first symbol is not the empty text"), "{}", reply.text);
    assert_eq!(backend.seen().len(), 0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_the_other_version_than_its_type_says_is_not_taken_for_an_empty_one() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").start().await;
    let reply = http::send(http::write_v2(gate.write, encode_snappy(&mixture(2, 0)))).await.unwrap();
    assert_eq!(reply.status, 415);
    let reply = gate.post(snappy(&v2::Request::of(&mixture(2, 0)).encode_to_vec())).await;
    assert_eq!(reply.status, 415);
    assert_eq!(backend.seen().len(), 0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_refuses_is_not_written() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(NO_NOISE).start().await;
    for (status, told, counted) in
        [("503 Service Unavailable", 503, [0, 0, 0]), ("400 Bad Request", 400, [5, 0, 0])]
    {
        backend.answer_by(move |_| answer(status, "", "no"));
        let reply = send(&gate, &v2::Request::of(&mixture(3, 5))).await;
        assert_eq!((reply.status, written(&reply)), (told, Some(counted)), "{status}");
    }
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_that_a_series_has_with_it_is_believed() {
    let backend = Backend::start(|_| stored()).await;
    let by_job =
        "name: by-job, match: 'depth', action: aggregate, interval: 1m, without: [pod], outputs: [sum]";
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(by_job).start().await;
    let mut request = v2::Request::of(&WriteRequest::of(pods("depth", 3)));
    for series in &mut request.timeseries {
        let gauge = v2::metadata::MetricType::Gauge;
        series.metadata = Some(v2::Metadata { r#type: gauge.into(), help_ref: 0, unit_ref: 0 });
    }
    assert_eq!(send(&gate, &request).await.status, 204);
    assert_eq!(gate.metrics().await.fate("aggregated"), 3.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_used_too_often_do_not_fill_the_memory() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url())
        .upstream("protocol: v1")
        .listen("max_body_size: 1MiB, max_decoded_size: 1MiB")
        .start()
        .await;
    let mut request = v2::Request::of(&WriteRequest::of(pods("up", 1)));
    request.symbols.push("x".repeat(1 << 16));
    let long = request.symbols.len() as u32 - 1;
    request.timeseries[0].labels_refs = [1, long].repeat(1000);
    let reply = send(&gate, &request).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("listen.max_decoded_size"), "{}", reply.text);
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_undecodable_requests_total", &[("reason", "outgrown")]), 1.0);
    gate.finish().await;
}
