//! Compression, with caps: nothing is allocated because a header claims it.

pub mod snappy;
pub mod varint;
pub mod zstd;

use thiserror::Error;

use self::snappy::SnappyError;
use self::zstd::ZstdError;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Snappy block format.
    #[default]
    Snappy,
    /// A zstd frame, as vmagent sends it.
    Zstd,
}

impl Encoding {
    /// What a body is. Its first bytes tell, and are believed rather than the header: proxies and old versions of vmagent were
    /// seen to send one under the name of the other.
    pub fn of(body: &[u8]) -> Self {
        if zstd::is_frame(body) { Self::Zstd } else { Self::Snappy }
    }
}

/// Compresses a body that is given in pieces. Made to be used again.
#[derive(Default)]
pub struct Packer {
    encoding: Encoding,
    snappy: snappy::Gatherer,
    zstd: zstd::Encoder,
    /// The body so far, where it has to be there whole.
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    /// Starts a body of `total` bytes.
    pub fn start(&mut self, encoding: Encoding, total: usize) {
        self.encoding = encoding;
        match encoding {
            Encoding::Snappy => self.snappy.start(total),
            Encoding::Zstd => {
                self.plain.clear();
                self.plain.reserve(total);
            }
        }
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// Never for the sizes a request can have; the encoder's own error is passed on.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), CodecError> {
        match self.encoding {
            Encoding::Snappy => self.snappy.push(piece)?,
            Encoding::Zstd => self.plain.extend_from_slice(piece),
        }
        Ok(())
    }

    /// The finished body.
    ///
    /// # Errors
    /// As [`Packer::push`].
    pub fn finish(&mut self) -> Result<&[u8], CodecError> {
        match self.encoding {
            Encoding::Snappy => Ok(self.snappy.finish()?),
            Encoding::Zstd => {
                self.packed = self.zstd.encode(&self.plain)?;
                Ok(&self.packed)
            }
        }
    }

    /// A whole body.
    ///
    /// # Errors
    /// As [`Packer::push`].
    pub fn pack(&mut self, encoding: Encoding, plain: &[u8]) -> Result<&[u8], CodecError> {
        self.start(encoding, plain.len());
        self.push(plain)?;
        self.finish()
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.snappy.capacity() + self.zstd.bytes() + self.plain.capacity() + self.packed.capacity()
    }
}

/// Why a body could not be decompressed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(transparent)]
pub enum CodecError {
    /// Of snappy.
    Snappy(#[from] SnappyError),
    /// Of zstd.
    Zstd(#[from] ZstdError),
}

/// Bytes that a body decodes to.
///
/// # Errors
/// If that is over `limit`, or if the body is neither snappy nor zstd.
pub fn decoded_len(body: &[u8], limit: usize) -> Result<usize, CodecError> {
    Ok(match Encoding::of(body) {
        Encoding::Snappy => snappy::decoded_len(body, limit)?,
        Encoding::Zstd => zstd::decoded_len(body, limit)?,
    })
}

/// Decodes a body into `buffer`, which only grows, and returns the decoded bytes.
///
/// # Errors
/// As [`decoded_len`], before anything is allocated; or if the body is corrupt.
pub fn decode<'b>(
    decoder: &mut zstd::Decoder,
    body: &[u8],
    limit: usize,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8], CodecError> {
    Ok(match Encoding::of(body) {
        Encoding::Snappy => snappy::decode(body, limit, buffer)?,
        Encoding::Zstd => decoder.decode(body, limit, buffer)?,
    })
}
