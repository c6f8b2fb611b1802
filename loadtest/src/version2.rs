//! Remote-write 2.0 bodies as Prometheus makes them: a table of the request's texts, the empty one first, then series that name
//! them by position.

use xxhash_rust::xxh3::xxh3_64;

use crate::body::{bytes_key, framed_len, put_text, put_varint, varint_len};
use crate::identity::ByHash;

/// A body under way.
#[derive(Default)]
pub(crate) struct Request {
    /// The table as it goes out, and how many texts it has.
    symbols: Vec<u8>,
    count: u32,
    /// Where a text stands in it, by its hash. Two of the thousands in one body share 64 bits once in 10^12 bodies.
    positions: ByHash<u32>,
    series: Vec<u8>,
}

/// What a text is looked up by.
pub(crate) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

impl Request {
    /// Whether nothing was added since the last body.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Adds a series with one sample.
    pub(crate) fn push(&mut self, labels: &[(&str, &str)], value: f64, timestamp_ms: i64) {
        let mut refs = Vec::with_capacity(labels.len() * 2);
        for text in labels.iter().flat_map(|&(name, text)| [name, text]) {
            refs.push(self.position(hash(text), text));
        }
        let sample = Sample::new(timestamp_ms, value.to_bits());
        self.series(refs.into_iter(), (SAMPLE, sample.message()), (0, 0));
    }

    /// Adds a series, given by positions in the table, with one part, by its field and its message. `said` is of its metric:
    /// the type and the position of the help.
    pub(crate) fn series(
        &mut self,
        refs: impl Iterator<Item = u32> + Clone,
        part: (u8, &[u8]),
        said: (u8, u32),
    ) {
        put_series(&mut self.series, refs, part, said);
    }

    /// Where a text stands; it is added if it is new.
    pub(crate) fn position(&mut self, hash: u64, text: &str) -> u32 {
        if self.count == 0 {
            put_text(&mut self.symbols, 4, "");
            self.positions.insert(xxh3_64(b""), 0);
            self.count = 1;
        }
        *self.positions.entry(hash).or_insert_with(|| {
            put_text(&mut self.symbols, 4, text);
            self.count += 1;
            self.count - 1
        })
    }

    /// Puts the body in place of what is in `raw`, and begins the next.
    pub(crate) fn finish(&mut self, raw: &mut Vec<u8>) {
        raw.clear();
        raw.extend_from_slice(&self.symbols);
        raw.extend_from_slice(&self.series);
        self.symbols.clear();
        self.positions.clear();
        self.series.clear();
        self.count = 0;
    }
}

/// The field of samples in a series.
pub(crate) const SAMPLE: u8 = 2;

/// The message of a sample, of up to 20 bytes: value and time.
pub(crate) struct Sample([u8; 20], usize);

impl Sample {
    pub(crate) fn new(timestamp_ms: i64, bits: u64) -> Self {
        let mut bytes = [0; 20];
        bytes[0] = 1 << 3 | 1;
        bytes[1..9].copy_from_slice(&bits.to_le_bytes());
        bytes[9] = 2 << 3;
        let (mut rest, mut len) = (timestamp_ms.cast_unsigned(), 10);
        while rest >= 0x80 {
            bytes[len] = rest as u8 | 0x80;
            rest >>= 7;
            len += 1;
        }
        bytes[len] = rest as u8;
        Self(bytes, len + 1)
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// Appends a series: references, one sample or what it has instead, and what is said of its metric, type and help. Prometheus
/// writes the latter where nothing is said, too.
fn put_series(
    out: &mut Vec<u8>,
    refs: impl Iterator<Item = u32> + Clone,
    (field, message): (u8, &[u8]),
    (kind, help): (u8, u32),
) {
    let refs_len: usize = refs.clone().map(|position| varint_len(position.into())).sum();
    let help_len = if help == 0 { 0 } else { 1 + varint_len(help.into()) };
    let said_len = if kind == 0 { 0 } else { 2 } + help_len;
    out.push(bytes_key(5));
    put_varint(out, (framed_len(refs_len) + framed_len(message.len()) + framed_len(said_len)) as u64);
    out.push(bytes_key(1));
    put_varint(out, refs_len as u64);
    refs.for_each(|position| put_varint(out, position.into()));
    out.push(bytes_key(field));
    put_varint(out, message.len() as u64);
    out.extend_from_slice(message);
    out.push(bytes_key(5));
    put_varint(out, said_len as u64);
    if kind != 0 {
        out.extend([1 << 3, kind]);
    }
    if help != 0 {
        out.push(3 << 3);
        put_varint(out, help.into());
    }
}
