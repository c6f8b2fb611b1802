//! A place in the file.

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
}
