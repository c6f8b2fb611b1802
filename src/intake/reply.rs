//! The response as hyper writes it: at most one piece of text, and what is given back once it is written.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use super::SenderReply;
use super::activity::InHand;
use crate::access::Challenge;

/// How many samples, histograms and exemplars were written (remote write 2.0, section "Required Written Response Headers").
static WRITTEN: [HeaderName; 3] = [
    HeaderName::from_static("x-prometheus-remote-write-samples-written"),
    HeaderName::from_static("x-prometheus-remote-write-histograms-written"),
    HeaderName::from_static("x-prometheus-remote-write-exemplars-written"),
];

/// A response body. Dropped when hyper has taken it, and with it the guard.
pub(super) struct Reply {
    text: Bytes,
    _request: InHand,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.text.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.text)))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.len() as u64)
    }
}

/// What a response says beside the answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// `Connection: close`.
    pub(super) close: bool,
    /// `Allow`, with 405.
    pub(super) allow: Option<&'static str>,
    /// `WWW-Authenticate`, with 401.
    pub(super) challenge: Option<Challenge>,
    /// The text is read by a program, to the last byte.
    pub(super) exact: bool,
    /// JSON rather than text.
    pub(super) json: bool,
    /// An answer to HEAD: no body.
    pub(super) head: bool,
    /// An answer to a request of remote write 2.0, which says how much was written. Senders of 1.0 take such headers amiss:
    /// Prometheus before 3.8.1 counts by them.
    pub(super) counts_written: bool,
}

/// Makes the response; `request` is let go when it is written.
pub(super) fn respond(answer: SenderReply, manner: Manner, request: InHand) -> Response<Reply> {
    let SenderReply { status, retry_after, mut message, written } = answer;
    let silent = status == StatusCode::NO_CONTENT || message.is_empty();
    if !silent && !manner.exact && !message.ends_with('\n') {
        message.push('\n');
    }
    let text = if silent || manner.head { Bytes::new() } else { Bytes::from(message) };
    let mut response = Response::new(Reply { text, _request: request });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !silent {
        let kind = if manner.json { "application/json" } else { "text/plain; charset=utf-8" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Some(wait) = retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(methods) = manner.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(challenge) = manner.challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if manner.counts_written {
        for (name, count) in WRITTEN.iter().zip([written.samples, written.histograms, written.exemplars]) {
            headers.insert(name, HeaderValue::from(count));
        }
    }
    if manner.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
