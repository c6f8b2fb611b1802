//! What went wrong on the way to an upstream, in words that help whoever runs the gate.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy;
use rustls::{AlertDescription, CertificateError};

/// What kind of thing went wrong. Rate limits of the log go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dns,
    Refused,
    Connect,
    Tls,
    Timeout,
    Closed,
    Garbage,
    Misconfigured,
    ServerError,
    Throttled,
    Invalid,
}

impl Kind {
    pub(super) const COUNT: usize = Self::Invalid as usize + 1;

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Garbage => "garbage",
            Self::Misconfigured => "misconfigured",
            Self::ServerError => "server_error",
            Self::Throttled => "throttled",
            Self::Invalid => "invalid",
        }
    }
}

/// A kind and a sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) cause: String,
}

/// How an upstream is called in a sentence: its name and where it is. Never the path, which may be a token.
pub(super) struct Target {
    name: String,
    place: String,
}

impl Target {
    pub(super) fn new(name: &str, uri: &Uri) -> Self {
        let place = uri.authority().map_or_else(String::new, ToString::to_string);
        Self { name: name.to_owned(), place }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream {} ({})", self.name, self.place)
    }
}

/// Why a try brought no status.
#[derive(Debug)]
pub(super) enum TryError {
    /// The time for the whole request ran out.
    Timeout(Duration),
    /// No connection, or none that held.
    Client(legacy::Error),
    /// There are no credentials to send it with, and why.
    NoToken(String),
}

impl TryError {
    pub(super) fn failure(&self, target: &Target) -> Failure {
        let (kind, reason) = match self {
            Self::Timeout(limit) => (Kind::Timeout, format!("no answer within {limit:?}")),
            Self::Client(error) => explain(error),
            Self::NoToken(why) => (Kind::Misconfigured, why.clone()),
        };
        Failure { kind, cause: format!("{target}: {reason}") }
    }
}

/// The connection ended before a status came: what a kept connection does that the upstream closed meanwhile.
pub(super) fn ended_early(error: &legacy::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let ended = |error: &(dyn StdError + 'static)| {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        }
        error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            )
        })
    };
    !error.is_connect() && chain(error).any(ended)
}

fn explain(error: &legacy::Error) -> (Kind, String) {
    if let Some(tls) = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>()) {
        return (Kind::Tls, explain_tls(tls));
    }
    // hyper-util's connect error has no kind but its text
    if chain(error).any(|error| error.to_string() == "dns error") {
        return (Kind::Dns, format!("the name does not resolve ({})", root(error)));
    }
    let http = chain(error).find_map(|error| error.downcast_ref::<hyper::Error>());
    if let Some(http) = http.filter(|http| http.is_parse()) {
        return (Kind::Garbage, format!("the answer is not HTTP/1.1 ({http})"));
    }
    if ended_early(error) {
        return (Kind::Closed, format!("the connection was closed before an answer came ({})", root(error)));
    }
    match chain(error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            (Kind::Refused, "connection refused: nothing listens there".to_owned())
        }
        Some(io::ErrorKind::TimedOut) => (Kind::Connect, "no connection in time".to_owned()),
        _ => (Kind::Connect, format!("no connection ({})", root(error))),
    }
}

fn explain_tls(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        // a bad signature: an authority of the same name as ours, with another key
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by an authority we do not trust (tls.ca_file)".to_owned()
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name (tls.server_name)".to_owned(),
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid yet: are the clocks right?".to_owned(),
        Tls::InvalidCertificate(other) => format!("its certificate cannot be accepted ({other})"),
        Tls::InvalidMessage(_) => {
            "it does not speak TLS on this port: https:// may have to be http://".to_owned()
        }
        Tls::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::AccessDenied) => {
            "it wants a client certificate (tls.cert_file, tls.key_file)".to_owned()
        }
        Tls::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError),
        ) => format!("it refuses our client certificate ({alert:?}; tls.cert_file)"),
        other => format!("TLS failed ({other})"),
    }
}

/// The innermost error: outer ones only repeat it.
fn root(error: &legacy::Error) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

/// An error and what caused it.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

/// `io::Error` is special: its `source` skips the error it wraps.
fn cause_of<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
