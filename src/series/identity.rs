//! From labels on the wire to a valid label set and its identity: the path a series takes once.

mod reader;

use std::ops::Range;

use thiserror::Error;

pub use self::reader::Reader;
use super::labels::Labels;
use crate::wire::WireError;
use crate::wire::labels::{LabelRun, put_canonical, put_label};

/// Bounds of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Labels at most, the metric name included.
    pub max_labels: usize,
    /// Label name at most, bytes.
    pub max_name_bytes: usize,
    /// Label value at most, bytes.
    pub max_value_bytes: usize,
}

/// Why a series cannot be accepted (remote write 1.0 and 2.0, section "Labels").
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Invalid {
    #[error("no labels")]
    NoLabels,
    #[error("no metric name")]
    NoName,
    #[error("empty label name")]
    EmptyLabelName,
    #[error("duplicate label name")]
    DuplicateLabel,
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    #[error("more labels than series.max_labels")]
    TooManyLabels,
    #[error("label name longer than series.max_label_name_size")]
    LabelNameTooLong,
    #[error("label value longer than series.max_label_value_size")]
    LabelValueTooLong,
    #[error("samples further in the future than series.max_future")]
    TooFarInFuture,
    #[error("references that are no pairs of positions in the symbols")]
    Reference,
    #[error("native histograms that do not count what their buckets count")]
    HistogramCount,
    #[error("native histograms whose buckets do not fit their spans or bounds")]
    HistogramBuckets,
    #[error("native histograms of a schema that is none")]
    HistogramSchema,
    #[error("samples and native histograms in one series (upstreams[].validation: strict)")]
    Mixed,
    #[error("labels that are not sorted (upstreams[].validation: strict)")]
    UnsortedLabels,
    #[error("labels without a value (upstreams[].validation: strict)")]
    EmptyLabelValue,
    #[error("names that remote write 1.0 does not know (upstreams[].validation: strict)")]
    OddName,
    #[error("neither samples nor histograms (upstreams[].validation: strict)")]
    NoData,
    #[error("two samples of one time (upstreams[].validation: strict)")]
    DuplicateSample,
    #[error("samples older than the one before (upstreams[].validation: strict)")]
    OutOfOrder,
    #[error("label value longer than upstreams[].max_label_value")]
    LongLabelValue,
}

impl Invalid {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 21] = [
        Self::NoLabels,
        Self::NoName,
        Self::EmptyLabelName,
        Self::DuplicateLabel,
        Self::InvalidUtf8,
        Self::TooManyLabels,
        Self::LabelNameTooLong,
        Self::LabelValueTooLong,
        Self::TooFarInFuture,
        Self::Reference,
        Self::HistogramCount,
        Self::HistogramBuckets,
        Self::HistogramSchema,
        Self::Mixed,
        Self::UnsortedLabels,
        Self::EmptyLabelValue,
        Self::OddName,
        Self::NoData,
        Self::DuplicateSample,
        Self::OutOfOrder,
        Self::LongLabelValue,
    ];

    /// The `reason` label of our metrics and of `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoLabels => "no_labels",
            Self::NoName => "no_name",
            Self::EmptyLabelName => "empty_label_name",
            Self::DuplicateLabel => "duplicate_label",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooManyLabels => "too_many_labels",
            Self::LabelNameTooLong => "label_name_too_long",
            Self::LabelValueTooLong => "label_value_too_long",
            Self::TooFarInFuture => "too_far_in_future",
            Self::Reference => "invalid_reference",
            Self::HistogramCount => "histogram_count",
            Self::HistogramBuckets => "histogram_buckets",
            Self::HistogramSchema => "histogram_schema",
            Self::Mixed => "mixed_samples",
            Self::UnsortedLabels => "unsorted_labels",
            Self::EmptyLabelValue => "empty_label_value",
            Self::OddName => "odd_name",
            Self::NoData => "no_data",
            Self::DuplicateSample => "duplicate_sample",
            Self::OutOfOrder => "out_of_order",
            Self::LongLabelValue => "long_label_value",
        }
    }
}

/// How the label bytes relate to the identity of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// They are the canonical encoding.
    Canonical,
    /// They say the same in another way (unsorted, an empty value, an unknown field).
    Other,
}

/// Reads the labels in `body[run]` into `pairs`: sorted, valid, without empty values.
///
/// # Errors
/// Outer: the bytes are not protobuf. Inner: they are, but no series can have these labels.
pub fn read<'b>(
    body: &'b [u8],
    run: Range<usize>,
    limits: &Limits,
    pairs: &mut Vec<(&'b str, &'b str)>,
) -> Result<Result<Form, Invalid>, WireError> {
    pairs.clear();
    let mut form = Form::Canonical;
    let mut invalid = None;
    let mut count = 0;
    for label in LabelRun::new(body, run.start, run.end) {
        let label = label?;
        count += 1;
        if invalid.is_some() || count > limits.max_labels {
            invalid = invalid.or(Some(Invalid::TooManyLabels));
            continue;
        }
        match checked(label.name, label.value, limits) {
            Ok((_, "")) => form = Form::Other,
            Ok(pair) => {
                let sorted = pairs.last().is_none_or(|(last, _)| *last < pair.0);
                if !label.canonical || !sorted {
                    form = Form::Other;
                }
                pairs.push(pair);
            }
            Err(reason) => invalid = Some(reason),
        }
    }
    if form == Form::Other {
        pairs.sort_unstable_by_key(|(name, _)| *name);
    }
    Ok(match invalid.or_else(|| whole(pairs)) {
        Some(reason) => Err(reason),
        None => Ok(form),
    })
}

/// Why labels that policies made cannot be sent; `None` if they can.
pub fn fault(pairs: &[(&str, &str)], limits: &Limits) -> Option<Invalid> {
    let single = |(name, value): &(&str, &str)| checked(name.as_bytes(), value.as_bytes(), limits).err();
    if pairs.len() > limits.max_labels {
        return Some(Invalid::TooManyLabels);
    }
    pairs.iter().find_map(single).or_else(|| whole(pairs))
}

fn checked<'b>(name: &'b [u8], value: &'b [u8], limits: &Limits) -> Result<(&'b str, &'b str), Invalid> {
    if name.is_empty() {
        return Err(Invalid::EmptyLabelName);
    }
    if name.len() > limits.max_name_bytes {
        return Err(Invalid::LabelNameTooLong);
    }
    if value.len() > limits.max_value_bytes {
        return Err(Invalid::LabelValueTooLong);
    }
    match (std::str::from_utf8(name), std::str::from_utf8(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(Invalid::InvalidUtf8),
    }
}

/// What can only be said of the label set as a whole.
fn whole(pairs: &[(&str, &str)]) -> Option<Invalid> {
    if pairs.is_empty() {
        return Some(Invalid::NoLabels);
    }
    if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Some(Invalid::DuplicateLabel);
    }
    Labels::from_sorted(pairs).metric().is_empty().then_some(Invalid::NoName)
}

/// Writes the canonical encoding of labels that were found valid into `out`; `places` is scratch.
///
/// # Errors
/// As [`read`], outer.
pub fn canonicalise(
    body: &[u8],
    run: Range<usize>,
    places: &mut Vec<Place>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    places.clear();
    out.clear();
    // A decoded body has less than 4 GiB.
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr()) as u32;
        (start, start + part.len() as u32)
    };
    for label in LabelRun::new(body, run.start, run.end) {
        let label = label?;
        if !label.value.is_empty() {
            places.push(Place { name: place(label.name), value: place(label.value) });
        }
    }
    let text = |(start, end): (u32, u32)| &body[start as usize..end as usize];
    places.sort_unstable_by_key(|place| text(place.name));
    for place in places {
        put_label(out, text(place.name), text(place.value));
    }
    Ok(())
}

/// Where the name and the value of a label stand in a body, first byte and first one after.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

/// Writes the canonical encoding of a label set into `out`.
pub fn encode_canonical(pairs: &[(&str, &str)], out: &mut Vec<u8>) {
    out.clear();
    for (name, value) in pairs {
        put_canonical(out, name, value);
    }
}
