//! Connections: their deadlines, their number, their age and their end.

use std::time::Duration;

use seriesgate::intake::{self, Drained};

use crate::harness::{Gate, answered, listen, write};

const SHORT: Duration = Duration::from_millis(100);

fn refused(reason: &str) -> String {
    format!("seriesgate_connections_refused_total{{reason=\"{reason}\"}}")
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let gate = Gate::start(|listen| listen.first_byte_timeout = SHORT);
    gate.connect().await.closed().await;
    gate.until(&refused("first_byte_timeout"), 1.0).await;
    gate.until("seriesgate_connections", 0.0).await;
}

#[tokio::test]
async fn a_trickled_head_does_not_extend_its_deadline() {
    let gate = Gate::start(|listen| listen.header_timeout = SHORT);
    let mut slow = gate.connect().await;
    let (mut read, mut write) = slow.stream.split();
    let trickle = async {
        use tokio::io::AsyncWriteExt;
        while write.write_all(b"P").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let closed = async {
        use tokio::io::AsyncReadExt;
        read.read(&mut [0; 1]).await
    };
    tokio::select! {
        () = trickle => {}
        _ = closed => {}
        () = tokio::time::sleep(crate::harness::STUCK) => panic!("still open"),
    }
    gate.until(&refused("header_timeout"), 1.0).await;
}

#[tokio::test]
async fn a_second_head_has_the_same_deadline() {
    let gate = Gate::start(|listen| listen.header_timeout = SHORT);
    let mut sender = gate.connect().await;
    assert_eq!(sender.exchange(write("x")).await.status, 204);
    sender.send("POST /wri").await;
    sender.closed().await;
    gate.until(&refused("header_timeout"), 1.0).await;
}

#[tokio::test]
async fn a_slow_body_is_told_to_come_again() {
    let gate = Gate::start(|listen| listen.body_timeout = SHORT);
    let mut sender = gate.connect().await;
    let reply = sender.exchange("POST /write HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"body_timeout\"}"), 1.0);
    assert_eq!(gate.metric("seriesgate_undecodable_requests_total{reason=\"body_cut_off\"}"), 0.0);
}

#[tokio::test]
async fn a_pause_is_not_a_slow_head() {
    let gate = Gate::start(|listen| (listen.header_timeout, listen.first_byte_timeout) = (SHORT, SHORT));
    let mut sender = gate.connect().await;
    for _ in 0..3 {
        assert_eq!(sender.exchange(write("x")).await.status, 204);
        tokio::time::sleep(SHORT * 2).await;
    }
    assert_eq!(gate.metric("seriesgate_connections_accepted_total"), 1.0);
}

#[tokio::test]
async fn a_pause_too_long_ends_the_connection() {
    let gate = Gate::start(|listen| listen.idle_timeout = SHORT);
    let mut sender = gate.connect().await;
    assert_eq!(sender.exchange(write("x")).await.status, 204);
    sender.closed().await;
    assert_eq!(gate.metric(&refused("header_timeout")), 0.0);
}

#[tokio::test]
async fn an_old_connection_closes_with_a_response_and_not_before() {
    let gate = Gate::start(|listen| listen.max_connection_age = SHORT);
    let mut sender = gate.connect().await;
    tokio::time::sleep(SHORT * 3).await;
    let reply = sender.exchange(write("x")).await;
    assert_eq!((reply.status, reply.header("connection")), (204, Some("close")));
    sender.closed().await;
    assert_eq!(gate.metric("seriesgate_connections_aged_total"), 1.0);
}

#[tokio::test]
async fn above_the_limit_connections_are_closed_at_once() {
    let gate = Gate::start(|listen| listen.max_connections = Some(1));
    let mut first = gate.connect().await;
    assert_eq!(first.exchange(write("x")).await.status, 204);
    gate.connect().await.closed().await;
    assert_eq!(gate.metric(&refused("too_many")), 1.0);
    assert_eq!(first.exchange(write("x")).await.status, 204);
    drop(first);
    gate.until("seriesgate_connections", 0.0).await;
    assert_eq!(gate.connect().await.exchange(write("x")).await.status, 204);
}

#[tokio::test]
async fn a_hang_up_drops_the_handlers_future() {
    let gate = Gate::start_holding(|_| {});
    let mut sender = gate.connect().await;
    sender.send(write("x")).await;
    gate.handler.begun.acquire().await.unwrap().forget();
    drop(sender);
    let dropped = tokio::time::timeout(crate::harness::STUCK, gate.handler.dropped.acquire()).await;
    dropped.expect("the handler goes on").unwrap().forget();
    gate.until("seriesgate_in_flight_bytes", 0.0).await;
    assert_eq!(answered(&gate.registry), 0);
}

#[tokio::test]
async fn a_hang_up_within_the_body_is_counted_and_nothing_else() {
    let gate = Gate::start(|_| {});
    let mut sender = gate.connect().await;
    sender.send("POST /write HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf").await;
    gate.until_is("seriesgate_in_flight_bytes", |bytes| bytes >= 10.0).await;
    drop(sender);
    gate.until("seriesgate_undecodable_requests_total{reason=\"body_cut_off\"}", 1.0).await;
    gate.until("seriesgate_connections", 0.0).await;
    assert!(gate.handler.seen.lock().is_empty());
    assert_eq!(answered(&gate.registry), 0);
    assert_eq!(gate.metric("seriesgate_in_flight_bytes"), 0.0);
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_hand() {
    let gate = Gate::start_holding(|_| {});
    let (mut busy, mut idle, mut fresh) = (gate.connect().await, gate.connect().await, gate.connect().await);
    let mut half = gate.connect().await;
    gate.handler.permits.add_permits(1);
    assert_eq!(idle.exchange(write("x")).await.status, 204);
    gate.handler.begun.acquire().await.unwrap().forget();
    busy.send(write("y")).await;
    gate.handler.begun.acquire().await.unwrap().forget();
    let whole = write("z");
    let (begin, rest) = whole.split_at(30);
    half.send(begin).await;
    gate.until("seriesgate_connections", 4.0).await;
    tokio::time::sleep(SHORT).await; // the half head must have been read

    gate.shutdown.cancel();
    idle.closed().await;
    fresh.closed().await;
    assert!(!gate.served.is_finished());
    gate.handler.permits.add_permits(2);
    let reply = busy.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (204, Some("close")));
    let reply = half.exchange(rest).await;
    assert_eq!((reply.status, reply.header("connection")), (204, Some("close")));
    let address = gate.address;
    assert_eq!(gate.stop().await, Drained { aborted: 0 });
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut() {
    let gate = Gate::start_holding(|listen| listen.drain_timeout = SHORT);
    let mut sender = gate.connect().await;
    sender.send(write("x")).await;
    gate.handler.begun.acquire().await.unwrap().forget();
    assert_eq!(gate.stop().await, Drained { aborted: 1 });
    sender.closed().await;
}

#[tokio::test]
async fn the_loop_beats_and_reports_files() {
    let gate = Gate::start(|_| {});
    let beaten = async {
        while *gate.beats.lock() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), beaten).await.expect("three beats take a second");
    assert!(gate.metric("seriesgate_open_files") > 0.0);
    assert!(gate.metric("seriesgate_max_files") >= gate.metric("seriesgate_open_files"));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let gate = Gate::start(|_| {});
    let mut taken = listen();
    taken.address = gate.address;
    let error = intake::bind(&taken).unwrap_err().to_string();
    assert!(error.contains(&gate.address.to_string()) && error.contains("listen.address"), "{error}");
    assert!(error.contains("already listens"), "{error}");
}

#[tokio::test]
async fn of_many_connections_each_has_a_smaller_buffer() {
    let held_by_the_last_of = async |connections: usize| {
        let gate = Gate::start_holding(|listen| listen.max_in_flight_bytes = Some(2 << 20));
        let mut open = Vec::new();
        for _ in 1..connections {
            open.push(gate.connect().await);
        }
        gate.until("seriesgate_connections", (connections - 1) as f64).await;
        let mut last = gate.connect().await;
        // the buffer grows with what it was filled with
        for _ in 0..4 {
            last.send(write(&"x".repeat(100_000))).await;
            gate.handler.begun.acquire().await.unwrap().forget();
            gate.handler.permits.add_permits(1);
            assert_eq!(last.reply().await.status, 204);
        }
        last.send(write(&"x".repeat(100_000))).await;
        gate.handler.begun.acquire().await.unwrap().forget();
        gate.metric("seriesgate_in_flight_bytes") - 100_000.0
    };
    // of 512 KiB
    let (alone, of_many) = (held_by_the_last_of(1).await, held_by_the_last_of(64).await);
    assert!((64_000.0..=140_000.0).contains(&alone), "{alone}");
    assert!((8_192.0..=17_000.0).contains(&of_many), "{of_many}");
}
