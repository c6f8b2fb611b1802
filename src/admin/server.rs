//! The admin port's listener: how long a request may take, and what a connection may ask for.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Taken};
use super::report::View;
use super::route;
use crate::health::Health;
use crate::telemetry::AdminMetrics;

/// Connections open at one time; the next one takes the place of the one that has waited longest for a request.
const MAX_CONNECTIONS: usize = 64;
/// For the head of a request, and then for its body. A connection carries one request, so none is idle for a reason.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For all of a connection, an answer that is read slowly included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// What the admin port can ask of the process. Calls may block; they are made off the async workers.
pub trait Control: Send + Sync + 'static {
    /// Everything in Prometheus' text format.
    fn metrics(&self) -> String;
    /// Health of the loops.
    fn health(&self) -> &Health;
    /// What each policy did, as JSON.
    fn policies(&self) -> String;
    /// What the cardinality reports are made from.
    fn view(&self) -> View<'_>;
    /// Whose one permit whoever reads reports or findings out of the counts holds: each takes memory and time.
    fn reports(&self) -> &Arc<Semaphore>;
    /// Name of the request header that holds a tenant.
    fn tenant_header(&self) -> String;
    /// Series in the index.
    fn active_series(&self) -> usize;
    /// Reads the config again. `Ok`: what happened. `Err`: why the running one stays.
    fn reload(&self) -> Result<String, String>;
    /// Turns all policies into previews, or back.
    fn bypass(&self, on: bool) -> Result<String, String>;
}

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
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address} (admin.address): {error}"))
}
