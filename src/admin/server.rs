//! The admin port's routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::page;
use super::report::{self, Asked, View};
use crate::health::Health;

/// Connections served at one time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;
/// The form of a POST.
const MAX_FORM_BYTES: usize = 64 << 10;
/// For the headers of a request, and between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

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
pub async fn serve<C: Control>(listener: TcpListener, control: Arc<C>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
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
        let control = Arc::clone(&control);
        let stop = stop.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let service = service_fn(|request| answer(Arc::clone(&control), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "admin connection ended");
                    }
                }
            }
        });
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

async fn answer<C: Control>(
    control: Arc<C>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let post = request.method() == Method::POST;
    if let Some(path) = report::path(&path) {
        return Ok(match get || (post && report::takes_post(path)) {
            true => reported(control, path, query, request).await,
            false => not_allowed("GET, HEAD"),
        });
    }
    let work = move || match path.as_str() {
        "/" if get => html(&page::index(status_of(control.health()), control.active_series())),
        "/metrics" if get => {
            reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", control.metrics())
        }
        "/api/v1/policies" if get => reply(StatusCode::OK, "application/json", control.policies()),
        "/-/healthy" if get => {
            let (status, body) = control.health().healthy();
            reply(status, "application/json", body)
        }
        "/-/ready" if get => {
            let (status, body) = control.health().ready();
            text(status, body)
        }
        "/-/reload" if post => done(control.reload()),
        "/-/bypass" if post => match query.as_str() {
            "on=true" => done(control.bypass(true)),
            "on=false" => done(control.bypass(false)),
            _ => text(StatusCode::BAD_REQUEST, "say ?on=true or ?on=false\n".to_owned()),
        },
        "/" | "/metrics" | "/api/v1/policies" | "/-/healthy" | "/-/ready" => not_allowed("GET, HEAD"),
        "/-/reload" | "/-/bypass" => not_allowed("POST"),
        _ => text(StatusCode::NOT_FOUND, "no such page; / lists what there is\n".to_owned()),
    };
    Ok(tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "the request failed\n".to_owned())))
}

/// A cardinality report.
async fn reported<C: Control>(
    control: Arc<C>,
    path: &'static str,
    query: String,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let header = control.tenant_header();
    let tenant = request.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = match Limited::new(request.into_body(), MAX_FORM_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long\n".to_owned()),
    };
    let work = move || {
        let asked = Asked { path, query: &query, body: &body, tenant: tenant.as_deref() };
        let (status, json) = report::answer(&control.view(), &asked);
        reply(status, "application/json", json)
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "the request failed\n".to_owned()))
}

fn status_of(health: &Health) -> &'static str {
    match health.healthy().0 {
        StatusCode::OK if health.bypassed() => "bypassed",
        StatusCode::OK => "ok",
        _ => "stuck",
    }
}

fn done(result: Result<String, String>) -> Response<Full<Bytes>> {
    match result {
        Ok(what) => text(StatusCode::OK, format!("{what}\n")),
        Err(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    }
}

fn not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("use {allow}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn html(body: &str) -> Response<Full<Bytes>> {
    reply(StatusCode::OK, "text/html; charset=utf-8", body.to_owned())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    reply(status, "text/plain; charset=utf-8", body)
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
