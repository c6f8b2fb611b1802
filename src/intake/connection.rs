//! One connection from accept to close.

use std::future::Future;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::Handler;
use super::activity::{Activity, Deadlines, Phase, Watchdog};
use super::io::Io;
use super::preface::{Spoken, refused, sniff};
use super::service::{Protocol, Shared};
use crate::access::Handshakes;
use crate::telemetry::{IntakeMetrics, RefusedConnection};
use crate::tls::HTTP2;

/// hyper keeps a read buffer of up to this size on each connection, idle ones too: large enough that an ordinary
/// batch comes in one or two reads,
const READ_BUFFER_MAX_BYTES: usize = 128 << 10;
/// and of this size where there are thousands of connections.
const READ_BUFFER_MIN_BYTES: usize = 16 << 10;
/// The part of the budget that all read buffers may have before they are made smaller.
const PART_OF_BUDGET: usize = 4;
/// A request's head at most, as far as it fits into the buffer; more is answered 431.
const HEAD_MAX_BYTES: usize = 64 << 10;
/// Requests at one time on an HTTP/2 connection at most.
const STREAMS_MAX: u32 = 64;
/// What an HTTP/2 connection may send ahead of our reading, all its requests together.
const WINDOW_BYTES: u32 = 1 << 20;

static HANDSHAKES: Handshakes = Handshakes::new("listen.tls");

/// What a connection is told from outside.
pub(super) struct Orders {
    /// Finish what is in hand and close.
    pub(super) drain: CancellationToken,
    /// Stop now.
    pub(super) abort: CancellationToken,
}

/// Size of the read buffer of a connection, given the budget in bytes and how many connections are open.
pub(super) fn read_buffer_bytes(budget: usize, open: usize) -> usize {
    let share = budget / PART_OF_BUDGET / open.max(1);
    share.clamp(READ_BUFFER_MIN_BYTES, READ_BUFFER_MAX_BYTES)
}

/// What a connection may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) deadlines: Deadlines,
    pub(super) http2: bool,
    pub(super) read_buffer_bytes: usize,
}

/// What bytes come from and go to.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// How a connection ended.
enum Ended {
    /// By itself, or for lack of anything to wait for.
    Closed(hyper::Result<()>),
    /// It overstayed a phase.
    Overstayed(Phase),
    /// It was told to stop.
    Told,
}

/// Serves one connection until it closes.
pub(super) async fn serve<H: Handler>(
    mut stream: TcpStream,
    shared: Arc<Shared<H>>,
    activity: Arc<Activity>,
    limits: Limits,
    orders: Orders,
) {
    if let Some(tls) = shared.access.tls() {
        // boxed: its state is larger than that of a connection without
        return Box::pin(serve_tls(stream, tls, shared, activity, limits, orders)).await;
    }
    let spoken = if limits.http2 {
        let sniffed = tokio::select! {
            sniffed = sniff(&mut stream, &limits.deadlines) => sniffed,
            () = orders.drain.cancelled() => return,
        };
        match sniffed {
            Ok(spoken) => spoken,
            Err(Some(reason)) => return shared.metrics.refused(reason),
            Err(None) => return,
        }
    } else {
        Spoken::Http1(Bytes::new())
    };
    let watchdog = Watchdog::new(Arc::clone(&activity), limits.deadlines);
    let metrics = Arc::clone(&shared.metrics);
    let ended = match spoken {
        Spoken::Http1(early) => {
            let io = Io::new(stream, early, Some(Arc::clone(&activity)));
            serve_http1(io, limits.read_buffer_bytes, shared, &activity, watchdog, orders).await
        }
        // boxed: rarely used, and its state would otherwise be part of every connection's
        Spoken::Http2(early) => {
            Box::pin(serve_http2(stream, early, shared, &activity, watchdog, orders)).await
        }
    };
    conclude(ended, &metrics);
}

/// Serves one connection with TLS until it closes.
async fn serve_tls<H: Handler>(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    shared: Arc<Shared<H>>,
    activity: Arc<Activity>,
    limits: Limits,
    orders: Orders,
) {
    let _memory = activity.takes_for_tls();
    let Deadlines { first_byte, header, .. } = limits.deadlines;
    let shaken = tokio::select! {
        shaken = HANDSHAKES.shake(stream, tls, [first_byte, header]) => shaken,
        () = orders.drain.cancelled() => return,
    };
    let stream = match shaken {
        Ok(stream) => stream,
        Err(why) => {
            if let Some(reason) = refused(why) {
                shared.metrics.refused(reason);
            }
            return;
        }
    };
    // the time to the first byte of a request begins
    activity.enter(Phase::Fresh);
    let watchdog = Watchdog::new(Arc::clone(&activity), limits.deadlines);
    let metrics = Arc::clone(&shared.metrics);
    let ended = if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
        serve_http2(stream, Bytes::new(), shared, &activity, watchdog, orders).await
    } else {
        let io = Io::new(stream, Bytes::new(), Some(Arc::clone(&activity)));
        serve_http1(io, limits.read_buffer_bytes, shared, &activity, watchdog, orders).await
    };
    conclude(ended, &metrics);
}

async fn serve_http1<H: Handler, S: Stream>(
    io: Io<S>,
    buffer: usize,
    shared: Arc<Shared<H>>,
    activity: &Arc<Activity>,
    watchdog: Watchdog,
    orders: Orders,
) -> Ended {
    let service = service_fn(|request| shared.serve(activity, Protocol::Http1, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // it would run on idle connections too; the watchdog does this
        .header_read_timeout(None)
        .max_header_size(HEAD_MAX_BYTES.min(buffer))
        .max_buf_size(buffer)
        .serve_connection(TokioIo::new(io), service);
    drive(pin!(connection), http1::Connection::graceful_shutdown, activity, watchdog, orders).await
}

async fn serve_http2<H: Handler, S: Stream>(
    stream: S,
    early: Bytes,
    shared: Arc<Shared<H>>,
    activity: &Arc<Activity>,
    watchdog: Watchdog,
    orders: Orders,
) -> Ended {
    // from here on only requests count as activity: pings do not keep a connection alive
    activity.enter(Phase::Idle);
    let io = TokioIo::new(Io::new(stream, early, None));
    let noted = Arc::clone(activity);
    let service = service_fn(move |request| {
        let (shared, noted) = (Arc::clone(&shared), Arc::clone(&noted));
        async move { shared.serve(&noted, Protocol::Http2, request).await }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(u32::try_from(HEAD_MAX_BYTES).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    drive(pin!(connection), http2::Connection::graceful_shutdown, activity, watchdog, orders).await
}

/// Polls a connection along with all that may end it.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    close_gracefully: fn(Pin<&mut C>),
    activity: &Activity,
    mut watchdog: Watchdog,
    orders: Orders,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut drain = pin!(orders.drain.cancelled());
    let mut abort = pin!(orders.abort.cancelled());
    let mut draining = false;
    let mut told = false;
    poll_fn(move |cx: &mut Context<'_>| {
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Ended::Closed(result));
        }
        draining = draining || drain.as_mut().poll(cx).is_ready();
        if draining && (activity.phase() == Phase::Fresh || abort.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Ended::Told);
        }
        // a request whose head is half here is served first: hyper would take the connection for idle and cut it
        if !told && (draining || activity.is_closing()) && !activity.is_reading_head() {
            told = true;
            close_gracefully(connection.as_mut());
            cx.waker().wake_by_ref();
        }
        watchdog.poll_overstayed(cx).map(Ended::Overstayed)
    })
    .await
}

fn conclude(ended: Ended, metrics: &IntakeMetrics) {
    match ended {
        Ended::Overstayed(Phase::Fresh) => metrics.refused(RefusedConnection::FirstByteTimeout),
        Ended::Overstayed(Phase::Head) => metrics.refused(RefusedConnection::HeaderTimeout),
        Ended::Closed(Err(error)) => tracing::debug!(%error, "connection ended with an error"),
        Ended::Overstayed(Phase::Idle | Phase::Linger) | Ended::Closed(Ok(())) | Ended::Told => {}
    }
}
