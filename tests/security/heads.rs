//! Heads that are too large, too many lines, or never end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::backend::{Backend, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::{body, exchange, statuses};

const MIB: u64 = 1 << 20;

async fn rig(listen: &str) -> Gate {
    let backend = Backend::start(|_| stored()).await;
    Setup::to(backend.url()).listen(listen).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused_and_takes_no_memory() {
    let gate = rig("").await;
    let post = "POST /api/v1/write HTTP/1.1\r\nhost: x\r\n";
    let many: String = (0..5000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let heads = [
        ("one long value", format!("{post}x-a: {}\r\n\r\n", "a".repeat(1 << 20))),
        ("one long name", format!("{post}{}: a\r\n\r\n", "a".repeat(1 << 20))),
        ("many lines", format!("{post}{many}\r\n")),
        ("a hundred and one", format!("{post}{}\r\n", "x-a: b\r\n".repeat(101))),
        ("a long path", format!("POST /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 20))),
    ];
    let before = gate.own_memory();
    for _ in 0..20 {
        for (what, head) in &heads {
            let answers = exchange(gate.write, head.as_bytes()).await;
            let got = statuses(&answers);
            // the rest of a long one is not read, so a reset may overtake the answer
            let is_reset = got.is_empty() && head.len() > 1 << 16;
            assert!(is_reset || got == [431], "{what}: {answers}");
        }
    }
    let grown = gate.own_memory().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB", grown / MIB);
    assert_eq!(statuses(&exchange(gate.write, &whole()).await), [204, 200], "others are served");
    gate.finish().await;
}

fn whole() -> Vec<u8> {
    let body = body("up");
    let head = format!("POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_http_2_that_is_too_large_is_refused() {
    let gate = rig("http2: true").await;
    let before = gate.own_memory();
    for _ in 0..20 {
        let mut sender = http2(&gate).await;
        let mut request = Request::post(format!("http://{}/api/v1/write", gate.write));
        for n in 0..64 {
            // an index of the table costs a byte or two each time, and a kilobyte where it is spelled out
            request = request.header(format!("x-{n}"), "a".repeat(1000));
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::new())).unwrap()).await;
        assert!(answer.as_ref().is_err() || answer.as_ref().unwrap().status() == 431, "{answer:?}");
    }
    let grown = gate.own_memory().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB", grown / MIB);
    assert_eq!(statuses(&exchange(gate.write, &whole()).await), [204, 200], "others are served");
    gate.finish().await;
}

async fn http2(gate: &Gate) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(gate.write).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    // ends with its sender, or when the gate has enough
    tokio::spawn(connection);
    sender
}

/// Rapid reset: each request is begun and given up, so that it never counts as open.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_requests_back_at_once_keeps_nobody_out() {
    let gate = rig("http2: true").await;
    let before = gate.own_memory();
    for _ in 0..4 {
        let mut sender = http2(&gate).await;
        for _ in 0..2000 {
            let request = Request::post(format!("http://{}/api/v1/write", gate.write));
            let request = request.body(Full::new(Bytes::from(body("up")))).unwrap();
            if sender.ready().await.is_err() {
                break;
            }
            // begun, and dropped
            tokio::time::timeout(Duration::ZERO, sender.send_request(request)).await.ok();
        }
        let honest = tokio::time::timeout(SOON, exchange(gate.write, &whole())).await;
        assert_eq!(statuses(&honest.expect("it is served meanwhile")), [204, 200]);
    }
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    let grown = gate.own_memory().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    gate.finish().await;
}

/// Sends a byte now and then until the other end closes; how long that took, and what was answered.
async fn trickle(mut stream: TcpStream, bytes: &[u8]) -> (Duration, String) {
    #[allow(clippy::disallowed_methods)] // real time is what is tested
    let began = Instant::now();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let slowly = async {
        for byte in bytes.iter().cycle() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // a reset is an end, too
        _ = read.read_to_end(&mut answer) => {}
        () = slowly => {}
        () = tokio::time::sleep(SOON) => panic!("it is still open"),
    }
    (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_keeps_nobody_out_and_is_not_waited_for() {
    let gate = rig("header_timeout: 1s, body_timeout: 1s, max_connections: 100").await;
    let post = "POST /api/v1/write HTTP/1.1\r\nhost: x\r\n";
    let mut slow = Vec::new();
    for n in 0..60 {
        let mut stream = TcpStream::connect(gate.write).await.unwrap();
        let (start, more) = match n % 3 {
            0 => (post.to_owned(), "x-a: b\r\n"),
            1 => (format!("{post}content-length: 1000000\r\n\r\n"), "x"),
            _ => (format!("{post}transfer-encoding: chunked\r\n\r\n"), "1\r\nx\r\n"),
        };
        stream.write_all(start.as_bytes()).await.unwrap();
        slow.push(tokio::spawn(async move { (n, trickle(stream, more.as_bytes()).await) }));
    }
    let honest = tokio::time::timeout(Duration::from_secs(1), exchange(gate.write, &whole())).await;
    assert_eq!(statuses(&honest.expect("it is served meanwhile")), [204, 200]);
    for task in slow {
        let (n, (took, answer)) = task.await.unwrap();
        assert!(took < Duration::from_secs(10), "{n}: {took:?}");
        // a head that does not come has no answer; of a body the sender learns to come again
        let wanted: &[u16] = if n % 3 == 0 { &[] } else { &[503] };
        assert_eq!(statuses(&answer), wanted, "{n}: {answer}");
    }
    gate.until_metric("seriesgate_connections", &[], 0.0).await;
    let metrics = gate.metrics().await;
    let refused = metrics.sum("seriesgate_connections_refused_total", &[("reason", "header_timeout")]);
    let late = metrics.sum("seriesgate_undecodable_requests_total", &[("reason", "body_timeout")]);
    assert_eq!((refused, late), (20.0, 40.0), "{}", metrics.0);
    gate.finish().await;
}
