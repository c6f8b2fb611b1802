//! What a metadata entry of 1.0 says of a metric family, and which series are parts of one.

use super::cursor::{Cursor, MAX_DEPTH, WireType};
use super::v1::Field;

/// How the names of series of a family may end, and of which types that is, by number: a counter; a histogram, of gauges too, or a
/// summary.
pub const ENDINGS: [(&[u8], &[u64]); 4] =
    [(b"_total", &[1]), (b"_bucket", &[3, 4]), (b"_sum", &[3, 4, 5]), (b"_count", &[3, 4, 5])];

/// The family of a series of floats of this name and type, as senders of 1.0 name it. Whether that of a counter has the ending depends on
/// what was scraped, and is not known: it keeps its name.
pub fn family(name: &[u8], metric_type: u64) -> &[u8] {
    let parts = ENDINGS.iter().filter(|(ending, types)| *ending != b"_total" && types.contains(&metric_type));
    let mut families = parts.filter_map(|(ending, _)| name.strip_suffix(*ending));
    families.find(|family| !family.is_empty()).unwrap_or(name)
}

/// What is said of a metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said<'b> {
    /// The type, by the number that both versions have for it.
    pub metric_type: u64,
    /// The family's name.
    pub family: &'b [u8],
    /// See there.
    pub help: &'b [u8],
    /// See there.
    pub unit: &'b [u8],
}

impl<'b> Said<'b> {
    /// Reads an entry; `None` where it names no family, or is none.
    pub fn read(body: &'b [u8], field: &Field) -> Option<Self> {
        let mut said = Self::default();
        let mut cursor = Cursor::new(body, field.content, field.end);
        while !cursor.is_done() {
            match cursor.key().ok()? {
                (1, WireType::Varint) => said.metric_type = cursor.varint().ok()?,
                (2, WireType::Len) => said.family = cursor.message().ok()?.slice(),
                (4, WireType::Len) => said.help = cursor.message().ok()?.slice(),
                (5, WireType::Len) => said.unit = cursor.message().ok()?.slice(),
                (number, kind) => cursor.skip(number, kind, MAX_DEPTH - 1).ok()?,
            }
        }
        (!said.family.is_empty()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_histograms_and_summaries_are_of_their_family() {
        for (name, metric_type, expected) in [
            ("h_bucket", 3, "h"),
            ("h_sum", 3, "h"),
            ("h_count", 4, "h"),
            ("h", 3, "h"),
            ("s_sum", 5, "s"),
            ("s_bucket", 5, "s_bucket"),
            ("g_count", 2, "g_count"),
            ("c_total", 1, "c_total"),
            ("_sum", 3, "_sum"),
            ("x_count", 0, "x_count"),
        ] {
            let family = family(name.as_bytes(), metric_type);
            assert_eq!(std::str::from_utf8(family), Ok(expected), "{name} of type {metric_type}");
        }
    }
}
