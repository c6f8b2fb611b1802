//! The sink's port: accepting, behaving, answering; what becomes of a write is in `writes`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::SinkOptions;
use super::behaviour::{Act, Behaviour, Episode};
use super::talk::{self, SCOPED};
use super::totals::Totals;
use crate::clock;
use crate::protocol::Form;

/// The largest body taken, compressed, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;
/// How often it is looked up whether to go or to come back.
const LOOK: Duration = Duration::from_millis(20);

pub(super) type SinkResponse = Response<Full<Bytes>>;

pub(super) struct Shared {
    pub(super) totals: Totals,
    pub(super) delay: Duration,
    pub(super) status: watch::Sender<StatusCode>,
    /// The schedule, and when it was given.
    behaviour: Mutex<(Instant, Behaviour)>,
}

/// Accepts until the handle is gone; ending drops, and so closes, every connection.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<()>,
) -> io::Result<()> {
    let addr = listener.local_addr()?;
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let Some(open) = &listener else {
            tokio::select! {
                _ = stopped.changed() => return Ok(()),
                back = come_back(addr, &shared) => listener = Some(back),
            }
            continue;
        };
        tokio::select! {
            _ = stopped.changed() => return Ok(()),
            Some(_) = connections.join_next() => {}
            () = gone(&shared) => {
                listener = None;
                connections.shutdown().await;
            }
            accepted = open.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, Arc::clone(&shared))); }
                // out of files, or the peer left: let some connections end first
                Err(_) => sleep(LOOK).await,
            },
        }
    }
}

/// Returns when nobody is to listen any more.
async fn gone(shared: &Shared) {
    while !shared.is_gone() {
        sleep(LOOK).await;
    }
}

/// Returns when somebody is to listen again.
async fn come_back(addr: SocketAddr, shared: &Shared) -> TcpListener {
    loop {
        sleep(LOOK).await;
        if !shared.is_gone()
            && let Ok(listener) = TcpListener::bind(addr).await
        {
            return listener;
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // without it answers wait for the peer's acknowledgement; a socket that refuses still works
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new());
    // a client that went away is no news here
    server.serve_connection(TokioIo::new(stream), service).await.ok();
}

impl Shared {
    pub(super) fn new(options: SinkOptions) -> Self {
        let (status, _) = watch::channel(StatusCode::NO_CONTENT);
        Self {
            totals: Totals::new(options.level, options.group_by, options.max_series),
            delay: options.delay,
            status,
            behaviour: Mutex::new((clock::monotonic(), Behaviour::new(options.episodes))),
        }
    }

    pub(super) fn behave(&self, episodes: Vec<Episode>) {
        *self.behaviour.lock() = (clock::monotonic(), Behaviour::new(episodes));
    }

    fn is_gone(&self) -> bool {
        let behaviour = self.behaviour.lock();
        behaviour.1.is_gone(behaviour.0.elapsed())
    }

    /// What happens to the next request, and how long that lasts.
    pub(super) fn act(&self, form: Form) -> Option<(Act, Duration)> {
        let mut behaviour = self.behaviour.lock();
        let since = behaviour.0.elapsed();
        behaviour.1.next(since, form)
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<SinkResponse> {
        Ok(match (request.method(), request.uri().path()) {
            (&Method::POST, "/reset") => {
                self.totals.reset(request.uri().query() == Some(SCOPED));
                text(StatusCode::NO_CONTENT, "")
            }
            (&Method::POST, "/behave") => self.told_to_behave(request).await,
            (&Method::POST, _) => return self.write(request).await,
            (&Method::GET, "/stats") => json(&self.totals.stats()),
            (&Method::GET, "/ledger") => bytes(self.totals.ledger(talk::encode)),
            (&Method::GET, _) => {
                text(StatusCode::OK, "a counting sink: POST remote write here, GET /stats\n")
            }
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "POST remote write, or GET /stats\n"),
        })
    }

    async fn told_to_behave(&self, request: Request<Incoming>) -> SinkResponse {
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await;
        let Ok(body) = body else { return text(StatusCode::BAD_REQUEST, "unreadable body\n") };
        match serde_json::from_slice(&body.to_bytes()) {
            Ok(episodes) => {
                self.behave(episodes);
                text(StatusCode::NO_CONTENT, "")
            }
            Err(error) => text(StatusCode::BAD_REQUEST, &format!("not a list of episodes: {error}\n")),
        }
    }
}

pub(super) fn text(status: StatusCode, message: &str) -> SinkResponse {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(message.as_bytes())));
    *response.status_mut() = status;
    response
}

fn bytes(body: Vec<u8>) -> SinkResponse {
    Response::new(Full::new(Bytes::from(body)))
}

fn json(stats: &super::Stats) -> SinkResponse {
    let mut body = serde_json::to_vec(stats).expect("numbers and texts always serialize");
    body.push(b'\n');
    let mut response = bytes(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
