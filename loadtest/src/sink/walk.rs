//! Reads what a remote-write 1.0 body holds, without building messages: just enough to count it.

use crate::body::{bytes_key, framed_len};
use crate::identity;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadBody {
    /// Not snappy, or it claims more than [`MAX_RAW_BYTES`].
    Snappy(String),
    /// Not the protobuf of a write request.
    Protobuf(&'static str),
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Snappy(why) => write!(f, "bad snappy: {why}"),
            Self::Protobuf(why) => write!(f, "bad protobuf: {why}"),
        }
    }
}

/// The largest body decoded, in bytes.
const MAX_RAW_BYTES: usize = 256 << 20;

/// Decompresses a body.
pub(super) fn decompress(body: &[u8]) -> Result<Vec<u8>, BadBody> {
    let claimed = snap::raw::decompress_len(body).map_err(|error| BadBody::Snappy(error.to_string()))?;
    // snappy never makes more than about 21 bytes of one
    if claimed > MAX_RAW_BYTES || claimed > body.len() * 22 + 64 {
        return Err(BadBody::Snappy(format!("{} bytes cannot hold {claimed}", body.len())));
    }
    let mut raw = vec![0; claimed];
    let len = snap::raw::Decoder::new()
        .decompress(body, &mut raw)
        .map_err(|error| BadBody::Snappy(error.to_string()))?;
    raw.truncate(len);
    Ok(raw)
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
    pub(super) exemplars: Vec<&'a [u8]>,
    pub(super) histograms: Vec<&'a [u8]>,
}

/// Whether labels are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    Read,
    Skip,
}

/// Shows every series of a decompressed body; the labels only if asked for.
pub(super) fn each_series<'a>(
    raw: &'a [u8],
    wanted: Labels,
    mut visit: impl FnMut(&Series<'a>),
) -> Result<(), BadBody> {
    let mut request = Fields(raw);
    let mut series = Series::default();
    while let Some((number, value)) = request.next()? {
        let (1, Value::Bytes(message)) = (number, value) else { continue };
        series.read(message, wanted)?;
        visit(&series);
    }
    Ok(())
}

impl<'a> Series<'a> {
    fn read(&mut self, message: &'a [u8], wanted: Labels) -> Result<(), BadBody> {
        self.labels.clear();
        self.samples.clear();
        self.exemplars.clear();
        self.histograms.clear();
        self.identity = 0;
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(label)) if wanted == Labels::Read => self.read_label(label)?,
                (2, Value::Bytes(sample)) => self.samples.push(read_sample(sample)?),
                (3, Value::Bytes(exemplar)) => self.exemplars.push(exemplar),
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
