//! What a request's headers say, judged before its body is touched.
//!
//! Senders are sloppy and receivers forgiving: a missing type or encoding means remote write 1.0 in snappy, and
//! `X-Prometheus-Remote-Write-Version` decides nothing: the type says which of the two messages a body is.

use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT, VIA,
};
use hyper::{StatusCode, http::header::InvalidHeaderName};

use super::Typed;
use super::refusal::Refusal;
use crate::browser;
use crate::series::scope::HEADERS as SCOPE;
use crate::telemetry::Undecodable;
use crate::via;
use crate::wire::Message;

/// A tenant's name at most, bytes.
const TENANT_MAX_BYTES: usize = 256;

const V1_MESSAGE: &str = "prometheus.WriteRequest";
const V2_MESSAGE: &str = "io.prometheus.write.v2.Request";

/// What may go upstream of a sender's headers; the tenant header beside them. Those that make a scope come first.
static FORWARDED: [HeaderName; 8] = [
    HeaderName::from_static(SCOPE[0]),
    HeaderName::from_static(SCOPE[1]),
    HeaderName::from_static(SCOPE[2]),
    HeaderName::from_static(SCOPE[3]),
    HeaderName::from_static(SCOPE[4]),
    HeaderName::from_static("retry-attempt"),
    USER_AGENT,
    AUTHORIZATION,
];

/// The headers we read, by name.
#[derive(Debug)]
pub(super) struct Names {
    tenant: HeaderName,
    tenant_is_extra: bool,
}

impl Names {
    pub(super) fn new(tenant: &str) -> Result<Self, InvalidHeaderName> {
        let tenant = HeaderName::from_bytes(tenant.as_bytes())?;
        Ok(Self { tenant_is_extra: !FORWARDED.contains(&tenant), tenant })
    }

    /// Refuses a request of which a header that decides where its data lands says two things: whoever stands between may have
    /// looked at the other one.
    pub(super) fn check_scope(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.len() == headers.keys_len() {
            return Ok(());
        }
        let scope = FORWARDED[..SCOPE.len()].iter().chain([&self.tenant]);
        for name in scope {
            let mut values = headers.get_all(name).iter();
            let first = values.next();
            if values.any(|value| Some(value) != first) {
                let text = format!("the header {name} came more than once, with different values");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, Undecodable::Tenant, text));
            }
        }
        Ok(())
    }

    /// Which header names the tenant.
    pub(super) fn tenant_header(&self) -> &HeaderName {
        &self.tenant
    }

    /// Another header than the tenant's that decides where data lands.
    pub(super) fn other_scope(&self, headers: &HeaderMap) -> Option<&'static HeaderName> {
        let says = |name: &HeaderName| headers.get(name).is_some_and(|value| !value.is_empty());
        FORWARDED[..SCOPE.len()].iter().find(|name| **name != self.tenant && says(name))
    }

    /// The tenant; empty where the header is absent.
    pub(super) fn tenant(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let Some(value) = headers.get(&self.tenant) else { return Ok(String::new()) };
        let problem = match std::str::from_utf8(value.as_bytes()) {
            Ok(tenant) if tenant.len() <= TENANT_MAX_BYTES => return Ok(tenant.to_owned()),
            Ok(tenant) => format!("has {} bytes, {TENANT_MAX_BYTES} are allowed", tenant.len()),
            Err(_) => "is not UTF-8".to_owned(),
        };
        let text = format!("the tenant header {} {problem}", self.tenant);
        Err(Refusal::new(StatusCode::BAD_REQUEST, Undecodable::Tenant, text))
    }

    /// The headers that may go upstream. Of a header sent twice the first counts, and of `Via` all do.
    pub(super) fn forwarded(&self, headers: &HeaderMap) -> HeaderMap {
        let mut kept = HeaderMap::with_capacity(FORWARDED.len() + 2);
        let extra = self.tenant_is_extra.then_some(&self.tenant);
        for name in FORWARDED.iter().chain(extra) {
            if let Some(value) = headers.get(name) {
                kept.insert(name, value.clone());
            }
        }
        if let Some(way) = via::way(headers) {
            kept.insert(VIA, way);
        }
        kept
    }
}

/// Types that senders were seen to give to remote write 1.0, beside its own and none.
const VAGUE: [&str; 3] = ["application/octet-stream", "application/vnd.google.protobuf", "text/plain"];

/// Which message a body is as far as headers say, or why it is none that we take.
pub(super) fn check_format(headers: &HeaderMap) -> Result<(Message, Typed), Refusal> {
    let format = match headers.get(CONTENT_TYPE) {
        Some(value) => check_type(&text(value), browser::sent(headers))?,
        None => (Message::V1, Typed::Right),
    };
    if let Some(value) = headers.get(CONTENT_ENCODING) {
        check_encoding(&text(value))?;
    }
    Ok(format)
}

fn text(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// A page can have its browser send plain text to any address: then the type has to be right.
fn check_type(value: &str, by_browser: bool) -> Result<(Message, Typed), Refusal> {
    let unsupported =
        |text: String| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Undecodable::ContentType, text);
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if !by_browser && VAGUE.iter().any(|vague| media_type.eq_ignore_ascii_case(vague)) {
        return Ok((Message::V1, Typed::Vague));
    }
    if !media_type.is_empty() && !media_type.eq_ignore_ascii_case("application/x-protobuf") {
        return Err(unsupported(format!("Content-Type {media_type:?}: send application/x-protobuf")));
    }
    let parameters = parts.filter_map(|part| part.split_once('='));
    let proto = parameters
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proto"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .next();
    match proto {
        None | Some("" | V1_MESSAGE) => Ok((Message::V1, Typed::Right)),
        Some(V2_MESSAGE) => Ok((Message::V2, Typed::Right)),
        Some(other) => Err(unsupported(format!(
            "unknown message {other:?}: send proto={V1_MESSAGE} or proto={V2_MESSAGE}"
        ))),
    }
}

fn check_encoding(value: &str) -> Result<(), Refusal> {
    let value = value.trim();
    if ["", "snappy", "zstd"].iter().any(|taken| value.eq_ignore_ascii_case(taken)) {
        return Ok(());
    }
    let text = format!("Content-Encoding {value:?}: send snappy (block format) or zstd");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Undecodable::ContentEncoding, text))
}

#[cfg(test)]
mod tests;
