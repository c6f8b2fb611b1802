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

/// Reads a number, and says how many bytes it has; `None` where it is cut off or has more than 64 bits.
#[inline]
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    const ENDS: u64 = 0x8080_8080_8080_8080;
    let ends = |word: u64| !word & ENDS;
    match bytes.first_chunk().map(|word| u64::from_le_bytes(*word)) {
        // eight bytes at once: what is behind the number is cut off, and the gaps between its bytes are closed
        Some(word) if ends(word) != 0 => {
            let last = ends(word).trailing_zeros();
            let groups = word & (u64::MAX >> (63 - last)) & !ENDS;
            let pairs = (groups & 0x007f_007f_007f_007f) | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
            let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
            let value = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
            Some((value, last as usize / 8 + 1))
        }
        _ => read_bytes(bytes),
    }
}

fn read_bytes(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        // the tenth byte holds the 64th bit and nothing else
        if i == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    None
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
            for behind in [&[][..], &[0xff; 9], &[0; 9]] {
                let all = [&right, behind].concat();
                assert_eq!(read(&all), Some((value as u64, bytes)), "with {} bytes behind it", behind.len());
                assert_eq!(read_bytes(&all), read(&all));
            }
        }
    }

    #[test]
    fn what_is_read_is_what_prost_reads_in_whatever_form() {
        let mut random = 1u64;
        for length in (0..13).cycle().take(20_000) {
            let mut bytes = vec![0u8; length];
            for byte in &mut bytes {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // mostly it goes on, also with zeros
                *byte = (random >> 56) as u8 | if random >> 40 & 7 == 0 { 0 } else { 0x80 };
                *byte &= if random >> 32 & 3 == 0 { 0x80 } else { 0xff };
            }
            let mut rest = &bytes[..];
            let right = prost::encoding::decode_varint(&mut rest).ok();
            assert_eq!(read(&bytes), right.map(|value| (value, bytes.len() - rest.len())), "{bytes:x?}");
            assert_eq!(read_bytes(&bytes), read(&bytes), "{bytes:x?}");
        }
    }
}
