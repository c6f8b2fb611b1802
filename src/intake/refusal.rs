//! A request turned away by the write port itself.

use std::net::IpAddr;
use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use super::SenderReply;
use crate::access::Challenge;
use crate::telemetry::Undecodable;

/// A request turned away by the write port, for those who keep books of it.
#[derive(Debug)]
pub struct TurnedAway<'r> {
    /// Address of the sender, where it is known.
    pub peer: Option<IpAddr>,
    /// The tenant header's value; empty where the header is absent or has none that can be used.
    pub tenant: String,
    /// All headers of the request.
    pub headers: &'r HeaderMap,
    /// Why.
    pub reason: Undecodable,
    /// What the sender is answered.
    pub status: StatusCode,
    /// What the sender is told.
    pub message: &'r str,
}

/// Why, and what the sender is told.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: Undecodable,
    pub(super) text: String,
    pub(super) retry_after: Option<Duration>,
    /// The methods that there are, with 405.
    pub(super) allow: Option<&'static str>,
    /// What credentials there may be, with 401.
    pub(super) challenge: Option<Challenge>,
}

impl Refusal {
    /// For good: the same request would be refused again.
    pub(super) fn new(status: StatusCode, reason: Undecodable, text: String) -> Self {
        Self { status, reason, text, retry_after: None, allow: None, challenge: None }
    }

    /// For now: 503, come again.
    pub(super) fn for_now(reason: Undecodable, text: String, retry_after: Duration) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, reason, text, retry_after: Some(retry_after), allow: None, challenge: None }
    }

    /// This gate sent it. The gate is the sender here, and hands the answer on.
    pub(super) fn comes_back(retry_after: Duration) -> Self {
        let text =
            "this request came through this gate before: `url` of its upstream leads back to it".to_owned();
        let status = StatusCode::LOOP_DETECTED;
        Self { retry_after: Some(retry_after), ..Self::new(status, Undecodable::Loop, text) }
    }

    /// It shows no credentials, or none that are known.
    pub(super) fn unauthorized(challenge: Challenge) -> Self {
        let text = "who may write has to say so, and these are not the credentials of a user (listen.auth)";
        let refusal = Self::new(StatusCode::UNAUTHORIZED, Undecodable::Unauthorized, text.to_owned());
        Self { challenge: Some(challenge), ..refusal }
    }

    /// Its credentials are for something else.
    pub(super) fn forbidden(text: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, Undecodable::Forbidden, text)
    }

    /// More bytes than allowed.
    pub(super) fn too_large(max_bytes: usize) -> Self {
        let text = format!(
            "the body is over the limit of {max_bytes} bytes (listen.max_body_size, or listen.max_in_flight where memory is small)"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Undecodable::TooLarge, text)
    }

    pub(super) fn into_answer(self) -> SenderReply {
        SenderReply::nothing_written(self.status, self.retry_after, self.text)
    }
}
