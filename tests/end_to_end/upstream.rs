//! Every answer and every failure of the upstream, and what the sender is told.

use std::net::Ipv4Addr;
use std::time::Duration;

use seriesgate_proto::{WriteRequest, encode_snappy};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::support::backend::{Backend, Step, answer, stored};
use super::support::gate::{Gate, Setup};
use super::support::ports;
use super::{NO_NOISE, mixture, pods, sink};

/// Samples that went back, by cause.
async fn returned(gate: &Gate, cause: &str) -> f64 {
    gate.metrics().await.sum("seriesgate_samples_total", &[("fate", "returned"), ("reason", cause)])
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_503s_and_then_success_store_everything_once() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(NO_NOISE).start().await;
    sink.answer_with(hyper::StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..5 {
        assert_eq!(gate.send(&mixture(7, 3)).await.status, 503);
    }
    let metrics = gate.metrics().await;
    assert_eq!(
        (metrics.fate("returned"), metrics.fate("dropped"), metrics.fate("forwarded")),
        (50.0, 0.0, 0.0)
    );
    // nothing was stored, so nothing is remembered
    assert_eq!(metrics.sum("seriesgate_new_series_total", &[]), 0.0);
    metrics.assert_conserved();
    sink.answer_with(hyper::StatusCode::NO_CONTENT);
    assert_eq!(gate.send(&mixture(7, 3)).await.status, 204);
    let metrics = gate.metrics().await;
    assert_eq!(
        (metrics.fate("returned"), metrics.fate("dropped"), metrics.fate("forwarded")),
        (50.0, 3.0, 7.0)
    );
    assert_eq!(metrics.sum("seriesgate_new_series_total", &[]), 10.0);
    let answered =
        |code| metrics.sum("seriesgate_upstream_requests_total", &[("upstream", "primary"), ("code", code)]);
    assert_eq!((answered("503"), answered("204"), sink.stats().samples), (5.0, 1.0, 7));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_5xx_is_passed_on_with_its_retry_after_capped() {
    let backend = Backend::start(|_| answer("504 Gateway Timeout", "retry-after: 3600\r\n", "busy")).await;
    let gate = Setup::to(backend.url()).start().await;
    let reply = gate.send(&mixture(1, 0)).await;
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((reply.status, (25..=30).contains(&wait)), (504, true), "{wait} s");
    assert!(reply.text.contains("busy"), "{}", reply.text);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_cut_off_sends_the_data_back() {
    let cut = [
        "HTTP/1.1 204 No Co",
        "HTTP/1.1 503 Busy\r\ncontent-length: 100\r\n\r\npart",
        "",
        "\0\0 what?\r\n\r\n",
    ];
    for text in cut {
        let backend = Backend::start(move |_| Step::AnswerAndClose(text.to_owned())).await;
        let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
        let reply = gate.send(&mixture(4, 2)).await;
        assert_eq!(reply.status, 503, "{text:?}: {}", reply.text);
        assert_eq!(returned(&gate, "upstream").await, 6.0, "{text:?}");
        backend.answer_by(|_| stored());
        assert_eq!(gate.send(&mixture(4, 2)).await.status, 204);
        assert_eq!(backend.seen().last().unwrap().decoded(), mixture(4, 0));
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hangs_up_while_the_upstream_works_is_counted() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    let body = encode_snappy(&mixture(5, 2));
    let mut sender = TcpStream::connect(gate.write).await.unwrap();
    let head = format!("POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    sender.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    backend.until_seen(1).await;
    drop(sender);
    // the request upstream is given up, too
    backend.until_hung_up().await;
    let labels = [("fate", "returned"), ("reason", "hung_up")];
    gate.until_metric("seriesgate_samples_total", &labels, 7.0).await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_refuses_is_a_503() {
    let gate = Setup::to(format!("http://{}/write", ports::free())).start().await;
    let reply = gate.send(&mixture(3, 0)).await;
    assert_eq!((reply.status, returned(&gate, "upstream").await), (503, 3.0));
    assert!(reply.text.contains("refused"), "{}", reply.text);
    assert_eq!(gate.metrics().await.sum("seriesgate_upstream_requests_total", &[("code", "0")]), 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_silent_is_a_503() {
    // one accepts and says nothing, the other never accepts
    let backend = Backend::start(|_| Step::Hold).await;
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for url in [backend.url(), format!("http://{}/write", deaf.local_addr().unwrap())] {
        let gate = Setup::to(url).upstream("timeout: 300ms").start().await;
        let reply = gate.send(&mixture(3, 0)).await;
        assert_eq!((reply.status, returned(&gate, "upstream").await), (503, 3.0));
        assert!(reply.text.contains("300ms"), "{}", reply.text);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_our_own_mistake_keeps_the_data_at_its_sender() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "405 Nope", "415 Nope", "302 Found"]
    {
        let backend = Backend::start(move |_| answer(status, "", "why")).await;
        let gate = Setup::to(backend.url()).start().await;
        let reply = gate.send(&mixture(2, 0)).await;
        assert_eq!((reply.status, returned(&gate, "upstream").await), (503, 2.0), "{status}");
        assert!(reply.text.contains(&status[..3]) && reply.text.contains("why"), "{status}: {}", reply.text);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_the_upstream_refuses_for_good_is_rejected() {
    for status in ["400 Bad Request", "409 Conflict", "422 Nope"] {
        let backend = Backend::start(move |_| answer(status, "", "out of order sample")).await;
        let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
        let reply = gate.send(&mixture(5, 3)).await;
        assert_eq!(reply.status.to_string(), status[..3], "{}", reply.text);
        assert!(reply.text.contains("out of order sample"), "{}", reply.text);
        let metrics = gate.metrics().await;
        let refused =
            metrics.sum("seriesgate_samples_total", &[("fate", "rejected"), ("reason", "upstream")]);
        assert_eq!((refused, metrics.fate("dropped"), metrics.fate("forwarded")), (5.0, 3.0, 0.0));
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_sender_is_told_so_or_to_come_again() {
    let theirs = "retry-after: 2\r\n";
    for (keys, headers, status, cause) in [
        ("upstream_429: pass", theirs, 429, "throttled"),
        ("upstream_429: pass", "", 429, "throttled"),
        ("upstream_429: retry", theirs, 503, "upstream"),
    ] {
        let backend = Backend::start(move |_| answer("429 Too Many Requests", headers, "slow")).await;
        let gate = Setup::to(backend.url()).upstream(keys).start().await;
        let reply = gate.send(&mixture(2, 0)).await;
        assert_eq!((reply.status, returned(&gate, cause).await), (status, 2.0), "{keys}");
        assert!(reply.header("retry-after").is_some(), "{keys}");
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_split_until_it_fits() {
    // the second is what VictoriaMetrics says
    for (status, text) in [
        ("413 Payload Too Large", "too large"),
        ("400 Bad Request", "too big packed request; mustn't exceed `-maxInsertRequestSize=33554432` bytes"),
    ] {
        let full = move || answer(status, "", text);
        let backend =
            Backend::start(move |seen| if seen.decoded().timeseries.len() > 3 { full() } else { stored() })
                .await;
        let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
        assert_eq!(gate.send(&mixture(20, 5)).await.status, 204, "{status}");
        let parts = backend.seen().into_iter().map(|seen| seen.decoded().timeseries);
        let taken: Vec<_> = parts.filter(|series| series.len() <= 3).flatten().collect();
        assert_eq!(taken, pods("kept", 20), "in order, each once");
        let metrics = gate.metrics().await;
        assert_eq!((metrics.fate("forwarded"), metrics.fate("dropped")), (20.0, 5.0));
        assert!(metrics.sum("seriesgate_upstream_splits_total", &[]) > 0.0);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_fits_is_rejected_and_the_rest_is_stored() {
    let too_large = |request: &WriteRequest| {
        request.timeseries.len() > 2 || request.timeseries.iter().any(|one| one.label("pod") == Some("pod-3"))
    };
    let full = || answer("413 Payload Too Large", "", "too large");
    let backend =
        Backend::start(move |seen| if too_large(&seen.decoded()) { full() } else { stored() }).await;
    let gate = Setup::to(backend.url()).start().await;
    let reply = gate.send(&mixture(8, 0)).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert!(reply.text.contains("1 samples") || reply.text.contains("1 sample "), "{}", reply.text);
    let metrics = gate.metrics().await;
    let rejected = metrics.sum("seriesgate_samples_total", &[("fate", "rejected"), ("reason", "too_large")]);
    assert_eq!((metrics.fate("forwarded"), rejected), (7.0, 1.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_for_now_sends_all_back() {
    let mut parts = 0;
    let backend = Backend::start(move |seen| match seen.decoded().timeseries.len() {
        5.. => answer("413 Payload Too Large", "", ""),
        _ => {
            parts += 1;
            if parts == 2 { answer("503 Service Unavailable", "", "") } else { stored() }
        }
    })
    .await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    assert_eq!(gate.send(&mixture(8, 2)).await.status, 503);
    assert_eq!(returned(&gate, "upstream").await, 10.0);
    assert_eq!(gate.send(&mixture(8, 2)).await.status, 204);
    assert_eq!(gate.metrics().await.fate("forwarded"), 8.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_of_a_request_have_one_timeout_together() {
    let backend = Backend::start(|seen| {
        std::thread::sleep(Duration::from_millis(50));
        if seen.decoded().timeseries.len() > 1 { answer("413 Payload Too Large", "", "") } else { stored() }
    })
    .await;
    let gate = Setup::to(backend.url()).upstream("timeout: 1s").start().await;
    let reply = gate.send(&mixture(100, 0)).await;
    assert_eq!((reply.status, returned(&gate, "upstream").await), (503, 100.0), "{}", reply.text);
    let requests = backend.seen().len();
    assert!(requests <= 25, "{requests} requests of 50 ms each within 1 s");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retryable_wins_over_400() {
    let backend = Backend::start(|_| answer("503 Service Unavailable", "", "")).await;
    let gate = Setup::to(backend.url()).start().await;
    let mut request = mixture(2, 0);
    request.timeseries[0].labels.remove(0);
    assert_eq!(gate.send(&request).await.status, 503);
    assert_eq!(returned(&gate, "upstream").await, 2.0);
    backend.answer_by(|_| stored());
    assert_eq!(gate.send(&request).await.status, 400);
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("rejected"), metrics.fate("forwarded")), (1.0, 1.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_leads_back_to_the_gate_makes_one_request_of_each() {
    let gate = Setup::to_itself().start().await;
    for _ in 0..3 {
        let reply = gate.send(&mixture(1, 0)).await;
        assert_eq!(reply.status, 508, "{}", reply.text);
        assert!(reply.text.contains("leads back to it"), "{}", reply.text);
    }
    let metrics = gate.metrics().await;
    let looped = metrics.sum("seriesgate_undecodable_requests_total", &[("reason", "loop")]);
    assert_eq!((looped, returned(&gate, "upstream").await), (3.0, 3.0));
    metrics.assert_conserved();
    gate.finish().await;
}
