//! Connections to one upstream: a pool of kept ones, and a way around it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::http::Extensions;
use hyper::http::uri::Scheme;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector, connect::HttpInfo};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lru::LruCache;
use metrics::Counter;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::body::CountedBody;
use super::failure::ended_early;
use super::{EgressError, tls};
use crate::clock::Jitter;
use crate::config::{Tls, Upstream};

/// A backend that is up answers a SYN in far less; what is left of the timeout is for the request.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections kept at most. Requests in hand are bounded elsewhere; this bounds what a burst leaves.
const MAX_IDLE: usize = 256;

/// Connections remembered as having answered. Above what is open at a time; one forgotten costs a retry.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// An HTTP/1.1 client over plain TCP or TLS.
pub(super) type Http = legacy::Client<HttpsConnector<HttpConnector>, CountedBody>;

/// Both ways to one upstream.
pub(super) struct Transport {
    kept: ArcSwap<Kept>,
    /// What the next kept connections are made with.
    builder: legacy::Builder,
    connector: HttpsConnector<HttpConnector>,
    max_age: Option<Duration>,
    /// Has no pool: every request gets a connection of its own.
    pub(super) fresh: Http,
    /// Local addresses of connections that have carried an answer. hyper tells neither before nor after
    /// whether a connection was a kept one.
    answered: Mutex<LruCache<SocketAddr, ()>>,
}

/// Uses kept connections.
struct Kept {
    http: Http,
    /// When they are left for new ones.
    until: Option<Instant>,
}

impl Transport {
    pub(super) fn new(
        upstream: &Upstream,
        scheme: Option<&Scheme>,
        jitter: &Jitter,
    ) -> Result<Self, EgressError> {
        let is_https = scheme == Some(&Scheme::HTTPS);
        let connector = connector(&upstream.tls, &upstream.name, upstream.timeout, is_https)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        // without a timer the idle timeout does nothing
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(upstream.idle_timeout);
        let fresh = builder.pool_max_idle_per_host(0).build(connector.clone());
        builder.pool_max_idle_per_host(MAX_IDLE);
        let max_age = Some(upstream.max_connection_age).filter(|age| !age.is_zero());
        let http = builder.build(connector.clone());
        let until = next_age(max_age, jitter);
        Ok(Self {
            kept: ArcSwap::from_pointee(Kept { http, until }),
            fresh,
            builder,
            connector,
            max_age,
            answered: Mutex::new(LruCache::new(REMEMBERED)),
        })
    }

    /// Kept connections. When they have reached their age they are left for new ones, which are made to whatever address the
    /// name has by then; `aged` counts that. Requests on the old ones go on: a connection closes when it is idle.
    pub(super) fn kept(&self, jitter: &Jitter, aged: &Counter) -> Http {
        let kept = self.kept.load();
        if kept.until.is_none_or(|until| Instant::now() < until) {
            return kept.http.clone();
        }
        let http = self.builder.build(self.connector.clone());
        let next = Arc::new(Kept { http, until: next_age(self.max_age, jitter) });
        let found = self.kept.compare_and_swap(&*kept, next);
        if Arc::ptr_eq(&found, &kept) {
            aged.increment(1);
        }
        self.kept.load().http.clone()
    }

    /// Remembers the connection an answer came on, from the answer's extensions.
    pub(super) fn remember(&self, answer: &Extensions) {
        if let Some(info) = answer.get::<HttpInfo>() {
            self.answered.lock().put(info.local_addr(), ());
        }
    }

    /// A kept connection ended before an answer came: the upstream closed it, most likely for being idle,
    /// while our request was on its way. A connection that cannot be told counts as kept, a new one does not:
    /// an upstream that closes on every request should not get each twice.
    pub(super) fn closed_under_us(&self, error: &legacy::Error) -> bool {
        if !ended_early(error) {
            return false;
        }
        let mut extensions = Extensions::new();
        if let Some(connected) = error.connect_info() {
            connected.get_extras(&mut extensions);
        }
        // popped: the next connection may get the same local port
        extensions.get::<HttpInfo>().is_none_or(|info| self.answered.lock().pop(&info.local_addr()).is_some())
    }
}

fn next_age(max_age: Option<Duration>, jitter: &Jitter) -> Option<Instant> {
    max_age.and_then(|age| Instant::now().checked_add(jitter.around(age)))
}

/// What makes connections, on behalf of an upstream.
pub(super) fn connector(
    tls: &Tls,
    upstream: &str,
    timeout: Duration,
    https: bool,
) -> Result<HttpsConnector<HttpConnector>, EgressError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeout.min(MAX_CONNECT_TIMEOUT)));
    let config = if https { tls::client_config(tls, upstream) } else { tls::unused_config() }?;
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    if https && let Some(name) = tls::server_name(tls)? {
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(builder.enable_http1().wrap_connector(tcp))
}
