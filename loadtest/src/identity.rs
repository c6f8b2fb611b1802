//! What a series is known by, and a sum of its samples that tells whether they all arrived as they were sent: the same
//! on every host, so that sender and sink need not share one.

#[allow(clippy::disallowed_types)] // keys are hashes that this crate made
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// A map of what is known by a hash already.
#[allow(clippy::disallowed_types)]
pub(crate) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Takes a hash for its own.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What one label adds to the identity of its series: a hash of its message as protobuf has it, name before value. Identities are
/// sums, so the order of labels does not matter, and what a series would be called without a label is a subtraction away.
pub fn of_label(name: &[u8], value: &[u8]) -> u64 {
    let mut message = Vec::with_capacity(name.len() + value.len() + 8);
    put_label(&mut message, name, value);
    of_message(&message)
}

/// Appends a label's message as everybody writes it.
pub(crate) fn put_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for (key, text) in [(0x0a, name), (0x12, value)] {
        out.push(key);
        crate::snappy::put_len(out, text.len());
        out.extend_from_slice(text);
    }
}

/// The same of a label's message that is written in that way.
pub fn of_message(message: &[u8]) -> u64 {
    xxh3_64(message)
}

/// The identity of a set of labels. Labels without a value are no labels.
pub fn of_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> u64 {
    let named = labels.into_iter().filter(|(_, value)| !value.is_empty());
    named.fold(0, |sum, (name, value)| sum.wrapping_add(of_label(name.as_bytes(), value.as_bytes())))
}

/// What one sample adds to the sum of its series: another bit of the value or another millisecond makes another number.
pub fn of_sample(timestamp_ms: i64, value_bits: u64) -> u64 {
    let mut mixed = value_bits.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 32;
    mixed = mixed.wrapping_add(timestamp_ms.cast_unsigned().wrapping_mul(0xD6E8_FEB8_6659_FD93));
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_texts_do_not_run_together() {
        let identity = |labels: &[(&str, &str)]| of_labels(labels.iter().copied());
        assert_eq!(identity(&[("a", "1"), ("b", "2")]), identity(&[("b", "2"), ("a", "1")]));
        assert_ne!(identity(&[("a", "1"), ("b", "2")]), identity(&[("a", "2"), ("b", "1")]));
        assert_ne!(identity(&[("ab", "c")]), identity(&[("a", "bc")]));
        assert_eq!(identity(&[("a", "1"), ("b", "")]), identity(&[("a", "1")]));
    }

    #[test]
    fn every_bit_of_a_sample_counts() {
        let sample = of_sample(1_700_000_000_000, 1.5f64.to_bits());
        for bit in 0..64 {
            assert_ne!(of_sample(1_700_000_000_000, 1.5f64.to_bits() ^ 1 << bit), sample);
        }
        assert_ne!(of_sample(1_700_000_000_001, 1.5f64.to_bits()), sample);
    }
}
