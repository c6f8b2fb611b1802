//! One request from its head to its answer.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::body::{self, Arrival, Pace, Unread};
use super::budget::Budget;
use super::entry::Entry;
use super::files;
use super::negotiate::{Names, check_format};
use super::refusal::{Refusal, TurnedAway};
use super::reply::{Manner, Reply, respond};
use super::route::{Route, Routes};
use super::share::Shares;
use super::{Handler, Inbound, SenderReply, Settings, Typed};
use crate::access::WriteAccess;
use crate::clock::{self, Jitter};
use crate::memory::{self, WritePort};
use crate::telemetry::{IntakeMetrics, Undecodable};
use crate::via::Via;
use crate::wire::Message;

/// What all connections of a gate share.
pub(super) struct Shared<H> {
    handler: Arc<H>,
    pub(super) metrics: Arc<IntakeMetrics>,
    pub(super) jitter: Arc<Jitter>,
    pub(super) port: Arc<WritePort>,
    pub(super) max_connections: usize,
    /// Over HTTP/2 a connection has many requests in hand; there are not more descriptors for them than for others.
    in_hand: Semaphore,
    pub(super) budget: Arc<Budget>,
    routes: Routes,
    names: Names,
    pub(super) access: Arc<WriteAccess>,
    via: Via,
    max_body_bytes: usize,
    body_timeout: Duration,
    pace: Pace,
    shares: Shares,
    pub(super) shutdown: CancellationToken,
}

/// How far a body may be behind `listen.min_body_rate`.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a connection speaks, which its responses depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The sender went away before its body was there: there is nobody to answer.
#[derive(Debug, thiserror::Error)]
#[error("the sender hung up before the end of its body")]
pub(super) struct HungUp;

/// What the head of a write says.
struct Admitted {
    entry: Entry,
    tenant: String,
    message: Message,
    typed: Typed,
}

/// Why a request was not handed on.
enum Unserved {
    HungUp,
    Refused(Refusal),
}

impl From<Refusal> for Unserved {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Counts a body whose reading was dropped, which is how a hang-up shows.
struct Reading<'a>(Option<&'a IntakeMetrics>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.undecodable(Undecodable::BodyCutOff);
        }
    }
}

impl<H: Handler> Shared<H> {
    pub(super) fn new(
        settings: &Settings,
        handler: Arc<H>,
        metrics: Arc<IntakeMetrics>,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let Settings { listen, tenant, access, memory_limit, port, seed } = settings;
        let names = Names::new(&tenant.header).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("tenant.header: {error}"))
        })?;
        let jitter = Arc::new(Jitter::new(*seed));
        let max = listen.max_in_flight_bytes.unwrap_or_else(|| memory::for_requests(*memory_limit));
        let budget = Budget::new(max, Arc::clone(port), Arc::clone(&metrics), Arc::clone(&jitter));
        let max_connections =
            files::max_connections(listen.max_connections, files::file_limit(), *memory_limit);
        Ok(Self {
            port: Arc::clone(port),
            max_connections,
            in_hand: Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)),
            handler,
            metrics,
            jitter,
            // a body that the whole budget cannot hold would be told to come again for ever
            max_body_bytes: listen.max_body_bytes.min(budget.max()),
            shares: Shares::new(budget.max()),
            budget,
            routes: Routes::new(&listen.paths),
            names,
            access: Arc::clone(access),
            via: Via::new(*seed),
            body_timeout: listen.body_timeout,
            pace: Pace { min_rate: listen.min_body_rate, patience: PATIENCE },
            shutdown,
        })
    }

    /// Serves one request.
    pub(super) async fn serve(
        &self,
        activity: &Arc<Activity>,
        protocol: Protocol,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, HungUp> {
        let began = clock::monotonic();
        let in_hand = activity.begin();
        let (parts, mut body) = request.into_parts();
        let route = self.routes.find(&parts.method, parts.uri.path(), parts.uri.query());
        let served = match route {
            Route::Write => {
                let answer = self.write(activity, &parts, &mut body).await;
                answer.map(|(answer, message)| {
                    let counts_written = message == Message::V2;
                    (answer, Manner { counts_written, ..Manner::default() })
                })
            }
            _ => self.elsewhere(route, &parts.headers).map_err(Unserved::Refused),
        };
        let (answer, mut manner) = match served {
            Ok(served) => served,
            Err(Unserved::Refused(refusal)) => self.refuse(refusal, activity.peer(), &parts.headers, &body),
            Err(Unserved::HungUp) => return Err(HungUp),
        };
        manner.head = parts.method == Method::HEAD;
        if !matches!(route, Route::Healthy | Route::Ready) {
            self.metrics.answered(answer.status.as_u16(), began);
        }
        manner.close = self.closes(activity, protocol, manner.close);
        Ok(respond(answer, manner, in_hand))
    }

    /// Whether the connection ends with this response; it must where something is left `unread`.
    fn closes(&self, activity: &Activity, protocol: Protocol, unread: bool) -> bool {
        let aged = activity.age_reached();
        if aged {
            self.metrics.aged.increment(1);
        }
        if protocol == Protocol::Http2 {
            // no such header there: a stream ends by itself, and the connection's task says GOAWAY
            return false;
        }
        if unread {
            activity.linger_at_close();
        }
        aged || unread || self.shutdown.is_cancelled()
    }

    async fn write(
        &self,
        activity: &Activity,
        parts: &Parts,
        body: &mut Incoming,
    ) -> Result<(SenderReply, Message), Unserved> {
        let Admitted { entry, tenant, message, typed } = self.admit(parts)?;
        let Ok(_turn) = self.in_hand.try_acquire() else { return Err(self.too_many().into()) };
        let mut reading = Reading(Some(&*self.metrics));
        let mut hold = self.budget.hold();
        if !hold.resize_beside(activity.buffer_bytes()) {
            return Err(self.budget.refusal().into());
        }
        let share = self.shares.of(activity.peer());
        let (max_bytes, pace) = (self.max_body_bytes, self.pace);
        let reader = body::read(body, Arrival { max_bytes, pace, hold: &mut hold, share });
        let read = tokio::time::timeout(self.body_timeout, reader).await;
        let bytes = match self.judge(read.ok()) {
            Ok(bytes) => bytes,
            // the guard counts it
            Err(None) => return Err(Unserved::HungUp),
            Err(Some(refusal)) => {
                reading.0 = None;
                return Err(refusal.into());
            }
        };
        reading.0 = None;
        self.metrics.request_bytes.increment(bytes.len() as u64);
        // reading it may have made the buffer grow, and left no spare room
        if !(hold.resize(bytes.len()) && hold.resize_beside(activity.buffer_bytes())) {
            return Err(self.budget.refusal().into());
        }
        let query = parts.uri.query().map(str::to_owned);
        let headers = entry.forwarded(&self.names, &parts.headers, &tenant);
        let inbound = Inbound { tenant, peer: activity.peer(), body: bytes, typed, message, query, headers };
        Ok((self.handler.handle(inbound, &mut hold).await, message))
    }

    /// All that is not a write.
    fn elsewhere(&self, route: Route, headers: &HeaderMap) -> Result<(SenderReply, Manner), Refusal> {
        match route {
            Route::Handshake => {
                Entry::of(&self.access, headers)?;
                Ok((probed((StatusCode::OK, "1".to_owned())), Manner { exact: true, ..Manner::default() }))
            }
            Route::Healthy => {
                Ok((probed(self.handler.healthy()), Manner { json: true, ..Manner::default() }))
            }
            Route::Ready => Ok((probed(self.handler.ready()), Manner::default())),
            Route::WrongMethod(methods) => {
                let text = format!("method not allowed: use {methods}");
                let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Undecodable::Method, text);
                Err(Refusal { allow: Some(methods), ..refusal })
            }
            Route::Write | Route::Unknown => {
                Err(Refusal::new(StatusCode::NOT_FOUND, Undecodable::Path, self.routes.help()))
            }
        }
    }

    /// What the head decides.
    fn admit(&self, parts: &Parts) -> Result<Admitted, Refusal> {
        let headers = &parts.headers;
        if self.via.is_in(headers) {
            return Err(Refusal::comes_back(self.jitter.retry_after()));
        }
        let entry = Entry::of(&self.access, headers)?;
        self.names.check_scope(headers)?;
        let tenant = entry.tenant(&self.names, parts)?;
        let (message, typed) = check_format(headers)?;
        Ok(Admitted { entry, tenant, message, typed })
    }

    /// The body, or what the sender is told instead; `None`: it is gone. `read` is `None` where time ran out.
    fn judge(&self, read: Option<Result<Bytes, Unread>>) -> Result<Bytes, Option<Refusal>> {
        let refusal = match read {
            Some(Ok(body)) => return Ok(body),
            Some(Err(Unread::CutOff)) => return Err(None),
            Some(Err(Unread::TooLarge)) => Refusal::too_large(self.max_body_bytes),
            Some(Err(Unread::NoBudget)) => self.budget.refusal(),
            Some(Err(Unread::NoShare)) => Refusal::for_now(
                Undecodable::PeerShare,
                "bodies on their way from this address hold a quarter of listen.max_in_flight: come again"
                    .to_owned(),
                self.jitter.retry_after(),
            ),
            Some(Err(Unread::TooSlow)) => Refusal::for_now(
                Undecodable::BodyTooSlow,
                format!(
                    "the body came slower than {} bytes a second (listen.min_body_rate)",
                    self.pace.min_rate
                ),
                self.jitter.retry_after(),
            ),
            // 408 would be the word for it, but senders drop their data on a 4xx and keep it on a 503
            None => Refusal::for_now(
                Undecodable::BodyTimeout,
                format!("the body took longer than {:?} (listen.body_timeout)", self.body_timeout),
                self.jitter.retry_after(),
            ),
        };
        Err(Some(refusal))
    }

    fn too_many(&self) -> Refusal {
        let text = "too many requests in hand (listen.max_connections): come again".to_owned();
        Refusal::for_now(Undecodable::TooMany, text, self.jitter.retry_after())
    }

    /// Counts a refusal. What is left of the body is not read, so the connection ends with the answer.
    fn refuse(
        &self,
        refusal: Refusal,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
        body: &Incoming,
    ) -> (SenderReply, Manner) {
        let Refusal { status, reason, allow, challenge, .. } = refusal;
        self.metrics.undecodable(reason);
        let tenant = self.names.tenant(headers).unwrap_or_default();
        let message = &refusal.text;
        self.handler.turned_away(&TurnedAway { peer, tenant, headers, reason, status, message });
        let manner = Manner { close: !body.is_end_stream(), allow, challenge, ..Manner::default() };
        (refusal.into_answer(), manner)
    }
}

fn probed((status, message): (StatusCode, String)) -> SenderReply {
    SenderReply::nothing_written(status, None, message)
}
