//! The write port over real sockets: what is accepted, what is answered, what is handed on.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

#[path = "intake/access.rs"]
mod access;
#[path = "support/authority.rs"]
mod authority;
#[path = "intake/connections.rs"]
mod connections;
#[path = "intake/dribblers.rs"]
mod dribblers;
#[path = "intake/harness.rs"]
mod harness;
#[path = "intake/http2.rs"]
mod http2;
#[path = "intake/tls.rs"]
mod tls;

use std::time::Duration;

use harness::{Gate, answered, request, write};
use hyper::StatusCode;
use seriesgate::intake::SenderReply;

#[tokio::test]
async fn a_write_is_handed_on_whole() {
    let gate = Gate::start(|_| {});
    let mut sender = gate.connect().await;
    let headers = "X-Scope-OrgID: team-a\r\nUser-Agent: Prometheus/3\r\nAuthorization: Bearer t\r\n\
                   Retry-Attempt: 2\r\nCookie: no\r\nContent-Type: application/x-protobuf\r\n";
    let reply = sender.exchange(request("POST /mine?a=b&c", headers, "body")).await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(reply.header("content-type"), None);
    let seen = gate.handler.seen.lock().pop().unwrap();
    assert_eq!((seen.tenant.as_str(), &seen.body[..]), ("team-a", &b"body"[..]));
    assert_eq!(seen.query.as_deref(), Some("a=b&c"));
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "retry-attempt", "user-agent", "x-scope-orgid"]);
    assert_eq!(gate.metric("seriesgate_requests_total{code=\"204\"}"), 1.0);
    assert_eq!(gate.metric("seriesgate_request_bytes_total"), 4.0);
}

#[tokio::test]
async fn an_answer_is_text_with_retry_after_in_whole_seconds() {
    let gate = Gate::start(|_| {});
    *gate.handler.answer.lock() = SenderReply::nothing_written(
        StatusCode::SERVICE_UNAVAILABLE,
        Some(Duration::from_millis(1200)),
        "upstream is away",
    );
    let reply = gate.connect().await.exchange(write("x")).await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "upstream is away\n"));
    assert_eq!(reply.header("retry-after"), Some("2"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_unread() {
    let v3 = "Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request\r\n";
    let cases = [
        ("POST /nowhere", "", 404, "path"),
        ("GET /api/v1/write", "", 405, "method"),
        ("DELETE /-/ready", "", 405, "method"),
        ("POST /write", v3, 415, "content_type"),
        ("POST /write", "Content-Type: text/html\r\n", 415, "content_type"),
        ("POST /write", "Content-Encoding: deflate\r\n", 415, "content_encoding"),
        ("POST /write", "Content-Encoding: gzip\r\n", 415, "content_encoding"),
        ("POST /write", "X-Scope-OrgID: a\r\nX-Scope-OrgID: b\r\n", 400, "tenant"),
        ("POST /write", "X-Scope-OrgID: a\r\nX-Scope-OrgID: a\r\n", 204, ""),
        ("POST /write", "X-Scope-OrgID: \u{e9}\u{300}\r\n", 204, ""),
    ];
    for (line, headers, status, reason) in cases {
        let gate = Gate::start(|_| {});
        let reply = gate.connect().await.exchange(request(line, headers, "body")).await;
        assert_eq!(reply.status, status, "{line} {headers}");
        assert_eq!(reply.body.is_empty(), status == 204, "{line} {headers}");
        if !reason.is_empty() {
            let series = format!("seriesgate_undecodable_requests_total{{reason=\"{reason}\"}}");
            assert_eq!(gate.metric(&series), 1.0, "{line} {headers}");
            assert!(gate.handler.seen.lock().is_empty());
        }
        assert_eq!(gate.metric(&format!("seriesgate_requests_total{{code=\"{status}\"}}")), 1.0);
    }
}

#[tokio::test]
async fn a_lost_sender_is_told_the_way() {
    let gate = Gate::start(|_| {});
    let reply = gate.connect().await.exchange(request("POST /api/v2/write", "", "")).await;
    // own paths may be secrets: they are not told to whoever asks
    assert!(reply.body.contains("/api/v1/write") && !reply.body.contains("/mine"), "{}", reply.body);
    let reply = gate.connect().await.exchange(request("PUT /write", "", "")).await;
    assert_eq!(reply.header("allow"), Some("post"));
}

#[tokio::test]
async fn a_tenant_must_be_short_text() {
    let gate = Gate::start(|_| {});
    let mut bad = b"POST /write HTTP/1.1\r\nContent-Length: 0\r\nX-Scope-OrgID: ".to_vec();
    bad.extend_from_slice(b"\xff\xfe\r\n\r\n");
    assert_eq!(gate.connect().await.exchange(bad).await.status, 400);
    let long = format!("X-Scope-OrgID: {}\r\n", "t".repeat(257));
    assert_eq!(gate.connect().await.exchange(request("POST /write", &long, "")).await.status, 400);
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"tenant\"}"), 2.0);
}

#[tokio::test]
async fn health_is_the_handlers_and_not_counted() {
    let gate = Gate::start(|_| {});
    let mut prober = gate.connect().await;
    let reply = prober.exchange("GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "{\"status\":\"ok\"}\n"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    prober.send("HEAD /-/ready HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(prober.reply_to("HEAD").await.status, 503);
    assert_eq!(answered(&gate.registry), 0);
}

#[tokio::test]
async fn a_declared_body_over_the_limit_is_not_read() {
    let gate = Gate::start(|listen| listen.max_body_bytes = 10);
    let mut sender = gate.connect().await;
    let reply = sender.exchange("POST /write HTTP/1.1\r\nContent-Length: 4000000000\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(reply.body.contains("10 bytes (listen.max_body_size"), "{}", reply.body);
}

#[tokio::test]
async fn a_refused_sender_that_goes_on_sending_still_gets_its_answer() {
    let gate = Gate::start(|listen| listen.max_body_bytes = 10);
    let mut sender = gate.connect().await;
    // sends everything before it reads: closing early would reset the connection under the answer
    let reply = sender.exchange(write(&"x".repeat(4 << 20))).await;
    assert_eq!(reply.status, 413);
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"too_large\"}"), 1.0);
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"body_cut_off\"}"), 0.0);
}

#[tokio::test]
async fn a_chunked_body_is_joined_and_limited() {
    let gate = Gate::start(|listen| listen.max_body_bytes = 10);
    let head = "POST /write HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut sender = gate.connect().await;
    let reply = sender.exchange(format!("{head}4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n")).await;
    assert_eq!(reply.status, 204);
    assert_eq!(gate.handler.seen.lock()[0].body, "abcdef");
    let reply = sender.exchange(format!("{head}6\r\nabcdef\r\n6\r\nghijkl\r\n")).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
}

#[tokio::test]
async fn a_large_body_arrives_bit_for_bit() {
    let gate = Gate::start(|listen| listen.max_body_bytes = 1 << 20);
    let body: String = (0..300_000u32).map(|n| char::from(b'a' + (n * 7 % 26) as u8)).collect();
    let mut sender = gate.connect().await;
    for _ in 0..3 {
        assert_eq!(sender.exchange(write(&body)).await.status, 204);
    }
    assert!(gate.handler.seen.lock().iter().all(|inbound| inbound.body == body));
    assert_eq!(gate.metric("seriesgate_connections_accepted_total"), 1.0);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_to_continue() {
    let gate = Gate::start(|_| {});
    let mut sender = gate.connect().await;
    let head = "POST /write HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(sender.exchange(head).await.status, 100);
    assert_eq!(sender.exchange("body").await.status, 204);
    let refused = head.replace("Expect", "Content-Encoding: gzip\r\nExpect");
    assert_eq!(sender.exchange(refused).await.status, 415);
}

#[tokio::test]
async fn what_the_budget_cannot_hold_comes_again() {
    let gate = Gate::start_holding(|listen| {
        (listen.max_body_bytes, listen.max_in_flight_bytes) = (300_000, Some(400_000));
    });
    let body = "x".repeat(250_000);
    let mut first = gate.connect().await;
    first.send(write(&body)).await;
    gate.handler.begun.acquire().await.unwrap().forget();
    // the body and what its connection is read into
    let held = gate.metric("seriesgate_in_flight_bytes");
    assert!((258_192.0..=400_000.0).contains(&held), "{held}");
    let mut second = gate.connect().await;
    let reply = second.exchange(write(&body)).await;
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((reply.status, (1..=5).contains(&wait)), (503, true));
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"overload\"}"), 1.0);
    gate.handler.permits.add_permits(2);
    assert_eq!(first.reply().await.status, 204);
    gate.until("seriesgate_in_flight_bytes", 0.0).await;
    assert_eq!(gate.connect().await.exchange(write(&body)).await.status, 204);
    assert_eq!(gate.metric("seriesgate_in_flight_bytes_max"), 400_000.0);
}

#[tokio::test]
async fn a_body_over_the_whole_budget_is_too_large_not_too_early() {
    let gate = Gate::start(|listen| listen.max_in_flight_bytes = Some(1000));
    assert_eq!(gate.connect().await.exchange(write(&"x".repeat(1000))).await.status, 204);
    assert_eq!(gate.connect().await.exchange(write(&"x".repeat(1001))).await.status, 413);
}

#[tokio::test]
async fn pipelined_writes_are_answered_in_order() {
    let gate = Gate::start(|_| {});
    let mut sender = gate.connect().await;
    sender.send([write("one"), write("two"), request("GET /write", "", ""), write("three")].concat()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sender.reply().await.status);
    }
    assert_eq!(statuses, [204, 204, 405, 204]);
    let bodies: Vec<_> = gate.handler.seen.lock().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, ["one", "two", "three"]);
}
