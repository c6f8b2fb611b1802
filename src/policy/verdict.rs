//! What the policies said of a series, small enough to be remembered for millions of them.

/// Position of a policy in the config, first = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyIndex(pub u16);

/// What happens to the samples of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// They go on to the upstream as they came.
    #[default]
    Forward,
    /// They go on under other labels.
    Rewrite,
    /// They end here, by policy.
    Drop,
    /// They end here: policies give the series an identity that another series has already.
    Collide,
    /// They end here: policies leave no series that could be sent.
    Reject,
    /// They end here, and become part of what is sent for their group.
    Aggregate,
    /// They end here: a limit does not admit the series.
    Hold,
}

impl Disposition {
    const ALL: [Self; 7] =
        [Self::Forward, Self::Rewrite, Self::Drop, Self::Collide, Self::Reject, Self::Aggregate, Self::Hold];

    /// Whether the samples are sent on.
    pub fn forwards(self) -> bool {
        matches!(self, Self::Forward | Self::Rewrite)
    }
}

/// What a policy does to a series, in preview what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing: it does not match, or its rules leave the labels as they are.
    None,
    /// Forwards it as it is then.
    Pass,
    /// Drops it.
    Drop,
    /// Changes its labels.
    Relabel,
    /// Makes it part of a group.
    Aggregate,
    /// Admits it; later policies see it.
    Limit,
    /// Does not admit it, and holds it back.
    Hold,
    /// Does not admit it, and makes it part of what is sent for all such.
    Fold,
}

impl Effect {
    /// Whether the series ends with it, in preview would: what it saves.
    pub fn withholds(self) -> bool {
        matches!(self, Self::Drop | Self::Aggregate | Self::Hold | Self::Fold)
    }

    /// As shown in `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::None => "none",
            Effect::Pass => "pass",
            Effect::Drop => "drop",
            Effect::Relabel => "relabel",
            Effect::Aggregate => "aggregate",
            Effect::Limit => "limit",
            Effect::Hold => "hold",
            Effect::Fold => "fold",
        }
    }
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
        Self(((disposition as u16) << Self::ROW_BITS) | row as u16)
    }

    /// What to do with the series.
    #[inline]
    pub fn disposition(self) -> Disposition {
        // `new` is the only way to make one, so the number is always one of them
        Disposition::ALL.get(usize::from(self.0 >> Self::ROW_BITS)).copied().unwrap_or_default()
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

/// Labels that own their text, sorted by name.
pub type OwnedLabels = Vec<(Box<str>, Box<str>)>;

/// Owned labels as pairs of borrowed text.
pub fn borrowed(labels: &OwnedLabels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// What the policies say of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Row of the verdict table, and the disposition.
    pub verdict: VerdictId,
    /// When to ask again.
    pub valid_until: ValidUntil,
    /// The labels to send, where the disposition is [`Disposition::Rewrite`].
    pub output: Option<OwnedLabels>,
    /// The policy that makes it part of a group, if one does.
    pub aggregated_by: Option<PolicyIndex>,
}
