//! A scripted upstream on a real socket, and a client that talks to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use parking_lot::Mutex;
use seriesgate::config::{self, OnThrottle, UpstreamAuth};
use seriesgate::egress::{Client, Outbound, Reply};
use seriesgate::telemetry::{EgressMetrics, Registry};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the upstream does with one request.
#[derive(Clone)]
pub(crate) enum Step {
    /// Reads it, writes these bytes, keeps the connection.
    Answer(Vec<u8>),
    /// Reads it, writes these bytes, closes.
    AnswerAndClose(Vec<u8>),
    /// Reads the head only and writes these bytes, then the body as it comes.
    AnswerEarly(Vec<u8>),
    /// Reads it, waits, writes these bytes, keeps the connection.
    AnswerLate(Duration, Vec<u8>),
    /// Reads it, writes these bytes and nothing more, until the client hangs up.
    Hang(Vec<u8>),
}

/// An answer with this status line and these header lines (each ending in `\r\n`).
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

pub(crate) fn ok() -> Step {
    Step::Answer(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// All values of a header, in order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

#[derive(Default)]
struct Shared {
    /// Next first; the last one stays.
    steps: Vec<Step>,
    seen: Vec<Seen>,
    connections: usize,
    hung_up: usize,
}

/// The upstream. Stops with the runtime of its test.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Upstream {
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        Self::start_with(steps, None).await
    }

    pub(crate) async fn start_with(steps: Vec<Step>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { steps, ..Shared::default() }));
        let of_task = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&of_task);
                let connection = shared.lock().connections;
                shared.lock().connections += 1;
                match tls.clone() {
                    None => drop(tokio::spawn(serve(stream, connection, shared))),
                    Some(tls) => drop(tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, connection, shared).await;
                        }
                    })),
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until the client has hung up on a connection that was left hanging.
    pub(crate) async fn until_hung_up(&self) {
        until(|| self.shared.lock().hung_up > 0).await;
    }
}

pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen within 5 s");
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    connection: usize,
    shared: Arc<Mutex<Shared>>,
) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_head(&mut stream, &mut buffer).await else { return };
        let step = {
            let mut shared = shared.lock();
            if shared.steps.len() > 1 { shared.steps.remove(0) } else { shared.steps[0].clone() }
        };
        if let Step::AnswerEarly(bytes) = &step {
            stream.write_all(bytes).await.unwrap();
        }
        let mut seen = Seen { connection, head, body: Vec::new() };
        let length: usize = seen.header("content-length")[0].parse().unwrap();
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        seen.body = buffer.drain(..length).collect();
        shared.lock().seen.push(seen);
        match step {
            Step::Answer(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
            Step::AnswerEarly(_) => {}
            Step::AnswerLate(wait, bytes) => {
                tokio::time::sleep(wait).await;
                stream.write_all(&bytes).await.unwrap();
            }
            Step::AnswerAndClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                stream.shutdown().await.unwrap_or_default();
                return;
            }
            Step::Hang(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                while stream.read_buf(&mut buffer).await.unwrap_or(0) > 0 {}
                shared.lock().hung_up += 1;
                return;
            }
        }
    }
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8(head).unwrap());
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Settings as the config fills them in, for a URL.
pub(crate) fn settings(url: String) -> config::Upstream {
    config::Upstream {
        name: "primary".to_owned(),
        url,
        timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(15),
        max_connection_age: Duration::from_secs(300),
        auth: UpstreamAuth::None,
        headers: Vec::new(),
        forward_authorization: false,
        on_throttle: OnThrottle::Pass,
        max_body_bytes: None,
        on_400: config::OnRefusal::Pass,
        protocol: config::Protocol::Auto,
        validation: config::Validation::default(),
        long_values: None,
        protocol_retry: Duration::from_secs(3600),
        delivery: config::Delivery::Sync,
        queue: config::Queue::default(),
        tls: config::Tls::default(),
    }
}

pub(crate) fn http(address: SocketAddr) -> config::Upstream {
    settings(format!("http://{address}/api/v1/write"))
}

/// A client and what it counts.
pub(crate) struct Gate {
    pub(crate) client: Client,
    registry: Arc<Registry>,
}

impl Gate {
    pub(crate) fn new(settings: &config::Upstream) -> Self {
        let registry = Arc::new(Registry::default());
        let metrics = Arc::new(EgressMetrics::new(&registry, &settings.name));
        Self { client: Client::new(settings, metrics, 7).unwrap(), registry }
    }

    pub(crate) async fn send(&self) -> Reply {
        self.client.send(outbound()).await
    }

    /// The value of one counter of ours; absent = 0.
    pub(crate) fn counted(&self, name: &str, code: Option<u16>) -> u64 {
        let code = code.map_or_else(String::new, |code| format!(",code=\"{code}\""));
        let start = format!("seriesgate_upstream_{name}_total{{upstream=\"primary\"{code}}} ");
        let text = self.registry.render();
        let value = text.lines().find_map(|line| line.strip_prefix(&start));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

pub(crate) const BODY: &[u8] = b"snappy, for all the client knows";

pub(crate) fn outbound() -> Outbound {
    let form = seriesgate::wire::Form::PLAIN;
    let counts = seriesgate::pipeline::Counts { samples: 1, ..Default::default() };
    Outbound { body: Bytes::from_static(BODY), form, counts, query: None, headers: HeaderMap::new() }
}

/// The cause of a 503.
pub(crate) fn unavailable(reply: Reply) -> String {
    match reply {
        Reply::Unavailable { status, cause, .. } if status.as_u16() == 503 => cause,
        other => panic!("{other:?}"),
    }
}
