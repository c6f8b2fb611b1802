//! The sender: a fixed schedule, whatever the receiver does.
//!
//! When a body is due follows from the scenario alone. A lane behaves as a shard of Prometheus' queue does: one request in
//! flight, what fails for a time is sent again as it is after a pause that doubles, what is due meanwhile waits. Latency counts
//! from the moment a body was *due* to its last answer, so a receiver that stalls is charged for everything that waited.
//! What the sender itself was late is counted apart, see [`Headroom`].

mod headroom;
mod load;
mod meter;
mod routes;
mod send_counts;
mod shard;
mod work;

use std::sync::Arc;
use std::time::Duration;

pub use headroom::{Headroom, Lateness};
pub use load::{Load, Phase, Times};
pub use routes::{Deal, Routes};
pub use send_counts::{Delays, Percentiles, Second, SendCounts};
pub use work::Ready;

use crate::protocol::Protocol;

/// How a receiver is written to.
#[derive(Clone)]
pub struct SendOptions {
    /// The receivers.
    pub routes: Arc<Routes>,
    /// Threads that send, each with its own lanes.
    pub threads: usize,
    /// Whether 429 is tried again (`retry_on_http_429` of Prometheus).
    pub retry_on_429: bool,
    /// How bodies are written, which decides what an answer has to say.
    pub protocol: Protocol,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long after the last body was due what is left is still tried.
    pub drain: Duration,
}

/// When scrapes are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// One after the other at this distance.
    Every(Duration),
    /// So that this many samples are due in a second.
    Rate(f64),
}

impl Pace {
    /// How long a scrape of so many series lasts.
    pub fn lasts(self, series: usize) -> Duration {
        match self {
            Self::Every(time) => time,
            Self::Rate(rate) => Duration::from_secs_f64((series as f64 / rate.max(1.0)).clamp(1e-3, 3600.0)),
        }
    }
}
