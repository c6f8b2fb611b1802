//! A place in the file.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Line and column, both from 1, the column in characters. Line 0: the value is a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// Whether the file has this value; defaults have no place.
    pub(crate) fn is_known(self) -> bool {
        self.line > 0
    }

    /// This place, or `other` where this is a default's.
    pub(crate) fn or(self, other: Position) -> Position {
        if self.is_known() { self } else { other }
    }

    /// In one number.
    pub(super) fn packed(self) -> u64 {
        u64::from(self.line) << 32 | u64::from(self.column)
    }
}

impl<'de> Deserialize<'de> for Position {
    /// Only our own deserializer knows where a value stands.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_unit_struct("Position", Packed)
    }
}

struct Packed;

impl Visitor<'_> for Packed {
    type Value = Position;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place in a file")
    }

    fn visit_u64<E: Error>(self, packed: u64) -> Result<Position, E> {
        let half = |n: u64| u32::try_from(n & u64::from(u32::MAX)).map_err(E::custom);
        Ok(Position { line: half(packed >> 32)?, column: half(packed)? })
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error, U64Deserializer};

    use super::*;

    #[test]
    fn a_place_is_the_same_after_it_was_a_number() {
        for position in [
            Position::default(),
            Position { line: 1, column: u32::MAX },
            Position { line: u32::MAX, column: 7 },
        ] {
            let packed: U64Deserializer<Error> = position.packed().into_deserializer();
            assert_eq!(Position::deserialize(packed), Ok(position));
        }
    }
}
