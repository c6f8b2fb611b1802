//! Every metric we export. `docs/metrics.md` says the same for users; a test compares.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One exported metric.
#[derive(Debug)]
pub struct Metric {
    /// Full name.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// Label names, in order.
    pub labels: &'static [&'static str],
    /// The HELP text.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[$meta:meta])* $ident:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(crate) static $ident: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// All of them, in the order of `docs/metrics.md`.
        pub static ALL: &[&Metric] = &[$(&$ident),*];
    };
}

metrics! {
    REQUESTS = Counter "seriesgate_requests_total" ["code"] "Write requests answered, by status code.";
    REQUEST_BYTES = Counter "seriesgate_request_bytes_total" [] "Bytes of write request bodies read, as they came (compressed).";
    UNDECODABLE = Counter "seriesgate_undecodable_requests_total" ["reason"] "Write requests whose samples could not be counted, by reason.";
    CONNECTIONS = Gauge "seriesgate_connections" [] "Open connections on the write port.";
    CONNECTIONS_ACCEPTED = Counter "seriesgate_connections_accepted_total" [] "Connections accepted on the write port.";
    CONNECTIONS_REFUSED = Counter "seriesgate_connections_refused_total" ["reason"] "Connections closed without serving a request, by reason.";
    CONNECTIONS_AGED = Counter "seriesgate_connections_aged_total" [] "Connections closed with a response because they reached listen.max_connection_age.";
    ACCEPT_ERRORS = Counter "seriesgate_accept_errors_total" [] "Errors of accept(), out of file descriptors included.";
    OPEN_FILES = Gauge "seriesgate_open_files" [] "File descriptors in use by the process.";
    MAX_FILES = Gauge "seriesgate_max_files" [] "File descriptors the process may use (soft limit, raised at start).";
    IN_FLIGHT_BYTES = Gauge "seriesgate_in_flight_bytes" [] "Bytes of request bodies held now.";
    IN_FLIGHT_BYTES_MAX = Gauge "seriesgate_in_flight_bytes_max" [] "Bytes of request bodies that may be held; above it requests are answered 503.";
    UPSTREAM_REQUESTS = Counter "seriesgate_upstream_requests_total" ["upstream", "code"] "Requests sent upstream, by status code; code 0 = no answer.";
    UPSTREAM_BYTES = Counter "seriesgate_upstream_bytes_total" ["upstream"] "Bytes of request bodies sent upstream (compressed).";
    UPSTREAM_RETRIES = Counter "seriesgate_upstream_retries_total" ["upstream"] "Requests sent again on a fresh connection because a kept one was closed under us.";
    UPSTREAM_SPLITS = Counter "seriesgate_upstream_splits_total" ["upstream"] "Requests split in two because the upstream answered 413.";
}
