//! One series of either version, part by part, and the same with other values in the places of its own.

use std::ops::Range;

use super::cursor::{Cursor, MAX_DEPTH, WireError, WireType};
use super::v1::{self, Part};
use super::{Message, v2};
use crate::codec::varint;

/// Shows each field of a series (its content given): where it stands, with its tag, and what it is.
///
/// # Errors
/// If it is no series.
pub fn for_each_part(
    message: Message,
    body: &[u8],
    content: Range<usize>,
    mut visit: impl FnMut(Range<usize>, Part),
) -> Result<(), WireError> {
    let histogram = match message {
        Message::V1 => 4,
        Message::V2 => 3,
    };
    let mut cursor = Cursor::new(body, content.start, content.end);
    while !cursor.is_done() {
        let start = cursor.at;
        let (number, kind) = cursor.key()?;
        let inside = cursor;
        cursor.skip(number, kind, MAX_DEPTH - 1)?;
        let mut inside = inside;
        let part = match (number, kind) {
            (1, _) => Part::Label,
            (2, WireType::Len) => Part::Sample(inside.message()?.timestamp(2)?),
            (3 | 4, WireType::Len) if number == histogram => {
                Part::Histogram(inside.message()?.timestamp(15)?)
            }
            (3 | 4, _) => Part::Exemplar,
            _ => Part::Other,
        };
        visit(start..cursor.at, part);
    }
    Ok(())
}

/// Shows where each native histogram of a series of 1.0 stands (its content given), without tag and length.
///
/// # Errors
/// If it is no series, or as `visit`.
pub fn for_each_histogram(
    body: &[u8],
    content: Range<usize>,
    mut visit: impl FnMut(Range<usize>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut cursor = Cursor::new(body, content.start, content.end);
    while !cursor.is_done() {
        match cursor.key()? {
            (4, WireType::Len) => {
                let inside = cursor.message()?;
                visit(inside.at..inside.end)?;
            }
            (number, kind) => cursor.skip(number, kind, MAX_DEPTH - 1)?,
        }
    }
    Ok(())
}

/// A series as it stands in a body.
#[derive(Clone, Debug)]
pub struct Came<'a> {
    /// In which version.
    pub message: Message,
    /// The body.
    pub body: &'a [u8],
    /// Its content, without tag and length.
    pub content: Range<usize>,
}

/// Appends a series, with tag and length. `values` stand in the places of its samples and histograms, each of them a field with its
/// tag; places that are left over stay empty. `labels` stand in place of its labels, where there are any. Returns where the content
/// starts.
///
/// # Errors
/// If it is no series.
pub fn put<'v>(
    out: &mut Vec<u8>,
    came: Came<'_>,
    values: impl IntoIterator<Item = &'v [u8]>,
    mut labels: Option<&[u8]>,
) -> Result<usize, WireError> {
    let Came { message, body, content } = came;
    out.push(match message {
        Message::V1 => v1::SERIES_TAG,
        Message::V2 => v2::SERIES_TAG,
    });
    let room = varint::len(content.len());
    let start = out.len();
    out.resize(start + room, 0);
    let mut values = values.into_iter();
    let relabeled = labels.is_some();
    for_each_part(message, body, content, |at, part| match part {
        Part::Sample(_) | Part::Histogram(_) => out.extend_from_slice(values.next().unwrap_or_default()),
        Part::Label if relabeled => out.extend_from_slice(labels.take().unwrap_or_default()),
        Part::Label | Part::Exemplar | Part::Other => out.extend_from_slice(&body[at]),
    })?;
    let length = out.len() - start - room;
    varint::fill(out, start, room);
    Ok(out.len() - length)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use seriesgate_proto::{Exemplar, Histogram, Sample, TimeSeries, WriteRequest, v2 as proto2};

    use super::*;

    #[test]
    fn a_series_is_put_together_from_its_parts_in_both_versions() {
        let sample = |timestamp| Sample { value: 1.0, timestamp };
        let series = TimeSeries {
            samples: vec![sample(3), sample(1), sample(2)],
            exemplars: vec![Exemplar { value: 1.0, timestamp: 7, ..Exemplar::default() }],
            ..TimeSeries::named("up", &[("a", "b")])
        };
        let body = WriteRequest::of(vec![series.clone()]).encode_to_vec();
        let field = v1::Fields::new(&body).next().unwrap().unwrap();
        let came = Came { message: Message::V1, body: &body, content: field.content..field.end };
        let mut found = Vec::new();
        let mut see = |at: Range<usize>, part| {
            if let Part::Sample(ms) = part {
                found.push((ms, &body[at]));
            }
        };
        for_each_part(Message::V1, &body, came.content.clone(), &mut see).unwrap();
        found.sort_unstable();
        found.pop();
        let mut out = Vec::new();
        put(&mut out, came, found.iter().map(|(_, bytes)| *bytes), None).unwrap();
        let expected = TimeSeries { samples: vec![sample(1), sample(2)], ..series };
        assert_eq!(WriteRequest::decode(&out[..]).unwrap().timeseries, [expected]);
    }

    #[test]
    fn histograms_and_exemplars_are_told_apart_by_the_version() {
        let series = proto2::TimeSeries {
            labels_refs: vec![1, 2],
            histograms: vec![proto2::Histogram { timestamp: 9, ..proto2::Histogram::default() }],
            exemplars: vec![proto2::Exemplar { timestamp: 8, ..proto2::Exemplar::default() }],
            ..proto2::TimeSeries::default()
        };
        let other = TimeSeries {
            histograms: vec![Histogram { timestamp: 9, ..Histogram::default() }],
            exemplars: vec![Exemplar { timestamp: 8, ..Exemplar::default() }],
            ..TimeSeries::named("up", &[])
        };
        for (message, bytes) in [(Message::V2, series.encode_to_vec()), (Message::V1, other.encode_to_vec())]
        {
            let mut parts = Vec::new();
            for_each_part(message, &bytes, 0..bytes.len(), |_, part| parts.push(part)).unwrap();
            parts.sort_by_key(|part| format!("{part:?}"));
            assert_eq!(parts, [Part::Exemplar, Part::Histogram(9), Part::Label]);
        }
    }

    proptest::proptest! {
        /// Whatever bytes there are: an error, or a series of the same parts.
        #[test]
        fn any_bytes_are_put_together_again_or_refused(bytes in proptest::collection::vec(0u8..40, 0..60)) {
            for message in [Message::V1, Message::V2] {
                let (mut parts, mut values, mut out) = (Vec::new(), Vec::new(), Vec::new());
                let walked = for_each_part(message, &bytes, 0..bytes.len(), |at, part| {
                    parts.push(part);
                    if matches!(part, Part::Sample(_) | Part::Histogram(_)) {
                        values.push(&bytes[at]);
                    }
                });
                let came = Came { message, body: &bytes, content: 0..bytes.len() };
                let put = put(&mut out, came, values, None);
                proptest::prop_assert_eq!(put.is_ok(), walked.is_ok());
                if let Ok(content) = put {
                    proptest::prop_assert_eq!(&out[content..], &bytes[..]);
                }
            }
        }
    }
}
