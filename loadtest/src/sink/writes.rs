//! One write: which form it has, what the schedule does to it, and how it is answered.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use tokio::time::sleep;

use super::behaviour::Act;
use super::server::{MAX_BODY_BYTES, Shared, SinkResponse, text};
use super::totals::Written;
use crate::protocol::{Encoding, Form, Version};
use crate::scope;

impl Shared {
    pub(super) async fn write(&self, request: Request<Incoming>) -> io::Result<SinkResponse> {
        let salt = if self.totals.is_scoped() { salt(&request) } else { 0 };
        let said = match Said::by(request.headers()) {
            Ok(said) => said,
            Err(why) => {
                self.totals.undecodable();
                return Ok(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
            }
        };
        let body = match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                self.totals.undecodable();
                return Ok(text(StatusCode::BAD_REQUEST, &format!("unreadable body: {error}\n")));
            }
        };
        let form = Form { version: said.version, encoding: Encoding::of_body(&body) };
        if said.encoding.is_some_and(|encoding| encoding != form.encoding) {
            self.totals.undecodable();
            return Ok(text(StatusCode::BAD_REQUEST, "the body is not what Content-Encoding says\n"));
        }
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let mut status = *self.status.borrow();
        match self.act(form) {
            None => {}
            Some((Act::Latency(ms), _)) => sleep(Duration::from_millis(ms)).await,
            Some((Act::Stall, left)) => sleep(left).await,
            Some((Act::Reset | Act::Gone, _)) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some((Act::Refuse { status, retry_after }, _)) => return Ok(self.refuse(status, retry_after)),
            Some((Act::RefuseV2(status) | Act::RefuseZstd(status), _)) => {
                return Ok(self.refuse(status, None));
            }
            Some((Act::LoseV2, _)) => {
                self.totals.lost();
                return Ok(text(StatusCode::NO_CONTENT, ""));
            }
            Some((Act::TakeAndRefuse(code), _)) => status = code_of(code),
        }
        if !status.is_success() && status == *self.status.borrow() {
            self.totals.turned_away();
            return Ok(text(status, TOLD));
        }
        Ok(match self.totals.add(&body, form, salt) {
            Ok(written) => taken(status, form.version, written),
            Err(error) => text(StatusCode::BAD_REQUEST, &format!("{error}\n")),
        })
    }

    /// The answer to a request of which nothing is taken.
    fn refuse(&self, status: u16, retry_after: Option<u32>) -> SinkResponse {
        self.totals.turned_away();
        let mut response = text(code_of(status), TOLD);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

const TOLD: &str = "this sink was told to answer so\n";

/// What the headers of a request say that it is.
struct Said {
    version: Version,
    /// None: nothing; the body tells.
    encoding: Option<Encoding>,
}

impl Said {
    fn by(headers: &HeaderMap) -> Result<Self, &'static str> {
        let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let version = Version::of_type(said(CONTENT_TYPE)).ok_or("Content-Type names no remote write\n")?;
        let encoding = said(CONTENT_ENCODING).filter(|name| !name.trim().is_empty()).map(Encoding::named);
        match encoding {
            Some(None) => Err("Content-Encoding is neither snappy nor zstd\n"),
            known => Ok(Self { version, encoding: known.flatten() }),
        }
    }
}

/// The answer to a request that was taken; only senders of 2.0 are told what was written.
fn taken(status: StatusCode, version: Version, written: Written) -> SinkResponse {
    let mut response = text(status, "");
    if version == Version::Two && status.is_success() {
        let headers = response.headers_mut();
        headers.insert("x-prometheus-remote-write-samples-written", written.samples.into());
        headers.insert("x-prometheus-remote-write-histograms-written", written.histograms.into());
        headers.insert("x-prometheus-remote-write-exemplars-written", written.exemplars.into());
    }
    response
}

/// What the scope of a request adds to identities.
fn salt(request: &Request<Incoming>) -> u64 {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    scope::salt(headers, request.uri().query())
}

fn code_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
