//! What senders are told about data that cannot be accepted, in the log too, but not at the pace of their requests.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two lines in the log.
const APART: Duration = Duration::from_secs(10);

/// When somebody was told last, and how many requests have been refused in part since then.
#[derive(Default)]
pub(super) struct Complaints(Mutex<(Option<Instant>, u64)>);

impl Complaints {
    /// Writes a line if there was none for a while.
    pub(super) fn tell(&self, sender: Option<IpAddr>, complaint: &str, now: Instant) {
        let Some(others) = self.turn(now) else { return };
        let sender = sender.map_or_else(|| "unknown".to_owned(), |sender| sender.to_string());
        tracing::warn!(sender, others, "data that cannot be accepted: {complaint}");
    }

    /// Whether it is time for a line, and how many were passed over since the last one.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock();
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
        let (complaints, start) = (Complaints::default(), crate::clock::monotonic());
        let at = |second| complaints.turn(start + Duration::from_secs(second));
        assert_eq!([0, 1, 9, 10, 11, 30].map(at), [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
