//! What was sent, to be compared with what arrives.

use serde::{Deserialize, Serialize};

use super::Fate;
use super::segment::Segment;
use crate::identity;
use crate::law::Law;

/// What was sent of one series, up to its end or up to now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// See [`identity`].
    pub identity: u64,
    /// Samples that were not refused.
    pub count: u32,
    /// Sum of [`identity::of_sample`] over them.
    pub sum: u64,
    /// What is expected of it.
    pub fate: Fate,
    /// How its values moved.
    pub law: Law,
    /// Times of its first and last sample that was no end (Unix milliseconds); 0 if there was none.
    pub times_ms: (i64, i64),
}

/// What was sent of exemplars or of native histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichTotals {
    /// How many.
    pub count: u64,
    /// Sum of a hash of their messages.
    pub sum: u64,
}

impl RichTotals {
    /// Counts the message of an exemplar or a histogram.
    pub fn add(&mut self, message: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(identity::of_message(message));
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    pub(super) fn take(&mut self, other: Self) {
        self.count -= other.count;
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

/// What was sent of the series of a segment.
pub(super) fn accounts(segment: &Segment) -> impl Iterator<Item = Sent> {
    let times_ms = (segment.first_ms, segment.last_ms);
    let sent = segment.slots.iter().filter(|slot| slot.sent > 0);
    sent.map(move |slot| Sent {
        identity: slot.identity,
        count: slot.sent,
        sum: slot.sum,
        fate: slot.fate,
        law: slot.law,
        times_ms,
    })
}
