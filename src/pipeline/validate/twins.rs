//! Which series of a request are the same: a table of all of them, by what they are known by.

use ahash::RandomState;

use crate::pipeline::scratch::{Slot, bytes};
use crate::series::{Fingerprint, Found, Probe};

/// Bits of an entry that are the number of a series; a request has no more fields.
const NUMBER_BITS: u32 = 20;
/// The others tell most series apart that stand where another would, without a look at them.
const TAGS: u64 = (1 << (32 - NUMBER_BITS)) - 1;
/// Nothing stands here.
const FREE: u32 = u32::MAX;

/// The series of one request. Two places for each, so that one that is looked for is soon found, or soon known not to be there.
#[derive(Default)]
pub(super) struct Twins {
    table: Vec<u32>,
    /// For series whose labels nobody hashed.
    hasher: RandomState,
}

impl Twins {
    /// Begins with a request of so many series.
    pub(super) fn start(&mut self, series: usize) {
        self.table.clear();
        self.table.resize((2 * series).next_power_of_two(), FREE);
    }

    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        bytes(&self.table)
    }

    /// The first series with the labels of this one, and values of the same kind: this one itself, unless there was another.
    #[inline]
    pub(super) fn first(&mut self, body: &[u8], slots: &[Slot], probes: &[Probe], number: u32) -> u32 {
        let (slot, probe) = (&slots[number as usize], &probes[number as usize]);
        if probe.found == Found::Skip {
            return number;
        }
        let hashed = probe.fingerprint != Fingerprint::default();
        let hash = match hashed {
            true => probe.fingerprint.high,
            false => self.hasher.hash_one(&body[slot.labels()]),
        };
        let tag = ((hash >> 32) % TAGS) as u32;
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.table[at];
            if entry == FREE {
                self.table[at] = tag << NUMBER_BITS | number;
                return number;
            }
            let other = entry & ((1 << NUMBER_BITS) - 1);
            if entry >> NUMBER_BITS == tag && same((body, slots, probes), other, number, hashed) {
                return other;
            }
            at = (at + 1) & mask;
        }
    }
}

fn same((body, slots, probes): (&[u8], &[Slot], &[Probe]), one: u32, other: u32, hashed: bool) -> bool {
    let (one, other) = (one as usize, other as usize);
    let (slot, twin) = (&slots[one], &slots[other]);
    probes[one].fingerprint == probes[other].fingerprint
        && (slot.histograms > 0) == (twin.histograms > 0)
        && (hashed || body[slot.labels()] == body[twin.labels()])
}
