//! How often the log says the same.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two lines in the log that say the same.
const BETWEEN: Duration = Duration::from_secs(10);

/// Lets one line through in ten seconds and counts the others.
#[derive(Debug, Default)]
pub struct LogInterval(Mutex<(Option<Instant>, u64)>);

impl LogInterval {
    /// Nothing was logged yet.
    pub const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Whether it is time for a line, and how many were left out since the last one.
    pub fn turn(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock();
        if last.0.is_some_and(|logged| now.duration_since(logged) < BETWEEN) {
            last.1 += 1;
            return None;
        }
        last.0 = Some(now);
        Some(std::mem::take(&mut last.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_says_how_many_it_stands_for() {
        let (interval, start) = (LogInterval::default(), crate::clock::monotonic());
        let at = |second| interval.turn(start + Duration::from_secs(second));
        assert_eq!([0, 1, 9, 10, 11, 30].map(at), [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
