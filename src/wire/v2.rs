//! The walk of `io.prometheus.write.v2.Request` (remote write 2.0, release candidate 4).
//!
//! A request has a table of texts, its symbols, and series that name them by position. Fields may come in any order: series
//! before symbols, symbols in several places. So the table is read first ([`Symbols::read`]), and the series then.

mod compose;
mod expand;
mod walk;
mod without_empty;

use super::cursor::{Cursor, MAX_DEPTH, WireError, WireErrorKind, WireType};

pub use compose::{Came, Composer, Part, for_each_part};
pub use expand::{Expanded, TooLong, expand};
pub use walk::{Pair, References, Walked, walk};
pub use without_empty::put_labels_without_empty;

/// Tag of `Request.symbols`.
const SYMBOL_TAG: u8 = 0x22;
/// Tag of `Request.timeseries`.
pub const SERIES_TAG: u8 = 0x2a;

/// What a top-level field of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// `symbols`.
    Symbol,
    /// `timeseries`.
    Series,
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
        Self { cursor: Cursor::new(body, 0, body.len()) }
    }

    #[inline]
    fn next_field(&mut self) -> Result<Field, WireError> {
        let before = self.cursor;
        let start = before.at;
        let kind = match self.cursor.peek() {
            // as nearly all senders write their tags
            Some(SYMBOL_TAG) => FieldKind::Symbol,
            Some(SERIES_TAG) => FieldKind::Series,
            _ => match self.cursor.key()? {
                (4, WireType::Len) => FieldKind::Symbol,
                (5, WireType::Len) => FieldKind::Series,
                (4 | 5, _) => return Err(before.error(WireErrorKind::WireType)),
                (number, kind) => {
                    self.cursor.skip(number, kind, MAX_DEPTH)?;
                    let end = self.cursor.at;
                    return Ok(Field { kind: FieldKind::Unknown, start, content: start, end });
                }
            },
        };
        self.cursor.at = self.cursor.at.max(start + 1);
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

/// Symbols of a request at most, and series: without a bound, a body of a few megabytes would make us hold gigabytes.
const MAX_FIELDS: usize = 1 << 20;

/// Where the texts of a request stand in its body. Made to be used again.
#[derive(Debug, Default)]
pub struct Symbols {
    places: Vec<(u32, u32)>,
    /// Position of the name of the label that names metrics; 0: it is not there.
    metric_name: u32,
}

/// The name of the label that names the metric.
const METRIC_NAME: &[u8] = b"__name__";

impl Symbols {
    /// Reads the table of a body, and says how many series it has.
    ///
    /// # Errors
    /// If the body is no request, has more fields than we take, or a table whose first text is not empty.
    pub fn read(&mut self, body: &[u8]) -> Result<usize, WireError> {
        self.places.clear();
        self.metric_name = 0;
        let (mut series, mut known) = (0, body.is_empty());
        for field in Fields::new(body) {
            let field = field?;
            match field.kind {
                FieldKind::Symbol => {
                    if body.get(field.content..field.end) == Some(METRIC_NAME) {
                        self.metric_name = self.places.len() as u32;
                    }
                    self.places.push((field.content as u32, field.end as u32));
                }
                FieldKind::Series => series += 1,
                FieldKind::Unknown => continue,
            }
            known = true;
            if self.places.len().max(series) > MAX_FIELDS {
                return Err(WireError { kind: WireErrorKind::TooManyFields, at: field.start });
            }
        }
        // Protobuf reads any message as any other. One of which nothing is known would be answered 2xx, and lost.
        if !known {
            return Err(WireError { kind: WireErrorKind::OtherMessage, at: 0 });
        }
        match self.places.first() {
            Some((start, end)) if start != end => {
                Err(WireError { kind: WireErrorKind::FirstSymbol, at: *start as usize })
            }
            _ => Ok(series),
        }
    }

    /// The text at a position; `None` where there is none.
    #[inline]
    pub fn get<'b>(&self, body: &'b [u8], position: u64) -> Option<&'b [u8]> {
        let (start, end) = self.places.get(usize::try_from(position).ok()?)?;
        body.get(*start as usize..*end as usize)
    }

    /// All of them, in order.
    pub fn iter<'b>(&self, body: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        self.places.iter().map(|(start, end)| &body[*start as usize..*end as usize])
    }

    /// Where `__name__` stands, the last place if there are several; 0: nowhere.
    pub fn metric_name(&self) -> u32 {
        self.metric_name
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u32, u32)>()
    }
}

/// Shows the positions in a field of references: packed, where `field` is its content, or a single one.
#[inline]
fn for_each_reference(
    cursor: &mut Cursor<'_>,
    kind: WireType,
    mut visit: impl FnMut(u64),
) -> Result<(), WireError> {
    match kind {
        // a varint of more than 32 bits is cut to 32, as every decoder of `uint32` does
        WireType::Varint => visit(cursor.varint()? & u64::from(u32::MAX)),
        WireType::Len => {
            let mut packed = cursor.message()?;
            while !packed.is_done() {
                visit(packed.varint()? & u64::from(u32::MAX));
            }
        }
        _ => return Err(cursor.error(WireErrorKind::WireType)),
    }
    Ok(())
}
