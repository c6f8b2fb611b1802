//! The labels of a TimeSeries, one by one, and their canonical encoding.
//!
//! Canonical is what a sender of sorted labels writes anyway: each label as name then value, shortest
//! varints, no unknown fields, no empty values, sorted by name. A run of labels that is canonical already
//! identifies its series by its bytes; any other is encoded anew to find out.

use super::cursor::{Cursor, MAX_DEPTH, WireError, WireErrorKind, WireType};
use crate::codec::varint;

/// Tag of `TimeSeries.labels`; also of `Label.name`.
const TAG_1_LEN: u8 = 0x0a;
/// Tag of `Label.value`.
const TAG_2_LEN: u8 = 0x12;

/// One label as it stands in the body; not yet known to be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLabel<'a> {
    /// Name; empty where the field is absent.
    pub name: &'a [u8],
    /// Value; empty where the field is absent.
    pub value: &'a [u8],
    /// Whether these bytes are the canonical encoding of this name and value.
    pub canonical: bool,
}

impl RawLabel<'_> {
    /// Whether its name, and its value if that names a metric, is one that remote write 1.0 knows.
    pub fn is_classic(&self) -> bool {
        let name = |text: &[u8], colons| {
            let letter = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || colons && *b == b':';
            !text.first().is_none_or(u8::is_ascii_digit) && text.iter().all(letter)
        };
        name(self.name, false) && (self.name != b"__name__" || name(self.value, true))
    }
}

/// Labels between two offsets of a body; anything else there (scattered labels) is skipped over.
pub struct LabelRun<'a> {
    cursor: Cursor<'a>,
    scattered: bool,
}

impl<'a> LabelRun<'a> {
    /// All labels of the TimeSeries fields in `body[at..end]`.
    pub fn new(body: &'a [u8], at: usize, end: usize) -> Self {
        Self { cursor: Cursor::new(body, at, end), scattered: false }
    }

    fn next_label(&mut self) -> Result<Option<RawLabel<'a>>, WireError> {
        while !self.cursor.is_done() {
            let start = self.cursor.at;
            let (number, kind) = self.cursor.key()?;
            if number != 1 {
                self.cursor.skip(number, kind, MAX_DEPTH - 1)?;
                self.scattered = true;
                continue;
            }
            if kind != WireType::Len {
                return Err(self.cursor.error(WireErrorKind::WireType));
            }
            let inner = self.cursor.message()?;
            let mut label = label(inner)?;
            // behind something else the bytes of the whole are no label run, however each label is written
            label.canonical &= !self.scattered && self.cursor.at - start == 1 + sized(inner.end - inner.at);
            return Ok(Some(label));
        }
        Ok(None)
    }
}

impl<'a> Iterator for LabelRun<'a> {
    type Item = Result<RawLabel<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_label().transpose()
    }
}

fn label(mut cursor: Cursor<'_>) -> Result<RawLabel<'_>, WireError> {
    let (start, mut name, mut value) = (cursor, &[][..], &[][..]);
    let mut in_order = true;
    let mut seen = 0;
    while !cursor.is_done() {
        let at = cursor;
        let (number, kind) = cursor.key()?;
        match (number, kind) {
            (1, WireType::Len) => name = cursor.message()?.slice(),
            (2, WireType::Len) => value = cursor.message()?.slice(),
            (1 | 2, _) => return Err(at.error(WireErrorKind::WireType)),
            _ => cursor.skip(number, kind, MAX_DEPTH - 2)?,
        }
        seen += 1;
        in_order &= number == seen;
    }
    let canonical = in_order && seen == 2 && start.end - start.at == inner_len(name.len(), value.len());
    Ok(RawLabel { name, value, canonical })
}

/// Bytes of a canonical label with a name and a value of these lengths.
pub fn canonical_len(name: usize, value: usize) -> usize {
    1 + sized(inner_len(name, value))
}

/// Bytes of the inside of a canonical label.
fn inner_len(name: usize, value: usize) -> usize {
    1 + sized(name) + 1 + sized(value)
}

/// Bytes of `len` bytes with their length before them.
fn sized(len: usize) -> usize {
    varint::len(len) + len
}

/// A label in canonical form, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Value.
    pub value: &'a [u8],
}

impl<'a> Label<'a> {
    /// Reads the bytes of one label that are known to be canonical; `None` if they are no label.
    #[inline]
    pub fn canonical(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Cursor::new(bytes, 0, bytes.len());
        outer.key().ok()?;
        let mut inner = outer.message().ok()?;
        inner.key().ok()?;
        let name = inner.message().ok()?.slice();
        inner.key().ok()?;
        Some(Self { name, value: inner.message().ok()?.slice() })
    }
}

/// Appends one label in canonical form.
pub fn put_canonical(out: &mut Vec<u8>, name: &str, value: &str) {
    put_label(out, name.as_bytes(), value.as_bytes());
}

/// Appends one label in canonical form; name and value are UTF-8.
#[inline]
pub fn put_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let inside = name.len() + value.len() + 4;
    if inside < 0x80 {
        // nearly all labels: every length is one byte
        out.reserve(inside + 2);
        out.extend_from_slice(&[TAG_1_LEN, inside as u8, TAG_1_LEN, name.len() as u8]);
        out.extend_from_slice(name);
        out.extend_from_slice(&[TAG_2_LEN, value.len() as u8]);
        out.extend_from_slice(value);
        return;
    }
    out.push(TAG_1_LEN);
    varint::put(out, inner_len(name.len(), value.len()));
    out.push(TAG_1_LEN);
    varint::put(out, name.len());
    out.extend_from_slice(name);
    out.push(TAG_2_LEN);
    varint::put(out, value.len());
    out.extend_from_slice(value);
}
