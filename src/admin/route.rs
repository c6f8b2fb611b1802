//! The admin port's routes.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use super::connections::Taken;
use super::control::Control;
use super::guard::{self, Refusal};
use super::page;
use super::report::{self, Asked};
use super::server::Port;
use crate::browser;
use crate::clock::LogInterval;
use crate::health::Health;

/// For the head of a request, and then for its body. A connection carries one request, so none is idle for a reason.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The form of a POST.
const MAX_FORM_BYTES: usize = 64 << 10;
/// Lines about agents that take this port for the write port.
static MISDIRECTED: LogInterval = LogInterval::new();

/// Answers one request.
pub(super) async fn answer<C: Control>(
    port: Arc<Port<C>>,
    taken: &Taken,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Port { control, access, metrics } = &*port;
    let control = Arc::clone(control);
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let post = request.method() == Method::POST;
    let path = request.uri().path().to_owned();
    if let Err(refusal) = guard::check(access, metrics, peer, (request.method(), &path), request.headers()) {
        taken.request_came();
        return Ok(refused(&refusal));
    }
    if let Some(path) = report::path(&path) {
        return Ok(match get || (post && report::takes_post(path)) {
            true => reported(control, taken, path, request).await,
            false => not_allowed("GET, HEAD"),
        });
    }
    taken.request_came();
    Ok(match path.as_str() {
        // here and now: what is asked for may be why no blocking thread is free
        "/-/healthy" if get => healthy(control.health()),
        "/-/ready" if get => ready(control.health()),
        "/-/reload" | "/-/bypass" if post && browser::sent(request.headers()) => {
            metrics.from_browsers.increment(1);
            text(
                StatusCode::FORBIDDEN,
                "not for a page in a browser; use a program such as curl\n".to_owned(),
            )
        }
        _ => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            off_the_workers(move || page(&*control, get, post, &path, &query)).await
        }
    })
}

/// The pages and calls that are no reports.
fn page<C: Control>(control: &C, get: bool, post: bool, path: &str, query: &str) -> Response<Full<Bytes>> {
    match path {
        "/" if get => html(&page::index(status_of(control.health()), control.active_series())),
        "/metrics" if get => {
            reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", control.metrics())
        }
        "/api/v1/policies" if get => reply(StatusCode::OK, "application/json", control.policies()),
        "/-/reload" if post => done(control.reload()),
        "/-/bypass" if post => match query {
            "on=true" => done(control.bypass(true)),
            "on=false" => done(control.bypass(false)),
            _ => text(StatusCode::BAD_REQUEST, "say ?on=true or ?on=false\n".to_owned()),
        },
        "/" | "/metrics" | "/api/v1/policies" | "/-/healthy" | "/-/ready" => not_allowed("GET, HEAD"),
        "/-/reload" | "/-/bypass" => not_allowed("POST"),
        path if path.ends_with("/write") || path.ends_with("/push") => {
            if let Some(others) = MISDIRECTED.turn(crate::clock::monotonic()) {
                tracing::warn!(
                    others,
                    "an agent writes to the admin port: its url is to lead to listen.address"
                );
            }
            let message = "this is the admin port, which takes no samples: write to listen.address\n";
            text(StatusCode::NOT_FOUND, message.to_owned())
        }
        _ => text(StatusCode::NOT_FOUND, "no such page; / lists what there is\n".to_owned()),
    }
}

/// A cardinality report.
async fn reported<C: Control>(
    control: Arc<C>,
    taken: &Taken,
    path: &'static str,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let header = control.tenant_header();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let tenant = request.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let form = Limited::new(request.into_body(), MAX_FORM_BYTES).collect();
    let body = match timeout(REQUEST_TIMEOUT, form).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long\n".to_owned()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the form did not come in time\n".to_owned()),
    };
    taken.request_came();
    let turn = Arc::clone(control.reports()).acquire_owned().await;
    off_the_workers(move || {
        // until it is made, also where nobody waits for it any more
        let _turn = turn;
        let asked = Asked { path, query: &query, body: &body, tenant: tenant.as_deref() };
        let (status, json) = report::answer(&control.view(), &asked);
        reply(status, "application/json", json)
    })
    .await
}

async fn off_the_workers(
    work: impl FnOnce() -> Response<Full<Bytes>> + Send + 'static,
) -> Response<Full<Bytes>> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "the request failed\n".to_owned()))
}

fn healthy(health: &Health) -> Response<Full<Bytes>> {
    let (status, body) = health.healthy();
    reply(status, "application/json", body)
}

fn ready(health: &Health) -> Response<Full<Bytes>> {
    let (status, body) = health.ready();
    text(status, body)
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

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = text(refusal.status, refusal.text.to_owned());
    if let Some(challenge) = refusal.challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
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
