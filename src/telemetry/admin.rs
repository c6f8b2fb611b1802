//! Handles for the admin port.

use std::sync::Arc;

use metrics::Counter;

use super::names;
use super::registry::Registry;

/// What the admin port counts.
pub struct AdminMetrics {
    /// Connections closed because their request, or the reading of its answer, took too long.
    pub timeouts: Counter,
    /// Connections closed to make room for another.
    pub too_many: Counter,
    /// Connections closed because they spoke no TLS.
    pub plaintext: Counter,
    /// Connections closed because there was no TLS with them.
    pub tls_handshake: Counter,
    /// Requests refused because nobody is known by their credentials.
    pub unauthorized: Counter,
    /// Requests refused because their credentials may less.
    pub forbidden: Counter,
    /// Changing calls refused because a browser sent them.
    pub from_browsers: Counter,
}

impl AdminMetrics {
    /// Registers the handles.
    pub fn new(registry: &Arc<Registry>) -> Self {
        let closed = |reason| registry.counter(&names::ADMIN_CONNECTIONS_CLOSED, &[("reason", reason)]);
        let refused = |reason| registry.counter(&names::ADMIN_REFUSED, &[("reason", reason)]);
        Self {
            plaintext: closed("plaintext"),
            tls_handshake: closed("tls_handshake"),
            unauthorized: refused("unauthorized"),
            forbidden: refused("forbidden"),
            timeouts: closed("timeout"),
            too_many: closed("too_many"),
            from_browsers: registry.counter(&names::ADMIN_BROWSER_REQUESTS, &[]),
        }
    }
}
