//! The admin port's listener: how long a request may take, and what a connection may ask for.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Taken};
use super::control::Control;
use super::route::{self, REQUEST_TIMEOUT};
use crate::socket;
use crate::telemetry::AdminMetrics;

/// Connections open at one time; the next one takes the place of the one that has waited longest for a request.
const MAX_CONNECTIONS: usize = 64;
/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// For all of a connection, an answer that is read slowly included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves the port until `stop` is cancelled.
pub async fn serve<C: Control>(
    listener: TcpListener,
    control: Arc<C>,
    metrics: AdminMetrics,
    stop: CancellationToken,
) {
    let connections = Connections::new(MAX_CONNECTIONS);
    let metrics = Arc::new(metrics);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed on the admin port");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (taken, another_closed) = connections.take();
        if another_closed {
            metrics.too_many.increment(1);
        }
        let (control, metrics, stop) = (Arc::clone(&control), Arc::clone(&metrics), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = taken.closed() => {}
                () = converse(stream, &control, &taken, &metrics) => {}
            }
        });
    }
}

/// One request and its answer.
async fn converse<C: Control>(stream: TcpStream, control: &Arc<C>, taken: &Taken, metrics: &AdminMetrics) {
    let service = service_fn(|request| route::answer(Arc::clone(control), taken, metrics, request));
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
