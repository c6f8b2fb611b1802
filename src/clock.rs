//! The only place that asks the machine what time it is.
//!
//! Everything else takes a [`Clock`], so that a test or a simulation moves time by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of wall-clock time (Unix milliseconds). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `unix_ms` until [`Clock::advance_ms`] moves it. Clones move together.
    pub fn manual(unix_ms: i64) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(unix_ms))) }
    }

    /// Milliseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods)]
    pub fn unix_ms(&self) -> i64 {
        match &self.manual {
            Some(now) => now.load(Ordering::Relaxed),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds),
        }
    }

    /// Whole seconds since the Unix epoch, saturating at the `u32` range (year 2106).
    pub fn unix_seconds(&self) -> u32 {
        u32::try_from(self.unix_ms().max(0) / 1000).unwrap_or(u32::MAX)
    }

    /// Moves a manual clock forward. Does nothing to the system clock.
    pub fn advance_ms(&self, by: i64) {
        if let Some(now) = &self.manual {
            now.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// A length of time in whole milliseconds, saturating.
pub fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The monotonic clock, for deadlines and for measuring durations.
#[allow(clippy::disallowed_methods)]
pub fn monotonic() -> Instant {
    Instant::now()
}
