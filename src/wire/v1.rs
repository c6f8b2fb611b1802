//! The walk of `prometheus.WriteRequest`: hops over frames, counts samples, looks closely only where it must.

mod samples;

use std::ops::Range;

use self::samples::unusual_sample;
pub use self::samples::{for_each_sample, last_value};
pub(super) use self::samples::{plain_sample, value_and_time};
use super::cursor::{Cursor, MAX_DEPTH, WireError, WireErrorKind, WireType};
use super::schema::{self, Text};
use crate::codec::varint;

/// Tag of `WriteRequest.timeseries`.
pub const SERIES_TAG: u8 = 0x0a;

/// What a top-level field of a WriteRequest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// `timeseries`.
    Series,
    /// `metadata`.
    Metadata,
    /// Anything else; kept as it came.
    Unknown,
}

/// One top-level field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub kind: FieldKind,
    /// First byte of its tag.
    pub start: usize,
    /// First byte of its content (after tag and length).
    pub content: usize,
    /// First byte after it.
    pub end: usize,
}

/// The top-level fields of a body, in order.
pub struct Fields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Fields<'a> {
    /// Walks a decoded body.
    pub fn new(body: &'a [u8]) -> Self {
        Self::starting(body, 0)
    }

    /// Walks what is behind the first `at` bytes of a decoded body.
    pub fn starting(body: &'a [u8], at: usize) -> Self {
        Self { cursor: Cursor::new(body, at, body.len()) }
    }

    #[inline]
    fn next_field(&mut self) -> Result<Field, WireError> {
        let before = self.cursor;
        let start = before.at;
        let kind = match self.cursor.key()? {
            (1, WireType::Len) => FieldKind::Series,
            (3, WireType::Len) => FieldKind::Metadata,
            (1 | 3, _) => return Err(before.error(WireErrorKind::WireType)),
            (number, kind) => {
                self.cursor.skip(number, kind, MAX_DEPTH)?;
                let end = self.cursor.at;
                return Ok(Field { kind: FieldKind::Unknown, start, content: start, end });
            }
        };
        let inner = self.cursor.message()?;
        Ok(Field { kind, start, content: inner.at, end: inner.end })
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<Field, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_done() { None } else { Some(self.next_field()) }
    }
}

/// What the walk knows of one TimeSeries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesFrame {
    /// The labels, where they are one contiguous run; the whole content where they are scattered.
    pub labels: Range<usize>,
    /// Whether the labels are one run, so that their bytes can stand for them.
    pub contiguous: bool,
    /// Float samples.
    pub samples: u32,
    /// Native histograms.
    pub histograms: u32,
    /// Exemplars.
    pub exemplars: u32,
    /// Latest timestamp of samples and histograms, Unix milliseconds; `i64::MIN` where there is none.
    pub newest_ms: i64,
    /// Whether the last of them is a stale marker.
    pub ends: bool,
    /// Whether the text outside of the labels (exemplar labels) is UTF-8.
    pub text: Text,
}

/// The value that says that a series has ended: a NaN of these bits (remote write 1.0, section "Stale markers").
pub const STALE_MARKER: u64 = 0x7ff0_0000_0000_0002;

/// Looks into a TimeSeries: finds the label run, counts and checks the rest. The labels themselves are only
/// hopped over: whoever sees a run for the first time parses it with [`super::labels::LabelRun`].
///
/// # Errors
/// If a protobuf decoder would refuse what stands outside of the labels.
#[inline]
pub fn series(body: &[u8], field: &Field) -> Result<SeriesFrame, WireError> {
    series_after(body, field, &mut &[][..])
}

/// The same, of one that may have all labels but the first in common with the one before it, as series of one pod do: `rest` holds the
/// bytes of those, and takes over its own. To compare them costs less than to hop over them, each to where the next one starts.
///
/// # Errors
/// As [`series`].
#[inline]
pub fn series_after<'b>(
    body: &'b [u8],
    field: &Field,
    rest: &mut &'b [u8],
) -> Result<SeriesFrame, WireError> {
    let mut cursor = Cursor::new(body, field.content, field.end);
    let run_end = hop_labels(&mut cursor, rest)?;
    let mut frame = SeriesFrame {
        labels: field.content..run_end,
        contiguous: true,
        samples: 0,
        histograms: 0,
        exemplars: 0,
        newest_ms: i64::MIN,
        ends: false,
        text: Text::Utf8,
    };
    while !cursor.is_done() {
        match plain_sample(&mut cursor) {
            Some((value, timestamp)) => {
                frame.samples += 1;
                frame.newest_ms = frame.newest_ms.max(timestamp);
                frame.ends = value == STALE_MARKER;
            }
            None => other_field(&mut cursor, field, &mut frame)?,
        }
    }
    Ok(frame)
}

/// What a field of a TimeSeries is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A label.
    Label,
    /// A float sample of this time, Unix milliseconds.
    Sample(i64),
    /// A native histogram of this time, Unix milliseconds.
    Histogram(i64),
    /// An exemplar.
    Exemplar,
    /// Anything else.
    Other,
}

/// Shows each field of a TimeSeries (its content given), with its tag.
///
/// # Errors
/// As [`series`].
pub fn for_each_part(
    body: &[u8],
    content: Range<usize>,
    mut visit: impl FnMut(&[u8], Part),
) -> Result<(), WireError> {
    let mut cursor = Cursor::new(body, content.start, content.end);
    while !cursor.is_done() {
        let start = cursor.at;
        let (number, kind) = cursor.key()?;
        let part = match (number, kind) {
            (2, WireType::Len) => Part::Sample(unusual_sample(cursor.message()?)?.1),
            (4, WireType::Len) => Part::Histogram(histogram(cursor.message()?)?.1),
            _ => {
                cursor.skip(number, kind, MAX_DEPTH - 1)?;
                match number {
                    1 => Part::Label,
                    3 => Part::Exemplar,
                    _ => Part::Other,
                }
            }
        };
        visit(&body[start..cursor.at], part);
    }
    Ok(())
}

/// Moves past a run of labels at the cursor; returns where the run ends. `rest`: see [`series_after`].
#[inline]
fn hop_labels<'b>(cursor: &mut Cursor<'b>, rest: &mut &'b [u8]) -> Result<usize, WireError> {
    hop_label(cursor)?;
    let second = cursor.at;
    if cursor.slice().starts_with(rest) {
        cursor.at += rest.len();
    }
    while hop_label(cursor)? {}
    *rest = &cursor.bytes[second..cursor.at];
    Ok(cursor.at)
}

/// Moves past a label at the cursor, if there is one.
#[inline]
fn hop_label(cursor: &mut Cursor<'_>) -> Result<bool, WireError> {
    let is_label = cursor.peek() == Some(0x0a);
    if is_label {
        cursor.at += 1;
        cursor.message()?;
    }
    Ok(is_label)
}

#[cold]
fn other_field(cursor: &mut Cursor<'_>, field: &Field, frame: &mut SeriesFrame) -> Result<(), WireError> {
    let start = *cursor;
    let (number, kind) = cursor.key()?;
    if !(1..=4).contains(&number) {
        return cursor.skip(number, kind, MAX_DEPTH - 1);
    }
    if kind != WireType::Len {
        return Err(start.error(WireErrorKind::WireType));
    }
    let inner = cursor.message()?;
    let text = match number {
        1 => {
            frame.contiguous = false;
            frame.labels = field.content..field.end;
            Text::Utf8
        }
        2 => {
            let (value, timestamp) = unusual_sample(inner)?;
            frame.samples += 1;
            frame.newest_ms = frame.newest_ms.max(timestamp);
            frame.ends = value == STALE_MARKER;
            schema::check(inner, &schema::SAMPLE)?
        }
        3 => {
            frame.exemplars += 1;
            schema::check(inner, &schema::EXEMPLAR)?
        }
        _ => {
            let (sum, timestamp) = histogram(inner)?;
            frame.histograms += 1;
            frame.newest_ms = frame.newest_ms.max(timestamp);
            frame.ends = sum == STALE_MARKER;
            schema::check(inner, &schema::HISTOGRAM)?
        }
    };
    if text == Text::Invalid {
        frame.text = Text::Invalid;
    }
    Ok(())
}

/// The bits of the sum and the timestamp of a native histogram.
fn histogram(mut histogram: Cursor<'_>) -> Result<(u64, i64), WireError> {
    let (mut sum, mut timestamp) = (0, 0);
    while !histogram.is_done() {
        let (number, kind) = histogram.key()?;
        match (number, kind) {
            (3, WireType::Fixed64) => sum = histogram.fixed64()?,
            (15, WireType::Varint) => timestamp = histogram.varint()? as i64,
            _ => histogram.skip(number, kind, MAX_DEPTH - 2)?,
        }
    }
    Ok((sum, timestamp))
}

/// When a series has its first sample in a request, and what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSample {
    /// Unix milliseconds.
    pub ms: i64,
    /// Whether it is a native histogram.
    pub histogram: bool,
}

/// The oldest sample or native histogram in a TimeSeries (its content given); `None` where there is none.
pub fn first_sample(body: &[u8], content: Range<usize>) -> Option<FirstSample> {
    let mut first: Option<FirstSample> = None;
    let older = |_: &[u8], part: Part| {
        let found = match part {
            Part::Sample(ms) => FirstSample { ms, histogram: false },
            Part::Histogram(ms) => FirstSample { ms, histogram: true },
            Part::Label | Part::Exemplar | Part::Other => return,
        };
        first = Some(first.filter(|first| first.ms <= found.ms).unwrap_or(found));
    };
    for_each_part(body, content, older).ok()?;
    first
}

/// Appends the fields of a TimeSeries that say that it ends at this time: a sample, or a native histogram, whose value
/// or sum is a stale marker.
pub fn put_stale_marker(out: &mut Vec<u8>, at: FirstSample) {
    // field numbers: samples 2, histograms 4; value 1, timestamp 2 of a sample; sum 3, timestamp 15 of a histogram
    let (field, value, time) = if at.histogram { (0x22, 0x19, 0x78) } else { (0x12, 0x09, 0x10) };
    let timestamp = at.ms as u64 as usize;
    out.extend_from_slice(&[field, (1 + 8 + 1 + varint::len(timestamp)) as u8, value]);
    out.extend_from_slice(&STALE_MARKER.to_le_bytes());
    out.push(time);
    varint::put(out, timestamp);
}

/// The type (its number) and the metric family that a metadata entry is about; `None` where it names none.
pub fn metadata_type<'b>(body: &'b [u8], field: &Field) -> Option<(u64, &'b str)> {
    let mut cursor = Cursor::new(body, field.content, field.end);
    let (mut number, mut family) = (0, "");
    while !cursor.is_done() {
        match cursor.key().ok()? {
            (1, WireType::Varint) => number = cursor.varint().ok()?,
            (2, WireType::Len) => family = std::str::from_utf8(cursor.message().ok()?.slice()).ok()?,
            (other, kind) => cursor.skip(other, kind, MAX_DEPTH - 1).ok()?,
        }
    }
    (!family.is_empty()).then_some((number, family))
}

/// Appends a metadata entry: the type by its number, the metric's name, and its help and unit.
pub fn put_metadata(out: &mut Vec<u8>, metric_type: u64, family: &[u8], (help, unit): (&[u8], &[u8])) {
    out.extend_from_slice(&[0x1a, 0]);
    let start = out.len() - 1;
    if metric_type != 0 {
        out.push(0x08);
        varint::put(out, metric_type as usize);
    }
    for (tag, text) in [(0x12, family), (0x22, help), (0x2a, unit)] {
        if !text.is_empty() {
            out.push(tag);
            varint::put(out, text.len());
            out.extend_from_slice(text);
        }
    }
    varint::fill(out, start, 1);
}

/// Checks a metadata entry.
///
/// # Errors
/// If a protobuf decoder would refuse it for anything but invalid UTF-8.
pub fn metadata(body: &[u8], field: &Field) -> Result<Text, WireError> {
    schema::check(Cursor::new(body, field.content, field.end), &schema::METADATA)
}
