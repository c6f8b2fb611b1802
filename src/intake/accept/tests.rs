//! The accept loop over a source that fails.

use std::collections::VecDeque;

use super::*;
use crate::intake::{Hold, Inbound, SenderReply, Settings};
use crate::telemetry::Registry;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
const ECONNABORTED: i32 = 103;

struct Failing {
    errors: VecDeque<i32>,
    then: TcpListener,
}

impl Source for Failing {
    async fn next(&mut self) -> io::Result<TcpStream> {
        match self.errors.pop_front() {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => self.then.next().await,
        }
    }
}

struct Nobody;

impl Handler for Nobody {
    async fn handle(&self, _: Inbound, _: &mut Hold) -> SenderReply {
        SenderReply::nothing_written(StatusCode::NO_CONTENT, None, "")
    }
    fn healthy(&self) -> (StatusCode, String) {
        (StatusCode::OK, "{}".into())
    }
    fn ready(&self) -> (StatusCode, String) {
        (StatusCode::OK, "ready".into())
    }
}

fn settings() -> Settings {
    let minute = Duration::from_secs(60);
    let listen = Listen {
        address: ([127, 0, 0, 1], 0).into(),
        auth: None,
        tls: None,
        paths: vec![],
        http2: false,
        backlog: 16,
        max_connections: None,
        max_body_bytes: 1 << 20,
        max_decoded_bytes: 1 << 20,
        max_in_flight_bytes: None,
        first_byte_timeout: minute,
        header_timeout: minute,
        body_timeout: minute,
        min_body_rate: 1024,
        on_invalid: crate::config::OnInvalid::Report,
        idle_timeout: minute,
        max_connection_age: Duration::ZERO,
        drain_timeout: minute,
    };
    let tenant = crate::config::Tenant { header: "x-scope-orgid".into(), max: 1 };
    Settings { listen, tenant, access: Arc::default(), memory_limit: 1 << 30, port: Arc::default(), seed: 1 }
}

#[tokio::test]
async fn accept_errors_are_survived_and_counted() {
    let registry = Arc::new(Registry::default());
    let metrics = Arc::new(IntakeMetrics::new(&registry));
    let shutdown = CancellationToken::new();
    let settings = settings();
    let shared = Arc::new(Shared::new(&settings, Arc::new(Nobody), metrics, shutdown.clone()).unwrap());
    let then = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = then.local_addr().unwrap();
    let errors = VecDeque::from([EMFILE, ECONNABORTED, ENFILE, EMFILE]);
    let acceptor = Acceptor::new(&settings.listen, shared, Arc::new(|| {}));
    let served = tokio::spawn(acceptor.run(Failing { errors, then }));

    let mut sender = TcpStream::connect(address).await.unwrap();
    sender.write_all(b"GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    sender.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(registry.render().contains("seriesgate_accept_errors_total 4"), "{}", registry.render());

    shutdown.cancel();
    assert_eq!(served.await.unwrap(), Drained { aborted: 0 });
}
