//! The order of labels, and what strict validation has against them.

use std::ops::Range;

use crate::series::Invalid;
use crate::wire::WireError;
use crate::wire::labels::LabelRun;

/// What is to be mended in labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Disorder {
    /// They are not sorted.
    pub(in crate::pipeline) unsorted: bool,
    /// One of them has no value.
    pub(in crate::pipeline) emptied: bool,
}

/// What is to be mended in the labels of a series that were found valid.
pub(in crate::pipeline) fn disorder(body: &[u8], run: Range<usize>) -> Result<Disorder, WireError> {
    let mut disorder = Disorder::default();
    let mut last: &[u8] = b"";
    for label in LabelRun::new(body, run.start, run.end) {
        let label = label?;
        disorder.unsorted |= label.name < last;
        disorder.emptied |= label.value.is_empty();
        last = label.name;
    }
    Ok(disorder)
}

/// What strict validation has against labels; `classic`: names have to be those of remote write 1.0. What is wrong with them at any
/// level is found when the series is decided.
pub(super) fn fault(body: &[u8], run: Range<usize>, classic: bool) -> Result<Option<Invalid>, WireError> {
    let mut last: &[u8] = b"";
    for label in LabelRun::new(body, run.start, run.end) {
        let label = label?;
        if label.name.is_empty() {
            return Ok(None);
        }
        if label.value.is_empty() {
            return Ok(Some(Invalid::EmptyLabelValue));
        }
        if label.name < last {
            return Ok(Some(Invalid::UnsortedLabels));
        }
        if classic && !label.is_classic() {
            return Ok(Some(Invalid::OddName));
        }
        last = label.name;
    }
    Ok(None)
}
