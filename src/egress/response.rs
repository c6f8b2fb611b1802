//! What came back: the status, and as much of the text as is of use.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, StatusCode};

use crate::pipeline::Counts;
use crate::series::quote;

/// Read at most, so that the connection can be used again. Beyond it a new connection is cheaper.
const MAX_DRAIN_BYTES: usize = 64 << 10;

/// Of an excerpt. Prometheus reads as much.
const MAX_EXCERPT_BYTES: usize = 1024;

/// Of the body, kept to make an excerpt of: more than its size, because secrets and blanks may go.
const MAX_START_BYTES: usize = 4 * MAX_EXCERPT_BYTES;

/// An upstream's answer, made safe to show.
#[derive(Clone, Debug)]
pub(super) struct UpstreamResponse {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// Scheme and host a redirect points to.
    pub(super) location: Option<String>,
    pub(super) excerpt: String,
    /// What it says that it wrote; `None` where it says nothing of that.
    pub(super) written: Option<Counts>,
}

impl UpstreamResponse {
    /// Whether it does not say that it wrote anything.
    pub(super) fn wrote_nothing(&self) -> bool {
        self.written.unwrap_or_default().is_zero()
    }
}

/// What an answer says that was written (remote write 2.0, section "Required Written Response Headers"). A number that is missing
/// is 0.
pub(super) fn written(headers: &HeaderMap) -> Option<Counts> {
    let [samples, histograms, exemplars] = ["samples", "histograms", "exemplars"].map(|kind| {
        let value = headers.get(format!("x-prometheus-remote-write-{kind}-written"))?;
        value.to_str().ok()?.trim().parse::<u64>().ok()
    });
    samples.or(histograms).or(exemplars)?;
    let number = Option::unwrap_or_default;
    Some(Counts { samples: number(samples), histograms: number(histograms), exemplars: number(exemplars) })
}

/// Reads `body` to its end or to the bound, keeping the start. What is left unread closes the connection.
///
/// Takes the buffer from outside, so that what was read before a deadline is not lost.
pub(super) async fn drain(mut body: Incoming, start: &mut Vec<u8>) {
    let mut read = 0;
    while !body.is_end_stream() {
        // the status has been given; a body that breaks off does not take it back
        let Some(Ok(frame)) = body.frame().await else { return };
        let Some(data) = frame.data_ref() else { continue };
        let room = MAX_START_BYTES - start.len();
        start.extend_from_slice(&data[..data.len().min(room)]);
        read += data.len();
        if read > MAX_DRAIN_BYTES {
            return;
        }
    }
}

/// Text for a log line or an answer: one line, printable, without `secrets`, not too long.
pub(super) fn excerpt(start: &[u8], mut secrets: Vec<String>) -> String {
    // one may be part of another
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text: String = String::from_utf8_lossy(start).chars().map(printable).collect();
    for secret in &secrets {
        if text.contains(secret) {
            text = text.replace(secret, "<secret>");
        }
    }
    let text = text.trim();
    text[..text.floor_char_boundary(MAX_EXCERPT_BYTES)].to_owned()
}

fn printable(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        c if quote::prints(c) => c,
        _ => '\u{fffd}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_printable_line() {
        assert_eq!(excerpt(b"  out of order\nsample\r\n", vec![]), "out of order sample");
        assert_eq!(excerpt(b"a\x1b[31mb\0c\xffd", vec![]), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        assert_eq!(excerpt("x\u{202e}y".as_bytes(), vec![]), "x\u{fffd}y");
        assert_eq!(excerpt(b"", vec![]), "");
    }

    #[test]
    fn an_excerpt_has_at_most_1024_bytes_and_whole_characters() {
        assert_eq!(excerpt(&[b'x'; 4096], vec![]).len(), 1024);
        let text = excerpt("€".repeat(1000).as_bytes(), vec![]);
        assert_eq!(text.len(), 1023);
        assert!(text.chars().all(|c| c == '€'));
    }

    #[test]
    fn an_excerpt_shows_no_secret_even_where_it_would_be_cut() {
        let secrets = vec!["hunter2hunter2".to_owned()];
        assert_eq!(excerpt(b"bad token hunter2hunter2!", secrets.clone()), "bad token <secret>!");
        let body = format!("{}hunter2hunter2", "x".repeat(1020));
        assert!(!excerpt(body.as_bytes(), secrets).contains("hunt"));
    }
}
