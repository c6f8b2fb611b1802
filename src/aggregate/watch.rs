//! What one sender has sent so far, as far as it tells whether a series was born while we watched.

/// A silence (in sample time) shorter than this is no gap, whatever the sender's rhythm.
const SHORTEST_GAP_MS: i64 = 60_000;
/// Samples further apart than this are of two scrapes.
const SCRAPE_APART_MS: i64 = 1000;

/// The requests of one sender, by the newest sample of each: a straggler says nothing about when somebody was heard of.
/// Unix milliseconds, never ahead of our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    /// Since when there was no gap.
    since_ms: i64,
    /// The first scrape after that one; `i64::MAX` before there was one.
    second_ms: i64,
    newest_ms: i64,
    /// The newest sample of the scrape before, if the last one came when it was due; else that of the last one.
    before_ms: i64,
    /// How far its scrapes are apart, the longer steps weighing more: a lost scrape is no gap.
    step_ms: i64,
    /// The same, the shorter steps weighing more: a scrape that went elsewhere makes it hardly longer.
    beat_ms: i64,
}

impl Watch {
    /// Begins with a request whose newest sample is of this time.
    pub(super) fn new(newest_ms: i64) -> Self {
        Self {
            since_ms: newest_ms,
            second_ms: i64::MAX,
            newest_ms,
            before_ms: newest_ms,
            step_ms: 0,
            beat_ms: 0,
        }
    }

    /// Notes a request that was taken.
    pub(super) fn see(&mut self, newest_ms: i64) {
        let jump = newest_ms.saturating_sub(self.newest_ms);
        if jump >= SCRAPE_APART_MS {
            self.before_ms = if self.is_next(newest_ms) { self.newest_ms } else { newest_ms };
            self.beat_ms = match self.beat_ms {
                0 => jump,
                beat => jump.min(beat + beat / 8),
            };
        }
        if jump > self.longest_pause_ms() {
            *self = Self { step_ms: jump, beat_ms: self.beat_ms, ..Self::new(newest_ms) };
        } else if jump >= SCRAPE_APART_MS {
            self.step_ms = if jump > self.step_ms { jump } else { (3 * self.step_ms + jump) / 4 };
        }
        if newest_ms >= self.since_ms + SCRAPE_APART_MS {
            self.second_ms = self.second_ms.min(newest_ms);
        }
        self.newest_ms = self.newest_ms.max(newest_ms);
    }

    /// Our clock was ahead: what was noted of later times is taken back.
    pub(super) fn pull_back(&mut self, to_ms: i64) {
        if self.newest_ms > to_ms {
            *self = Self::new(to_ms);
        }
    }

    fn longest_pause_ms(&self) -> i64 {
        (self.step_ms * 5 / 2).max(SHORTEST_GAP_MS)
    }

    pub(super) fn since_ms(&self) -> i64 {
        self.since_ms
    }

    pub(super) fn newest_ms(&self) -> i64 {
        self.newest_ms
    }

    /// The newest sample of the scrape before the one that a sample of this time is of.
    pub(super) fn before_ms(&self, ms: i64) -> i64 {
        if ms.saturating_sub(self.newest_ms) < SCRAPE_APART_MS { self.before_ms } else { self.newest_ms }
    }

    /// Whether there is no gap up to a sample of this time.
    pub(super) fn is_unbroken(&self, ms: i64) -> bool {
        ms.saturating_sub(self.newest_ms) <= self.longest_pause_ms()
    }

    /// Whether a sample of this time is of the scrape that comes next: no other can have gone elsewhere.
    pub(super) fn is_next(&self, ms: i64) -> bool {
        self.beat_ms > 0 && ms.saturating_sub(self.newest_ms) <= self.beat_ms * 3 / 2
    }

    /// Whether there were two scrapes before a sample of this time.
    pub(super) fn has_two_scrapes(&self, ms: i64) -> bool {
        self.second_ms < ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: &[i64]) -> Watch {
        let mut watch = Watch::new(seconds[0] * 1000);
        seconds[1..].iter().for_each(|second| watch.see(second * 1000));
        watch
    }

    #[test]
    fn a_gap_begins_anew_and_a_slow_rhythm_is_none_once_it_is_known() {
        for (seconds, since, unbroken_at_600) in [
            (&[0, 30, 60][..], 0, false),
            (&[0, 30, 60, 570], 570, true),
            (&[0, 30, 60, 120, 180], 0, false),
            (&[0, 300, 600, 900], 300, true),
            (&[0, 15, 30, 15, 45], 0, false),
        ] {
            let watch = after(seconds);
            assert_eq!(watch.since_ms(), since * 1000, "{seconds:?}");
            assert_eq!(watch.is_unbroken(600_000), unbroken_at_600, "{seconds:?}");
        }
    }

    #[test]
    fn what_comes_twice_or_late_changes_nothing_but_the_rhythm() {
        let watch = after(&[0, 30, 60, 90]);
        let mut again = watch;
        again.see(60_000);
        again.see(90_000);
        assert_eq!(again, watch);
    }

    #[test]
    fn the_next_scrape_is_known_by_the_rhythm() {
        let watch = after(&[0, 15, 30]);
        assert!(watch.is_next(45_000) && watch.is_next(52_000) && !watch.is_next(60_000));
        assert!(!after(&[0]).is_next(1), "one scrape has no rhythm");
        assert!(watch.has_two_scrapes(16_000) && !watch.has_two_scrapes(15_000));
    }

    #[test]
    fn parts_of_one_scrape_have_the_same_scrape_before_them_unless_one_is_missing() {
        for (seconds, at, before) in [
            (&[0, 15, 30][..], 45, 30),
            (&[0, 15, 30, 45], 45, 30),
            (&[0, 15, 30, 60], 60, 60),
            (&[0, 15, 30, 60, 75], 75, 60),
            (&[0], 0, 0),
            (&[0, 15], 15, 15),
        ] {
            assert_eq!(after(seconds).before_ms(at * 1000), before * 1000, "{seconds:?}");
        }
    }

    #[test]
    fn scrapes_that_went_elsewhere_do_not_make_the_next_one_come_later() {
        for (seconds, next, missing) in [
            // each third, and for long
            (&[0, 5, 10, 20, 25, 30, 40, 45, 50][..], 55, 60),
            (&[0, 60, 120, 1020, 1080, 1980, 2040], 2100, 2160),
            // right after it came back
            (&[0, 5, 10, 25], 30, 35),
        ] {
            let watch = after(seconds);
            assert!(watch.is_next(next * 1000) && !watch.is_next(missing * 1000), "{seconds:?}");
        }
        // who is slower from now on is believed after a while
        let slower: Vec<i64> =
            (0..5).map(|scrape| scrape * 5).chain((1..30).map(|scrape| 20 + scrape * 15)).collect();
        assert!(after(&slower).is_next((slower[slower.len() - 1] + 15) * 1000));
    }

    #[test]
    fn parts_of_one_scrape_are_no_second_one_and_no_rhythm() {
        let mut watch = Watch::new(0);
        watch.see(999);
        assert!(!watch.has_two_scrapes(60_000) && !watch.is_next(999));
        watch.see(1000);
        assert!(watch.has_two_scrapes(60_000));
    }
}
