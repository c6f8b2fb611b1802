//! `upstreams`: the target and its TLS settings.

use std::hash::{DefaultHasher, Hasher as _};

use hyper::Uri;

use super::Checker;
use crate::config::at::At;
use crate::config::position::Position;
use crate::config::raw::{RawTls, RawUpstream};
use crate::config::{OnRefusal, OnThrottle, Protocol, Tls, Upstream, Validation, expand};
use crate::series::LongValues;

impl Checker<'_> {
    pub(super) fn upstreams(&mut self, raw: Option<&At<Vec<At<RawUpstream>>>>) -> Option<Upstream> {
        let known = !self.could_not_read(&["upstreams"]);
        let Some(raw) = raw else {
            if known {
                self.refuse(
                    Position::default(),
                    "`upstreams` is missing; the least is\nupstreams:\n  - { name: primary, url: http://HOST:PORT/api/v1/write }",
                );
            }
            return None;
        };
        let numbered = raw.value.iter().enumerate();
        let checked: Vec<_> = numbered
            .map(|(at, one)| self.inside(&format!("upstreams.{at}"), |check| check.upstream(one)))
            .collect();
        if let Some(second) = raw.value.get(1) {
            self.refuse(second.position, "this version sends to one upstream; here is a second one");
        } else if checked.is_empty() && known {
            self.refuse(raw.position, "expected one upstream, found none");
        }
        checked.into_iter().next()?
    }

    fn upstream(&mut self, at: &At<RawUpstream>) -> Option<Upstream> {
        let raw = &at.value;
        let name = self.required(at.position, "name", raw.name.as_ref());
        if let Some(name) = name {
            self.name(name);
        }
        let written = self.required(at.position, "url", raw.url.as_ref());
        let url = written.and_then(|written| self.url(written));
        let timeout = self.duration(&raw.timeout, "1ms", "1h");
        let idle_timeout = self.duration(&raw.idle_timeout, "1ms", "1h");
        let max_connection_age = self.duration(&raw.max_connection_age, "0s", "30d");
        let auth = self.auth(raw);
        let headers = self.headers(raw);
        let throttle = [("pass", OnThrottle::Pass), ("retry", OnThrottle::Retry)];
        let on_throttle = self.choice(&raw.upstream_429, &throttle).unwrap_or_default();
        let protocols =
            [("auto", Protocol::Auto), ("v1", Protocol::V1), ("v2", Protocol::V2), ("zstd", Protocol::Zstd)];
        let protocol = self.choice(&raw.protocol, &protocols).unwrap_or_default();
        let protocol_retry = self.duration(&raw.protocol_retry, "1s", "30d");
        let levels =
            [("strict", Validation::Strict), ("repair", Validation::Repair), ("off", Validation::Off)];
        let validation = self.choice(&raw.validation, &levels).unwrap_or_default();
        let drops = self.choice(&raw.long_values, &[("cut", false), ("drop", true)]).unwrap_or_default();
        let longest = raw.max_label_value.as_ref().map(|size| self.size(size, LongValues::LEAST, "16MiB"));
        let long_values = longest.map(|most| LongValues { most, drops });
        let refusals = [("pass", OnRefusal::Pass), ("bisect", OnRefusal::Bisect)];
        let on_400 = self.choice(&raw.on_400, &refusals).unwrap_or_default();
        let max_body_bytes = raw.max_body.as_ref().map(|size| self.size(size, "1KiB", "1GiB"));
        let tls = raw.tls.as_ref().map(|tls| self.inside("tls", |check| check.tls(tls, url.as_deref())));
        let tls = tls.unwrap_or_default();
        let (delivery, queue) = self.delivery(raw);
        Some(Upstream {
            name: name?.value.clone(),
            url: url?,
            timeout,
            idle_timeout,
            max_connection_age,
            auth,
            headers,
            forward_authorization: raw.forward_authorization.value,
            on_throttle,
            max_body_bytes,
            on_400,
            protocol,
            validation,
            long_values,
            protocol_retry,
            delivery,
            queue,
            tls,
        })
    }

    pub(super) fn required<'r>(
        &mut self,
        parent: Position,
        key: &str,
        value: Option<&'r At<String>>,
    ) -> Option<&'r At<String>> {
        if value.is_none() && !self.could_not_read(&[key]) {
            self.refuse(parent, format!("`{key}` is missing here"));
        }
        value
    }

    pub(super) fn url(&mut self, at: &At<String>) -> Option<String> {
        let url = self.expand(at.position, &at.value)?;
        if let Some(stand_in) = self.secrets.instead_of_url(&at.value, expand::refers(&at.value)) {
            return Some(stand_in);
        }
        self.accept(at.position, valid_url(&url))?;
        Some(url)
    }

    pub(super) fn tls(&mut self, at: &At<RawTls>, url: Option<&str>) -> Tls {
        let raw = &at.value;
        if url.is_some_and(|url| !is_https(url)) {
            self.refuse(at.position, "`tls` has no use with an `http://` url");
        }
        for (one, other) in [(&raw.cert_file, "key_file"), (&raw.key_file, "cert_file")] {
            let other_given =
                if other == "key_file" { raw.key_file.is_some() } else { raw.cert_file.is_some() };
            let lacks = !other_given && !self.could_not_read(&[other]);
            if let Some(one) = one.as_ref().filter(|_| lacks) {
                self.refuse(
                    one.position,
                    format!("a client certificate needs both files; `{other}` is missing"),
                );
            }
        }
        let server_name = raw.server_name.as_ref().and_then(|at| {
            let name = self.expand(at.position, &at.value)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
            if name.is_empty() || !name.chars().all(plain) {
                self.refuse(at.position, "expected a host name, without scheme and port");
            }
            Some(name)
        });
        let mut contents = DefaultHasher::new();
        let mut file =
            |at: &Option<At<String>>| at.as_ref().and_then(|at| self.readable_file(at, &mut contents));
        Tls {
            ca_file: file(&raw.ca_file),
            cert_file: file(&raw.cert_file),
            key_file: file(&raw.key_file),
            server_name,
            system_roots: raw.system_roots,
            insecure_skip_verify: raw.insecure_skip_verify,
            content_hash: contents.finish(),
        }
    }
}

fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// Says nothing of the url's text: what was expanded into it may be a token.
fn valid_url(url: &str) -> Result<(), String> {
    let example = "such as `https://host:8428/api/v1/write`";
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("the url has a space in it, or a line's end; expected one {example}"));
    }
    if url.contains('#') {
        return Err("a fragment (`#…`) is never sent; leave it out of the url".into());
    }
    let Some((_, after_scheme)) = url.split_once("://") else {
        return Err(format!("the url has no scheme; expected `http://` or `https://`, {example}"));
    };
    if after_scheme.is_empty() || after_scheme.starts_with(['/', '?', ':']) {
        return Err(format!("the url has no host; expected one {example}"));
    }
    let uri: Uri = url.parse().map_err(|_| format!("expected a url {example}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(format!("expected an `http://` or `https://` url, {example}")),
    }
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if authority.contains('@') {
        return Err("credentials do not stand in the url; use `basic_auth`".into());
    }
    if authority.contains(':') && !authority.ends_with(']') && uri.port_u16().is_none_or(|port| port == 0) {
        return Err("the url's port is not a number from 1 to 65535".into());
    }
    Ok(())
}
