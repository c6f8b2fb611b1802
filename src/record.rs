//! State that is kept in a file: a stream of snappy frames, with their checksums, that begins with a magic word and the version
//! and ends with [`END`]. One that was cut off or altered is not taken.

mod bytes;
mod error;

use std::io::{self, Read, Write};

pub(crate) use self::bytes::{Put, Source};
pub use self::error::SnapshotError;

/// Ends every file.
pub(crate) const END: &[u8] = b"whole";
/// A file larger than this, decompressed, is taken for damage: a hundred bytes for each of a hundred million series.
const MAX_BYTES: u64 = 10 << 30;

/// Decompressed bytes, and where in them to go on.
#[derive(PartialEq, Eq)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    rest: usize,
    pub(crate) version: u32,
}

impl Content {
    /// Decompresses and checks a stream that begins with `magic`, of a version up to `known`.
    pub(crate) fn read(from: impl Read, magic: &[u8], known: u32) -> Result<Self, SnapshotError> {
        let mut bytes = Vec::new();
        snap::read::FrameDecoder::new(from).take(MAX_BYTES).read_to_end(&mut bytes)?;
        let rest = bytes.strip_prefix(magic);
        let mut source =
            Source::new(rest.ok_or(SnapshotError::Damaged("it does not begin as such a file does"))?);
        let version = source.u32()?;
        if version == 0 || version > known {
            return Err(SnapshotError::Version { found: version, known });
        }
        if !bytes.ends_with(END) {
            return Err(SnapshotError::Damaged("it is cut off"));
        }
        Ok(Self { rest: magic.len() + size_of::<u32>(), bytes, version })
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source::new(self.bytes.get(self.rest..).unwrap_or_default())
    }

    /// Goes on after what `source` has left.
    pub(crate) fn go_on(&mut self, left: usize) {
        self.rest = self.bytes.len() - left;
    }
}

/// What a file begins with.
pub(crate) fn begin(magic: &[u8], version: u32) -> Vec<u8> {
    let mut buffer = magic.to_vec();
    buffer.put_u32(version);
    buffer
}

/// Writes the last bytes, END among them.
pub(crate) fn finish<W: Write>(mut out: snap::write::FrameEncoder<W>, last: &[u8]) -> io::Result<()> {
    out.write_all(last)?;
    out.into_inner().map_err(|error| io::Error::other(error.to_string()))?.flush()
}
