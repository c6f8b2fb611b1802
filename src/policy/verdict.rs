//! What the policies said of a series, small enough to be remembered for millions of them.

/// Position of a policy in the config, first = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyIndex(pub u16);

/// What happens to the samples of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// They go on to the upstream as they came.
    #[default]
    Forward,
    /// They end here, by policy.
    Drop,
}

/// Names one row of the verdict table of a [`super::PolicySet`]; the disposition is readable without it,
/// so that a known series costs no look-up.
///
/// Layout: the top three bits are the disposition, the low thirteen the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictId(u16);

impl VerdictId {
    const ROW_BITS: u32 = 13;
    /// Rows a verdict table can have at most.
    pub const MAX_ROWS: usize = 1 << Self::ROW_BITS;
    /// No policy matched and none previewed: row 0 of every table.
    pub const UNTOUCHED: VerdictId = VerdictId(0);

    /// # Panics
    /// If `row` is not below [`VerdictId::MAX_ROWS`].
    pub fn new(disposition: Disposition, row: usize) -> Self {
        assert!(row < Self::MAX_ROWS, "verdict row {row} out of range");
        let kind = match disposition {
            Disposition::Forward => 0,
            Disposition::Drop => 1,
        };
        Self((kind << Self::ROW_BITS) | row as u16)
    }

    /// What to do with the series.
    pub fn disposition(self) -> Disposition {
        match self.0 >> Self::ROW_BITS {
            0 => Disposition::Forward,
            _ => Disposition::Drop,
        }
    }

    /// Row in the verdict table.
    pub fn row(self) -> usize {
        usize::from(self.0 & ((1 << Self::ROW_BITS) - 1))
    }

    /// The bits, for the index entry.
    pub fn to_bits(self) -> u16 {
        self.0
    }

    /// From bits that [`VerdictId::to_bits`] gave.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

/// Until when a verdict holds, in **sample time**: Unix seconds of the sample's own timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidUntil(pub u32);

impl ValidUntil {
    /// The verdict does not depend on time.
    pub const FOREVER: ValidUntil = ValidUntil(u32::MAX);
}

/// What the policies say of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Row of the verdict table, and the disposition.
    pub verdict: VerdictId,
    /// When to ask again.
    pub valid_until: ValidUntil,
}
