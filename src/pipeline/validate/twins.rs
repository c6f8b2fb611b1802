//! Which series of a request are the same. A bit for each, at a place that its hash says, tells those that share theirs with another: a
//! few in a hundred that do by chance, and all that are there twice. Only these are compared, by a table.

use ahash::RandomState;

use crate::pipeline::scratch::{Slot, bytes};
use crate::series::{Fingerprint, Found, Probe};

/// Bits of an entry that are the number of a series; a request has no more fields.
const NUMBER_BITS: u32 = 20;
/// The others tell most series apart that stand where another would, without a look at them.
const TAGS: u64 = (1 << (32 - NUMBER_BITS)) - 1;
/// Nothing stands here.
const FREE: u32 = u32::MAX;

/// Bits for each series at least: so one in 64 shares its own by chance.
const BITS: usize = 32;

/// The series of one request.
#[derive(Default)]
pub(super) struct Twins {
    /// Bits that several series share.
    shared: Vec<u64>,
    /// Places of bits that were set already, once for each series after the first.
    again: Vec<u32>,
    /// Those series. Two places for each, so that one that is looked for is soon found, or soon known not to be there.
    table: Vec<u32>,
    /// For series whose labels nobody hashed.
    hasher: RandomState,
}

impl Twins {
    /// Begins with the series of a request.
    pub(super) fn start(&mut self, probes: &[Probe]) {
        let Self { shared, again, table, .. } = self;
        shared.clear();
        shared.resize((BITS * probes.len()).next_power_of_two() / 64 + 1, 0);
        again.clear();
        let places = shared.len() * 64;
        for probe in probes {
            let place = place(probe, places);
            let (word, bit) = (&mut shared[place / 64], 1 << (place % 64));
            if *word & bit != 0 {
                again.push(place as u32);
            }
            *word |= bit;
        }
        shared.fill(0);
        again.iter().for_each(|place| shared[*place as usize / 64] |= 1 << (place % 64));
        table.clear();
        // each has one before it
        table.resize((2 * probes.len().min(2 * again.len())).next_power_of_two(), FREE);
    }

    /// Whether there may be another like it.
    #[inline]
    fn may_have_a_twin(&self, probe: &Probe) -> bool {
        let place = place(probe, self.shared.len() * 64);
        self.shared[place / 64] & 1 << (place % 64) != 0
    }

    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        bytes(&self.shared) + bytes(&self.again) + bytes(&self.table)
    }

    /// The first series with the labels of this one, and values of the same kind: this one itself, unless there was another.
    #[inline]
    pub(super) fn first(&mut self, body: &[u8], slots: &[Slot], probes: &[Probe], number: u32) -> u32 {
        let (slot, probe) = (&slots[number as usize], &probes[number as usize]);
        if probe.found == Found::Skip || !self.may_have_a_twin(probe) {
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

/// Where the bit of a series is, of so many. Those whose labels nobody hashed share one.
#[inline]
fn place(probe: &Probe, places: usize) -> usize {
    // multiplied, not masked: any number of places will do
    ((u64::from(probe.fingerprint.low) * places as u64) >> 32) as usize
}

fn same((body, slots, probes): (&[u8], &[Slot], &[Probe]), one: u32, other: u32, hashed: bool) -> bool {
    let (one, other) = (one as usize, other as usize);
    let (slot, twin) = (&slots[one], &slots[other]);
    probes[one].fingerprint == probes[other].fingerprint
        && (slot.histograms > 0) == (twin.histograms > 0)
        && (hashed || body[slot.labels()] == body[twin.labels()])
}
