//! Which series of a request cannot be accepted, and for which label: in words that a sender and a log can be told.

use std::fmt;
use std::ops::Range;

use crate::series::{Invalid, quote};
use crate::wire::labels::{LabelRun, RawLabel};

/// Characters of a name that are shown; both names and what is around them fit in 256 bytes.
const SHOWN: usize = 48;

/// A series that cannot be accepted. Its text is the sender's: it is short, and what does not print is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blamed {
    /// Its name, if it has one.
    pub metric: Option<String>,
    /// The label that is the reason, where it is one.
    pub label: Option<String>,
    /// Why.
    pub reason: Invalid,
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.metric {
            Some(metric) => write!(f, "`{metric}`")?,
            None => f.write_str("a series without a name")?,
        }
        match &self.label {
            Some(label) => write!(f, ", label `{label}`"),
            None => Ok(()),
        }
    }
}

/// Names a rejected series, by the part of the body that holds its labels, and the label that is the reason.
pub(super) fn blame(body: &[u8], run: Range<usize>, reason: Invalid) -> Blamed {
    let labels: Vec<RawLabel<'_>> = LabelRun::new(body, run.start, run.end).map_while(Result::ok).collect();
    let metric = labels.iter().find(|label| label.name == b"__name__").map(|label| shown(label.value));
    Blamed { metric, label: label(&labels, reason).map(|label| shown(label.name)), reason }
}

/// The label that is the reason, where it is one.
fn label<'l, 'b>(labels: &'l [RawLabel<'b>], reason: Invalid) -> Option<&'l RawLabel<'b>> {
    let longest = |size: fn(&RawLabel<'_>) -> usize| labels.iter().max_by_key(|label| size(label));
    match reason {
        Invalid::DuplicateLabel => {
            let again = |(at, label): &(usize, &RawLabel<'_>)| {
                labels[..*at].iter().any(|other| other.name == label.name && !other.value.is_empty())
            };
            let given = labels.iter().enumerate().filter(|(_, label)| !label.value.is_empty());
            given.into_iter().find(again).map(|(_, label)| label)
        }
        Invalid::InvalidUtf8 => {
            let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
            labels.iter().find(|label| !is_text(label.name) || !is_text(label.value))
        }
        Invalid::LabelNameTooLong => longest(|label| label.name.len()),
        Invalid::LabelValueTooLong => longest(|label| label.value.len()),
        Invalid::NoLabels
        | Invalid::NoName
        | Invalid::EmptyLabelName
        | Invalid::TooManyLabels
        | Invalid::TooFarInFuture => None,
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // a character takes up to ten when it is escaped
    let mut shown = String::new();
    for letter in text.chars() {
        let part = quote::shown(letter.encode_utf8(&mut [0; 4])).into_owned();
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
