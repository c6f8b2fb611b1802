//! Bodies: protobuf written straight from borrowed labels, then compressed. Series of 1.0 are written here, of 2.0 in
//! `version2`.
//!
//! The encoder is this crate's own and knows sizes before it writes, so a body costs one pass and no
//! allocation per series; tests read the result back with prost.

use bytes::Bytes;

use crate::packer;
use crate::protocol::{Protocol, Version};
use crate::version2::Request;

/// Series in one body where nothing else is said; what Prometheus sends by default.
pub const DEFAULT_BATCH_SERIES: usize = 2000;

/// A body ready to be posted.
#[derive(Clone, Debug)]
pub struct Body {
    /// Compressed.
    pub bytes: Bytes,
    /// Series in it, with one sample each.
    pub series: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
}

/// Gathers series into bodies of a given number.
pub struct BodyBuilder {
    batch_series: usize,
    protocol: Protocol,
    series: usize,
    raw: Vec<u8>,
    request: Request,
    compressed: Vec<u8>,
    snappy: snap::raw::Encoder,
}

impl Default for BodyBuilder {
    fn default() -> Self {
        Self::new(DEFAULT_BATCH_SERIES)
    }
}

impl BodyBuilder {
    /// A builder of bodies with up to `batch_series` series each (at least one).
    pub fn new(batch_series: usize) -> Self {
        Self {
            batch_series: batch_series.max(1),
            protocol: Protocol::V1,
            series: 0,
            raw: Vec::new(),
            request: Request::default(),
            compressed: Vec::new(),
            snappy: snap::raw::Encoder::new(),
        }
    }

    /// The same in another protocol.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Adds a series with one sample at a time in Unix milliseconds. Returns the body it filled, if any.
    pub fn push(&mut self, labels: &[(&str, &str)], value: f64, timestamp_ms: i64) -> Option<Body> {
        match self.protocol.form().version {
            Version::One => put_series(&mut self.raw, labels, value, timestamp_ms),
            Version::Two => self.request.push(labels, value, timestamp_ms),
        }
        self.series += 1;
        if self.series == self.batch_series { self.finish() } else { None }
    }

    /// The body of what was added since the last one; `None` if nothing was.
    pub fn finish(&mut self) -> Option<Body> {
        if self.series == 0 {
            return None;
        }
        if !self.request.is_empty() {
            self.request.finish(&mut self.raw);
        }
        packer::pack(&self.raw, self.protocol, &mut self.snappy, &mut self.compressed);
        let body = Body {
            bytes: Bytes::copy_from_slice(&self.compressed),
            series: self.series as u64,
            raw_bytes: self.raw.len() as u64,
        };
        self.raw.clear();
        self.series = 0;
        Some(body)
    }
}

/// Key of a field with a length in front: the number, then wire type 2.
pub(crate) const fn bytes_key(field: u8) -> u8 {
    field << 3 | 2
}

/// Appends a series with one sample to a write request. The sample is the last of it.
pub(crate) fn put_series(out: &mut Vec<u8>, labels: &[(&str, &str)], value: f64, timestamp_ms: i64) {
    // a negative time is a varint of ten bytes, as protobuf has it
    let timestamp = timestamp_ms.cast_unsigned();
    let sample_len = 9 + 1 + varint_len(timestamp);
    put_head(out, labels, framed_len(sample_len));
    out.push(bytes_key(2));
    put_varint(out, sample_len as u64);
    out.push(1 << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
    out.push(2 << 3);
    put_varint(out, timestamp);
}

/// Appends the beginning of a series: its labels, with `more` bytes still to come behind them.
pub(crate) fn put_head(out: &mut Vec<u8>, labels: &[(&str, &str)], more: usize) {
    let labels_len: usize = labels.iter().map(|label| framed_len(label_len(*label))).sum();
    out.push(bytes_key(1));
    put_varint(out, (labels_len + more) as u64);
    for &(name, text) in labels {
        out.push(bytes_key(1));
        put_varint(out, label_len((name, text)) as u64);
        put_text(out, 1, name);
        put_text(out, 2, text);
    }
}

fn label_len((name, text): (&str, &str)) -> usize {
    framed_len(name.len()) + framed_len(text.len())
}

/// Bytes of a field that holds `len` bytes, with its key and its length.
pub(crate) fn framed_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

pub(crate) fn put_text(out: &mut Vec<u8>, field: u8, text: &str) {
    out.push(bytes_key(field));
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
