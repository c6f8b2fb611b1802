//! HTTP/2 with prior knowledge, on the port that also speaks HTTP/1.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use seriesgate::intake::Drained;
use tokio::net::TcpStream;

use crate::harness::{Gate, write};

async fn connect(gate: &Gate) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(gate.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn post(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("http://gate/api/v1/write").body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn both_protocols_share_the_port() {
    let gate = Gate::start(|listen| listen.http2 = true);
    let mut sender = connect(&gate).await;
    let (first, second) =
        tokio::join!(sender.clone().send_request(post("one")), sender.send_request(post("two")));
    assert_eq!(first.unwrap().status(), 204);
    assert_eq!(second.unwrap().status(), 204);
    assert_eq!(gate.connect().await.exchange(write("three")).await.status, 204);
    let refused = Request::post("http://gate/elsewhere").body(Full::from("x")).unwrap();
    let response = sender.send_request(refused).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.into_body().collect().await.unwrap().to_bytes().starts_with(b"not found"));
    assert_eq!(gate.handler.seen.lock().len(), 3);
}

#[tokio::test]
async fn deadlines_hold_before_the_protocol_is_known() {
    let short = Duration::from_millis(100);
    let gate = Gate::start(|listen| {
        (listen.http2, listen.first_byte_timeout, listen.header_timeout) = (true, short, short);
    });
    gate.connect().await.closed().await;
    gate.until("seriesgate_connections_refused_total{reason=\"first_byte_timeout\"}", 1.0).await;
    let mut half = gate.connect().await;
    half.send("PRI * HT").await;
    half.closed().await;
    gate.until("seriesgate_connections_refused_total{reason=\"header_timeout\"}", 1.0).await;
}

#[tokio::test]
async fn an_old_or_idle_connection_goes_away() {
    let short = Duration::from_millis(100);
    let aged = Gate::start(|listen| (listen.http2, listen.max_connection_age) = (true, short));
    let mut sender = connect(&aged).await;
    tokio::time::sleep(short * 2).await;
    assert_eq!(sender.send_request(post("x")).await.unwrap().status(), 204);
    aged.until("seriesgate_connections", 0.0).await;
    assert_eq!(aged.metric("seriesgate_connections_aged_total"), 1.0);

    let idle = Gate::start(|listen| (listen.http2, listen.idle_timeout) = (true, short));
    let mut sender = connect(&idle).await;
    assert_eq!(sender.send_request(post("x")).await.unwrap().status(), 204);
    idle.until("seriesgate_connections", 0.0).await;
}

#[tokio::test]
async fn shutdown_finishes_streams_in_hand() {
    let gate = Gate::start_holding(|listen| listen.http2 = true);
    let mut sender = connect(&gate).await;
    let answer = tokio::spawn(async move { sender.send_request(post("x")).await });
    gate.handler.begun.acquire().await.unwrap().forget();
    gate.shutdown.cancel();
    gate.handler.permits.add_permits(1);
    assert_eq!(answer.await.unwrap().unwrap().status(), 204);
    assert_eq!(gate.stop().await, Drained { aborted: 0 });
}

#[tokio::test]
async fn requests_in_hand_are_not_more_than_connections_may_be() {
    let gate = Gate::start_holding(|listen| (listen.http2, listen.max_connections) = (true, Some(1)));
    let mut sender = connect(&gate).await;
    let first = tokio::spawn(sender.clone().send_request(post("one")));
    gate.handler.begun.acquire().await.unwrap().forget();
    let second = sender.send_request(post("two")).await.unwrap();
    assert_eq!(
        (second.status(), second.headers().contains_key("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, true)
    );
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"too_many\"}"), 1.0);
    gate.handler.permits.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap().status(), 204);
    assert_eq!(sender.send_request(post("three")).await.unwrap().status(), 204);
}
