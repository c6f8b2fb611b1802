//! A backend that counts: it accepts remote write 1.0 on any path and says what arrived.
//!
//! `GET /stats` answers with [`Stats`] as JSON. What a body holds is found by this crate's own walk, so
//! that its count and the proxy's never share a mistake.

mod totals;
mod walk;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use totals::{Level, Stats};

use totals::Totals;

/// The largest body taken, compressed, in bytes.
const MAX_BODY_BYTES: usize = 64 << 20;

/// How the sink counts and answers.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// How closely bodies are looked at.
    pub level: Level,
    /// Also count distinct series by the values of this label (needs [`Level::Series`]).
    pub group_by: Option<String>,
    /// Time to let pass before each answer.
    pub delay: Duration,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self { level: Level::Series, group_by: None, delay: Duration::ZERO }
    }
}

/// Starts sinks.
pub struct Sink;

impl Sink {
    /// Listens on `addr` (port 0 for any free one) and serves until the handle is shut down or dropped.
    pub async fn start(addr: SocketAddr, options: SinkOptions) -> std::io::Result<SinkHandle> {
        Self::serve(TcpListener::bind(addr).await?, options)
    }

    /// Serves on a listener that is bound already.
    pub fn serve(listener: TcpListener, options: SinkOptions) -> std::io::Result<SinkHandle> {
        let addr = listener.local_addr()?;
        let (status, _) = watch::channel(StatusCode::NO_CONTENT);
        let shared = Arc::new(Shared {
            totals: Totals::new(options.level, options.group_by),
            delay: options.delay,
            status,
        });
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(SinkHandle { addr, shared, stop, task })
    }
}

/// A running sink. Dropping it stops it.
pub struct SinkHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl SinkHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where to write to: `http://ADDR/api/v1/write`.
    pub fn write_url(&self) -> String {
        format!("http://{}/api/v1/write", self.addr)
    }

    /// What has arrived so far.
    pub fn stats(&self) -> Stats {
        self.shared.totals.stats()
    }

    /// Forgets everything counted so far.
    pub fn reset(&self) {
        self.shared.totals.reset();
    }

    /// Answers writes with this status from now on. Only bodies answered with 2xx are counted as arrived.
    pub fn answer_with(&self, status: StatusCode) {
        self.shared.status.send_replace(status);
    }

    /// Stops listening, closes all connections, and says what had arrived.
    pub async fn shutdown(self) -> Stats {
        drop(self.stop);
        // the task ends by itself; that it was cancelled with its runtime is no failure of ours
        self.task.await.ok();
        self.shared.totals.stats()
    }
}

struct Shared {
    totals: Totals,
    delay: Duration,
    status: watch::Sender<StatusCode>,
}

/// Accepts until the handle is gone; ending drops, and so closes, every connection.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, Arc::clone(&shared))); }
                // out of files, or the peer left: let some connections end first
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // without it answers wait for the peer's acknowledgement; a socket that refuses still works
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new());
    // a client that went away is no news here
    server.serve_connection(TokioIo::new(stream), service).await.ok();
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, _) => self.write(request).await,
            (&Method::GET, "/stats") => json(&self.totals.stats()),
            (&Method::GET, _) => {
                text(StatusCode::OK, "a counting sink: POST remote write here, GET /stats\n")
            }
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "POST remote write, or GET /stats\n"),
        }
    }

    async fn write(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                self.totals.undecodable();
                return text(StatusCode::BAD_REQUEST, &format!("unreadable body: {error}\n"));
            }
        };
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let status = *self.status.borrow();
        if !status.is_success() {
            self.totals.turned_away();
            return text(status, "this sink was told to answer so\n");
        }
        match self.totals.add(&body) {
            Ok(()) => text(status, ""),
            Err(error) => text(StatusCode::BAD_REQUEST, &format!("{error}\n")),
        }
    }
}

fn text(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(message.as_bytes())));
    *response.status_mut() = status;
    response
}

fn json(stats: &Stats) -> Response<Full<Bytes>> {
    let mut body = serde_json::to_vec(stats).expect("numbers and texts always serialize");
    body.push(b'\n');
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
