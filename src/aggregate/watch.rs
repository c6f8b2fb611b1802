//! What one sender has sent so far, as far as it tells whether a series was born while we watched.

/// A sender must have been watched for this long before what it sends for the first time counts as new.
pub(super) const WATCHED_MS: i64 = 60_000;
/// A silence (in sample time) shorter than this is no gap, whatever the sender's rhythm.
const SHORTEST_GAP_MS: i64 = 60_000;
/// Samples further apart than this are of two scrapes.
const SCRAPE_APART_MS: i64 = 1000;

/// One sender's stream, in the time of its samples, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Since when there was no gap.
    pub(super) since_ms: i64,
    /// The first scrape after that one; `i64::MAX` before there was one.
    pub(super) second_ms: i64,
    /// The newest sample.
    pub(super) newest_ms: i64,
    /// How far its samples are apart, the longer steps weighing more.
    pub(super) step_ms: i64,
}

impl Stream {
    /// A stream that begins with a request whose samples are from `oldest_ms` to `newest_ms`.
    pub(super) fn new(oldest_ms: i64, newest_ms: i64) -> Self {
        let mut stream = Self { since_ms: oldest_ms, second_ms: i64::MAX, newest_ms: oldest_ms, step_ms: 0 };
        stream.see(oldest_ms, newest_ms);
        stream
    }

    /// Notes a request that was taken.
    pub(super) fn see(&mut self, oldest_ms: i64, newest_ms: i64) {
        let jump = oldest_ms - self.newest_ms;
        if jump > self.longest_pause_ms() {
            *self = Self { since_ms: oldest_ms, second_ms: i64::MAX, newest_ms: oldest_ms, step_ms: jump };
        } else if jump >= SCRAPE_APART_MS {
            self.step_ms = if jump > self.step_ms { jump } else { (3 * self.step_ms + jump) / 4 };
        }
        if self.second_ms == i64::MAX && newest_ms >= self.since_ms + SCRAPE_APART_MS {
            self.second_ms = oldest_ms.max(self.since_ms + SCRAPE_APART_MS);
        }
        self.newest_ms = self.newest_ms.max(newest_ms);
    }

    fn longest_pause_ms(&self) -> i64 {
        (self.step_ms * 5 / 2).max(SHORTEST_GAP_MS)
    }

    /// Whether a series whose first sample is of this time would have been seen before, had it been there: watched
    /// for a minute and two scrapes, without a gap.
    pub fn watched(&self, first_ms: i64) -> bool {
        first_ms.saturating_sub(self.since_ms) >= WATCHED_MS
            && self.second_ms < first_ms
            && first_ms.saturating_sub(self.newest_ms) <= self.longest_pause_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrapes at these seconds, one request each; whether what first comes with the last is new.
    fn new_at_the_last(seconds: &[i64]) -> bool {
        let (last, before) = seconds.split_last().unwrap();
        let mut stream = Stream::new(before[0] * 1000, before[0] * 1000);
        for second in &before[1..] {
            stream.see(second * 1000, second * 1000);
        }
        stream.watched(last * 1000)
    }

    #[test]
    fn a_minute_and_two_scrapes_without_a_gap() {
        for (seconds, new) in [
            (&[0, 30][..], false),
            (&[0, 30, 59], false),
            (&[0, 30, 60], true),
            (&[0, 60], false),
            (&[0, 60, 120], true),
            (&[0, 15, 30, 45, 60, 75], true),
            // a scrape is missing
            (&[0, 30, 60, 120], true),
            // an outage, and then a minute again
            (&[0, 30, 60, 600], false),
            (&[0, 30, 60, 600, 630], false),
            (&[0, 30, 60, 600, 630, 660], true),
            // a slow rhythm is no gap once it is known
            (&[0, 300, 600, 900], true),
            (&[0, 300], false),
        ] {
            assert_eq!(new_at_the_last(seconds), new, "{seconds:?}");
        }
    }

    #[test]
    fn what_comes_twice_or_late_changes_nothing() {
        let mut stream = Stream::new(0, 0);
        for second in [30, 60, 90] {
            stream.see(second * 1000, second * 1000);
        }
        let before = stream;
        stream.see(60_000, 60_000);
        stream.see(30_000, 90_000);
        assert_eq!(stream, before);
    }
}
