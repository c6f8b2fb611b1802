//! What a metadata entry of 1.0 says of a metric family.

use super::cursor::{Cursor, MAX_DEPTH, WireType};
use super::v1::Field;

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
