//! A request body that counts itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use metrics::Counter;

/// One body for one try. It is counted when a connection takes it to write it, so that a try that never got
/// a connection counts nothing and one that was given up half way counts in full.
pub(super) struct CountedBody {
    bytes: Bytes,
    sent: Counter,
}

impl CountedBody {
    pub(super) fn new(bytes: Bytes, sent: Counter) -> Self {
        Self { bytes, sent }
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.sent.increment(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
