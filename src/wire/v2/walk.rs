//! A series of remote write 2.0 as nearly all senders write nearly all of theirs: packed references, float samples, metadata.
//! It is read without its texts. Any other series is expanded to be read.

use std::ops::Range;

use super::{Cursor, Expanded, Field};
use crate::wire::v1::{self, STALE_MARKER};

/// What was read of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Float samples; at least one.
    pub samples: u32,
    /// The latest of their times, Unix milliseconds.
    pub newest_ms: i64,
    /// Whether the last one is a stale marker.
    pub ends: bool,
    /// What the series says beside that. Whether its references lead anywhere is not looked at.
    pub said: Expanded,
}

/// A label: where its name and its value stand in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Position of the name.
    pub name: u32,
    /// Position of the value.
    pub value: u32,
    /// Where it ends among the references.
    end: u32,
}

/// The references of the series that was walked last. Neighbours share most of theirs, so only what differs is read.
#[derive(Debug, Default)]
pub struct References {
    pairs: Vec<Pair>,
    /// Where they stand in the body.
    at: Range<usize>,
}

impl References {
    /// Forgets them: the next series is of another body.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.at = 0..0;
    }

    /// The labels of the series, in order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.pairs.capacity() * size_of::<Pair>()
    }

    /// Reads packed references, and shows each label that is not what it was: its number, and what it was and is.
    #[inline]
    fn read(
        &mut self,
        references: Cursor<'_>,
        mut change: impl FnMut(usize, Option<Pair>, Option<Pair>),
    ) -> Option<()> {
        let (was, is) = (references.bytes.get(self.at.clone())?, references.slice());
        let (same_before, same_behind) = (common_prefix(was, is), common_suffix(was, is));
        let mut number = self.pairs.iter().take_while(|pair| pair.end as usize <= same_before).count();
        // where the label of this number starts, and did
        let mut start = number.checked_sub(1).map_or(0, |last| self.pairs[last].end as usize);
        let mut started = start;
        let mut rest = Cursor { at: references.at + start, ..references };
        loop {
            let left = is.len() - start;
            if left <= same_behind && left + started == was.len() {
                // all that follows is the same label for label, if at another place
                let moved = (is.len() as u32).wrapping_sub(was.len() as u32);
                if moved != 0 {
                    self.pairs[number..].iter_mut().for_each(|pair| pair.end = pair.end.wrapping_add(moved));
                }
                break;
            }
            if left == 0 {
                self.pairs[number..]
                    .iter()
                    .zip(number..)
                    .for_each(|(pair, at)| change(at, Some(*pair), None));
                self.pairs.truncate(number);
                break;
            }
            let (name, value) = (rest.short()?, rest.short()?);
            start = rest.at - references.at;
            let pair = Pair { name, value, end: start as u32 };
            let before = self.pairs.get_mut(number).map(|known| std::mem::replace(known, pair));
            match before {
                Some(before) => started = before.end as usize,
                // no label of before starts there
                None => {
                    started = usize::MAX / 2;
                    self.pairs.push(pair);
                }
            }
            change(number, before, Some(pair));
            number += 1;
        }
        self.at = references.at..references.end;
        Some(())
    }
}

/// How many bytes both start with.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let mut same = 0;
    for (a, b) in words {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return same + differs.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
#[inline]
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_rchunks::<8>().1.iter().rev().zip(b.as_rchunks::<8>().1.iter().rev());
    let mut same = 0;
    for (a, b) in words {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return same + differs.leading_zeros() as usize / 8;
        }
        same += 8;
    }
    let left = |bytes: &[u8]| bytes.len() - same;
    let rest = a[..left(a)].iter().rev().zip(b[..left(b)].iter().rev());
    same + rest.take_while(|(a, b)| a == b).count()
}

/// Reads a series, and shows each label that is not what it was in the series before: its number, and what it was and is. `None`
/// where the series is not of the usual form, or is none; then some of them may have been shown.
#[inline]
pub fn walk(
    body: &[u8],
    field: &Field,
    references: &mut References,
    change: impl FnMut(usize, Option<Pair>, Option<Pair>),
) -> Option<Walked> {
    let mut series = Cursor::new(body, field.content, field.end);
    references.read(series.field(0x0a)?, change)?;
    let mut walked = Walked { samples: 0, newest_ms: i64::MIN, ends: false, said: Expanded::default() };
    while let Some(inner) = series.field(0x12) {
        let (bits, ms, start_ms) = sample(inner)?;
        walked.samples += 1;
        walked.newest_ms = walked.newest_ms.max(ms);
        walked.ends = bits == STALE_MARKER;
        if walked.said.start_ms == 0 {
            walked.said.start_ms = start_ms;
        }
    }
    if let Some(inner) = series.field(0x2a) {
        metadata(inner, &mut walked.said)?;
    }
    (walked.samples > 0 && series.is_done()).then_some(walked)
}

/// A sample: the bits of its value, its time, and when what it counts began (0: not said).
#[inline]
fn sample(mut sample: Cursor<'_>) -> Option<(u64, i64, i64)> {
    let (bits, ms) = v1::value_and_time(&mut sample)?;
    let start_ms = if sample.is_done() { 0 } else { sample.number(0x18)? as i64 };
    sample.is_done().then_some((bits, ms, start_ms))
}

/// What is said of the metric. A position is cut to 32 bits, as every decoder of `uint32` does.
fn metadata(mut metadata: Cursor<'_>, said: &mut Expanded) -> Option<()> {
    let position = |number: u64| number & u64::from(u32::MAX);
    said.metric_type = metadata.number(0x08).unwrap_or_default();
    said.help = metadata.number(0x18).map(position).unwrap_or_default();
    said.unit = metadata.number(0x20).map(position).unwrap_or_default();
    metadata.is_done().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::varint;

    fn packed(labels: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        labels
            .iter()
            .flat_map(|(name, value)| [name, value])
            .for_each(|at| varint::put(&mut bytes, *at as usize));
        bytes
    }

    #[test]
    fn what_is_read_beside_the_series_before_is_what_is_read_alone() {
        let mut random = 7u64;
        let mut next = |below: u32| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as u32 % below
        };
        let mut references = References::default();
        let mut body = Vec::new();
        let mut labels: Vec<(u32, u32)> = Vec::new();
        // what a caller knows from the changes alone
        let mut known: Vec<Option<(u32, u32)>> = Vec::new();
        for round in 0..20_000 {
            for _ in 0..next(3) {
                // positions of one, two and three bytes, few of them, so that much is alike
                let position = [next(3), 126 + next(4), 16_382 + next(4)][next(3) as usize];
                let at = next(labels.len() as u32 + 1) as usize;
                match next(4) {
                    0 if !labels.is_empty() => drop(labels.remove(at.min(labels.len() - 1))),
                    1 if labels.len() < 9 => labels.insert(at, (position, next(3))),
                    _ if at < labels.len() => labels[at].1 = position,
                    _ => {}
                }
            }
            let from = body.len();
            body.extend(packed(&labels));
            let cursor = Cursor::new(&body, from, body.len());
            let mut shown = 0;
            references
                .read(cursor, |number, was, is| {
                    let pair = |pair: Pair| (pair.name, pair.value);
                    known.resize(known.len().max(number + 1), None);
                    assert_eq!(known[number], was.map(pair), "round {round}");
                    known[number] = is.map(pair);
                    shown += 1;
                })
                .unwrap();
            let read: Vec<_> = references.pairs().iter().map(|pair| (pair.name, pair.value)).collect();
            assert_eq!(read, labels, "round {round}");
            assert_eq!(known.iter().flatten().copied().collect::<Vec<_>>(), labels, "round {round}");
            assert!(shown <= labels.len() + 9);
        }
    }

    #[test]
    fn neighbours_are_read_only_where_they_differ() {
        let mut references = References::default();
        let series = [[(1, 2), (3, 200), (5, 6), (7, 8)], [(1, 300), (3, 200), (5, 6), (7, 8)]];
        let body = [packed(&series[0]), packed(&series[1])].concat();
        let length = packed(&series[0]).len();
        let mut changes = Vec::new();
        for part in [0..length, length..body.len()] {
            changes.clear();
            let cursor = Cursor::new(&body, part.start, part.end);
            references.read(cursor, |number, was, _| changes.push((number, was.is_some()))).unwrap();
        }
        assert_eq!(changes, [(0, true)], "the first label, although all others stand elsewhere");
    }

    #[test]
    fn half_a_label_is_none() {
        for bytes in [&[1u8][..], &[1, 2, 3], &[1, 0x80], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]] {
            let cursor = Cursor::new(bytes, 0, bytes.len());
            assert_eq!(References::default().read(cursor, |_, _, _| ()), None, "{bytes:?}");
        }
    }
}
