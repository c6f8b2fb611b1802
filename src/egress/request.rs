//! What goes out: the URL and the headers, made once as far as they can be.

use bytes::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT, VIA,
};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Method, Request, Uri};
use metrics::Counter;

use super::body::CountedBody;
use super::secrets::encoded;
use super::{EgressError, Outbound};
use crate::codec::Encoding;
use crate::config::{Upstream, UpstreamAuth, is_framing};
use crate::via::Via;
use crate::wire::{Form, Message};

const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");

/// Of VictoriaMetrics' protocol, which is remote write 1.0 in zstd.
const VM_VERSION: HeaderName = HeaderName::from_static("x-victoriametrics-remote-write-version");

const OWN_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("seriesgate/", env!("CARGO_PKG_VERSION")));

/// Everything of a request that does not change from one to the next.
pub(super) struct Template {
    uri: Uri,
    /// Path and own query, up to where a sender's query goes on.
    before_query: String,
    /// Ours and the configured ones. They win over what a sender sent.
    fixed: HeaderMap,
    via: Via,
    forward_authorization: bool,
}

impl Template {
    pub(super) fn new(upstream: &Upstream, via: Via) -> Result<Self, EgressError> {
        let uri = parse_url(&upstream.url)?;
        let before_query = match uri.query() {
            Some(query) => format!("{}?{query}&", uri.path()),
            None => format!("{}?", uri.path()),
        };
        let fixed = fixed_headers(upstream, &uri)?;
        Ok(Self { uri, before_query, fixed, via, forward_authorization: upstream.forward_authorization })
    }

    /// Where the upstream is.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether a header of this name is ours, whatever a sender sends.
    pub(super) fn sets(&self, name: &HeaderName) -> bool {
        self.fixed.contains_key(name)
    }

    /// The URL with a sender's query string behind our own. `None`: that query cannot be part of a URL.
    pub(super) fn uri_with(&self, query: Option<&str>) -> Option<Uri> {
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Some(self.uri.clone()) };
        let joined = Bytes::from([self.before_query.as_str(), query].concat());
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(joined).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// One try of `outbound`.
    pub(super) fn request(&self, uri: Uri, outbound: &Outbound, sent: Counter) -> Request<CountedBody> {
        let mut request = Request::new(CountedBody::new(outbound.body.clone(), sent));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers(outbound);
        request
    }

    fn headers(&self, outbound: &Outbound) -> HeaderMap {
        let from_sender = &outbound.headers;
        let mut headers = self.fixed.clone();
        put_form(&mut headers, outbound.form);
        for (name, value) in from_sender {
            if self.fixed.contains_key(name) || is_framing(name.as_str()) {
                continue;
            }
            let mut value = value.clone();
            if *name == AUTHORIZATION {
                if !self.forward_authorization {
                    continue;
                }
                value.set_sensitive(true);
            }
            headers.append(name, value);
        }
        headers.entry(USER_AGENT).or_insert(OWN_USER_AGENT);
        headers.insert(VIA, self.via.after(from_sender.get(VIA)));
        headers
    }
}

/// What says which form a body has. No blank in the type: some receivers compare it byte for byte.
fn put_form(headers: &mut HeaderMap, form: Form) {
    let (kind, version) = match form.message {
        Message::V1 => ("application/x-protobuf", "0.1.0"),
        Message::V2 => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(VERSION, HeaderValue::from_static(version));
    let encoding = match form.encoding {
        Encoding::Snappy => "snappy",
        Encoding::Zstd => {
            headers.insert(VM_VERSION, HeaderValue::from_static("1"));
            "zstd"
        }
    };
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
}

fn parse_url(url: &str) -> Result<Uri, EgressError> {
    let uri: Uri = url.parse().map_err(|_| EgressError::Url("not a URL"))?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        _ => return Err(EgressError::Url("must start with http:// or https://")),
    }
    let authority = uri.authority().ok_or(EgressError::Url("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(EgressError::Url("holds credentials; they belong into basic_auth"));
    }
    if authority.host().is_empty() {
        return Err(EgressError::Url("names no host"));
    }
    Ok(uri)
}

fn fixed_headers(upstream: &Upstream, uri: &Uri) -> Result<HeaderMap, EgressError> {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(HOST, host(uri)?);
    for (name, value) in &upstream.headers {
        let parsed = HeaderName::try_from(name).map_err(|_| EgressError::HeaderName(name.clone()))?;
        if is_framing(parsed.as_str()) {
            return Err(EgressError::ReservedHeader(name.clone()));
        }
        headers.insert(parsed, sensitive(name, value.expose())?);
    }
    let authorization = match &upstream.auth {
        UpstreamAuth::None => None,
        UpstreamAuth::Basic(basic) => {
            Some(format!("Basic {}", encoded(&basic.username, basic.password.expose())))
        }
        UpstreamAuth::Bearer(token) => Some(format!("Bearer {}", token.expose())),
        // stands for the token of the moment
        UpstreamAuth::OAuth2(_) => Some("Bearer".to_owned()),
    };
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, sensitive("authorization", &value)?);
    }
    put_form(&mut headers, Form::PLAIN);
    Ok(headers)
}

/// As a client writes it: no port where it is the scheme's own.
fn host(uri: &Uri) -> Result<HeaderValue, EgressError> {
    let host = uri.host().unwrap_or_default();
    let own_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let value = match uri.port_u16() {
        Some(port) if port != own_port => HeaderValue::try_from(format!("{host}:{port}")),
        _ => HeaderValue::from_str(host),
    };
    value.map_err(|_| EgressError::Url("the host cannot be sent in a header"))
}

fn sensitive(name: &str, value: &str) -> Result<HeaderValue, EgressError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| EgressError::HeaderValue(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_be_posted_to_are_refused() {
        for url in
            ["", "/api/v1/write", "host/write", "ftp://host/write", "http://", "http://u:pw@host/write"]
        {
            let error = parse_url(url).expect_err(url).to_string();
            assert!(!error.contains("pw"), "{error}");
        }
    }

    #[test]
    fn host_has_a_port_only_where_it_is_not_the_schemes_own() {
        let host_of = |url: &str| host(&parse_url(url).unwrap()).unwrap();
        assert_eq!(host_of("http://a:80/w"), "a");
        assert_eq!(host_of("https://a:443/w"), "a");
        assert_eq!(host_of("https://a:80/w"), "a:80");
        assert_eq!(host_of("http://[::1]:8428/w"), "[::1]:8428");
    }
}
