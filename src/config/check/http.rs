//! What HTTP allows in header names and values.

use crate::config::cited::cited;
use crate::config::headers::is_reserved;

/// The name in lower case, if a config may set or read it.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    if hyper::header::HeaderName::from_bytes(lower.as_bytes()).is_err() {
        return Err("not a header name: letters, digits and `-` are expected".into());
    }
    if lower == "authorization" {
        return Err("`Authorization` is not set here; use `basic_auth` or `bearer_token`".into());
    }
    if is_reserved(&lower) {
        return Err(format!("`{}` belongs to the remote-write protocol and cannot be chosen", cited(name)));
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
