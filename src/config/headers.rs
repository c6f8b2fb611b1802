//! Which headers are nobody's to choose.

/// Headers that frame a request, belong to one hop, or say what the body is. Neither the config nor a sender sets those of
/// what goes out. `accept-encoding` is among them because we decode no answer.
const FRAMING: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-prometheus-remote-write-version",
];

/// Headers that have another source than the config's `headers`: the URL, the sender, or what signs requests.
const OF_OTHERS: [&str; 6] = [
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-prometheus-remote-read-version",
];

/// Whether a header (in lower case) of a sender goes no further, and none of this name is set by the config.
pub fn is_framing(name: &str) -> bool {
    FRAMING.binary_search(&name).is_ok()
}

/// Whether a config may set or read no header of this name (in lower case).
pub(super) fn is_reserved(name: &str) -> bool {
    is_framing(name) || OF_OTHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_what_frames_is_reserved() {
        assert!(FRAMING.is_sorted());
        assert!(is_framing("proxy-connection") && is_reserved("via") && is_reserved("host"));
        assert!(!is_framing("user-agent") && !is_reserved("x-scope-orgid"));
    }
}
