//! Protobuf primitives over a byte slice.

use thiserror::Error;

use crate::codec::varint;

/// How deep groups and messages may nest, as in prost.
pub(super) const MAX_DEPTH: u32 = 100;

/// What is wrong with a message, and where: `at` counts bytes from the start of the decoded body.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{kind} at byte {at}")]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// Byte offset in the decoded body.
    pub at: usize,
}

/// What can be wrong with a message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum WireErrorKind {
    #[error("varint cut off or longer than 64 bits")]
    Varint,
    #[error("field longer than what is left")]
    Length,
    #[error("field number 0 or above 2^29-1")]
    FieldNumber,
    #[error("wire type that does not fit the field")]
    WireType,
    #[error("group not closed, or closed by another")]
    Group,
    #[error("messages nested deeper than 100")]
    Depth,
    #[error("more than 1048576 series and other fields in one request")]
    TooManyFields,
    #[error("no field of it is known, so it is another message than its Content-Type says")]
    OtherMessage,
    #[error("the first symbol is not the empty text")]
    FirstSymbol,
}

/// Protobuf wire types that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Len,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// A read position in a decoded body. Ends at `end`, which may be before the end of the slice.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        debug_assert!(at <= end && end <= bytes.len());
        Self { bytes, at, end }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn error(&self, kind: WireErrorKind) -> WireError {
        WireError { kind, at: self.at }
    }

    /// The next byte, not consumed; `None` at the end.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        if self.at < self.end { self.bytes.get(self.at).copied() } else { None }
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let (value, length) = match self.bytes.get(self.at..self.end) {
            Some([a @ 0..0x80, ..]) => (u64::from(*a), 1),
            Some([a, b @ 0..0x80, ..]) => (u64::from(a & 0x7f) | u64::from(*b) << 7, 2),
            _ => return self.varint_long(),
        };
        self.at += length;
        Ok(value)
    }

    fn varint_long(&mut self) -> Result<u64, WireError> {
        // what is behind the end may be looked at, not used
        let read = self.bytes.get(self.at..).and_then(varint::read);
        match read.filter(|(_, length)| *length <= self.end - self.at) {
            Some((value, length)) => {
                self.at += length;
                Ok(value)
            }
            None => Err(self.error(WireErrorKind::Varint)),
        }
    }

    /// Field number and wire type.
    pub(super) fn key(&mut self) -> Result<(u32, WireType), WireError> {
        let start = *self;
        let key = self.varint()?;
        let key = u32::try_from(key).map_err(|_| start.error(WireErrorKind::FieldNumber))?;
        if key >> 3 == 0 {
            return Err(start.error(WireErrorKind::FieldNumber));
        }
        let kind = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Len,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(start.error(WireErrorKind::WireType)),
        };
        Ok((key >> 3, kind))
    }

    /// Consumes a length and what it covers; returns a cursor over the covered bytes.
    #[inline]
    pub(super) fn message(&mut self) -> Result<Cursor<'a>, WireError> {
        let start = *self;
        let len = self.varint()?;
        if len > (self.end - self.at) as u64 {
            return Err(start.error(WireErrorKind::Length));
        }
        let inner = Cursor { bytes: self.bytes, at: self.at, end: self.at + len as usize };
        self.at = inner.end;
        Ok(inner)
    }

    /// The next field, if it has this tag, and a length of at most three bytes.
    #[inline]
    pub(super) fn field(&mut self, tag: u8) -> Option<Cursor<'a>> {
        let mut rest = *self;
        if rest.peek()? != tag {
            return None;
        }
        rest.at += 1;
        let length = rest.short()? as usize;
        if length > rest.end - rest.at {
            return None;
        }
        self.at = rest.at + length;
        Some(Cursor { end: self.at, ..rest })
    }

    /// A number of at most three bytes.
    #[inline]
    pub(super) fn short(&mut self) -> Option<u32> {
        let (value, length) = match *self.bytes.get(self.at..self.end)? {
            [a @ 0..0x80, ..] => (u32::from(a), 1),
            [a, b @ 0..0x80, ..] => (u32::from(a & 0x7f) | u32::from(b) << 7, 2),
            [a, b, c @ 0..0x80, ..] => {
                (u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(c) << 14, 3)
            }
            _ => return None,
        };
        self.at += length;
        Some(value)
    }

    /// The number in the next field, if it has this tag.
    #[inline]
    pub(super) fn number(&mut self, tag: u8) -> Option<u64> {
        if self.peek()? != tag {
            return None;
        }
        // what is behind the end may be looked at, not used
        let (value, length) = varint::read(self.bytes.get(self.at + 1..)?)?;
        if length >= self.end - self.at {
            return None;
        }
        self.at += 1 + length;
        Some(value)
    }

    fn advance(&mut self, len: usize) -> Result<(), WireError> {
        if len > self.end - self.at {
            return Err(self.error(WireErrorKind::Length));
        }
        self.at += len;
        Ok(())
    }

    /// Eight bytes, least significant first.
    pub(super) fn fixed64(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        self.advance(8)?;
        let bytes = self.bytes.get(start..self.at).and_then(|bytes| bytes.first_chunk());
        Ok(bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// Skips the value of an unknown field.
    pub(super) fn skip(&mut self, number: u32, kind: WireType, depth: u32) -> Result<(), WireError> {
        if depth == 0 {
            return Err(self.error(WireErrorKind::Depth));
        }
        match kind {
            WireType::Varint => self.varint().map(|_| ()),
            WireType::Fixed64 => self.advance(8),
            WireType::Fixed32 => self.advance(4),
            WireType::Len => self.message().map(|_| ()),
            WireType::EndGroup => Err(self.error(WireErrorKind::Group)),
            WireType::StartGroup => loop {
                let (inner, inner_kind) = self.key()?;
                if inner_kind == WireType::EndGroup {
                    return if inner == number { Ok(()) } else { Err(self.error(WireErrorKind::Group)) };
                }
                self.skip(inner, inner_kind, depth - 1)?;
            },
        }
    }

    /// The timestamp of a sample or a histogram: a varint of this number.
    pub(super) fn timestamp(mut self, field: u32) -> Result<i64, WireError> {
        let mut time = 0;
        while !self.is_done() {
            match self.key()? {
                (number, WireType::Varint) if number == field => time = self.varint()? as i64,
                (number, kind) => self.skip(number, kind, MAX_DEPTH - 2)?,
            }
        }
        Ok(time)
    }

    pub(super) fn slice(&self) -> &'a [u8] {
        &self.bytes[self.at..self.end]
    }
}
