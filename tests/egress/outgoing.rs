//! What goes out on the wire.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use seriesgate::config::{self, BasicAuth, Secret, UpstreamAuth};
use seriesgate::egress::{Client, EgressError, Outbound};
use seriesgate::telemetry::{EgressMetrics, Registry};

use crate::upstream::{BODY, Gate, Seen, Upstream, http, ok, outbound, settings};

async fn sent(change: impl FnOnce(&mut config::Upstream), outbound: Outbound) -> Seen {
    let upstream = Upstream::start(vec![ok()]).await;
    let mut settings = http(upstream.address);
    change(&mut settings);
    Gate::new(&settings).client.send(outbound).await;
    upstream.seen().remove(0)
}

fn with_headers(headers: &[(&'static str, &'static str)]) -> Outbound {
    let pairs = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    Outbound { headers: map, ..outbound() }
}

#[tokio::test]
async fn a_plain_request_has_exactly_the_headers_of_remote_write() {
    let seen = sent(|_| {}, outbound()).await;
    assert_eq!(seen.line(), "POST /api/v1/write HTTP/1.1");
    assert_eq!(seen.body, BODY);
    let mut lines: Vec<&str> = seen.head.lines().skip(1).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    let host = format!("host: {}", seen.header("host")[0]);
    let length = format!("content-length: {}", BODY.len());
    let agent = format!("user-agent: seriesgate/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        "content-encoding: snappy",
        &length,
        "content-type: application/x-protobuf",
        &host,
        &agent,
        "via: 1.1 seriesgate-00000007",
        "x-prometheus-remote-write-version: 0.1.0",
    ];
    assert_eq!(lines, expected);
    assert!(seen.header("host")[0].starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn the_senders_headers_go_on_but_not_those_that_frame_its_request() {
    let from_sender = with_headers(&[
        ("user-agent", "Prometheus/3.1.0"),
        ("x-scope-orgid", "a"),
        ("x-scope-orgid", "b"),
        ("retry-attempt", "2"),
        ("content-type", "text/plain"),
        ("content-encoding", "zstd"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("expect", "100-continue"),
        ("accept-encoding", "gzip"),
        ("host", "elsewhere"),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ]);
    let seen = sent(|_| {}, from_sender).await;
    assert_eq!(seen.header("user-agent"), ["Prometheus/3.1.0"]);
    assert_eq!(seen.header("x-scope-orgid"), ["a", "b"]);
    assert_eq!(seen.header("retry-attempt"), ["2"]);
    assert_eq!(seen.header("content-type"), ["application/x-protobuf"]);
    assert_eq!(seen.header("content-encoding"), ["snappy"]);
    assert_eq!(seen.header("content-length"), [BODY.len().to_string()]);
    assert_eq!(seen.header("x-prometheus-remote-write-version"), ["0.1.0"]);
    assert_ne!(seen.header("host"), ["elsewhere"]);
    for name in ["transfer-encoding", "connection", "expect", "accept-encoding"] {
        assert!(seen.header(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn configured_headers_win_over_the_senders() {
    let configured = |settings: &mut config::Upstream| {
        settings.headers = vec![
            ("x-scope-orgid".to_owned(), Secret::new("ours")),
            ("x-extra".to_owned(), Secret::new("1")),
            ("user-agent".to_owned(), Secret::new("ours/1")),
        ];
    };
    let from_sender = with_headers(&[("x-scope-orgid", "theirs"), ("user-agent", "Prometheus/3.1.0")]);
    let seen = sent(configured, from_sender).await;
    assert_eq!(seen.header("x-scope-orgid"), ["ours"]);
    assert_eq!(seen.header("x-extra"), ["1"]);
    assert_eq!(seen.header("user-agent"), ["ours/1"]);
}

#[tokio::test]
async fn credentials_are_sent_as_configured() {
    let basic = |settings: &mut config::Upstream| {
        let password = Secret::new("open sesame");
        settings.auth = UpstreamAuth::Basic(BasicAuth { username: "Aladdin".to_owned(), password });
    };
    // the example of RFC 7617, with its space
    assert_eq!(sent(basic, outbound()).await.header("authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    let bearer = |settings: &mut config::Upstream| settings.auth = UpstreamAuth::Bearer(Secret::new("t0ken"));
    assert_eq!(sent(bearer, outbound()).await.header("authorization"), ["Bearer t0ken"]);
}

#[tokio::test]
async fn the_senders_authorization_goes_on_only_where_that_is_asked_for_and_ours_is_absent() {
    let theirs = || with_headers(&[("authorization", "Bearer theirs")]);
    assert!(sent(|_| {}, theirs()).await.header("authorization").is_empty());
    let forward = |settings: &mut config::Upstream| settings.forward_authorization = true;
    assert_eq!(sent(forward, theirs()).await.header("authorization"), ["Bearer theirs"]);
    let both = |settings: &mut config::Upstream| {
        settings.forward_authorization = true;
        settings.auth = UpstreamAuth::Bearer(Secret::new("ours"));
    };
    assert_eq!(sent(both, theirs()).await.header("authorization"), ["Bearer ours"]);
}

#[tokio::test]
async fn the_senders_query_follows_our_own() {
    for (own, theirs, expected) in [
        ("/w", None, "/w"),
        ("/w", Some(""), "/w"),
        ("/w", Some("extra_label=a%3Db&x=1"), "/w?extra_label=a%3Db&x=1"),
        ("/w?key=1", None, "/w?key=1"),
        ("/w?key=1", Some("x=1"), "/w?key=1&x=1"),
        ("", Some("x=1"), "/?x=1"),
        ("?key=1", Some("x=1"), "/?key=1&x=1"),
    ] {
        let with_path = |settings: &mut config::Upstream| {
            settings.url = settings.url.replace("/api/v1/write", own);
        };
        let outbound = Outbound { query: theirs.map(str::to_owned), ..outbound() };
        let seen = sent(with_path, outbound).await;
        assert_eq!(seen.line(), format!("POST {expected} HTTP/1.1"));
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_without_showing_secrets() {
    let refused = |change: fn(&mut config::Upstream)| -> EgressError {
        let mut settings = settings("http://backend/write".to_owned());
        change(&mut settings);
        let metrics = Arc::new(EgressMetrics::new(&Arc::new(Registry::default()), "primary"));
        let error = Client::new(&settings, metrics, 0).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        error
    };
    refused(|s| s.url = "https://user:hunter2@backend/write".to_owned());
    refused(|s| s.auth = UpstreamAuth::Bearer(Secret::new("hunter2\n")));
    refused(|s| s.headers = vec![("x-key".to_owned(), Secret::new("hunter2\r\nx: y"))]);
    let error = refused(|s| s.headers = vec![("content-type".to_owned(), Secret::new("hunter2"))]);
    assert_eq!(error.to_string(), "headers: `content-type` is set by seriesgate and cannot be configured");
}
