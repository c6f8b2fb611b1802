//! The upstream client: one request out, one [`Reply`] back. Knows nothing of what is in a body.
//!
//! ```text
//! Outbound ─▶ request ─▶ transport (kept connections; one retry on a fresh one) ─▶ answer ─▶ classify ─▶ Reply
//! ```
//!
//! It follows no redirect, decodes no body, reads no proxy variable, and waits for an upstream only within
//! `upstream.timeout`. Dropping the future of [`Client::send`] closes the connection it was using.

mod body;
mod classify;
mod client;
mod error;
mod failure;
mod insecure;
mod oauth2;
mod request;
mod response;
mod retry_after;
mod secrets;
mod takes;
mod tls;
mod transport;
mod warnings;

pub use client::Client;
pub use error::EgressError;
pub(crate) use tls::client_config as client_tls;

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use crate::pipeline::Counts;
use crate::wire::Form;

/// One request to an upstream. Cheap to clone: a split sends several with the same headers.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The body, in one of the forms that [`Client::form`] names.
    pub body: Bytes,
    /// Which form that is.
    pub form: Form,
    /// What is in it of what an upstream counts.
    pub counts: Counts,
    /// Query string of the sender's request, without `?`.
    pub query: Option<String>,
    /// Headers of the sender's request that may go on.
    pub headers: HeaderMap,
}

/// What an upstream said, by what it means for the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 2xx.
    Accepted,
    /// 2xx to remote write 2.0, with counts of less than was sent.
    AcceptedInPart {
        /// What it says that it wrote.
        written: Counts,
    },
    /// 400, 409, 422: the data is refused for good.
    Invalid {
        /// As the upstream sent it.
        status: StatusCode,
        /// Start of the body, at most 1024 bytes, printable.
        excerpt: String,
        /// What it wrote all the same, where it says so, as receivers of remote write 2.0 do.
        written: Option<Counts>,
    },
    /// It does not take this form of body, or says nothing of having stored one: the same is to be sent in plain.
    Unsupported {
        /// What happened.
        cause: String,
    },
    /// 413.
    TooLarge {
        /// Start of the body.
        excerpt: String,
    },
    /// 429.
    Throttled {
        /// As asked for, capped.
        retry_after: Option<Duration>,
        /// Start of the body.
        excerpt: String,
    },
    /// Anything else: the data is not stored and may be sent again.
    Unavailable {
        /// What to tell the sender: the upstream's own 5xx, else 503.
        status: StatusCode,
        /// As asked for, capped and jittered.
        retry_after: Option<Duration>,
        /// What happened, for the sender's log and ours.
        cause: String,
    },
}
