//! The wall clock as it would be if nobody had just set it, and as those who send samples have it.

use std::net::IpAddr;

use super::Now;
use super::voices::Voices;

/// The wall clock drifts and is slewed by less than this; what differs by more was set.
const SET_MS: i64 = 2_000;
/// What is to be believed has to stay so for this long, milliseconds.
const BELIEVED_AFTER_MS: i64 = 60_000;
/// Samples are ahead of a clock that is right by no more than this, milliseconds.
const AHEAD_MS: i64 = 5_000;
/// And usually not behind it by more than this: what is older was kept.
const LAG_MS: i64 = 60_000;

/// Follows the wall clock, but a setting of it only once it has lasted, and only where the samples that come do not speak
/// for the clock as it was: a clock that is wrong must not decide what is over.
#[derive(Clone, Debug, Default)]
pub struct Steady {
    /// What the wall clock is ahead of the monotonic one, milliseconds; `None` before the first reading.
    ahead_ms: Option<i64>,
    set: Option<Set>,
    voices: Voices,
    /// Since when several senders are ahead of this clock (monotonic).
    behind_since: Option<i64>,
    /// `ahead_ms` is of a time that was before this process: now it is later.
    is_least: bool,
}

/// Another such value, which the wall clock shows.
#[derive(Clone, Copy, Debug)]
struct Set {
    to: i64,
    /// Since when it is shown, and since when nothing speaks against it (monotonic).
    since: i64,
    undisputed_since: i64,
    /// Whether samples speak against it now, and whether that was told.
    is_refuted: bool,
    is_told: bool,
}

impl Steady {
    /// The time to go by, Unix milliseconds.
    pub fn at(&mut self, now: Now) -> i64 {
        let shown = now.unix_ms.saturating_sub(now.mono_ms);
        let ahead = *self.ahead_ms.get_or_insert(shown);
        if (shown - ahead).abs() <= SET_MS {
            self.believe(shown);
        } else {
            let known = self.set.filter(|set| (shown - set.to).abs() <= SET_MS);
            let mut set = Set { to: shown, ..known.unwrap_or(Set::at(now)) };
            let fits = self.fits(&set, ahead);
            set.is_refuted = fits == Some(false);
            // who never heard of a time has nothing to compare with
            if !fits.unwrap_or(self.voices.is_empty() && !self.is_least) {
                set.undisputed_since = now.mono_ms;
            }
            self.set = Some(set);
            if now.mono_ms - set.undisputed_since >= BELIEVED_AFTER_MS {
                self.believe(shown);
            }
        }
        now.mono_ms.saturating_add(self.ahead_ms.unwrap_or(shown))
    }

    /// Notes of when samples are that come; `sent_ms` says it of a request, and is asked only where it counts.
    pub fn hear(&mut self, sender: Option<IpAddr>, now: Now, sent_ms: impl FnOnce() -> Option<i64>) {
        self.at(now);
        if !self.voices.may_speak(sender, now.mono_ms) {
            return;
        }
        let (Some(sent), Some(ahead)) = (sent_ms(), self.ahead_ms) else { return };
        self.voices.hear(sender, now.mono_ms, sent.saturating_sub(now.mono_ms));
        // one alone may be wrong as well as this clock
        let several = self.voices.several_beyond(ahead + LAG_MS);
        let since = several.map(|_| self.behind_since.unwrap_or(now.mono_ms));
        self.behind_since = since;
        if let Some(several) = several
            && since.is_some_and(|since| now.mono_ms - since >= BELIEVED_AFTER_MS)
        {
            self.ahead_ms = Some(several);
            self.behind_since = None;
        }
        self.be_later();
    }

    /// Notes a time that it was at least when the process before this one ended.
    pub fn was(&mut self, unix_ms: i64, now: Now) {
        if unix_ms - self.at(now) > SET_MS {
            self.ahead_ms = Some(unix_ms.saturating_sub(now.mono_ms));
            self.is_least = true;
        }
    }

    /// By how much the wall clock is ahead of this one where it is not believed, milliseconds; once for each setting.
    pub fn take_difference(&mut self, now: Now) -> Option<i64> {
        let (set, ahead) = (self.set.as_mut()?, self.ahead_ms?);
        let lasts = set.is_refuted && now.mono_ms - set.since >= BELIEVED_AFTER_MS;
        (lasts && !std::mem::replace(&mut set.is_told, true)).then(|| set.to - ahead)
    }

    fn believe(&mut self, shown: i64) {
        self.ahead_ms = Some(shown);
        if self.set.take().is_some() {
            // what came meanwhile may have gone by the clock that is no more
            self.behind_since = None;
        }
        self.is_least = false;
    }

    /// Whether what the wall clock shows goes with the samples since, or better than the clock as it was; `None` where
    /// there are none.
    fn fits(&self, set: &Set, ahead: i64) -> Option<bool> {
        let said = self.voices.most_since(set.since)?;
        let behind = |clock: i64| said.saturating_sub(clock).saturating_sub(AHEAD_MS).max(0);
        let fits = behind(set.to) == 0 && set.to.saturating_sub(said) <= LAG_MS;
        // nobody sends what is not yet
        Some(fits || behind(set.to) < behind(ahead))
    }

    /// Nobody knows for how long there was no process: the samples say it, if they are not of the time that is shown.
    fn be_later(&mut self) {
        let (true, Some(set), Some(ahead)) = (self.is_least, self.set, self.ahead_ms) else { return };
        if self.fits(&set, ahead) == Some(false) {
            self.ahead_ms = self.ahead_ms.max(self.voices.most_since(set.since));
        }
    }
}

impl Set {
    fn at(now: Now) -> Self {
        let (to, since) = (now.unix_ms.saturating_sub(now.mono_ms), now.mono_ms);
        Self { to, since, undisputed_since: since, is_refuted: false, is_told: false }
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

    /// Hears a request each second whose samples are that much behind the wall clock; returns what the time to go by is then
    /// ahead of it.
    fn heard(steady: &mut Steady, clock: &Clock, seconds: i64, off_ms: i64) -> i64 {
        for _ in 0..seconds {
            let now = clock.now();
            steady.hear(None, now, || Some(now.unix_ms - off_ms));
            clock.advance_ms(1000);
        }
        steady.at(clock.now()) - clock.unix_ms()
    }

    #[test]
    fn a_clock_that_is_set_is_believed_only_where_samples_do_not_speak_for_the_one_before() {
        for (step, samples, kept) in [
            // they stay where they were
            (-180_000, -180_000, true),
            (180_000, 180_000, true),
            (-10_000, -10_000, true),
            // they go with the clock, or were always by the new one
            (-180_000, 0, false),
            (180_000, 0, false),
            (-180_000, 50_000, false),
            // they are of before both: what was kept says nothing
            (-180_000, 600_000, true),
            (180_000, 600_000, true),
            // they are ahead of the old one
            (600_000, 300_000, false),
        ] {
            let (clock, mut steady) = (Clock::manual(1_000_000_000), Steady::default());
            heard(&mut steady, &clock, 60, 0);
            clock.step_ms(step);
            let off = heard(&mut steady, &clock, 120, samples);
            assert_eq!(off, if kept { -step } else { 0 }, "{step} {samples}");
            let told = steady.take_difference(clock.now());
            assert_eq!(told, kept.then_some(step), "{step} {samples}");
            assert_eq!(steady.take_difference(clock.now()), None);
        }
    }

    #[test]
    fn a_clock_that_is_set_in_silence_waits_for_samples_and_takes_a_minute_of_them() {
        let (clock, mut steady) = (Clock::manual(1_000_000_000), Steady::default());
        heard(&mut steady, &clock, 60, 0);
        clock.step_ms(-180_000);
        for _ in 0..600 {
            clock.advance_ms(1000);
            assert_eq!(steady.at(clock.now()) - clock.unix_ms(), 180_000);
        }
        assert_eq!(heard(&mut steady, &clock, 59, 0), 180_000);
        assert_eq!(heard(&mut steady, &clock, 1, 0), 0);
    }

    #[test]
    fn a_time_that_was_is_not_come_back_to_unless_samples_do() {
        for (samples, off) in [(-180_000, 180_000), (-400_000, 400_000), (0, 0)] {
            let (clock, mut steady) = (Clock::manual(1_000_000_000), Steady::default());
            steady.was(1_000_180_000, clock.now());
            clock.advance_ms(100_000);
            assert_eq!(steady.at(clock.now()) - clock.unix_ms(), 180_000, "silence says nothing");
            assert_eq!(heard(&mut steady, &clock, 70, samples), off);
        }
        let (clock, mut steady) = (Clock::manual(1_000_000_000), Steady::default());
        steady.was(999_000_000, clock.now());
        assert_eq!(steady.at(clock.now()), 1_000_000_000);
    }
}
