//! Float samples of a TimeSeries.

use std::ops::Range;

use crate::wire::cursor::{Cursor, MAX_DEPTH, WireError, WireType};

/// A sample as every sender writes it: value, then timestamp, nothing else. Returns the bits of the value and the
/// timestamp.
#[inline]
pub(in crate::wire) fn plain_sample(cursor: &mut Cursor<'_>) -> Option<(u64, i64)> {
    let mut rest = *cursor;
    let mut sample = rest.field(0x12)?;
    let read = value_and_time(&mut sample)?;
    if !sample.is_done() {
        return None;
    }
    *cursor = rest;
    Some(read)
}

/// The bits of a value, and the time behind it. Go's encoder writes no value that is zero.
#[inline]
pub(in crate::wire) fn value_and_time(sample: &mut Cursor<'_>) -> Option<(u64, i64)> {
    let mut bits = 0;
    if let [0x09, value @ ..] = sample.bytes.get(sample.at..sample.end)? {
        bits = u64::from_le_bytes(*value.first_chunk()?);
        sample.at += 9;
    }
    Some((bits, sample.number(0x10)? as i64))
}

/// The bits of the value and the timestamp of a sample in any legal form: the last of each wins, absent = 0.
pub(super) fn unusual_sample(mut sample: Cursor<'_>) -> Result<(u64, i64), WireError> {
    let (mut value, mut timestamp) = (0, 0);
    while !sample.is_done() {
        let (number, kind) = sample.key()?;
        match (number, kind) {
            (1, WireType::Fixed64) => value = sample.fixed64()?,
            (2, WireType::Varint) => timestamp = sample.varint()? as i64,
            _ => sample.skip(number, kind, MAX_DEPTH - 2)?,
        }
    }
    Ok((value, timestamp))
}

/// The value of the last float sample in a TimeSeries (its content given); `None` where there is none, or where the
/// bytes are no TimeSeries.
pub fn last_value(body: &[u8], content: Range<usize>) -> Option<f64> {
    let mut last = None;
    for_each_sample(body, content, |_, bits| last = Some(bits))?;
    last.map(f64::from_bits)
}

/// Shows each float sample in a TimeSeries (its content given), in order: time in Unix milliseconds and the bits of the
/// value. Ends early where the bytes are no TimeSeries.
#[inline]
pub fn for_each_sample(body: &[u8], content: Range<usize>, mut visit: impl FnMut(i64, u64)) -> Option<()> {
    let mut cursor = Cursor::new(body, content.start, content.end);
    while !cursor.is_done() {
        if let Some((bits, ms)) = plain_sample(&mut cursor) {
            visit(ms, bits);
            continue;
        }
        let (number, kind) = cursor.key().ok()?;
        match (number, kind) {
            (2, WireType::Len) => {
                let (bits, ms) = unusual_sample(cursor.message().ok()?).ok()?;
                visit(ms, bits);
            }
            _ => cursor.skip(number, kind, MAX_DEPTH - 1).ok()?,
        }
    }
    Some(())
}
