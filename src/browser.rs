//! Which requests a browser sent.
//!
//! Any page that a browser shows can make it POST to an address that only the browser's machine reaches. A port may ask
//! for nobody's credentials, and where it does, the browser adds those that it has been told. No page of ours posts, so a call that
//! changes something is for programs only. It does not matter
//! which site the page is from: with a name that now leads to this machine, a foreign page is of the same origin.

use hyper::HeaderMap;
use hyper::header::{HeaderName, ORIGIN, REFERER};

/// Browsers add at least one of these to a POST, and a page cannot take them all away.
const MARKS: [HeaderName; 3] = [ORIGIN, HeaderName::from_static("sec-fetch-site"), REFERER];

/// Whether a browser sent a request with these headers for a page.
pub fn sent(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.contains_key(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_what_it_adds() {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
            ("referer", "http://127.0.0.1:9202/"),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert!(sent(&headers), "{name}: {value}");
        }
        let curl = [("host", "127.0.0.1:9202"), ("user-agent", "curl/8.5.0"), ("accept", "*/*")];
        let curl = curl.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        assert!(!sent(&HeaderMap::from_iter(curl)));
    }
}
