//! Numbers as protobuf and snappy write them: seven bits a byte, the lowest first.

/// Bytes of a number.
#[inline]
pub fn len(value: usize) -> usize {
    (64 - (value as u64 | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a number.
#[inline]
pub fn put(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a number where there is room for it; returns how many bytes it has.
#[inline]
pub fn write(out: &mut [u8], value: usize) -> usize {
    let bytes = len(value);
    for (at, byte) in out[..bytes].iter_mut().enumerate() {
        *byte = (value >> (7 * at)) as u8 | 0x80;
    }
    out[bytes - 1] &= 0x7f;
    bytes
}

/// Writes the length of all that stands behind `at` and the `room` bytes that were left for it there, which may turn out to be too
/// many or too few.
pub fn fill(out: &mut Vec<u8>, at: usize, room: usize) {
    let length = out.len() - at - room;
    let needed = len(length);
    if needed != room {
        let content = at + room;
        out.resize(out.len() + needed.saturating_sub(room), 0);
        out.copy_within(content..content + length, at + needed);
        out.truncate(at + needed + length);
    }
    write(&mut out[at..], length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_write_a_number_write_the_same_and_prost_does_too() {
        for value in (0..63).flat_map(|bit| [(1usize << bit) - 1, 1 << bit, (1 << bit) + 1]) {
            let (mut appended, mut written, mut right) = (Vec::new(), [0xff; 10], Vec::new());
            put(&mut appended, value);
            let bytes = write(&mut written, value);
            prost::encoding::encode_varint(value as u64, &mut right);
            assert_eq!((&appended[..], &written[..bytes], len(value)), (&right[..], &right[..], right.len()));
            assert_eq!(written[bytes], 0xff, "nothing is written behind it");
        }
    }
}
