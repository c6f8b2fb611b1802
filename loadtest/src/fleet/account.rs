//! What was sent, to be compared with what arrives.

use super::Fate;
use super::segment::Segment;
use crate::law::Law;

/// What was sent of one series, up to its end or up to now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// See [`crate::identity`].
    pub identity: u64,
    /// Samples that were not refused.
    pub count: u32,
    /// Sum of [`crate::identity::of_sample`] over them.
    pub sum: u64,
    /// What is expected of it.
    pub fate: Fate,
    /// How its values moved.
    pub law: Law,
    /// Times of its first and last sample that was no end (Unix milliseconds); 0 if there was none.
    pub times_ms: (i64, i64),
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
