//! How far one tenant's samples have come: what is over by their own time.
//!
//! Usually that is the newest sample. After an outage senders bring what they kept, each at its own speed; then it is the
//! slowest of them that counts, or the others would close windows that it still has samples for.

use std::collections::VecDeque;

use super::watch::Watch;

/// The slowest is looked for among the requests of so many pieces of time, of this length each, milliseconds.
const RECENT: usize = 3;
const PIECE_MS: i64 = 5_000;
/// A sender comes again at the latest after this, milliseconds: the longest pause of vmagent is a minute.
const COMES_AGAIN_MS: i64 = 90_000;
/// So long is waited for the slowest at most, from when the upstream takes data again, milliseconds.
const LONGEST_HOLD_MS: i64 = 600_000;
/// A first request after silence whose newest sample is older than this brings what was kept, milliseconds.
const BEHIND_MS: i64 = 30_000;
/// Nothing came for this long, milliseconds: silence.
pub(super) const SILENT_MS: i64 = 60_000;
/// Gaps remembered; in the windows of older ones counters repeat their values.
const GAPS: usize = 16;

/// A request as far as time goes. Unix milliseconds, never ahead of our clock, and the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) oldest_ms: i64,
    pub(super) newest_ms: i64,
    /// The newest as it was sent, by which a request is known again.
    pub(super) sent_ms: i64,
    /// By our clock.
    pub(super) now_ms: i64,
    pub(super) mono_ms: i64,
    /// Whether a part of it went to the upstream, which took it.
    pub(super) forwarded: bool,
}

/// The time of one tenant.
#[derive(Debug, Default)]
pub(super) struct Pace {
    watch: Option<Watch>,
    /// All before is over; `None` before the first sample.
    watermark: Option<i64>,
    /// When something was taken, and when something was refused, last (monotonic).
    heard: Option<i64>,
    refused: Option<i64>,
    /// The lowest newest sample of the requests of recent pieces of time.
    recent: VecDeque<(i64, i64)>,
    /// Until when the slowest is waited for, and since when the upstream takes data again (monotonic).
    hold_until: i64,
    hold_since: Option<i64>,
    /// Times without any sample.
    gaps: VecDeque<(i64, i64)>,
}

impl Pace {
    /// Up to when all is over; `None` before the first sample.
    pub(super) fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// The newest sample; `None` before the first.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.watch.map(|watch| watch.newest_ms())
    }

    /// What [`Pace::watermark`] becomes when a request arrives, as far as its samples up to `newest_ms` go; `waiting`: the
    /// oldest of what senders have that were refused.
    pub(super) fn with(&self, arrived: &Arrived, newest_ms: i64, waiting: Option<i64>) -> i64 {
        let newest = self.newest_ms().unwrap_or(i64::MIN).max(newest_ms);
        let mark = if self.holds(arrived.mono_ms) || self.brings_what_was_kept(arrived) {
            let slowest = self.slowest(arrived.mono_ms).unwrap_or(i64::MAX).min(arrived.newest_ms);
            newest.min(slowest).min(waiting.unwrap_or(i64::MAX))
        } else {
            newest
        };
        mark.max(self.watermark.unwrap_or(i64::MIN))
    }

    /// Notes a request that was taken.
    pub(super) fn take(&mut self, arrived: &Arrived, waiting: Option<i64>) {
        let watermark = self.with(arrived, arrived.newest_ms, waiting);
        if self.brings_what_was_kept(arrived) {
            self.hold_until = arrived.mono_ms + COMES_AGAIN_MS;
        }
        if arrived.forwarded && self.holds(arrived.mono_ms) {
            self.hold_since.get_or_insert(arrived.mono_ms);
        }
        self.watermark = Some(watermark);
        self.heard = Some(arrived.mono_ms);
        self.note_recent(arrived);
        self.gaps.extend(self.gap_before(arrived));
        self.gaps.drain(..self.gaps.len().saturating_sub(GAPS));
        self.watch.get_or_insert(Watch::new(arrived.newest_ms)).see(arrived.newest_ms);
    }

    /// Notes that a request was refused: its sender has more than we know.
    pub(super) fn refuse(&mut self, mono_ms: i64) {
        self.refused = Some(mono_ms);
        if !self.holds(mono_ms) && mono_ms >= self.hold_until {
            self.hold_since = None;
        }
        self.hold_until = self.hold_until.max(mono_ms + COMES_AGAIN_MS);
    }

    /// As time passes: who was waited for too long is waited for no more. `waiting` as for [`Pace::with`].
    pub(super) fn pass(&mut self, mono_ms: i64, waiting: Option<i64>) {
        let Some(newest) = self.newest_ms() else { return };
        let mark = match self.holds(mono_ms) {
            true => newest.min(self.slowest(mono_ms).unwrap_or(newest)).min(waiting.unwrap_or(newest)),
            false => newest,
        };
        self.watermark = self.watermark.max(Some(mark));
        if mono_ms >= self.hold_until {
            self.hold_since = None;
        }
    }

    /// Whether a sender that was refused so long ago will not come again.
    pub(super) fn stays_away(since_ms: i64) -> bool {
        since_ms >= COMES_AGAIN_MS
    }

    /// Whether nothing was taken or refused for `ms`.
    pub(super) fn is_silent(&self, mono_ms: i64, ms: i64) -> bool {
        let over = |at: Option<i64>, ms: i64| at.is_none_or(|at| mono_ms - at >= ms);
        over(self.heard, ms) && over(self.refused, ms.max(COMES_AGAIN_MS))
    }

    /// Whether what its senders have is kept from us: nothing of theirs has ended.
    pub(super) fn is_held_up(&self, mono_ms: i64) -> bool {
        self.refused.is_some_and(|at| mono_ms - at < COMES_AGAIN_MS)
            || self.heard.is_some_and(|at| mono_ms - at >= SILENT_MS)
    }

    /// Times in which nothing came at all (Unix milliseconds): a window there makes no points.
    pub(super) fn gaps(&self) -> Vec<(i64, i64)> {
        self.gaps.iter().copied().collect()
    }

    /// The same, once a request has come.
    pub(super) fn gaps_with(&self, arrived: &Arrived) -> Vec<(i64, i64)> {
        self.gaps.iter().copied().chain(self.gap_before(arrived)).collect()
    }

    fn gap_before(&self, arrived: &Arrived) -> Option<(i64, i64)> {
        let watch = self.watch.filter(|watch| !watch.is_unbroken(arrived.oldest_ms))?;
        Some((watch.newest_ms(), arrived.oldest_ms))
    }

    /// Our clock was ahead: nothing is newer than this.
    pub(super) fn pull_back(&mut self, to_ms: i64) {
        self.watch.iter_mut().for_each(|watch| watch.pull_back(to_ms));
        self.watermark = self.watermark.map(|mark| mark.min(to_ms));
        self.recent.clear();
    }

    /// Goes on from a snapshot: all before was over. Nobody of before is watched.
    pub(super) fn restore(&mut self, watermark: i64, gaps: Vec<(i64, i64)>, mono_ms: i64) {
        self.gaps = gaps.into();
        self.watermark = Some(watermark);
        self.watch = Some(Watch::new(watermark));
        self.heard = Some(mono_ms);
    }

    fn holds(&self, mono_ms: i64) -> bool {
        mono_ms < self.hold_until && self.hold_since.is_none_or(|since| mono_ms - since < LONGEST_HOLD_MS)
    }

    /// A request that is old, after nothing for a while, or while such requests come.
    fn brings_what_was_kept(&self, arrived: &Arrived) -> bool {
        let behind = arrived.now_ms - arrived.newest_ms > BEHIND_MS;
        let after_silence = self.heard.is_some_and(|at| arrived.mono_ms - at >= RECENT as i64 * PIECE_MS);
        behind && (after_silence || self.holds(arrived.mono_ms))
    }

    fn slowest(&self, mono_ms: i64) -> Option<i64> {
        let first = mono_ms.div_euclid(PIECE_MS) - RECENT as i64 + 1;
        self.recent.iter().filter(|(piece, _)| *piece >= first).map(|(_, lowest)| *lowest).min()
    }

    fn note_recent(&mut self, arrived: &Arrived) {
        let piece = arrived.mono_ms.div_euclid(PIECE_MS);
        match self.recent.back_mut().filter(|(last, _)| *last == piece) {
            Some((_, lowest)) => *lowest = (*lowest).min(arrived.newest_ms),
            None => self.recent.push_back((piece, arrived.newest_ms)),
        }
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that comes `second` after the start by our clocks, with a newest sample of `newest`.
    fn arrived(second: i64, newest: i64) -> Arrived {
        Arrived {
            oldest_ms: newest * 1000,
            newest_ms: newest * 1000,
            sent_ms: newest * 1000,
            now_ms: second * 1000,
            mono_ms: second * 1000,
            forwarded: true,
        }
    }

    fn after(requests: &[(i64, i64)]) -> Pace {
        let mut pace = Pace::default();
        requests.iter().for_each(|(second, newest)| pace.take(&arrived(*second, *newest), None));
        pace
    }

    fn mark(pace: &Pace) -> i64 {
        pace.watermark().unwrap() / 1000
    }

    #[test]
    fn usually_the_newest_sample_counts_whoever_is_late() {
        assert_eq!(mark(&after(&[(1, 1), (15, 15), (16, 2), (30, 30)])), 30);
        assert_eq!(mark(&after(&[(1, 1), (61, 61), (121, 121)])), 121, "a slow rhythm is no outage");
    }

    #[test]
    fn after_silence_the_slowest_counts_for_as_long_as_it_comes() {
        let mut pace = after(&[(0, 0), (15, 15), (200, 30), (201, 100), (202, 31), (203, 190), (204, 32)]);
        assert_eq!(mark(&pace), 30);
        pace.take(&arrived(206, 180), None);
        pace.pass(215_000, None);
        assert_eq!(mark(&pace), 180, "the slow one came last eleven seconds ago");
        pace.pass(300_000, None);
        assert_eq!(mark(&pace), 190);
    }

    #[test]
    fn who_was_refused_is_waited_for_until_it_comes_again_or_stays_away() {
        let mut pace = after(&[(0, 0), (15, 15)]);
        pace.refuse(30_000);
        // what went nowhere else was taken all the while
        pace.take(&Arrived { forwarded: false, ..arrived(40, 40) }, Some(16_000));
        assert_eq!(mark(&pace), 16);
        pace.pass(119_000, Some(16_000));
        assert_eq!(mark(&pace), 16);
        pace.pass(121_000, Some(16_000));
        assert_eq!(mark(&pace), 40);
    }

    #[test]
    fn one_that_is_refused_for_ever_holds_up_the_others_for_ten_minutes_at_most() {
        let mut pace = after(&[(0, 0)]);
        for second in (0..700).step_by(10) {
            pace.refuse(second * 1000);
            pace.take(&arrived(second, second), Some(0));
            assert_eq!(mark(&pace), if second < 600 { 0 } else { second }, "{second}");
        }
    }

    #[test]
    fn times_in_which_nothing_came_are_gaps() {
        let pace = after(&[(0, 0), (15, 15), (30, 30), (300, 300), (315, 315)]);
        assert_eq!(pace.gaps(), [(30_000, 300_000)]);
        // what was kept fills them
        let kept: Vec<(i64, i64)> = (0..20).map(|scrape| (300, scrape * 15)).collect();
        assert_eq!(after(&kept).gaps(), []);
    }

    #[test]
    fn silence_is_no_sign_of_life_at_all() {
        let mut pace = after(&[(0, 0)]);
        assert!(!pace.is_silent(59_999, SILENT_MS) && pace.is_silent(60_000, SILENT_MS));
        pace.refuse(50_000);
        assert!(!pace.is_silent(139_999, SILENT_MS) && pace.is_silent(140_000, SILENT_MS));
    }

    #[test]
    fn what_is_over_stays_over_and_who_comes_late_to_a_hold_is_waited_for() {
        assert_eq!(mark(&after(&[(0, 0), (15, 15), (200, 10)])), 15);
        assert_eq!(mark(&after(&[(0, 0), (15, 15), (200, 30), (201, 100), (216, 45)])), 45);
    }

    #[test]
    fn the_slowest_is_waited_for_as_long_as_it_brings_what_it_kept() {
        let mut pace = after(&[(0, 0), (15, 15)]);
        for step in 0..30 {
            pace.take(&arrived(400 + 10 * step, 30 + 12 * step), None);
            pace.take(&arrived(401 + 10 * step, 401 + 10 * step), None);
            pace.pass((402 + 10 * step) * 1000, None);
            assert!(mark(&pace) <= 30 + 12 * step, "{step}: {}", mark(&pace));
        }
    }

    #[test]
    fn the_ten_minutes_begin_when_the_upstream_takes_data_again_in_each_outage() {
        let mut pace = after(&[(0, 0)]);
        let local = |second: i64| Arrived { forwarded: false, ..arrived(second, second) };
        for second in (0..1200).step_by(10) {
            pace.refuse(second * 1000);
            pace.take(&local(second), Some(0));
            assert_eq!(mark(&pace), 0, "{second}");
        }
        pace.take(&arrived(1200, 1200), Some(0));
        for passes in [true, false] {
            let mut pace =
                Pace { watch: pace.watch, recent: pace.recent.clone(), gaps: VecDeque::new(), ..pace };
            // long after that, another
            pace.take(&arrived(2400, 2400), None);
            if passes {
                pace.pass(2_401_000, None);
            }
            pace.refuse(2_410_000);
            pace.take(&arrived(2420, 2420), Some(2405));
            assert_eq!(mark(&pace), 2400, "{passes}");
        }
        // one without a refusal, after one with
        pace.pass(2_000_000, None);
        for (second, newest) in [(2400, 2100), (2401, 2401)] {
            pace.take(&arrived(second, newest), None);
        }
        assert_eq!(mark(&pace), 2100);
    }

    #[test]
    fn every_gap_is_remembered_and_none_that_the_request_fills() {
        assert_eq!(after(&[(0, 0), (100, 100), (400, 400)]).gaps(), [(0, 100_000), (100_000, 400_000)]);
        let mut pace = after(&[(0, 0), (15, 15), (30, 30)]);
        pace.take(&Arrived { oldest_ms: 45_000, ..arrived(300, 300) }, None);
        assert_eq!(pace.gaps(), []);
    }
}
