//! Senders that declare much and send little: what they hold, and whom they keep out.

use crate::harness::{Client, Gate, write};

const MIB: usize = 1 << 20;
const DRIBBLERS: usize = 64;

fn undecodable(reason: &str) -> String {
    format!("seriesgate_undecodable_requests_total{{reason=\"{reason}\"}}")
}

/// Connections that declare a body of 1 MiB and send one byte of it, and wait.
async fn dribble(gate: &Gate) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..DRIBBLERS {
        let mut client = gate.connect().await;
        client.send(format!("POST /write HTTP/1.1\r\nContent-Length: {MIB}\r\n\r\nx")).await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn what_is_declared_and_does_not_come_takes_no_room() {
    // exactly what they declare
    let gate = Gate::start(|listen| {
        (listen.max_body_bytes, listen.max_in_flight_bytes) = (MIB, Some(DRIBBLERS * MIB));
    });
    let clients = dribble(&gate).await;
    // 64 KiB is made room for ahead, and 8 KiB are read into
    let each = f64::from(72 << 10);
    let held = |bytes: f64| (DRIBBLERS as f64 * each..DRIBBLERS as f64 * (each + 1024.0)).contains(&bytes);
    gate.until_is("seriesgate_in_flight_bytes", held).await;
    assert_eq!(gate.connect().await.exchange(write(&"x".repeat(MIB))).await.status, 204);
    drop(clients);
    gate.until("seriesgate_in_flight_bytes", 0.0).await;
    assert_eq!(gate.metric(&undecodable("body_cut_off")), DRIBBLERS as f64);
}

#[tokio::test]
async fn one_address_holds_a_quarter_with_bodies_on_their_way() {
    let gate = Gate::start(|listen| {
        (listen.max_body_bytes, listen.max_in_flight_bytes) = (MIB, Some(4 * MIB));
    });
    let clients = dribble(&gate).await;
    // of 1 MiB, 64 KiB and a byte each
    gate.until(&undecodable("peer_share"), (DRIBBLERS - 15) as f64).await;
    let mut same = gate.connect().await;
    let reply = same.exchange(write(&"x".repeat(300_000))).await;
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{}", reply.body);
    assert_eq!(gate.connect().await.exchange(write("one that comes at once")).await.status, 204);
    let mut other = gate.connect_from([127, 0, 0, 2]).await;
    assert_eq!(other.exchange(write(&"x".repeat(MIB))).await.status, 204);
    drop(clients);
    gate.until("seriesgate_in_flight_bytes", 0.0).await;
    assert_eq!(gate.connect().await.exchange(write(&"x".repeat(300_000))).await.status, 204);
}

#[tokio::test]
async fn a_body_that_stops_is_given_up_and_comes_again() {
    // more than any sender has after five seconds, so that it takes these five seconds only
    let gate = Gate::start(|listen| listen.min_body_rate = 1 << 30);
    let mut sender = gate.connect().await;
    let reply = sender.exchange("POST /write HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    assert!(reply.body.contains("(listen.min_body_rate)"), "{}", reply.body);
    assert_eq!(gate.metric(&undecodable("body_too_slow")), 1.0);
    assert_eq!(gate.metric(&undecodable("body_cut_off")), 0.0);
}
