//! Bad input gets a clear error; what is good in it is written, and nothing is lost uncounted.

use hyper::header::HeaderValue;
use prost::Message as _;
use seriesgate_proto::{Label, TimeSeries, WriteRequest, encode_snappy, snappy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::backend::{Backend, Step, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::support::http;
use super::{mixture, pods, sink};

fn raw_series(labels: Vec<Label>) -> TimeSeries {
    TimeSeries { labels, ..TimeSeries::default() }.with_sample(1, 1.0)
}

async fn undecodable(gate: &Gate, reason: &str) -> f64 {
    gate.metrics().await.sum("seriesgate_undecodable_requests_total", &[("reason", reason)])
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_series_are_refused_and_the_rest_is_written() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let invalid = [
        ("no_name", raw_series(vec![Label::new("job", "a")]), "a series without a name"),
        ("no_labels", raw_series(Vec::new()), "a series without a name"),
        (
            "duplicate_label",
            raw_series(vec![Label::new("__name__", "x"), Label::new("a", "1"), Label::new("a", "2")]),
            "`x`{a,a}, label `a`",
        ),
        ("empty_label_name", raw_series(vec![Label::new("", "1"), Label::new("__name__", "x")]), "`x`"),
        (
            "label_value_too_long",
            TimeSeries::named("x", &[("big", &"v".repeat(10_000_000))]).with_sample(1, 1.0),
            "`x`{big}, label `big`",
        ),
        (
            "label_name_too_long",
            TimeSeries::named("x", &[(&"n".repeat(5_000), "v")]).with_sample(1, 1.0),
            "`x`{nnnn",
        ),
    ];
    for (reason, series, named) in &invalid {
        let mut all = pods("kept", 2);
        all.insert(1, series.clone());
        let before = backend.seen().len();
        let reply = gate.send(&WriteRequest::of(all)).await;
        assert_eq!(reply.status, 400, "{reason}: {}", reply.text);
        assert!(reply.text.contains("1 of 3 series rejected"), "{reason}: {}", reply.text);
        let first = reply.text.split(", as ").nth(1).unwrap_or_default();
        assert!(first.starts_with(named) && reply.text.len() < 256, "{reason}: {}", reply.text);
        assert_eq!(backend.seen()[before].decoded(), mixture(2, 0), "{reason}");
        let rejected = [("fate", "rejected"), ("reason", *reason)];
        assert_eq!(gate.metrics().await.sum("seriesgate_samples_total", &rejected), 1.0, "{reason}");
    }
    gate.finish().await;
}

/// One such sample is enough for a Thanos tenant to take nothing that comes after.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_far_in_the_future_is_refused_and_the_rest_is_written() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).series("max_future: 10m").start().await;
    let future = TimeSeries::named("ahead", &[]).with_sample(4_000_000_000_000, 1.0);
    let mut all = pods("kept", 2);
    all.insert(1, future.clone());
    let reply = gate.send(&WriteRequest::of(all)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("further in the future than series.max_future"), "{}", reply.text);
    assert_eq!(backend.seen()[0].decoded(), mixture(2, 0));
    assert_eq!(gate.send(&WriteRequest::of(vec![future])).await.status, 400);
    assert_eq!(backend.seen().len(), 1, "nothing is left of it");
    let rejected = [("fate", "rejected"), ("reason", "too_far_in_future")];
    assert_eq!(gate.metrics().await.sum("seriesgate_samples_total", &rejected), 2.0);
    gate.finish().await;
}

/// What was refused can be asked for, with who sent it.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_refusals_are_listed_with_their_senders() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let odd = "evil\u{1b}[2J";
    let twice = vec![Label::new("__name__", odd), Label::new("a", "1"), Label::new("a", "2")];
    let bodies = [encode_snappy(&WriteRequest::of(vec![raw_series(twice)])), b"no snappy".to_vec()];
    for (body, times) in bodies.iter().zip([2, 1]) {
        for _ in 0..times {
            let mut request = http::write_request(gate.write, body.clone());
            for (name, value) in [("user-agent", "Telegraf/1.30"), ("x-scope-orgid", "team-7")] {
                request.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            assert_eq!(http::send(request).await.unwrap().status, 400);
        }
    }
    let reply = http::get(&gate.admin_url("/api/v1/rejected")).await.unwrap();
    assert!(!reply.text.contains('\u{1b}'));
    let answer: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!((&answer["rows_total"], &answer["rows"][0]["reason"]), (&2.into(), &"snappy".into()));
    let row = &answer["rows"][1];
    for (key, value) in [
        ("metric", "evil\\u001b[2J"),
        ("label", "a"),
        ("reason", "duplicate_label"),
        ("tenant", "team-7"),
        ("sender", "127.0.0.1"),
        ("user_agent", "Telegraf/1.30"),
    ] {
        assert_eq!(row[key], value, "{row}");
    }
    assert_eq!((&row["times"], &row["status"]), (&2.into(), &400.into()), "{row}");
    let none = http::get(&gate.admin_url("/api/v1/rejected?tenant=other")).await.unwrap();
    assert!(none.text.contains("\"rows_total\":0"), "{}", none.text);
    let report = std::process::Command::new(env!("CARGO_BIN_EXE_seriesgate"))
        .args(["report", "--admin", &gate.admin_url("")])
        .output()
        .unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("refused lately, the newest of 2 (/api/v1/rejected)\n"), "{report}");
    assert!(report.contains(" 1 time from 127.0.0.1"), "{report}");
    assert!(
        report.contains(" 2 times from 127.0.0.1 (Telegraf/1.30) for team-7: 1 of 1 series rejected"),
        "{report}"
    );
    gate.finish().await;
}

/// Also where nothing of it was read.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_refused_as_a_whole_are_listed_too() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).listen("max_body_size: 512KiB, max_in_flight: 1MiB").start().await;
    let body = encode_snappy(&mixture(1, 0));
    let refused = [
        ("content_encoding", 415, "/api/v1/write", ("content-encoding", "gzip"), body.clone()),
        ("content_type", 415, "/api/v1/write", ("content-type", "application/json"), body.clone()),
        ("path", 404, "/api/v1/wirte", ("user-agent", "a"), body.clone()),
        ("too_large", 413, "/api/v1/write", ("user-agent", "b"), vec![0; 600 << 10]),
        // a million series without labels, two bytes each
        ("too_large", 413, "/api/v1/write", ("user-agent", "c"), snappy(&[10, 0].repeat(1_000_000))),
    ];
    for (reason, status, path, (name, value), body) in refused {
        let mut request = http::write_request(gate.write, body);
        *request.uri_mut() = format!("http://{}{path}", gate.write).parse().unwrap();
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        let reply = http::send(request).await.unwrap();
        assert_eq!(reply.status, status, "{reason}: {}", reply.text);
        let rows = http::get(&gate.admin_url("/api/v1/rejected")).await.unwrap();
        let rows: serde_json::Value = serde_json::from_str(&rows.text).unwrap();
        let row = &rows["rows"][0];
        assert_eq!((&row["reason"], &row["status"]), (&reason.into(), &status.into()), "{row}");
        assert_eq!(row["message"], reply.text.trim_end(), "{row}");
    }
    assert_eq!(gate.send(&mixture(1, 0)).await.status, 204);
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    gate.finish().await;
}

/// Telegraf does so for ever, in another order each time, and sends nothing new before it got through.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_what_was_refused_a_third_time_gets_through_and_what_is_new_is_told_again() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let bad = |job: &str| raw_series(vec![Label::new("job", job)]);
    let mut all = [pods("kept", 2), vec![bad("a"), bad("b")]].concat();
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(gate.send(&WriteRequest::of(all.clone())).await.status);
        all.rotate_left(1);
    }
    assert_eq!(told, [400, 400, 204, 204]);
    assert_eq!(gate.send(&WriteRequest::of(vec![bad("c")])).await.status, 400);
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_requests_accepted_in_part_total", &[]), 2.0);
    assert_eq!(metrics.sum("seriesgate_samples_total", &[("fate", "rejected")]), 9.0);
    metrics.assert_conserved();
    gate.finish().await;
    for (invalid, status) in [("accept", 204), ("always_report", 400)] {
        let gate = Setup::to(backend.url()).listen(&format!("invalid: {invalid}")).start().await;
        for _ in 0..4 {
            assert_eq!(gate.send(&WriteRequest::of(all.clone())).await.status, status, "{invalid}");
        }
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_is_refused_and_the_rest_is_written() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let mut all = pods("kept", 2);
    all.push(TimeSeries::named("bad", &[("x", "MARK")]).with_sample(1, 1.0));
    let mut raw = WriteRequest::of(all).encode_to_vec();
    let at = raw.windows(4).position(|window| window == b"MARK").unwrap();
    raw[at] = 0xff;
    let reply = gate.post(snappy(&raw)).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert!(reply.text.contains("UTF-8"), "{}", reply.text);
    assert_eq!(backend.seen()[0].decoded(), mixture(2, 0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_valid_is_400_and_nothing_is_sent() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let reply = gate.send(&WriteRequest::of(vec![raw_series(vec![Label::new("job", "a")])])).await;
    assert_eq!((reply.status, sink.stats().requests), (400, 0), "{}", reply.text);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read_are_400() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let good = encode_snappy(&mixture(20, 20));
    let claims_4_gib = [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], b"short"].concat();
    let mut corrupt = good.clone();
    corrupt[4] ^= 0xff;
    let bad = [
        ("truncated", good[..good.len() / 2].to_vec(), "snappy"),
        ("no snappy", b"hello there, this is text".to_vec(), "snappy"),
        ("empty", Vec::new(), "snappy"),
        ("claims 4 GiB", claims_4_gib, "snappy"),
        ("no protobuf", snappy(b"\x0a\xff\xff\xff\xff\x0fno"), "protobuf"),
    ];
    for (what, body, reason) in bad {
        let before = undecodable(&gate, reason).await;
        let reply = gate.post(body).await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.text);
        assert!(!reply.text.is_empty(), "{what}");
        assert_eq!(undecodable(&gate, reason).await, before + 1.0, "{what}: {}", reply.text);
    }
    let metrics = gate.metrics().await;
    assert_eq!((sink.stats().requests, metrics.sum("seriesgate_samples_received_total", &[])), (0, 0.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_bytes_anywhere_are_counted_once_or_not_at_all() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let raw = mixture(2, 1).encode_to_vec();
    for at in 0..raw.len() {
        let mut corrupt = raw.clone();
        corrupt[at] ^= 0x55;
        let status = gate.post(snappy(&corrupt)).await.status;
        assert!(matches!(status, 204 | 400), "byte {at}: {status}");
        let status = gate.post(snappy(&raw[..at])).await.status;
        assert!(matches!(status, 204 | 400), "cut at {at}: {status}");
    }
    assert_eq!(gate.send(&mixture(2, 1)).await.status, 204);
    assert_eq!(sink.stats().undecodable, 0, "the gate forwarded what cannot be read");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_formats_are_415_and_other_methods_405() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let v3 = "application/x-protobuf;proto=io.prometheus.write.v3.Request";
    for (name, value) in
        [("content-type", v3), ("content-type", "application/json"), ("content-encoding", "gzip")]
    {
        let mut request = http::write_request(gate.write, encode_snappy(&mixture(1, 0)));
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        let reply = http::send(request).await.unwrap();
        assert_eq!(reply.status, 415, "{value}: {}", reply.text);
    }
    // some senders say so of what is remote write, and others of what is not
    for (body, status) in [(snappy(b"not a message"), 415), (b"plain text".to_vec(), 415)] {
        let mut request = http::write_request(gate.write, body);
        request.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        let reply = http::send(request).await.unwrap();
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(reply.text.contains("application/x-protobuf"), "{}", reply.text);
    }
    assert_eq!(sink.stats().requests, 0);
    for value in ["text/plain", "application/octet-stream"] {
        let mut request = http::write_request(gate.write, encode_snappy(&mixture(1, 0)));
        request.headers_mut().insert("content-type", HeaderValue::from_static(value));
        assert_eq!(http::send(request).await.unwrap().status, 204, "{value}");
    }
    // the same with a head that says nothing of it: 2xx would lose the data
    let symbols = b"\x22\x00\x22\x08__name__\x22\x02up";
    let reply = gate.post(snappy(symbols)).await;
    assert_eq!((reply.status, undecodable(&gate, "protobuf").await), (415, 2.0), "{}", reply.text);
    let read = http::get(&format!("http://{}/api/v1/write", gate.write)).await.unwrap();
    assert_eq!((read.status, read.header("allow")), (405, Some("POST")));
    assert_eq!(sink.stats().requests, 2);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_and_a_slow_one_503() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).listen("max_body_size: 1KiB, body_timeout: 200ms").start().await;
    assert_eq!(gate.post(vec![0; 2_000]).await.status, 413);

    let mut slow = TcpStream::connect(gate.write).await.unwrap();
    let head = "POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nslow";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(SOON, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert_eq!(undecodable(&gate, "body_timeout").await, 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hangs_up_within_its_body_is_counted() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let mut sender = TcpStream::connect(gate.write).await.unwrap();
    let head = "POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\npart";
    sender.write_all(head.as_bytes()).await.unwrap();
    // something is held once the gate has begun to read; before that it would see no request at all
    gate.until_metric_is("seriesgate_in_flight_bytes", &[], |bytes| bytes >= 100.0).await;
    drop(sender);
    gate.until_metric("seriesgate_undecodable_requests_total", &[("reason", "body_cut_off")], 1.0).await;
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    assert_eq!(sink.stats().requests, 0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bodies_than_fit_are_told_to_come_again() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).listen("max_body_size: 8KiB, max_in_flight: 8KiB").start().await;
    let series = TimeSeries::named("kept", &[("x", &noise(6_000))]).with_sample(1, 1.0);
    let body = encode_snappy(&WriteRequest::of(vec![series]));
    let write = gate.write;
    let held = tokio::spawn(http::send(http::write_request(write, body.clone())));
    backend.until_seen(1).await;
    let reply = gate.post(body).await;
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.text.contains("(listen.max_in_flight)"), "{}", reply.text);
    assert!(reply.header("retry-after").is_some());
    backend.release();
    assert_eq!(held.await.unwrap().unwrap().status, 204);
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    assert!(undecodable(&gate, "overload").await > 0.0);
    gate.finish().await;
}

/// Letters that snappy cannot make fewer.
fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_u32;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..length).map(letter).collect()
}
