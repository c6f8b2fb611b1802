//! Where to send: checked before anything is prepared, so that nobody is flooded by a slip of the hand.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail, ensure};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};

use crate::protocol::Protocol;

/// Which receivers may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only this machine.
    Loopback,
    /// Any, because the user said so.
    Anywhere,
}

/// A receiver, resolved.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) addr: SocketAddr,
    /// Value of the `Host` header.
    pub(super) host: HeaderValue,
    /// Path and query.
    pub(super) path: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Where connections come from, if that matters.
    pub(super) from: Option<IpAddr>,
    /// What bodies are.
    pub(super) protocol: Protocol,
}

impl Target {
    /// Reads an `http://host:port/path` URL and resolves its host. Refuses what lies beyond `reach`.
    pub fn parse(url: &str, reach: Reach) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is no URL"))?;
        if uri.scheme_str() != Some("http") {
            bail!("{url:?}: only http:// is spoken here");
        }
        let authority = uri.authority().with_context(|| format!("{url:?} names no host"))?;
        let host = authority.host().trim_matches(['[', ']']);
        // what stands behind an IPv6 address in brackets, or behind a name
        let behind = authority.as_str().rsplit(']').next().unwrap_or_default();
        let port = match behind.rsplit_once(':') {
            None => 80,
            Some((_, port)) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .with_context(|| format!("{url:?}: its port is not a number from 1 to 65535"))?,
        };
        let addrs: Vec<SocketAddr> =
            (host, port).to_socket_addrs().with_context(|| format!("cannot resolve {host:?}"))?.collect();
        if reach == Reach::Loopback && !addrs.iter().all(|addr| addr.ip().is_loopback()) {
            bail!("{host} is another machine; pass --allow-remote if it is yours to load");
        }
        // localhost may be both ::1 and 127.0.0.1; receivers in tests listen on the latter
        let addr = addrs.iter().find(|addr| addr.is_ipv4()).or(addrs.first());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            addr: *addr.with_context(|| format!("{host:?} has no address"))?,
            host: HeaderValue::from_str(authority.as_str())?,
            path: path.parse()?,
            headers: Vec::new(),
            from: None,
            protocol: Protocol::V1,
        })
    }

    /// Adds a header to every request.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self> {
        let name: HeaderName = name.trim().parse().with_context(|| format!("{name:?} is no header name"))?;
        let value = HeaderValue::from_str(value.trim()).with_context(|| format!("bad value for {name}"))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Says of every body that it is in this protocol.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Adds a query to the URL.
    pub fn with_query(mut self, query: &str) -> Result<Self> {
        let sign = if self.path.query().is_some() { '&' } else { '?' };
        self.path = format!("{}{sign}{query}", self.path)
            .parse()
            .with_context(|| format!("{query:?} is no query of a URL"))?;
        Ok(self)
    }

    /// Connects from the loopback address of this number, 127.0.0.1 and on.
    pub fn from_loopback(mut self, number: u8) -> Result<Self> {
        let reachable = self.addr.is_ipv4() && self.addr.ip().is_loopback();
        ensure!(reachable, "{}: from 127.0.0.{number} only this machine can be reached", self.addr);
        self.from = Some([127, 0, 0, number].into());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_needs_permission() {
        let refused = Target::parse("http://192.0.2.1:9201/api/v1/write", Reach::Loopback).unwrap_err();
        assert!(refused.to_string().contains("--allow-remote"), "{refused}");
        assert!(Target::parse("http://192.0.2.1:9201/api/v1/write", Reach::Anywhere).is_ok());
        assert!(Target::parse("http://127.0.0.1:9201/x?y=1", Reach::Loopback).is_ok());
        assert!(Target::parse("http://[::1]:9201/", Reach::Loopback).is_ok());
    }

    #[test]
    fn a_port_that_is_none_is_refused() {
        for url in
            ["http://127.0.0.1:65536/", "http://[::1]:99999/x", "http://localhost:0", "http://localhost:/w"]
        {
            let refused = Target::parse(url, Reach::Loopback).unwrap_err().to_string();
            assert!(refused.contains("its port is not a number from 1 to 65535"), "{refused}");
        }
        for (url, port) in
            [("http://127.0.0.1/", 80), ("http://[::1]/", 80), ("http://127.0.0.1:65535/", 65535)]
        {
            assert_eq!(Target::parse(url, Reach::Loopback).unwrap().addr.port(), port);
        }
    }

    #[test]
    fn https_is_refused() {
        assert!(Target::parse("https://127.0.0.1/", Reach::Loopback).is_err());
        assert!(Target::parse("127.0.0.1:80", Reach::Loopback).is_err());
    }
}
