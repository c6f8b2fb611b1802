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
