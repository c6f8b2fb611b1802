//! What a lane is told to send.

use std::time::{Duration, Instant};

use crate::fleet::{Fate, LaneStep, Loaded};

/// Something on its way to a lane.
pub(super) enum Work {
    /// A scrape, due from a time on, for so long.
    Scrape(LaneStep, Instant, Duration),
    /// Bodies that were made elsewhere, due from a time on.
    Ready(Vec<Ready>, Instant),
}

/// A body that is ready to be sent.
pub struct Ready {
    /// Compressed.
    pub body: bytes::Bytes,
    /// What is in it.
    pub loaded: Loaded,
    /// When it is due, from the beginning of the phase.
    pub after: Duration,
    /// Its samples: identity of the series, time in Unix milliseconds, bits of the value, what is expected.
    pub samples: Vec<(u64, i64, u64, Fate)>,
}
