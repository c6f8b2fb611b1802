//! The only place that asks the machine what time it is.
//!
//! Everything else takes a [`Clock`], so that a test or a simulation moves time by hand.

mod jitter;
mod log_interval;
mod steady;
mod voices;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use jitter::Jitter;
pub use log_interval::LogInterval;
pub use steady::Steady;

/// A source of wall-clock time (Unix milliseconds) and of time that only goes forward. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<Manual>>,
}

#[derive(Debug, Default)]
struct Manual {
    unix_ms: AtomicI64,
    mono_ms: AtomicI64,
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, Unix milliseconds. It may be set, so it may jump.
    pub unix_ms: i64,
    /// The monotonic clock, milliseconds since some moment.
    pub mono_ms: i64,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `unix_ms` until [`Clock::advance_ms`] moves it. Clones move together.
    pub fn manual(unix_ms: i64) -> Self {
        let manual = Manual { unix_ms: AtomicI64::new(unix_ms), mono_ms: AtomicI64::new(0) };
        Self { manual: Some(Arc::new(manual)) }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now { unix_ms: self.unix_ms(), mono_ms: self.mono_ms() }
    }

    /// Milliseconds of the monotonic clock.
    pub fn mono_ms(&self) -> i64 {
        static START: OnceLock<Instant> = OnceLock::new();
        match &self.manual {
            Some(now) => now.mono_ms.load(Ordering::Relaxed),
            None => milliseconds(START.get_or_init(monotonic).elapsed()),
        }
    }

    /// Milliseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods)]
    pub fn unix_ms(&self) -> i64 {
        match &self.manual {
            Some(now) => now.unix_ms.load(Ordering::Relaxed),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds),
        }
    }

    /// Whole seconds since the Unix epoch, saturating at the `u32` range (year 2106).
    pub fn unix_seconds(&self) -> u32 {
        u32::try_from(self.unix_ms().max(0) / 1000).unwrap_or(u32::MAX)
    }

    /// Lets time pass on a manual clock. Does nothing to the system clock.
    pub fn advance_ms(&self, by: i64) {
        if let Some(now) = &self.manual {
            now.unix_ms.fetch_add(by, Ordering::Relaxed);
            now.mono_ms.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Sets the wall clock of a manual clock forward or back; no time passes. Does nothing to the system clock.
    pub fn step_ms(&self, by: i64) {
        if let Some(now) = &self.manual {
            now.unix_ms.fetch_add(by, Ordering::Relaxed);
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
