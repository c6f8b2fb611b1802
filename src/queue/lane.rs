//! What waits, by what has to keep its order.

use std::collections::VecDeque;

use super::frame::{Header, RECORD_HEADER};
use super::state::Place;

/// A record that waits, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is known of it.
    pub header: Header,
    /// The first number of its segment.
    pub(super) segment: u64,
    /// Where its payload begins.
    pub(super) offset: u64,
}

impl Entry {
    /// Where its record begins.
    pub(super) fn place(&self) -> Place {
        Place { segment: self.segment, offset: self.offset - RECORD_HEADER as u64 }
    }
}

/// The entries of one lane, oldest first.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) entries: VecDeque<Entry>,
    /// From where on its records are not remembered, though they were found.
    pub(super) aside: Option<Place>,
    /// Whether somebody has it, or it waits for its turn.
    pub(super) is_out: bool,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.aside.is_none()
    }

    /// Takes off the entries for which `which` holds, from the front, up to the first for which it does not.
    pub(super) fn take_while(&mut self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let count = self.entries.iter().take_while(|entry| which(entry)).count();
        self.entries.drain(..count).collect()
    }
}
