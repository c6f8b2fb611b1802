//! A stretch of series in which values and times can be written anew: compressed for 1.0, spelled for 2.0.

use super::Fate;
use super::spelled::{Draft, Said, Spelled, Spelling};
use crate::body::put_series;
use crate::identity;
use crate::law::{Law, STALE_MARKER};
use crate::protocol::Version;
use crate::snappy::{self, Hole, MAX_STRETCH_BYTES};
use crate::version2::{SAMPLE, Sample};

/// A value, the key of the time, and a time of six bytes.
const HOLE_BYTES: usize = 15;
/// Any time that takes six bytes as a varint, as those from 1971 to 2109 do.
const SOME_TIME_MS: i64 = 1 << 40;
/// Longest series that is put beside others.
const ROOM_BYTES: usize = 8 << 10;

/// One series of a segment, and what of it has been sent.
pub(super) struct Slot {
    /// Where its value is written; unused where series are spelled.
    place: u32,
    /// Samples sent, without those that were refused.
    pub(super) sent: u32,
    /// Sum of them, see [`identity::of_sample`].
    pub(super) sum: u64,
    pub(super) identity: u64,
    pub(super) law: Law,
    pub(super) fate: Fate,
}

/// Series of one object.
pub(super) struct Segment {
    content: Content,
    pub(super) slots: Vec<Slot>,
    /// Times of the first and the last value, Unix milliseconds; 0 before there was one.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

/// How its series are kept.
enum Content {
    /// Compressed for 1.0: these bytes, and how many they are decompressed.
    Packed(Vec<u8>, usize),
    /// For 2.0.
    Spelled(Spelled),
}

impl Segment {
    /// Its series compressed for 1.0, and how many bytes they are decompressed; nothing where they are spelled.
    pub(super) fn packed(&self) -> (&[u8], usize) {
        match &self.content {
            Content::Packed(bytes, raw_len) => (bytes, *raw_len),
            Content::Spelled(_) => (&[], 0),
        }
    }

    /// Writes the values at a time, or the end of all its series, and counts them as sent. What is spelled goes into a draft.
    pub(super) fn write(&mut self, timestamp_ms: i64, ended: bool, draft: &mut Draft) {
        let time = six_bytes(timestamp_ms);
        let now_s = timestamp_ms.div_euclid(1000);
        if let Content::Spelled(spelled) = &self.content {
            draft.locate(spelled);
        }
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let bits = if ended { STALE_MARKER } else { slot.law.at(now_s) }.to_bits();
            match &mut self.content {
                Content::Packed(bytes, _) => {
                    let hole = &mut bytes[slot.place as usize..][..HOLE_BYTES];
                    hole[..8].copy_from_slice(&bits.to_le_bytes());
                    hole[9..].copy_from_slice(&time);
                }
                Content::Spelled(spelled) => {
                    let sample = Sample::new(timestamp_ms, bits);
                    draft.series(spelled, number, (SAMPLE, sample.message()));
                }
            }
            slot.sent += 1;
            slot.sum = slot.sum.wrapping_add(identity::of_sample(timestamp_ms, bits));
        }
        if !ended {
            self.last_ms = timestamp_ms;
            if self.first_ms == 0 {
                self.first_ms = timestamp_ms;
            }
        }
    }

    /// Takes back that the samples of this time were sent.
    pub(super) fn unsend(&mut self, timestamp_ms: i64, ended: bool) {
        let now_s = timestamp_ms.div_euclid(1000);
        for slot in &mut self.slots {
            let bits = if ended { STALE_MARKER } else { slot.law.at(now_s) }.to_bits();
            slot.sent -= 1;
            slot.sum = slot.sum.wrapping_sub(identity::of_sample(timestamp_ms, bits));
        }
    }

    /// Those of its series that are wanted, in a segment of their own that has sent nothing yet.
    pub(super) fn only(&self, wanted: impl Fn(u64) -> bool) -> Option<Self> {
        let (bytes, raw_len) = match &self.content {
            Content::Packed(bytes, raw_len) => (bytes, *raw_len),
            Content::Spelled(spelled) => {
                let spelling = spelled.only(|number| wanted(self.slots[number].identity));
                let mut builder = Builder { spelling: Some(spelling), ..Builder::default() };
                for slot in self.slots.iter().filter(|slot| wanted(slot.identity)) {
                    builder.slot(slot.identity, slot.law, slot.fate);
                }
                return builder.finish();
            }
        };
        let mut block = Vec::new();
        snappy::put_len(&mut block, raw_len);
        block.extend_from_slice(bytes);
        let mut raw = vec![0; raw_len];
        snap::raw::Decoder::new().decompress(&block, &mut raw).expect("our own segments are valid snappy");
        let mut builder = Builder::default();
        let mut rest = raw.as_slice();
        for slot in &self.slots {
            let (series, behind) = rest.split_at(series_len(rest));
            rest = behind;
            if wanted(slot.identity) {
                builder.push_raw(series, slot.identity, slot.law, slot.fate);
            }
        }
        builder.finish()
    }
}

/// Bytes of the series that a write request begins with.
fn series_len(raw: &[u8]) -> usize {
    let digits = raw[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let len = (0..digits).fold(0, |sum, i| sum | usize::from(raw[1 + i] & 0x7f) << (7 * i));
    1 + digits + len
}

/// A time as a varint of six bytes.
fn six_bytes(timestamp_ms: i64) -> [u8; 6] {
    debug_assert!((1 << 35..1 << 42).contains(&timestamp_ms), "{timestamp_ms} does not take six bytes");
    std::array::from_fn(|i| (timestamp_ms >> (7 * i)) as u8 & 0x7f | if i < 5 { 0x80 } else { 0 })
}

/// Gathers the series of one segment.
#[derive(Default)]
pub(super) struct Builder {
    raw: Vec<u8>,
    holes: Vec<Hole>,
    /// For 2.0.
    spelling: Option<Spelling>,
    slots: Vec<Slot>,
}

impl Builder {
    pub(super) fn new(version: Version) -> Self {
        Self { spelling: (version == Version::Two).then(Spelling::default), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether another series may not fit.
    pub(super) fn is_full(&self) -> bool {
        let len = self.spelling.as_ref().map_or(self.raw.len(), Spelling::len);
        len + ROOM_BYTES > MAX_STRETCH_BYTES
    }

    /// Adds a series under a scope that adds `salt` to identities.
    pub(super) fn push(
        &mut self,
        labels: &[(&str, &str)],
        (law, said): (Law, Said<'_>),
        fate: Fate,
        salt: u64,
    ) {
        match &mut self.spelling {
            Some(spelling) => spelling.push(labels, said),
            None => self.put(|raw| put_series(raw, labels, 0.0, SOME_TIME_MS)),
        }
        self.slot(identity::of_labels(labels.iter().copied()).wrapping_add(salt), law, fate);
    }

    fn push_raw(&mut self, series: &[u8], identity: u64, law: Law, fate: Fate) {
        self.put(|raw| raw.extend_from_slice(series));
        self.slot(identity, law, fate);
    }

    /// Appends a series whose sample is its end.
    fn put(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.raw);
        self.holes.push(Hole { start: self.raw.len() - HOLE_BYTES, len: HOLE_BYTES });
    }

    fn slot(&mut self, identity: u64, law: Law, fate: Fate) {
        self.slots.push(Slot { place: 0, sent: 0, sum: 0, identity, law, fate });
    }

    /// The segment; `None` if nothing was added.
    pub(super) fn finish(&mut self) -> Option<Segment> {
        let next = Self { spelling: self.spelling.as_ref().map(|_| Spelling::default()), ..Self::default() };
        let Self { raw, holes, spelling, mut slots } = std::mem::replace(self, next);
        if slots.is_empty() {
            return None;
        }
        if let Some(spelling) = spelling {
            let content = Content::Spelled(spelling.finish());
            return Some(Segment { content, slots, first_ms: 0, last_ms: 0 });
        }
        let (mut bytes, mut places) = (Vec::with_capacity(raw.len() / 6), Vec::with_capacity(slots.len()));
        snappy::compress(&raw, &holes, &mut bytes, &mut places);
        for (slot, place) in slots.iter_mut().zip(places) {
            slot.place = u32::try_from(place).expect("a segment is far below 4 GiB");
        }
        bytes.shrink_to_fit();
        Some(Segment { content: Content::Packed(bytes, raw.len()), slots, first_ms: 0, last_ms: 0 })
    }
}
