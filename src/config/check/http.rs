//! What HTTP allows in header names and values, and which headers are not the user's.

/// Headers that remote write or the connection owns.
const RESERVED: [&str; 23] = [
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "www-authenticate",
    "accept-encoding",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "via",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// The name in lower case, if a config may set or read it.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    if hyper::header::HeaderName::from_bytes(lower.as_bytes()).is_err() {
        return Err("not a header name: letters, digits and `-` are expected".into());
    }
    if lower == "authorization" {
        return Err("`Authorization` is not set here; use `basic_auth` or `bearer_token`".into());
    }
    if RESERVED.contains(&lower.as_str()) {
        return Err(format!("`{name}` belongs to the remote-write protocol and cannot be chosen"));
    }
    Ok(lower)
}

/// Whether a secret can be sent as (part of) a header value.
pub(super) fn header_value(value: &str) -> Result<(), String> {
    if value.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f) {
        return Err("a header value cannot hold line breaks or control characters".into());
    }
    Ok(())
}
