//! What is mended in series.

/// What is mended in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Its labels were not sorted.
    UnsortedLabels,
    /// A label of it had no value.
    EmptyLabelValue,
    /// A sample of it was there twice.
    DuplicateSample,
    /// Its samples were not in the order of their times.
    OutOfOrder,
}

impl Repair {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::UnsortedLabels, Self::EmptyLabelValue, Self::DuplicateSample, Self::OutOfOrder];

    /// The `reason` label of our metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnsortedLabels => "unsorted_labels",
            Self::EmptyLabelValue => "empty_label_value",
            Self::DuplicateSample => "duplicate_sample",
            Self::OutOfOrder => "out_of_order",
        }
    }
}
