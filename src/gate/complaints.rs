//! What senders are told about data that cannot be accepted, in the log too, but not at the pace of their requests.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

use super::rejected::Sender;
use crate::admin::Rejected;
use crate::clock::LogInterval;
use crate::config::OnInvalid;
use crate::telemetry::Undecodable;

/// From so many times on that a sender sends what was refused, it is taken for one that does not understand a refusal,
const TIMES: u32 = 3;
/// if it does so within this time.
const WITHIN: Duration = Duration::from_secs(600);
/// Refused requests that are remembered, 64 bytes each; the one that did not come again for longest is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// What senders were told.
pub(super) struct Complaints {
    on_invalid: OnInvalid,
    about_data: LogInterval,
    /// By reason: what many do says nothing of what one does.
    about_requests: [LogInterval; Undecodable::ALL.len()],
    refused: Mutex<LruCache<Refused, Times>>,
}

/// A sender, and what stands for the part of its request that was rejected.
type Refused = (Option<IpAddr>, u64);
/// How often, and when last.
type Times = (u32, Instant);

impl Complaints {
    pub(super) fn new(on_invalid: OnInvalid) -> Self {
        Self {
            on_invalid,
            about_data: LogInterval::default(),
            about_requests: Default::default(),
            refused: Mutex::new(LruCache::new(REMEMBERED)),
        }
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

    /// Writes a line about series that were rejected, if there was none for a while.
    pub(super) fn of_data(&self, sender: &Sender, complaint: &str, now: Instant) {
        let Some(others) = self.about_data.turn(now) else { return };
        let (user_agent, sender) = (sender.user_agent(), sender.name());
        tracing::warn!(sender, user_agent, others, "data that cannot be accepted: {complaint}");
    }

    /// Writes a line about a request that was refused as a whole, if there was none for a while.
    pub(super) fn of_request(&self, sender: &Sender, reason: Undecodable, request: &Rejected, now: Instant) {
        let Some(others) = self.about_requests[reason as usize].turn(now) else { return };
        let Rejected { user_agent, status, message, .. } = request;
        tracing::warn!(
            sender = sender.name(),
            user_agent,
            status,
            others,
            "write request refused: {message}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
