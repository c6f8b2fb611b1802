//! The wall clock as it would be if nobody had just set it.

use super::Now;

/// The wall clock drifts and is slewed by less than this; what differs by more was set.
const SET_MS: i64 = 2_000;
/// A wall clock that was set is believed when it has stayed so for this long, milliseconds.
const BELIEVED_AFTER_MS: i64 = 60_000;

/// Follows the wall clock, but a setting of it only once it has lasted: a clock that is wrong for some seconds must not
/// decide what is over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    /// What the wall clock is ahead of the monotonic one, milliseconds; `None` before the first reading.
    ahead_ms: Option<i64>,
    /// Another such value, and since when (monotonic) the wall clock shows it.
    set: Option<(i64, i64)>,
}

impl Steady {
    /// The time to go by, Unix milliseconds.
    pub fn at(&mut self, now: Now) -> i64 {
        let shown = now.unix_ms.saturating_sub(now.mono_ms);
        let ahead = *self.ahead_ms.get_or_insert(shown);
        let lasts = |since: i64| now.mono_ms - since >= BELIEVED_AFTER_MS;
        self.set = match self.set {
            _ if (shown - ahead).abs() <= SET_MS => None,
            Some((to, since)) if (shown - to).abs() <= SET_MS && !lasts(since) => Some((to, since)),
            Some((to, _)) if (shown - to).abs() <= SET_MS => None,
            _ => Some((shown, now.mono_ms)),
        };
        if self.set.is_none() {
            self.ahead_ms = Some(shown);
        }
        now.mono_ms.saturating_add(self.ahead_ms.unwrap_or(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_clock_that_is_set_is_believed_after_a_minute_and_a_jump_that_is_taken_back_never() {
        let clock = Clock::manual(1_000_000);
        let mut steady = Steady::default();
        assert_eq!(steady.at(clock.now()), 1_000_000);
        clock.advance_ms(1_000);
        clock.step_ms(3_600_000);
        assert_eq!(steady.at(clock.now()), 1_001_000);
        clock.advance_ms(2_000);
        clock.step_ms(-3_600_000);
        assert_eq!(steady.at(clock.now()), 1_003_000);
        clock.step_ms(-500);
        assert_eq!(steady.at(clock.now()), 1_002_500, "drift is followed at once");
        for step in [60_000, -90_000] {
            let before = clock.unix_ms();
            clock.step_ms(step);
            assert_eq!(steady.at(clock.now()), before);
            clock.advance_ms(59_999);
            assert_eq!(steady.at(clock.now()), before + 59_999);
            clock.advance_ms(1);
            assert_eq!(steady.at(clock.now()), clock.unix_ms());
        }
    }

    #[test]
    fn a_clock_that_is_set_again_is_believed_a_minute_after_the_last_time() {
        let clock = Clock::manual(1_000_000);
        let mut steady = Steady::default();
        let before = steady.at(clock.now());
        for _ in 0..3 {
            clock.step_ms(3_600_000);
            steady.at(clock.now());
            clock.advance_ms(50_000);
            steady.at(clock.now());
        }
        assert_eq!(steady.at(clock.now()), before + 150_000);
        clock.advance_ms(10_000);
        assert_eq!(steady.at(clock.now()), clock.unix_ms());
    }
}
