//! The counting sink by itself, against bodies written with prost.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use seriesgate_loadtest::client::{Client, Reach, Target};
use seriesgate_loadtest::sink::{Level, Sink, SinkHandle, SinkOptions, Stats};
use seriesgate_proto::{Exemplar, Histogram, Label, TimeSeries, WriteRequest, encode_snappy, snappy};

async fn sink(options: SinkOptions) -> SinkHandle {
    Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap()
}

/// One request over its own connection: the status and the body of the answer.
async fn request(addr: SocketAddr, method: &str, path: &str, body: Vec<u8>) -> (u16, String) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn mixed() -> WriteRequest {
    let mut shuffled = TimeSeries::named("up", &[("job", "a"), ("zone", "z")]).with_sample(2, 1.0);
    shuffled.labels.reverse();
    let mut rich = TimeSeries::named("latency", &[("job", "b")]).with_sample(1, 1.0).with_sample(2, 2.0);
    rich.exemplars.push(Exemplar { labels: vec![Label::new("trace", "t")], value: 1.0, timestamp: 1 });
    rich.histograms.push(Histogram { custom_values: vec![1.0, 2.0], schema: -53, ..Histogram::default() });
    WriteRequest::of(vec![
        TimeSeries::named("up", &[("job", "a"), ("zone", "z")]).with_sample(1, 1.0),
        shuffled,
        rich,
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_a_body_is_counted_and_label_order_does_not_matter() {
    let sink = sink(SinkOptions { group_by: Some("job".into()), ..SinkOptions::default() }).await;
    let body = encode_snappy(&mixed());
    let wire_bytes = 2 * body.len() as u64;
    assert_eq!(request(sink.addr(), "POST", "/any/path?x=1", body.clone()).await.0, 204);
    assert_eq!(request(sink.addr(), "POST", "/api/v1/write", body).await.0, 204);

    let (status, json) = request(sink.addr(), "GET", "/stats", Vec::new()).await;
    let stats: Stats = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &stats), (200, &sink.stats()));
    assert_eq!((stats.requests, stats.wire_bytes), (2, wire_bytes));
    assert_eq!((stats.samples, stats.exemplars, stats.histograms), (8, 2, 2));
    assert_eq!(stats.distinct_series, 2);
    assert_eq!(stats.groups, [("a".to_owned(), 1), ("b".to_owned(), 1)].into());

    sink.reset();
    assert_eq!(sink.shutdown().await, Stats::default());
}

/// The same body under two accounts: one series, or two where scopes are told apart.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_told_apart_where_that_was_asked_for() {
    let sink = sink(SinkOptions { level: Level::Verify, ..SinkOptions::default() }).await;
    let series = TimeSeries::named("up", &[]).with_sample(1, 1.0);
    let body = encode_snappy(&WriteRequest::of(vec![series]));
    for (reset, distinct) in [("/reset", 1), ("/reset?scoped", 3), ("/reset", 1)] {
        assert_eq!(request(sink.addr(), "POST", reset, Vec::new()).await.0, 204);
        for (path, account) in [("/w", "1"), ("/w", "2"), ("/w?zone=a", "2"), ("/w?zone=a", "2")] {
            let url = format!("http://{}{path}", sink.addr());
            let target = Target::parse(&url, Reach::Loopback).unwrap().with_header("AccountID", account);
            let posted = Client::new(target.unwrap()).post(body.clone().into(), Duration::from_secs(5)).await;
            assert!(posted.unwrap().status.is_success());
        }
        assert_eq!(sink.stats().distinct_series, distinct, "{reset}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_answered_with_400_and_counted_apart() {
    let sink = sink(SinkOptions::default()).await;
    let whole = encode_snappy(&mixed());
    let bad = [
        whole[..whole.len() / 2].to_vec(),
        // a header that claims 4 GiB
        vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0],
        snappy(b"\x0a\x05ab"),
        snappy(b"\x0b"),
    ];
    let attempts = bad.len() as u64;
    for body in bad {
        assert_eq!(request(sink.addr(), "POST", "/", body).await.0, 400);
    }
    assert_eq!(request(sink.addr(), "DELETE", "/", Vec::new()).await.0, 405);
    assert_eq!(sink.shutdown().await, Stats { undecodable: attempts, ..Stats::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_level_of_bytes_nothing_is_decoded() {
    let sink = sink(SinkOptions { level: Level::Bytes, ..SinkOptions::default() }).await;
    assert_eq!(request(sink.addr(), "POST", "/", b"not snappy".to_vec()).await.0, 204);
    let forms = [("1.0 in snappy".to_owned(), 1)].into();
    assert_eq!(sink.shutdown().await, Stats { requests: 1, wire_bytes: 10, forms, ..Stats::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn series_beyond_the_limit_are_counted_and_not_kept() {
    for level in [Level::Series, Level::Verify] {
        let sink = sink(SinkOptions { level, max_series: 10, ..SinkOptions::default() }).await;
        let series = (0..25).map(|i| TimeSeries::named(&format!("m{i}"), &[]).with_sample(1, 1.0));
        let body = encode_snappy(&WriteRequest::of(series.collect()));
        assert_eq!(request(sink.addr(), "POST", "/", body).await.0, 204);
        let stats = sink.stats();
        assert_eq!((stats.samples, stats.distinct_series, stats.untracked), (25, 10, 15), "{level:?}");
    }
}
