//! Snappy's block format with holes: places that stay literal, so that they can be written again without compressing anew.
//!
//! The output has no length in front, so stretches compressed one by one can be put one behind the other: the length of
//! them all, then the stretches, is a valid block (snappy's `format_description.txt`). Nothing refers to a hole, and no
//! match reaches into one, whatever is written there later.

/// Positions are remembered in 16 bits, and a copy reaches back 65,535 bytes.
pub const MAX_STRETCH_BYTES: usize = 1 << 16;

const TABLE_BITS: u32 = 12;
/// Shorter matches do not pay for their element.
const MIN_MATCH: usize = 4;
/// The longest copy that one element holds.
const MAX_COPY: usize = 64;

/// A place that must stay literal: start and length in the raw bytes.
#[derive(Clone, Copy, Debug)]
pub struct Hole {
    /// Where it starts.
    pub start: usize,
    /// Its length in bytes, at least one.
    pub len: usize,
}

/// Compresses up to [`MAX_STRETCH_BYTES`] and appends the elements to `out`. `holes` are in order and do not touch each
/// other's bytes; where each begins in `out` is appended to `places`.
pub fn compress(raw: &[u8], holes: &[Hole], out: &mut Vec<u8>, places: &mut Vec<usize>) {
    assert!(raw.len() <= MAX_STRETCH_BYTES, "{} bytes are more than positions can tell", raw.len());
    let mut stretch =
        Stretch { raw, out, places, holes, literal_from: 0, table: vec![(0, 0); 1 << TABLE_BITS] };
    let mut from = 0;
    for hole in holes {
        stretch.scan(from, hole.start);
        from = hole.start + hole.len;
    }
    stretch.scan(from, raw.len());
    stretch.literal(raw.len());
}

/// Appends a length as the block's first bytes have it.
pub fn put_len(out: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

struct Stretch<'a> {
    raw: &'a [u8],
    out: &'a mut Vec<u8>,
    places: &'a mut Vec<usize>,
    /// Those not yet written.
    holes: &'a [Hole],
    /// Up to here everything is written.
    literal_from: usize,
    /// By hash of four bytes: where they were seen last, and where the bytes that may be referred to end there. An end of
    /// 0 is none.
    table: Vec<(u16, u32)>,
}

impl Stretch<'_> {
    /// Finds matches in `from..to`, which no hole cuts.
    fn scan(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at + MIN_MATCH <= to {
            let slot = self.slot(at);
            let (before, end) = std::mem::replace(&mut self.table[slot], (at as u16, to as u32));
            let before = usize::from(before);
            let len = if end == 0 { 0 } else { self.common(before, end as usize, at, to) };
            if len < MIN_MATCH {
                at += 1;
                continue;
            }
            self.literal(at);
            self.copy(at - before, len);
            at += len;
            self.literal_from = at;
        }
    }

    fn slot(&self, at: usize) -> usize {
        let four = u32::from_le_bytes([self.raw[at], self.raw[at + 1], self.raw[at + 2], self.raw[at + 3]]);
        (four.wrapping_mul(0x1E35_A7BD) >> (32 - TABLE_BITS)) as usize
    }

    /// Bytes that `before..end` and `at..to` have in common.
    fn common(&self, before: usize, end: usize, at: usize, to: usize) -> usize {
        let most = (end - before).min(to - at);
        let pairs = self.raw[before..before + most].iter().zip(&self.raw[at..at + most]);
        pairs.take_while(|(a, b)| a == b).count()
    }

    /// Writes what has not been written up to `to`, and notes where holes in it have come to lie.
    fn literal(&mut self, to: usize) {
        let from = self.literal_from;
        if from == to {
            return;
        }
        let len = to - from - 1;
        match len {
            0..60 => self.out.push((len as u8) << 2),
            60..256 => self.out.extend([60 << 2, len as u8]),
            _ => self.out.extend([61 << 2, len as u8, (len >> 8) as u8]),
        }
        while let Some((hole, rest)) = self.holes.split_first() {
            if hole.start >= to {
                break;
            }
            self.places.push(self.out.len() + hole.start - from);
            self.holes = rest;
        }
        self.out.extend_from_slice(&self.raw[from..to]);
        self.literal_from = to;
    }

    fn copy(&mut self, offset: usize, mut len: usize) {
        while len > 0 {
            let now = len.min(MAX_COPY);
            if (4..12).contains(&now) && offset < 2048 {
                self.out.extend([1 | ((now - 4) << 2) as u8 | ((offset >> 8) << 5) as u8, offset as u8]);
            } else {
                self.out.extend([2 | ((now - 1) << 2) as u8, offset as u8, (offset >> 8) as u8]);
            }
            len -= now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Seed;

    /// Compresses, writes something else into the holes on both sides, and compares.
    fn there_and_back(raw: &[u8], holes: &[Hole]) -> usize {
        let (mut packed, mut places) = (Vec::new(), Vec::new());
        put_len(&mut packed, raw.len());
        let before = packed.len();
        compress(raw, holes, &mut packed, &mut places);
        assert_eq!(places.len(), holes.len());
        let mut wanted = raw.to_vec();
        for (number, (hole, &place)) in holes.iter().zip(&places).enumerate() {
            for index in 0..hole.len {
                let byte = (number * 31 + index * 7 + 1) as u8;
                wanted[hole.start + index] = byte;
                packed[place + index] = byte;
            }
        }
        let mut back = vec![0; raw.len()];
        assert_eq!(snap::raw::Decoder::new().decompress(&packed, &mut back), Ok(raw.len()));
        assert!(back == wanted);
        packed.len() - before
    }

    #[test]
    fn random_stretches_come_back_whatever_the_holes_hold() {
        for number in 0..3000 {
            let seed = Seed::new(number);
            let len = seed.child(1).below(if number % 10 == 0 { 65_537 } else { 700 }) as usize;
            let letters = 2 + seed.child(2).below(20);
            let raw: Vec<u8> = (0..len).map(|i| seed.child(100 + i as u64).below(letters) as u8).collect();
            let mut holes = Vec::new();
            let mut at = seed.child(3).below(40) as usize;
            while at + 16 < len {
                holes.push(Hole { start: at, len: 15 });
                at += 15 + 1 + seed.child(at as u64).below(300) as usize;
            }
            there_and_back(&raw, &holes);
        }
    }

    #[test]
    fn repetition_is_found() {
        let raw = b"a label that is there in every series; ".repeat(100);
        assert!(there_and_back(&raw, &[]) < raw.len() / 15);
        there_and_back(&[], &[]);
        there_and_back(b"abc", &[Hole { start: 0, len: 3 }]);
    }
}
