//! Reads what a body holds, without building messages: just enough to count it. Series of 1.0 here, of 2.0 in `version2`.

mod version2;

use std::borrow::Cow;

use crate::body::{bytes_key, framed_len};
use crate::identity;
use crate::protocol::Version;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadBody {
    /// Not snappy, or it claims more than is decoded.
    Snappy(String),
    /// Not zstd, or it holds more than is decoded.
    Zstd(String),
    /// Not the protobuf of a write request.
    Protobuf(&'static str),
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Snappy(why) => write!(f, "bad snappy: {why}"),
            Self::Zstd(why) => write!(f, "bad zstd: {why}"),
            Self::Protobuf(why) => write!(f, "bad protobuf: {why}"),
        }
    }
}

/// One field of a message.
pub(super) enum Value<'a> {
    /// Wire type 0, and 5, whose number nothing here needs.
    Number(u64),
    /// Wire type 1.
    Fixed(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
}

/// The fields of a message, in order.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, BadBody> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Value::Fixed(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
            }
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => {
                self.take(4)?;
                Value::Number(0)
            }
            _ => return Err(BadBody::Protobuf("unknown wire type")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], BadBody> {
        let len = usize::try_from(len).map_err(|_| BadBody::Protobuf("a length beyond memory"))?;
        let (head, tail) = self.0.split_at_checked(len).ok_or(BadBody::Protobuf("cut off inside a field"))?;
        self.0 = tail;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64, BadBody> {
        let mut value = 0;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(BadBody::Protobuf("a number without an end"))
    }
}

/// What one series of a body holds. Messages are as they came.
#[derive(Default)]
pub(super) struct Series<'a> {
    /// Names and values as they came.
    pub(super) labels: Vec<(&'a [u8], &'a [u8])>,
    /// See [`crate::identity`].
    pub(super) identity: u64,
    /// Times in Unix milliseconds, and the bits of values.
    pub(super) samples: Vec<(i64, u64)>,
    /// As 1.0 has them.
    pub(super) exemplars: Vec<Cow<'a, [u8]>>,
    pub(super) histograms: Vec<&'a [u8]>,
}

/// Whether labels are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    Read,
    Skip,
}

/// Shows every series of a decompressed body; the labels only if asked for.
pub(super) fn each_series(
    raw: &[u8],
    version: Version,
    wanted: Labels,
    mut visit: impl FnMut(&Series<'_>),
) -> Result<(), BadBody> {
    if version == Version::Two {
        return version2::each_series(raw, wanted, visit);
    }
    let mut request = Fields(raw);
    let mut series = Series::default();
    while let Some((number, value)) = request.next()? {
        let message = match (number, value) {
            (1, Value::Bytes(message)) => message,
            // read as 1.0, a request of 2.0 is one without series
            (4 | 5, Value::Bytes(_)) => {
                return Err(BadBody::Protobuf("a field of 2.0 in a request of 1.0"));
            }
            _ => continue,
        };
        series.read(message, wanted)?;
        visit(&series);
    }
    Ok(())
}

impl<'a> Series<'a> {
    fn clear(&mut self) {
        self.labels.clear();
        self.samples.clear();
        self.exemplars.clear();
        self.histograms.clear();
        self.identity = 0;
    }

    fn read(&mut self, message: &'a [u8], wanted: Labels) -> Result<(), BadBody> {
        self.clear();
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(label)) if wanted == Labels::Read => self.read_label(label)?,
                (2, Value::Bytes(sample)) => self.samples.push(read_sample(sample)?),
                (3, Value::Bytes(exemplar)) => self.exemplars.push(exemplar.into()),
                (4, Value::Bytes(histogram)) => self.histograms.push(histogram),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_label(&mut self, message: &'a [u8]) -> Result<(), BadBody> {
        let (mut name, mut text): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => name = bytes,
                (2, Value::Bytes(bytes)) => text = bytes,
                _ => {}
            }
        }
        self.labels.push((name, text));
        if !text.is_empty() {
            // written as everybody writes it, the message is what identity asks for
            let plain = message.first() == Some(&bytes_key(1))
                && framed_len(name.len()) + framed_len(text.len()) == message.len();
            let part = if plain { identity::of_message(message) } else { identity::of_label(name, text) };
            self.identity = self.identity.wrapping_add(part);
        }
        Ok(())
    }
}

fn read_sample(message: &[u8]) -> Result<(i64, u64), BadBody> {
    let (mut bits, mut timestamp_ms) = (0, 0);
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Fixed(double)) => bits = double,
            (2, Value::Number(time)) => timestamp_ms = time.cast_signed(),
            _ => {}
        }
    }
    Ok((timestamp_ms, bits))
}
