//! What senders are told about data that cannot be accepted, in the log too, but not at the pace of their requests.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

use super::rejected::Sender;
use crate::config::OnInvalid;

/// Between two lines in the log.
const APART: Duration = Duration::from_secs(10);

/// From so many times on that a sender sends what was refused, it is taken for one that does not understand a refusal,
const TIMES: u32 = 3;
/// if it does so within this time.
const WITHIN: Duration = Duration::from_secs(600);
/// Refused requests that are remembered, 64 bytes each; the one that did not come again for longest is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// What senders were told.
pub(super) struct Complaints {
    on_invalid: OnInvalid,
    /// When the log was told last, and how many requests have been refused in part since then.
    logged: Mutex<(Option<Instant>, u64)>,
    refused: Mutex<LruCache<Refused, Times>>,
}

/// A sender, and what stands for the part of its request that was rejected.
type Refused = (Option<IpAddr>, u64);
/// How often, and when last.
type Times = (u32, Instant);

impl Complaints {
    pub(super) fn new(on_invalid: OnInvalid) -> Self {
        Self { on_invalid, logged: Mutex::default(), refused: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// Whether a sender is not told that a part of its request was rejected; `mark` stands for that part.
    pub(super) fn are_of_no_use(&self, sender: Option<IpAddr>, mark: u64, now: Instant) -> bool {
        match self.on_invalid {
            OnInvalid::Accept => true,
            OnInvalid::AlwaysReport => false,
            OnInvalid::Report => {
                let mut refused = self.refused.lock();
                let (times, last) = refused.get_or_insert_mut((sender, mark), || (0, now));
                *times = if now.duration_since(*last) > WITHIN { 1 } else { times.saturating_add(1) };
                *last = now;
                *times >= TIMES
            }
        }
    }

    /// Writes a line if there was none for a while.
    pub(super) fn tell(&self, sender: &Sender, complaint: &str, now: Instant) {
        let Some(others) = self.turn(now) else { return };
        let user_agent = sender.user_agent();
        let sender = sender.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        tracing::warn!(sender, user_agent, others, "data that cannot be accepted: {complaint}");
    }

    /// Whether it is time for a line, and how many were passed over since the last one.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut last = self.logged.lock();
        if last.0.is_some_and(|told| now.duration_since(told) < APART) {
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
        let (complaints, start) = (Complaints::new(OnInvalid::Report), crate::clock::monotonic());
        let at = |second| complaints.turn(start + Duration::from_secs(second));
        assert_eq!([0, 1, 9, 10, 11, 30].map(at), [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn who_sends_the_very_same_a_third_time_within_ten_minutes_does_not_understand() {
        let start = crate::clock::monotonic();
        let told = |on_invalid, times: &[(u64, u8, u64)]| {
            let complaints = Complaints::new(on_invalid);
            let one = |(second, sender, mark): &(u64, u8, u64)| {
                let sender = Some(IpAddr::from([10, 0, 0, *sender]));
                complaints.are_of_no_use(sender, *mark, start + Duration::from_secs(*second))
            };
            times.iter().map(one).collect::<Vec<_>>()
        };
        let same = [(0, 1, 7), (10, 1, 7), (20, 1, 7), (30, 1, 7)];
        assert_eq!(told(OnInvalid::Report, &same), [false, false, true, true]);
        assert_eq!(told(OnInvalid::Accept, &same), [true; 4]);
        assert_eq!(told(OnInvalid::AlwaysReport, &same), [false; 4]);
        let others = [(0, 1, 7), (10, 2, 7), (20, 1, 8), (30, 1, 7), (631, 1, 7)];
        assert_eq!(told(OnInvalid::Report, &others), [false; 5], "others, and one that came long after");
    }
}
