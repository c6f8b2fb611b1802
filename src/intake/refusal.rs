//! A request turned away by the write port itself.

use std::time::Duration;

use hyper::StatusCode;

use super::Answer;
use crate::telemetry::Undecodable;

/// Why, and what the sender is told.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: Undecodable,
    pub(super) text: String,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// For good: the same request would be refused again.
    pub(super) fn new(status: StatusCode, reason: Undecodable, text: String) -> Self {
        Self { status, reason, text, retry_after: None }
    }

    /// For now: 503, come again.
    pub(super) fn for_now(reason: Undecodable, text: String, retry_after: Duration) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, reason, text, retry_after: Some(retry_after) }
    }

    /// This gate sent it. The gate is the sender here, and hands the answer on.
    pub(super) fn comes_back(retry_after: Duration) -> Self {
        let text =
            "this request came through this gate before: `url` of its upstream leads back to it".to_owned();
        let status = StatusCode::LOOP_DETECTED;
        Self { status, reason: Undecodable::Loop, text, retry_after: Some(retry_after) }
    }

    /// More bytes than allowed.
    pub(super) fn too_large(max_bytes: usize) -> Self {
        let text = format!(
            "the body is over the limit of {max_bytes} bytes (listen.max_body_size, or listen.max_in_flight where memory is small)"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Undecodable::TooLarge, text)
    }

    pub(super) fn into_answer(self) -> Answer {
        Answer { status: self.status, retry_after: self.retry_after, message: self.text }
    }
}
