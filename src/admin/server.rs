//! The admin port's listener: how long a request may take, and what a connection may ask for.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Taken};
use super::control::Control;
use super::route::{self, REQUEST_TIMEOUT};
use crate::access::{AdminAccess, Handshakes, NoTls};
use crate::socket;
use crate::telemetry::AdminMetrics;

/// Connections open at one time; the next one takes the place of the one that has waited longest for a request.
const MAX_CONNECTIONS: usize = 64;
/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// For all of a connection, an answer that is read slowly included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

static HANDSHAKES: Handshakes = Handshakes::new("admin.tls");

/// What the port serves, to whom, and what it counts.
pub struct Port<C> {
    /// The process.
    pub control: Arc<C>,
    /// Who may use it, and under which certificate; may be replaced while it is served.
    pub access: Arc<AdminAccess>,
    /// Counts.
    pub metrics: AdminMetrics,
}

/// Serves the port until `stop` is cancelled.
pub async fn serve<C: Control>(listener: TcpListener, port: Port<C>, stop: CancellationToken) {
    let connections = Connections::new(MAX_CONNECTIONS);
    let port = Arc::new(port);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) => {
                tracing::warn!(%error, "accept failed on the admin port");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (taken, another_closed) = connections.take();
        if another_closed {
            port.metrics.too_many.increment(1);
        }
        let (port, stop) = (Arc::clone(&port), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = taken.closed() => {}
                () = receive(stream, peer, &port, &taken) => {}
            }
        });
    }
}

/// One connection, with TLS or without.
async fn receive<C: Control>(stream: TcpStream, peer: IpAddr, port: &Arc<Port<C>>, taken: &Taken) {
    let Some(tls) = port.access.tls() else { return converse(stream, peer, port, taken).await };
    let metrics = &port.metrics;
    match HANDSHAKES.shake(stream, tls, [REQUEST_TIMEOUT; 2]).await {
        Ok(stream) => converse(stream, peer, port, taken).await,
        Err(NoTls::Gone) => {}
        Err(NoTls::Silent | NoTls::Slow) => metrics.timeouts.increment(1),
        Err(NoTls::Plaintext) => metrics.plaintext.increment(1),
        Err(NoTls::Failed) => metrics.tls_handshake.increment(1),
    }
}

/// One request and its answer.
async fn converse<C: Control>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    port: &Arc<Port<C>>,
    taken: &Taken,
) {
    let metrics = &port.metrics;
    let service = service_fn(|request| route::answer(Arc::clone(port), taken, peer, request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.is_timeout() => metrics.timeouts.increment(1),
        Ok(Err(error)) => tracing::debug!(%error, "admin connection ended"),
        Err(_) => metrics.timeouts.increment(1),
    }
}

/// Binds the admin port.
///
/// # Errors
/// As the operating system says, with the address and the config key.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let listening = socket::listen(address, BACKLOG).and_then(TcpListener::from_std);
    listening
        .map_err(|error| format!("cannot listen on {address} (admin.address): {}", socket::explain(&error)))
}
