//! Both versions and both encodings into the sink: what is a series in one is the same series in the other, and what the sink
//! is told to do to some of them.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use prost::Message;
use seriesgate_loadtest::sink::{Level, Sink, SinkHandle, SinkOptions, parse_episode};
use seriesgate_proto::{Exemplar, Histogram, Label, TimeSeries, WriteRequest, snappy, v2};

const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const V1: &str = "application/x-protobuf";

async fn sink(level: Level, behave: &[&str]) -> SinkHandle {
    let episodes = behave.iter().map(|text| parse_episode(text).unwrap()).collect();
    let options = SinkOptions { level, episodes, ..SinkOptions::default() };
    Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap()
}

/// Posts a body under headers: the status, what the answer says was written (samples, histograms, exemplars), its text.
async fn post(
    sink: &SinkHandle,
    kind: &str,
    encoding: &str,
    body: Vec<u8>,
) -> (StatusCode, Option<[u64; 3]>, String) {
    let stream = tokio::net::TcpStream::connect(sink.addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/api/v1/write").header("host", "x").header("content-type", kind);
    let request = request.header("content-encoding", encoding).body(Full::new(Bytes::from(body))).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (head.status, written(&head.headers), text)
}

fn written(headers: &HeaderMap) -> Option<[u64; 3]> {
    let name = |kind| format!("x-prometheus-remote-write-{kind}-written");
    let kinds = ["samples", "histograms", "exemplars"];
    let found = kinds.map(|kind| headers.get(name(kind)).map(|text| text.to_str().unwrap().parse().unwrap()));
    assert!(found.iter().all(Option::is_some) || found.iter().all(Option::is_none), "{found:?}");
    found[0].map(|_| found.map(|count: Option<u64>| count.unwrap()))
}

fn mixed(timestamp_ms: i64) -> WriteRequest {
    let mut rich =
        TimeSeries::named("latency", &[("job", "b"), ("empty", "")]).with_sample(timestamp_ms, 1.0);
    let labels = vec![Label::new("trace_id", "t"), Label::new("zone", "z")];
    rich.exemplars.push(Exemplar { labels, value: 1.0, timestamp: timestamp_ms });
    rich.histograms.push(Histogram { schema: 3, sum: 2.5, timestamp: timestamp_ms, ..Histogram::default() });
    WriteRequest::of(vec![
        TimeSeries::named("up", &[("job", "a"), ("zone", "z")]).with_sample(timestamp_ms, 1.0),
        TimeSeries::named("up", &[("job", "a"), ("zone", "a")]).with_sample(timestamp_ms, f64::NAN),
        rich,
    ])
}

fn zstd(raw: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(raw, 0).unwrap()
}

/// Type, encoding and body of a request in each form.
fn forms(request: &WriteRequest) -> [(&'static str, &'static str, Vec<u8>); 4] {
    let (one, two) = (request.encode_to_vec(), v2::Request::of(request).encode_to_vec());
    [
        (V1, "snappy", snappy(&one)),
        (V1, "zstd", zstd(&one)),
        (V2, "snappy", snappy(&two)),
        (V2, "zstd", zstd(&two)),
    ]
}

/// Of every series how many samples are kept and their sum; the same of all exemplars and histograms.
type Kept = (BTreeMap<u64, (u32, u64)>, [(u64, u64); 2]);

fn kept(sink: &SinkHandle) -> Kept {
    sink.ledger(|ledger| {
        let series = ledger.all().map(|(identity, arrived)| (identity, (arrived.count, arrived.sum)));
        let (exemplars, histograms) = ledger.rich;
        (series.collect(), [exemplars, histograms].map(|total| (total.count, total.sum)))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_says_the_same_and_only_2_0_is_told_what_was_written() {
    let reference = sink(Level::Verify, &[]).await;
    let request = mixed(1_700_000_000_000);
    let (kind, encoding, body) = forms(&request)[0].clone();
    assert_eq!(post(&reference, kind, encoding, body).await.0, 204);
    for (kind, encoding, body) in forms(&request) {
        let sink = sink(Level::Verify, &[]).await;
        let answer = post(&sink, kind, encoding, body).await;
        let told = (kind == V2).then_some([3, 1, 1]);
        assert_eq!((answer.0.as_u16(), answer.1), (204, told), "{kind} {encoding}");
        assert_eq!(kept(&sink), kept(&reference), "{kind} {encoding}");
        let version = if kind == V2 { "2.0" } else { "1.0" };
        let stats = sink.shutdown().await;
        assert_eq!(stats.forms, [(format!("{version} in {encoding}"), 1)].into());
        assert_eq!((stats.samples, stats.exemplars, stats.histograms, stats.distinct_series), (3, 1, 1, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_series_in_four_forms_is_one_series_in_order() {
    let sink = sink(Level::Verify, &[]).await;
    for number in 0..4 {
        let (kind, encoding, body) = forms(&mixed(1000 + number as i64))[number].clone();
        assert_eq!(post(&sink, kind, encoding, body).await.0, 204);
    }
    let stats = sink.shutdown().await;
    assert_eq!((stats.distinct_series, stats.samples, stats.out_of_order, stats.duplicates), (3, 12, 0, 0));
    assert_eq!(stats.forms.values().sum::<u64>(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_level_of_bytes_the_answer_still_says_what_was_written() {
    let sink = sink(Level::Bytes, &[]).await;
    let [_, _, (kind, encoding, body), _] = forms(&mixed(1));
    assert_eq!(post(&sink, kind, encoding, body).await.1, Some([3, 1, 1]));
    assert_eq!(sink.shutdown().await.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_says_is_refused() {
    let sink = sink(Level::Verify, &[]).await;
    let [one, one_zstd, two, _] = forms(&mixed(1)).map(|(_, _, body)| body);
    let broken = |change: fn(&mut v2::Request)| {
        let mut request = v2::Request::of(&mixed(1));
        change(&mut request);
        snappy(&request.encode_to_vec())
    };
    let mut cut = one_zstd.clone();
    cut.truncate(20);
    let huge = zstd(&vec![0; (256 << 20) + 1]);
    for (status, words, kind, encoding, body) in [
        (415, "Content-Type", "text/plain", "snappy", one.clone()),
        (415, "Content-Encoding", V1, "gzip", one.clone()),
        (400, "Content-Encoding", V1, "zstd", one.clone()),
        (400, "Content-Encoding", V1, "snappy", one_zstd),
        (400, "a field of 2.0", V1, "snappy", two),
        (400, "a field of 1.0", V2, "snappy", one),
        (400, "zstd", V1, "zstd", cut),
        (400, "more than", V1, "zstd", huge),
        (400, "empty text", V2, "snappy", broken(|request| request.symbols[0] = "x".into())),
        (400, "leads nowhere", V2, "snappy", broken(|request| request.timeseries[0].labels_refs[1] = 999)),
        (
            400,
            "without a value",
            V2,
            "snappy",
            broken(|request| request.timeseries[0].labels_refs.truncate(3)),
        ),
    ] {
        let (found, told, text) = post(&sink, kind, encoding, body).await;
        assert_eq!((found.as_u16(), told), (status, None), "{words}: {text}");
        assert!(text.contains(words), "{words}: {text}");
    }
    let stats = sink.shutdown().await;
    assert_eq!((stats.undecodable, stats.requests, stats.samples), (11, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_takes_no_2_0_or_no_zstd_takes_the_rest() {
    for (behave, refused) in [
        ("v2:415@0+60", [None, None, Some(415), Some(415)]),
        ("zstd:415@0+60", [None, Some(415), None, Some(415)]),
        ("zstd:400@0+60", [None, Some(400), None, Some(400)]),
    ] {
        let sink = sink(Level::Verify, &[behave]).await;
        for ((kind, encoding, body), refused) in forms(&mixed(1)).into_iter().zip(refused) {
            let (status, told, _) = post(&sink, kind, encoding, body).await;
            assert_eq!(status.as_u16(), refused.unwrap_or(204), "{behave}: {kind} {encoding}");
            assert_eq!(told.is_some(), refused.is_none() && kind == V2);
        }
        let stats = sink.shutdown().await;
        let turned_away = refused.iter().flatten().count() as u64;
        assert_eq!((stats.turned_away, stats.requests), (turned_away, 4 - turned_away), "{behave}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_loses_2_0_answers_as_if_it_had_taken_it() {
    let sink = sink(Level::Verify, &["lose-v2@0+60"]).await;
    for (kind, encoding, body) in forms(&mixed(1)) {
        let answer = post(&sink, kind, encoding, body).await;
        assert_eq!((answer.0.as_u16(), answer.1), (204, None));
    }
    let stats = sink.shutdown().await;
    assert_eq!((stats.lost, stats.requests, stats.turned_away), (2, 2, 0));
    assert_eq!(stats.forms.keys().collect::<Vec<_>>(), ["1.0 in snappy", "1.0 in zstd"]);
}
