//! The write port with TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use seriesgate::access::Prepared;
use seriesgate::config::{Secret, ServerTls};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Pair};
use crate::harness::{Client, Gate, STUCK, write};

/// What the gate is called.
const NAME: &str = "127.0.0.1";

fn tls(pair: &Pair, client_ca: Option<&Authority>) -> ServerTls {
    ServerTls {
        certificate: Secret::new(&*pair.certificate),
        key: Secret::new(&*pair.key),
        client_ca: client_ca.map(|authority| Secret::new(authority.pem())),
    }
}

fn show(gate: &Gate, pair: &Pair, client_ca: Option<&Authority>) {
    gate.access.replace(Prepared::new(None, Some(&tls(pair, client_ca)), true).unwrap());
}

async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map(Client::of)
}

fn refused(gate: &Gate, reason: &str) -> f64 {
    gate.metric(&format!("seriesgate_connections_refused_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn a_write_comes_over_tls_and_its_connection_is_kept() {
    let authority = Authority::new();
    let gate = Gate::start(|_| {});
    show(&gate, &authority.sign(NAME), None);
    let mut sender = connect(gate.address, &authority.client(None, &[b"http/1.1"])).await.unwrap();
    assert_eq!(sender.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    for body in ["one", "two"] {
        assert_eq!(sender.exchange(write(body)).await.status, 204);
    }
    assert_eq!(gate.handler.seen.lock().len(), 2);
    assert_eq!(gate.metric("seriesgate_connections_accepted_total"), 1.0);
    // a refused body is thrown away here, too, so that the answer arrives
    let reply = sender.exchange(write(&"x".repeat(4 << 20))).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    // and one that agrees on no protocol speaks HTTP/1.1
    let mut sender = connect(gate.address, &authority.client(None, &[])).await.unwrap();
    assert_eq!(sender.exchange(write("three")).await.status, 204);
}

#[tokio::test]
async fn http2_is_spoken_where_the_sender_asks_for_it() {
    let authority = Authority::new();
    let gate = Gate::start(|listen| listen.http2 = true);
    show(&gate, &authority.sign(NAME), None);
    let client = connect(gate.address, &authority.client(None, &[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(client.stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post(format!("https://{}/api/v1/write", gate.address));
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"body"));
    let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!((answer.status(), gate.handler.seen.lock().len()), (hyper::StatusCode::NO_CONTENT, 1));
}

#[tokio::test]
async fn one_without_tls_sees_an_end_and_no_fault() {
    let authority = Authority::new();
    let gate = Gate::start(|_| {});
    show(&gate, &authority.sign(NAME), None);
    let mut sender = gate.connect().await;
    sender.send(write(&"x".repeat(200_000))).await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(STUCK, sender.stream.read_to_end(&mut rest)).await.expect("still open");
    assert_eq!((read.unwrap(), rest), (0, Vec::new()), "an end, not a reset");
    gate.until("seriesgate_connections_refused_total{reason=\"plaintext\"}", 1.0).await;
    drop(sender);
    gate.until("seriesgate_connections", 0.0).await;
    assert!(gate.handler.seen.lock().is_empty());
}

#[tokio::test]
async fn a_client_has_to_show_a_certificate_where_one_is_wanted() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let gate = Gate::start(|_| {});
    show(&gate, &authority.sign(NAME), Some(&clients));
    let known = clients.sign("sender");
    let mut sender = connect(gate.address, &authority.client(Some(&known), &[])).await.unwrap();
    assert_eq!(sender.exchange(write("body")).await.status, 204);
    let stranger = Authority::new().sign("sender");
    for (number, pair) in [(1.0, None), (2.0, Some(&stranger))] {
        // with TLS 1.3 the client learns of it when it reads
        if let Ok(mut sender) = connect(gate.address, &authority.client(pair, &[])).await {
            let mut byte = [0; 1];
            let read = tokio::time::timeout(STUCK, sender.stream.read(&mut byte)).await.expect("still open");
            assert!(read.is_err(), "{read:?}");
        }
        gate.until("seriesgate_connections_refused_total{reason=\"tls_handshake\"}", number).await;
    }
    assert_eq!(gate.handler.seen.lock().len(), 1);
}

#[tokio::test]
async fn a_handshake_has_a_limit_and_takes_a_place() {
    let authority = Authority::new();
    let short = Duration::from_millis(200);
    let gate = Gate::start(|listen| {
        (listen.max_connections, listen.first_byte_timeout, listen.header_timeout) = (Some(2), short, short);
    });
    show(&gate, &authority.sign(NAME), None);
    let mut silent = gate.connect().await;
    let mut half = gate.connect().await;
    // a record of a handshake that goes on
    half.send(b"\x16\x03\x01\x02\x00\x01").await;
    gate.until("seriesgate_connections", 2.0).await;
    let mut third = gate.connect().await;
    third.closed().await;
    assert_eq!(refused(&gate, "too_many"), 1.0);
    silent.closed().await;
    half.closed().await;
    gate.until("seriesgate_connections", 0.0).await;
    assert_eq!((refused(&gate, "first_byte_timeout"), refused(&gate, "header_timeout")), (1.0, 1.0));
    // and one whose handshake is over has to say something, too
    let mut sender = connect(gate.address, &authority.client(None, &[])).await.unwrap();
    let mut byte = [0; 1];
    tokio::time::timeout(STUCK, sender.stream.read(&mut byte)).await.expect("still open").ok();
    gate.until("seriesgate_connections_refused_total{reason=\"first_byte_timeout\"}", 2.0).await;
    assert_eq!(gate.stop().await.aborted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_under_load_without_a_failure() {
    let (old, new) = (Authority::new(), Authority::new());
    let gate = Gate::start(|_| {});
    show(&gate, &old.sign(NAME), None);
    let (address, stop) = (gate.address, tokio_util::sync::CancellationToken::new());
    let believes_old = old.client(None, &[]);
    let mut kept = connect(address, &believes_old).await.unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (stop, config) = (stop.clone(), Arc::clone(&believes_old));
            tokio::spawn(async move {
                let mut sent = 0_u32;
                while !stop.is_cancelled() {
                    let mut sender = connect(address, &config).await.expect("a connection");
                    assert_eq!(sender.exchange(write("body")).await.status, 204);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    // other certificates of the same authority
    for _ in 0..20 {
        show(&gate, &old.sign(NAME), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(kept.exchange(write("body")).await.status, 204);
    }
    stop.cancel();
    for sender in senders {
        assert!(sender.await.unwrap() > 0);
    }
    // and one of another: connections that there are go on, new ones see it
    show(&gate, &new.sign(NAME), None);
    assert_eq!(kept.exchange(write("body")).await.status, 204);
    assert!(connect(address, &believes_old).await.is_err());
    assert_eq!(
        connect(address, &new.client(None, &[])).await.unwrap().exchange(write("x")).await.status,
        204
    );
    gate.until("seriesgate_connections_refused_total{reason=\"tls_handshake\"}", 1.0).await;
}
