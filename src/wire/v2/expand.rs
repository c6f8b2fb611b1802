//! A series of remote write 2.0 as one of 1.0: its texts in it, everything else as it was.

use super::{Cursor, Field, MAX_DEPTH, Symbols, WireError, WireErrorKind, WireType, for_each_reference};
use crate::codec::varint;
use crate::wire::labels::put_label;
use crate::wire::{schema, v1};

/// Tags of the parts of a `TimeSeries` of 1.0.
const SAMPLE: u8 = 0x12;
const EXEMPLAR: u8 = 0x1a;
const HISTOGRAM: u8 = 0x22;

/// What a series was made to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// Its references are not pairs of positions in the table: it cannot be accepted. What was written has the labels that
    /// could be read.
    pub broken: bool,
    /// Its labels came in another order than that of their names.
    pub unsorted: bool,
    /// Position of the name of its metric; 0: not known.
    pub metric: u32,
    /// Whether a label of it has no value; what was written has none such.
    pub emptied: bool,
    /// When what it counts began, as its first sample that says so says, Unix milliseconds; 0: not said.
    pub start_ms: i64,
    /// The type of its metric, by the number that both versions have for it; 0: not said.
    pub metric_type: u64,
    /// Positions of its help and its unit; 0: none.
    pub help: u64,
    /// See `help`.
    pub unit: u64,
}

impl Expanded {
    /// Whether it says what its metric is.
    pub fn says_something(&self) -> bool {
        self.metric_type != 0 || self.help != 0 || self.unit != 0
    }

    /// When what it counts began, where that is said.
    pub fn started_ms(&self) -> Option<i64> {
        Some(self.start_ms).filter(|start| *start != 0)
    }
}

/// Appends a series to a body of 1.0, its labels in the order in which they came. A start timestamp is no part of that, nor is what is said of its metric.
///
/// # Errors
/// Outer: a protobuf decoder would refuse the series. Inner: `out` would have more than `most` bytes; the texts of a request may
/// be used any number of times.
pub fn expand(
    (body, symbols): (&[u8], &Symbols),
    field: &Field,
    out: &mut Vec<u8>,
    most: usize,
) -> Result<Result<Expanded, TooLong>, WireError> {
    let start = out.len();
    out.push(v1::SERIES_TAG);
    // labels take nearly all of it; nearly always two bytes hold the length
    let room = 2;
    out.resize(start + 1 + room, 0);
    let said = Expanded::default();
    let mut writer = Writer { body, symbols, out, most, said, last: b"", too_long: false };
    let content = Cursor::new(body, field.content, field.end);
    writer.labels(content)?;
    writer.parts(content)?;
    let Writer { said, too_long, .. } = writer;
    if too_long || out.len() > most {
        return Ok(Err(TooLong));
    }
    varint::fill(out, start + 1, room);
    Ok(Ok(said))
}

/// What is made of a request is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Writes one series.
struct Writer<'a> {
    body: &'a [u8],
    symbols: &'a Symbols,
    out: &'a mut Vec<u8>,
    most: usize,
    said: Expanded,
    /// The name of the label before.
    last: &'a [u8],
    too_long: bool,
}

impl Writer<'_> {
    /// The labels, wherever they stand, so that they are one run.
    fn labels(&mut self, mut series: Cursor<'_>) -> Result<(), WireError> {
        let mut name = None;
        while !series.is_done() {
            match series.key()? {
                (1, WireType::Len) if name.is_none() => name = self.packed_labels(series.message()?)?,
                (1, kind) => for_each_reference(&mut series, kind, |position| match name.take() {
                    Some(before) => self.series_label(before, position),
                    None => name = Some(position),
                })?,
                (number, kind) => series.skip(number, kind, MAX_DEPTH - 1)?,
            }
        }
        self.said.broken |= name.is_some();
        Ok(())
    }

    /// Packed references, two at a time, as nearly all labels come; returns the one that is left over.
    #[inline]
    fn packed_labels(&mut self, mut packed: Cursor<'_>) -> Result<Option<u64>, WireError> {
        while !packed.is_done() {
            let before = packed.varint()? & u64::from(u32::MAX);
            if packed.is_done() {
                return Ok(Some(before));
            }
            let position = packed.varint()? & u64::from(u32::MAX);
            self.series_label(before, position);
        }
        Ok(None)
    }

    /// A label of the series.
    #[inline]
    fn series_label(&mut self, name: u64, value: u64) {
        if let Some(text) = self.symbols.get(self.body, name) {
            self.said.unsorted |= text < self.last;
            self.last = text;
        }
        if name != 0 && name == u64::from(self.symbols.metric_name()) {
            self.said.metric = value as u32;
        }
        self.label(name, value, is_label);
    }

    #[inline]
    fn label(&mut self, name: u64, value: u64, counts: impl Fn(&[u8], &[u8]) -> bool) {
        let (name, value) = (self.symbols.get(self.body, name), self.symbols.get(self.body, value));
        match (name, value) {
            (Some(name), Some(value)) => {
                // so that what is written is no longer than a label more
                self.too_long |= self.out.len() > self.most;
                if !counts(name, value) {
                    self.said.emptied = true;
                } else if !self.too_long {
                    put_label(self.out, name, value);
                }
            }
            _ => self.said.broken = true,
        }
    }

    /// All but the labels, in order.
    fn parts(&mut self, mut series: Cursor<'_>) -> Result<(), WireError> {
        let mut created = 0;
        while !series.is_done() {
            let start = series;
            if v1::plain_sample(&mut series).is_some() {
                self.out.extend_from_slice(&self.body[start.at..series.at]);
                continue;
            }
            let (number, kind) = series.key()?;
            match (number, kind) {
                (2, WireType::Len) => self.sample(series.message()?)?,
                (3, WireType::Len) => self.histogram(series.message()?)?,
                (4, WireType::Len) => self.exemplar(series.message()?)?,
                (5, WireType::Len) => self.metadata(series.message()?)?,
                (2..=5, _) => return Err(start.error(WireErrorKind::WireType)),
                // release candidate 3 says here, once, what 4 says with each sample
                (6, WireType::Varint) => created = series.varint()? as i64,
                _ => series.skip(number, kind, MAX_DEPTH - 1)?,
            }
        }
        if self.said.start_ms == 0 {
            self.said.start_ms = created;
        }
        Ok(())
    }

    fn sample(&mut self, sample: Cursor<'_>) -> Result<(), WireError> {
        schema::check(sample, &schema::SAMPLE_V2)?;
        let field = self.open(SAMPLE);
        self.copy_without(sample, 3)?;
        self.close(field);
        Ok(())
    }

    fn histogram(&mut self, histogram: Cursor<'_>) -> Result<(), WireError> {
        schema::check(histogram, &schema::HISTOGRAM_V2)?;
        let field = self.open(HISTOGRAM);
        self.copy_without(histogram, 17)?;
        self.close(field);
        Ok(())
    }

    /// Copies a sample or a histogram, without the start timestamp, which has this number.
    #[inline]
    fn copy_without(&mut self, mut message: Cursor<'_>, start_timestamp: u32) -> Result<(), WireError> {
        while !message.is_done() {
            let from = message.at;
            let (number, kind) = message.key()?;
            if number == start_timestamp {
                let said = message.varint()? as i64;
                if self.said.start_ms == 0 {
                    self.said.start_ms = said;
                }
                continue;
            }
            message.skip(number, kind, MAX_DEPTH - 2)?;
            self.out.extend_from_slice(&self.body[from..message.at]);
        }
        Ok(())
    }

    fn exemplar(&mut self, mut exemplar: Cursor<'_>) -> Result<(), WireError> {
        schema::check(exemplar, &schema::EXEMPLAR_V2)?;
        let field = self.open(EXEMPLAR);
        let mut name = None;
        while !exemplar.is_done() {
            let from = exemplar.at;
            let (number, kind) = exemplar.key()?;
            if number == 1 {
                for_each_reference(&mut exemplar, kind, |position| match name.take() {
                    Some(before) => self.label(before, position, |_, _| true),
                    None => name = Some(position),
                })?;
                continue;
            }
            exemplar.skip(number, kind, MAX_DEPTH - 2)?;
            if matches!(number, 2 | 3) {
                self.out.extend_from_slice(&self.body[from..exemplar.at]);
            }
        }
        self.said.broken |= name.is_some();
        self.close(field);
        Ok(())
    }

    fn metadata(&mut self, mut metadata: Cursor<'_>) -> Result<(), WireError> {
        schema::check(metadata, &schema::METADATA_V2)?;
        while !metadata.is_done() {
            let (number, kind) = metadata.key()?;
            match (number, kind) {
                (1, WireType::Varint) => self.said.metric_type = metadata.varint()?,
                (3, WireType::Varint) => self.said.help = metadata.varint()? & u64::from(u32::MAX),
                (4, WireType::Varint) => self.said.unit = metadata.varint()? & u64::from(u32::MAX),
                _ => metadata.skip(number, kind, MAX_DEPTH - 2)?,
            }
        }
        for position in [self.said.help, self.said.unit] {
            // 0 is none, also in a request without a table
            self.said.broken |= position != 0 && self.symbols.get(self.body, position).is_none();
        }
        Ok(())
    }

    /// Begins a part, with one byte for its length.
    fn open(&mut self, tag: u8) -> usize {
        self.out.extend_from_slice(&[tag, 0]);
        self.out.len() - 1
    }

    fn close(&mut self, field: usize) {
        varint::fill(self.out, field, 1);
    }
}

/// A label without a value is none; one without a name is a mistake, which is to be seen.
fn is_label(name: &[u8], value: &[u8]) -> bool {
    name.is_empty() || !value.is_empty()
}
