//! Which series of a request cannot be accepted, and for which label: in words that a sender and a log can be told.

use std::ops::Range;

use ahash::AHashSet;

use crate::series::{Invalid, quote};
use crate::wire::labels::{LabelRun, RawLabel};

/// Characters of a name that are shown; both names and what is around them fit in 256 bytes.
const SHOWN: usize = 48;
/// Names of labels that are shown of a series, so many and in so many bytes.
const NAMES: usize = 6;
const NAMES_BYTES: usize = 56;
/// An example in less than so many bytes would say nothing.
const SHORTEST: usize = 12;
/// Labels among which one that is given twice is looked for: `series.max_labels` is no more, and refuses those that have more.
const MOST_GIVEN: usize = 1 << 16;

/// A series that cannot be accepted. Its text is the sender's: it is short, and what does not print is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blamed {
    /// Its name, if it has one.
    pub metric: Option<String>,
    /// The names of its labels but that of the metric's name, the first few, a line each.
    pub labels: String,
    /// The label that is the reason, where it is one.
    pub label: Option<String>,
    /// Why.
    pub reason: Invalid,
}

impl Blamed {
    /// The series as an example for its reason, in about so many bytes; empty where there is no room for one.
    pub(super) fn shown(&self, most: usize) -> String {
        if most < SHORTEST {
            return String::new();
        }
        let mut text = match &self.metric {
            Some(metric) => format!(", as `{metric}`"),
            None => ", as a series without a name".to_owned(),
        };
        if !self.labels.is_empty() {
            let names = format!("{{{}}}", self.labels.replace('\n', ","));
            if text.len() + names.len() <= most {
                text.push_str(&names);
            }
        }
        if let Some(label) = &self.label
            && text.len() + label.len() <= most
        {
            text.push_str(&format!(", label `{label}`"));
        }
        if text.len() > most {
            let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

/// Names a rejected series, by the part of the body that holds its labels, and the label that is the reason. It may have
/// millions of labels: none is kept.
pub(super) fn describe_rejected(body: &[u8], run: Range<usize>, reason: Invalid) -> Blamed {
    let labels = || LabelRun::new(body, run.start, run.end).map_while(Result::ok);
    let metric = labels().find(|label| label.name == b"__name__").map(|label| shown(label.value));
    let label = label(labels, reason).map(|label| shown(label.name));
    Blamed { metric, labels: names(labels()), label, reason }
}

/// The names of the first few labels, a line each: what is shown of a name has no line breaks.
fn names<'b>(labels: impl Iterator<Item = RawLabel<'b>>) -> String {
    let mut names = String::with_capacity(NAMES_BYTES + '…'.len_utf8());
    for (number, label) in labels.filter(|label| label.name != b"__name__").enumerate() {
        if number > 0 {
            names.push('\n');
        }
        let name = shown(label.name);
        if number == NAMES || names.len() + name.len() > NAMES_BYTES {
            names.push('…');
            break;
        }
        names.push_str(&name);
    }
    names
}

/// The label that is the reason, where it is one.
fn label<'b, L: Iterator<Item = RawLabel<'b>>>(
    labels: impl Fn() -> L,
    reason: Invalid,
) -> Option<RawLabel<'b>> {
    match reason {
        Invalid::DuplicateLabel => {
            let mut given: AHashSet<&[u8]> = AHashSet::new();
            let mut first = labels().filter(|label| !label.value.is_empty()).take(MOST_GIVEN);
            first.find(|label| !given.insert(label.name))
        }
        Invalid::InvalidUtf8 => {
            let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
            labels().find(|label| !is_text(label.name) || !is_text(label.value))
        }
        Invalid::UnsortedLabels => {
            let mut last: &[u8] = b"";
            labels().find(|label| std::mem::replace(&mut last, label.name) > label.name)
        }
        Invalid::EmptyLabelValue => labels().find(|label| label.value.is_empty()),
        Invalid::OddName => labels().find(|label| !label.is_classic()),
        Invalid::LabelNameTooLong => labels().max_by_key(|label| label.name.len()),
        Invalid::LabelValueTooLong | Invalid::LongLabelValue => {
            labels().max_by_key(|label| label.value.len())
        }
        Invalid::NoLabels
        | Invalid::NoName
        | Invalid::EmptyLabelName
        | Invalid::TooManyLabels
        | Invalid::Reference
        | Invalid::TooFarInFuture
        | Invalid::HistogramCount
        | Invalid::HistogramBuckets
        | Invalid::HistogramSchema
        | Invalid::Mixed
        | Invalid::NoData
        | Invalid::DuplicateSample
        | Invalid::OutOfOrder => None,
    }
}

fn shown(bytes: &[u8]) -> String {
    // no more of it can be shown
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * (SHOWN + 1))]);
    // a character takes up to ten when it is escaped
    let mut shown = String::new();
    for letter in text.chars() {
        let mut bytes = [0; 4];
        let part = quote::shown(letter.encode_utf8(&mut bytes));
        if shown.len() + part.len() > SHOWN {
            shown.push('…');
            break;
        }
        shown.push_str(&part);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_sender_is_short_and_prints() {
        assert_eq!(shown(b"up"), "up");
        assert_eq!(shown(b"a\x1b[31m\n\xff"), "a\\u001b[31m\\n\u{fffd}");
        let long = shown("ä".repeat(1000).as_bytes());
        assert!(long.len() <= SHOWN + 3 && long.ends_with('…'), "{long}");
    }
}
