//! What those who send samples say of the time.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Requests listened to.
const MOST: usize = 64;
/// Of one sender only one in so long counts, milliseconds: who sends more often has no more to say.
const APART_MS: i64 = 10_000;
/// Only the last of this length count, milliseconds, up to the newest: silence says nothing.
const RECENT_MS: i64 = 60_000;

/// What one request says.
#[derive(Clone, Copy, Debug)]
struct Voice {
    sender: Option<IpAddr>,
    mono_ms: i64,
    /// What the time of its samples is ahead of the monotonic clock, milliseconds.
    ahead_ms: i64,
}

/// Recent requests, as far as they say what time it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Voices(VecDeque<Voice>);

impl Voices {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request of this sender would count now.
    pub(super) fn may_speak(&self, sender: Option<IpAddr>, mono_ms: i64) -> bool {
        let mut recent = self.0.iter().rev().take_while(|voice| mono_ms - voice.mono_ms < APART_MS);
        recent.all(|voice| voice.sender != sender)
    }

    pub(super) fn hear(&mut self, sender: Option<IpAddr>, mono_ms: i64, ahead_ms: i64) {
        self.0.push_back(Voice { sender, mono_ms, ahead_ms });
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// What most say that were heard since then: at least half of them say this or more, and more than half this or less.
    pub(super) fn most_since(&self, mono_ms: i64) -> Option<i64> {
        let mut said: Vec<i64> = self.recent(mono_ms).map(|voice| voice.ahead_ms).collect();
        let middle = said.len().checked_sub(1)? / 2;
        Some(*said.select_nth_unstable(middle).1)
    }

    /// The same, where at least two senders say that it is later than `ahead_ms`.
    pub(super) fn several_beyond(&self, ahead_ms: i64) -> Option<i64> {
        let most = self.most_since(i64::MIN).filter(|most| *most > ahead_ms)?;
        let mut beyond = self.recent(i64::MIN).filter(|voice| voice.ahead_ms > ahead_ms);
        let first = beyond.next()?;
        beyond.any(|voice| voice.sender != first.sender).then_some(most)
    }

    fn recent(&self, since: i64) -> impl Iterator<Item = &Voice> {
        let newest = self.0.back().map_or(i64::MIN, |voice| voice.mono_ms);
        let first = since.max(newest.saturating_sub(RECENT_MS));
        self.0.iter().filter(move |voice| voice.mono_ms >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(number: u8) -> Option<IpAddr> {
        Some([10, 0, 0, number].into())
    }

    #[test]
    fn most_of_the_recent_requests_decide_and_none_counts_twice() {
        let mut voices = Voices::default();
        for second in 0..90 {
            for (number, ahead_ms) in [(1, 3_600_000), (2, 500), (3, 400)] {
                // the first one sends each second, the others each fifteen
                let sends = number == 1 || second % 15 == 0;
                if sends && voices.may_speak(sender(number), second * 1000) {
                    voices.hear(sender(number), second * 1000, ahead_ms);
                }
            }
        }
        assert_eq!(voices.most_since(0), Some(500));
        assert_eq!(voices.several_beyond(60_000), None, "it is one alone");
        assert_eq!(voices.most_since(90_000), None);
        for (number, second) in [(4, 90), (5, 91), (4, 200)] {
            voices.hear(sender(number), second * 1000, 90_000);
        }
        assert_eq!(voices.most_since(90_000), Some(90_000));
        assert_eq!(voices.several_beyond(60_000), None, "the other is of long ago");
        voices.hear(sender(6), 200_000, 80_000);
        assert_eq!(voices.several_beyond(60_000), Some(80_000));
    }
}
