//! A gate's write port on a port of its own, a handler that records, and a sender that speaks bytes.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use parking_lot::Mutex;
use seriesgate::access::WriteAccess;
use seriesgate::config::{Listen, Tenant};
use seriesgate::intake::{self, Drained, Handler, Hold, Inbound, SenderReply, Settings};
use seriesgate::telemetry::{IntakeMetrics, Registry};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing here takes long; what does is stuck.
pub(crate) const STUCK: Duration = Duration::from_secs(20);

/// Records requests and answers them when permitted.
pub(crate) struct Recorder {
    pub(crate) seen: Mutex<Vec<Inbound>>,
    pub(crate) answer: Mutex<SenderReply>,
    /// One permit for each answer.
    pub(crate) permits: Semaphore,
    /// One permit for each request that has reached the handler.
    pub(crate) begun: Semaphore,
    /// One permit for each request whose future was dropped unanswered.
    pub(crate) dropped: Semaphore,
}

struct Unanswered<'a>(Option<&'a Semaphore>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(dropped) = self.0 {
            dropped.add_permits(1);
        }
    }
}

impl Handler for Recorder {
    async fn handle(&self, inbound: Inbound, _: &mut Hold) -> SenderReply {
        let mut unanswered = Unanswered(Some(&self.dropped));
        self.seen.lock().push(inbound);
        self.begun.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
        unanswered.0 = None;
        self.answer.lock().clone()
    }

    fn healthy(&self) -> (StatusCode, String) {
        (StatusCode::OK, "{\"status\":\"ok\"}".into())
    }

    fn ready(&self) -> (StatusCode, String) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining".into())
    }
}

pub(crate) struct Gate {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) handler: Arc<Recorder>,
    pub(crate) access: Arc<WriteAccess>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Drained>,
    pub(crate) beats: Arc<Mutex<u64>>,
}

pub(crate) fn listen() -> Listen {
    let minute = Duration::from_secs(60);
    Listen {
        address: ([127, 0, 0, 1], 0).into(),
        auth: None,
        tls: None,
        paths: vec!["/mine".into()],
        http2: false,
        backlog: 64,
        max_connections: None,
        max_body_bytes: 100_000,
        max_decoded_bytes: 1 << 20,
        max_in_flight_bytes: Some(1 << 20),
        first_byte_timeout: minute,
        header_timeout: minute,
        body_timeout: minute,
        min_body_rate: 1024,
        on_invalid: seriesgate::config::OnInvalid::Report,
        idle_timeout: 6 * minute,
        max_connection_age: Duration::ZERO,
        drain_timeout: minute,
    }
}

impl Gate {
    /// Starts a gate whose handler answers 204 at once.
    pub(crate) fn start(change: impl FnOnce(&mut Listen)) -> Self {
        let gate = Self::start_holding(change);
        gate.handler.permits.add_permits(1 << 20);
        gate
    }

    /// Starts a gate whose handler answers when it gets permits.
    pub(crate) fn start_holding(change: impl FnOnce(&mut Listen)) -> Self {
        let mut listen = listen();
        change(&mut listen);
        let registry = Arc::new(Registry::default());
        let answer = SenderReply::nothing_written(StatusCode::NO_CONTENT, None, "");
        let handler = Arc::new(Recorder {
            seen: Mutex::default(),
            answer: Mutex::new(answer),
            permits: Semaphore::new(0),
            begun: Semaphore::new(0),
            dropped: Semaphore::new(0),
        });
        let listener = intake::bind(&listen).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let beats = Arc::new(Mutex::new(0));
        let beat = Arc::clone(&beats);
        let access = Arc::<WriteAccess>::default();
        let tenant = Tenant { header: "x-scope-orgid".into(), max: 10 };
        let served = intake::serve(
            listener,
            Settings {
                listen,
                tenant,
                access: Arc::clone(&access),
                memory_limit: 1 << 30,
                port: Arc::default(),
                seed: 1,
            },
            Arc::clone(&handler),
            Arc::new(IntakeMetrics::new(&registry)),
            Arc::new(move || *beat.lock() += 1),
            shutdown.clone(),
        );
        let served = tokio::spawn(async move { served.await.unwrap() });
        Self { address, handler, access, registry, shutdown, served, beats }
    }

    pub(crate) async fn connect(&self) -> Client {
        self.connect_from([127, 0, 0, 1]).await
    }

    /// Connects from an address of this machine.
    pub(crate) async fn connect_from(&self, from: [u8; 4]) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Client::of(socket.connect(self.address).await.unwrap())
    }

    /// A series' value; 0 where it is not there yet.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.registry.render();
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a series has a value.
    pub(crate) async fn until(&self, series: &str, value: f64) {
        self.until_is(series, |is| is == value).await;
    }

    /// Waits until a series has such a value.
    pub(crate) async fn until_is(&self, series: &str, wanted: impl Fn(f64) -> bool) {
        let reached = async {
            while !wanted(self.metric(series)) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(STUCK, reached).await.is_err() {
            panic!("{series} is {}:\n{}", self.metric(series), self.registry.render());
        }
    }

    /// Shuts down and says how it went.
    pub(crate) async fn stop(self) -> Drained {
        self.shutdown.cancel();
        tokio::time::timeout(STUCK, self.served).await.expect("serve does not return").unwrap()
    }
}

pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    ahead: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A request with a `Content-Length` for `body`.
pub(crate) fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: gate\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

/// A write of `body`.
pub(crate) fn write(body: &str) -> String {
    request("POST /api/v1/write", "Content-Encoding: snappy\r\n", body)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn more(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.ahead);
        tokio::time::timeout(STUCK, read).await.expect("no answer").unwrap()
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        self.reply_to("POST").await
    }

    pub(crate) async fn reply_to(&mut self, method: &str) -> Reply {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(self.more().await, 0, "closed, not answered");
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head[9..12].parse().unwrap();
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        let length: usize = if method == "HEAD" { 0 } else { length };
        while self.ahead.len() < length {
            assert_ne!(self.more().await, 0, "closed within a body");
        }
        reply.body = String::from_utf8(self.ahead.drain(..length).collect()).unwrap();
        reply
    }

    pub(crate) async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes).await;
        self.reply().await
    }

    /// Waits for the gate to close; a reset is a close.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.ahead, b"", "something was still to be read");
        let mut byte = [0; 1];
        let read = tokio::time::timeout(STUCK, self.stream.read(&mut byte)).await.expect("still open");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?} {byte:?}");
    }
}

/// Write requests answered, whatever the code.
pub(crate) fn answered(registry: &Registry) -> u64 {
    let text = registry.render();
    let counts = text.lines().filter(|line| line.starts_with("seriesgate_requests_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}
