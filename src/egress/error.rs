//! Why a client could not be made. No message shows a URL, a header value or a key: they may hold secrets.

use std::path::PathBuf;

/// A setting of an upstream that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL does not parse, or lacks a part.
    #[error("url: {0}")]
    Url(&'static str),
    /// A header that frames the request or says what is in it; it is ours to set.
    #[error("headers: `{0}` is set by seriesgate and cannot be configured")]
    ReservedHeader(String),
    /// A header name that HTTP does not allow.
    #[error("headers: `{0}` is not a header name")]
    HeaderName(String),
    /// A header value that HTTP does not allow: a line break, mostly.
    #[error(
        "the value for the header `{0}` holds a character that HTTP does not allow, such as a line break"
    )]
    HeaderValue(String),
    /// A PEM file that cannot be read or holds nothing of use.
    #[error("{key}: {}: {reason}", path.display())]
    Pem {
        /// The config key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `system_roots` on a machine that has none.
    #[error("tls.system_roots: the machine's certificates cannot be read: {0} (Debian: ca-certificates)")]
    SystemRoots(String),
    /// `cert_file` without `key_file`, or the other way round.
    #[error("tls: cert_file and key_file go together")]
    HalfClientCertificate,
    /// Certificate and key do not fit each other or the TLS library.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// `server_name` is no DNS name and no address.
    #[error("tls.server_name: `{0}` is not a host name")]
    ServerName(String),
}
