//! What goes wrong with an upstream, in the log: once per kind every ten seconds, with the number left out.
//!
//! An upstream that is down fails every request of every sender; a line for each would bury all others.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::failure::Kind;
use crate::clock;

const EVERY: Duration = Duration::from_secs(10);

/// The log of one upstream.
pub(super) struct Warnings {
    upstream: String,
    by_kind: Mutex<[Slot; Kind::COUNT]>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    last: Option<Instant>,
    suppressed: u64,
}

impl Warnings {
    pub(super) fn new(upstream: &str) -> Self {
        Self { upstream: upstream.to_owned(), by_kind: Mutex::default() }
    }

    /// Logs `cause` unless one of its kind was logged a moment ago.
    pub(super) fn warn(&self, kind: Kind, cause: &str) {
        if let Some(suppressed) = self.admit(kind, clock::monotonic()) {
            tracing::warn!(upstream = self.upstream, kind = kind.as_str(), suppressed, "{cause}");
        }
    }

    /// How many of `kind` were left out since the last one logged, if this one is to be logged.
    fn admit(&self, kind: Kind, now: Instant) -> Option<u64> {
        let slot = &mut self.by_kind.lock()[kind as usize];
        if slot.last.is_some_and(|last| now.duration_since(last) < EVERY) {
            slot.suppressed += 1;
            return None;
        }
        slot.last = Some(now);
        Some(std::mem::take(&mut slot.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_kind_every_ten_seconds_and_the_rest_are_counted() {
        let warnings = Warnings::new("primary");
        let start = clock::monotonic();
        assert_eq!(warnings.admit(Kind::Refused, start), Some(0));
        assert_eq!(warnings.admit(Kind::Refused, start + Duration::from_secs(1)), None);
        assert_eq!(warnings.admit(Kind::Refused, start + Duration::from_secs(9)), None);
        assert_eq!(warnings.admit(Kind::Timeout, start + Duration::from_secs(9)), Some(0), "another kind");
        assert_eq!(warnings.admit(Kind::Refused, start + Duration::from_secs(10)), Some(2));
    }
}
