//! What is in a segment file: a header, and records one behind the other. All numbers are little-endian.
//!
//! ```text
//! segment  magic 8 │ version 4 │ first id 8 │ crc 4
//! record   magic 4 │ bytes 4 │ id 8 │ lane 8 │ at 4 │ samples 4 │ crc of the payload 4 │ crc of all before 4 │ payload
//! ```
//!
//! The header of a record has a checksum of its own, so that records can be counted without being read, and found again behind
//! damage.

/// What a segment begins with.
const SEGMENT_MAGIC: [u8; 8] = *b"SGQUEUE\n";
/// What a record begins with.
pub(super) const RECORD_MAGIC: [u8; 4] = [0xd1, b'S', b'G', 0x9e];
/// The version that is written, and the last one that is known.
pub(super) const VERSION: u32 = 1;
/// Bytes of the two headers.
pub(super) const SEGMENT_HEADER: usize = 24;
pub(super) const RECORD_HEADER: usize = 40;

/// What is known of a record without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its number: one more than that of the record before it, or more than that.
    pub id: u64,
    /// What it keeps its order with.
    pub lane: u64,
    /// When it came, Unix seconds.
    pub at: u32,
    /// Samples and histograms in it.
    pub samples: u32,
    /// Bytes of the payload.
    pub bytes: u32,
    /// CRC-32 of the payload.
    pub checksum: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; RECORD_HEADER] {
        let mut out = [0; RECORD_HEADER];
        out[..4].copy_from_slice(&RECORD_MAGIC);
        out[4..8].copy_from_slice(&self.bytes.to_le_bytes());
        out[8..16].copy_from_slice(&self.id.to_le_bytes());
        out[16..24].copy_from_slice(&self.lane.to_le_bytes());
        out[24..28].copy_from_slice(&self.at.to_le_bytes());
        out[28..32].copy_from_slice(&self.samples.to_le_bytes());
        out[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = crc32fast::hash(&out[..36]);
        out[36..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// `None` where no record begins.
    pub(super) fn decode(raw: &[u8]) -> Option<Self> {
        let raw = raw.first_chunk::<RECORD_HEADER>()?;
        if raw[..4] != RECORD_MAGIC || crc32fast::hash(&raw[..36]) != u32_at(raw, 36) {
            return None;
        }
        Some(Self {
            bytes: u32_at(raw, 4),
            id: u64_at(raw, 8),
            lane: u64_at(raw, 16),
            at: u32_at(raw, 24),
            samples: u32_at(raw, 28),
            checksum: u32_at(raw, 32),
        })
    }

    /// Bytes of the whole record.
    pub(super) fn len(&self) -> u64 {
        RECORD_HEADER as u64 + u64::from(self.bytes)
    }
}

/// What a segment begins with whose first record has this number.
pub(super) fn segment_header(first: u64) -> [u8; SEGMENT_HEADER] {
    let mut out = [0; SEGMENT_HEADER];
    out[..8].copy_from_slice(&SEGMENT_MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12..20].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32fast::hash(&out[..20]);
    out[20..].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// The version of a segment that begins so; `None` if none does.
pub(super) fn segment_version(raw: &[u8; SEGMENT_HEADER]) -> Option<u32> {
    let is_whole = raw[..8] == SEGMENT_MAGIC && crc32fast::hash(&raw[..20]) == u32_at(raw, 20);
    is_whole.then(|| u32_at(raw, 8))
}

fn u32_at(raw: &[u8], at: usize) -> u32 {
    raw.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(raw: &[u8], at: usize) -> u64 {
    raw.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_not_with_any_bit_changed() {
        let header = Header { id: 7, lane: u64::MAX, at: 3, samples: 2000, bytes: 42_000, checksum: 9 };
        let raw = header.encode();
        assert_eq!(Header::decode(&raw), Some(header));
        for bit in 0..raw.len() * 8 {
            let mut other = raw;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&other), None, "bit {bit}");
        }
        assert_eq!(Header::decode(&raw[..39]), None);
        let segment = segment_header(7);
        assert_eq!(segment_version(&segment), Some(VERSION));
        for bit in 0..segment.len() * 8 {
            let mut other = segment;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(segment_version(&other), None, "bit {bit}");
        }
    }
}
