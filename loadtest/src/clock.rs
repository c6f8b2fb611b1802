//! The only place that asks the machine what time it is. Simulations never come here.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, for the timestamps of samples that a real backend should take.
#[allow(clippy::disallowed_methods)] // the one wall clock of this crate
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The monotonic clock, for latencies and deadlines.
#[allow(clippy::disallowed_methods)] // the one monotonic clock of this crate
pub fn monotonic() -> Instant {
    Instant::now()
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
