//! The admin port when others hold its connections, and when a browser comes by.

use std::time::Duration;

use hyper::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::gate::{Gate, Setup};
use super::support::http;
use super::{NO_NOISE, sink};

/// As many as the port has room for.
const ROOM: usize = 64;
const HALF_A_FORM: &[u8] =
    b"POST /api/v1/cardinality/label_names HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nlim";

async fn hold(gate: &Gate, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(gate.admin).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        held.push(stream);
    }
    held
}

async fn closed(gate: &Gate, reason: &str) -> f64 {
    gate.metrics().await.sum("seriesgate_admin_connections_closed_total", &[("reason", reason)])
}

#[tokio::test(flavor = "multi_thread")]
async fn health_answers_however_many_connections_are_held() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    for bytes in [&b""[..], b"GET /-/hea", HALF_A_FORM] {
        let _held = hold(&gate, 2 * ROOM, bytes).await;
        for path in ["/-/healthy", "/-/ready"] {
            let answer = tokio::time::timeout(Duration::from_secs(3), http::get(&gate.admin_url(path))).await;
            assert_eq!(answer.expect("an answer in time").unwrap().status, 200, "{path}");
        }
    }
    assert!(closed(&gate, "too_many").await >= ROOM as f64);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_come_is_not_waited_for() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let mut silent = hold(&gate, 1, b"").await;
    let mut half_a_head = hold(&gate, 1, b"GET /-/hea").await;
    let mut half_a_form = hold(&gate, 1, HALF_A_FORM).await;
    for (held, answer) in [(&mut silent, ""), (&mut half_a_head, ""), (&mut half_a_form, "HTTP/1.1 408")] {
        let mut read = String::new();
        let all = held[0].read_to_string(&mut read);
        tokio::time::timeout(Duration::from_secs(15), all).await.expect("closed in time").unwrap();
        assert!(read.starts_with(answer), "{read:?} for {answer:?}");
    }
    assert_eq!(closed(&gate, "timeout").await, 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser_changes_nothing() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(NO_NOISE).start().await;
    for path in ["/-/bypass?on=true", "/-/reload"] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
            ("referer", "https://evil.example/"),
        ] {
            let request = Request::post(gate.admin_url(path)).header(name, value);
            let reply = http::send(request.body(Default::default()).unwrap()).await.unwrap();
            assert_eq!(reply.status, 403, "{path} with {name}: {}", reply.text);
        }
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_bypass", &[]), 0.0);
    assert_eq!(metrics.sum("seriesgate_config_reloads_total", &[]), 0.0);
    assert_eq!(metrics.sum("seriesgate_admin_browser_requests_refused_total", &[]), 8.0);
    // as `curl -X POST` does
    assert_eq!(gate.admin_post("/-/bypass?on=true").await.status, 200);
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    // and what only shows something is for browsers too
    let page = Request::get(gate.admin_url("/")).header("sec-fetch-site", "none");
    assert_eq!(http::send(page.body(Default::default()).unwrap()).await.unwrap().status, 200);
    gate.finish().await;
}
