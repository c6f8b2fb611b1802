//! Label values that are longer than a backend takes: cut, and told apart by a hash of all of what they were.

use std::borrow::Cow;

use md5::{Digest, Md5};

/// Bytes of the hash that stand behind a value that was cut, in hexadecimal. It has no key, so that every gate cuts a value the same, and
/// after every restart. Who makes two values of one hash has one of them held back: an identity has one owner.
const HASH_BYTES: usize = 10;
/// What stands between. A metric's name may have it.
const BETWEEN: char = '_';

/// What becomes of long values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongValues {
    /// Bytes of a value at most.
    pub most: usize,
    /// Whether a series with a longer one is not sent; else the value is cut.
    pub drops: bool,
}

/// There is no way to send a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl LongValues {
    /// The least that [`LongValues::most`] may be: some of the value is to be left.
    pub const LEAST: &str = "32B";

    /// Whether all values can be sent as they are.
    pub fn fit(&self, pairs: &[(&str, &str)]) -> bool {
        pairs.iter().all(|(_, value)| value.len() <= self.most)
    }

    /// What is sent of a label: its value, or as much of that as there is room for, and the hash.
    ///
    /// # Errors
    /// If series of such a value are not sent, or it is a number, which would be another one if it were cut.
    pub fn sent<'v>(&self, name: &str, value: &'v str) -> Result<Cow<'v, str>, TooLong> {
        if value.len() <= self.most {
            return Ok(Cow::Borrowed(value));
        }
        if self.drops || matches!(name, "le" | "quantile") {
            return Err(TooLong);
        }
        let digest: [u8; 16] = Md5::digest(value.as_bytes()).into();
        let room = self.most.saturating_sub(2 * HASH_BYTES + BETWEEN.len_utf8());
        let mut cut = String::with_capacity(self.most);
        cut.push_str(&value[..value.floor_char_boundary(room)]);
        cut.push(BETWEEN);
        for byte in &digest[..HASH_BYTES] {
            for digit in [byte >> 4, byte & 15] {
                cut.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
            }
        }
        Ok(Cow::Owned(cut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: LongValues = LongValues { most: 32, drops: false };

    #[test]
    fn a_long_value_is_cut_on_a_character_and_told_apart_from_others() {
        let fits = "v".repeat(32);
        assert_eq!(CUT.sent("a", &fits), Ok(Cow::Borrowed(&*fits)));
        let cut = |value: &str| CUT.sent("a", value).unwrap().into_owned();
        // as every gate has it, for ever
        assert_eq!(cut(&"v".repeat(33)), "vvvvvvvvvvv_55266bc22fc84fc05b7a");
        assert_ne!(cut(&"v".repeat(33)), cut(&"v".repeat(34)));
        assert!(cut(&"ä".repeat(40)).starts_with("äääää_"), "{}", cut(&"ä".repeat(40)));
        for length in 33..200 {
            let cut = cut(&"ü€x".repeat(length));
            assert!(cut.len() <= CUT.most && cut.len() > 28, "{cut}");
            assert_eq!(CUT.sent("a", &cut), Ok(Cow::Borrowed(&*cut)), "another gate leaves it as it is");
        }
    }

    #[test]
    fn numbers_are_not_cut_and_nothing_is_where_series_are_dropped() {
        let long = "1".repeat(40);
        assert_eq!([CUT.sent("le", &long), CUT.sent("quantile", &long)], [Err(TooLong), Err(TooLong)]);
        assert_eq!(LongValues { drops: true, ..CUT }.sent("a", &long), Err(TooLong));
        assert!(!CUT.fit(&[("a", "b"), ("c", &long)]) && CUT.fit(&[("a", "b")]));
    }
}
