//! Zstandard frames, as vmagent sends them: bounded decoding, and encoding in one go.

use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

/// How every frame begins (RFC 8878, section 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A byte turns into no more than this, beyond [`FREE_BYTES`]. Remote write has ratios of 10 to 60; a frame can have one of
/// 30,000, with which a request of a few bytes would have us clear a hundred megabytes.
const MAX_RATIO: usize = 512;
const FREE_BYTES: usize = 1 << 20;

/// Fast, and still half of what snappy makes of the same body.
const LEVEL: i32 = 1;

/// Memory of a decoder, and of an encoder with its window, bytes, about; the library does not tell.
const DECODER_BYTES: usize = 160 << 10;
const ENCODER_BYTES: usize = 1 << 20;

/// Why a body could not be decoded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ZstdError {
    /// It says that it is longer than the configured limit.
    #[error("its length of {declared} bytes is over the limit of {limit} bytes")]
    OverLimit {
        /// Bytes it may decode to.
        declared: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No remote write is that repetitive.
    #[error("{compressed} bytes that decode to {declared} are no remote write")]
    Ratio {
        /// Bytes it may decode to.
        declared: usize,
        /// Bytes there are.
        compressed: usize,
    },
    /// Not zstd.
    #[error("corrupt zstd frame: {0}")]
    Corrupt(String),
    /// The library could not be set up, or fails on what it made itself.
    #[error("zstd failed: {0}")]
    Failed(String),
}

/// Whether a body is a zstd frame. No snappy block begins like one: its first element would be a copy, of nothing.
pub fn is_frame(body: &[u8]) -> bool {
    body.starts_with(&MAGIC)
}

/// Bytes that a body decodes to, or a little more where its frames do not say how long they are.
///
/// # Errors
/// If that is over `limit`, or if the body is not zstd.
pub fn decoded_len(compressed: &[u8], limit: usize) -> Result<usize, ZstdError> {
    let bound = zstd_safe::decompress_bound(compressed)
        .map_err(|code| ZstdError::Corrupt(zstd_safe::get_error_name(code).to_owned()))?;
    let declared = usize::try_from(bound).unwrap_or(usize::MAX);
    // what is not said is rounded up to whole blocks, of which the last may be nearly empty
    let least = if says_length(compressed) { declared } else { declared.saturating_sub(BLOCK) };
    if least > limit {
        return Err(ZstdError::OverLimit { declared, limit });
    }
    if least > compressed.len().saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES) {
        return Err(ZstdError::Ratio { declared, compressed: compressed.len() });
    }
    Ok(declared.min(limit))
}

/// The largest block of a frame.
const BLOCK: usize = zstd_safe::BLOCKSIZE_MAX as usize;

fn says_length(compressed: &[u8]) -> bool {
    matches!(zstd_safe::get_frame_content_size(compressed), Ok(Some(_)))
}

/// Decodes bodies, and keeps what the library needs for that from one to the next.
#[derive(Default)]
pub struct Decoder(Option<Decompressor<'static>>);

impl Decoder {
    /// Decodes a body into `buffer`, which only grows, and returns the decoded bytes.
    ///
    /// # Errors
    /// As [`decoded_len`], before anything is allocated; or if the frame is corrupt.
    pub fn decode<'b>(
        &mut self,
        compressed: &[u8],
        limit: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], ZstdError> {
        let room = decoded_len(compressed, limit)?;
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(Decompressor::new().map_err(|error| ZstdError::Failed(error.to_string()))?),
        };
        let written = decoder
            .decompress_to_buffer(compressed, &mut buffer[..room])
            .map_err(|error| ZstdError::Corrupt(error.to_string()))?;
        Ok(&buffer[..written])
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |_| DECODER_BYTES)
    }
}

/// Encodes bodies, and keeps what the library needs for that from one to the next.
#[derive(Default)]
pub struct Encoder(Option<Compressor<'static>>);

impl Encoder {
    /// One frame that says how long it is.
    ///
    /// # Errors
    /// If the library has no memory.
    pub fn encode(&mut self, plain: &[u8]) -> Result<Vec<u8>, ZstdError> {
        let failed = |error: std::io::Error| ZstdError::Failed(error.to_string());
        let encoder = match &mut self.0 {
            Some(encoder) => encoder,
            none => none.insert(Compressor::new(LEVEL).map_err(failed)?),
        };
        encoder.compress(plain).map_err(failed)
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |_| ENCODER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(plain: &[u8]) -> Vec<u8> {
        Encoder::default().encode(plain).unwrap()
    }

    /// A frame that does not say how long it is, as a stream makes it.
    fn unsized_frame(plain: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(LEVEL).unwrap();
        compressor.include_contentsize(false).unwrap();
        compressor.compress(plain).unwrap()
    }

    fn decode(body: &[u8], limit: usize) -> Result<Vec<u8>, ZstdError> {
        Decoder::default().decode(body, limit, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_frame_that_is_too_long_allocates_nothing() {
        let plain: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        for body in [frame(&plain), unsized_frame(&plain)] {
            let mut buffer = Vec::new();
            let decoded = Decoder::default().decode(&body, 100_000, &mut buffer).map(<[u8]>::to_vec);
            assert!(matches!(decoded, Err(ZstdError::OverLimit { .. })), "{decoded:?}");
            assert_eq!(buffer.capacity(), 0);
            assert_eq!(decode(&body, 300_000).as_ref(), Ok(&plain), "the limit itself is allowed");
            assert!(decode(&body, 299_999).is_err());
        }
    }

    #[test]
    fn a_frame_that_is_no_remote_write_is_refused_before_anything_is_allocated() {
        let body = frame(&vec![0; 64 << 20]);
        let mut buffer = Vec::new();
        let decoded = Decoder::default().decode(&body, 1 << 30, &mut buffer).map(<[u8]>::len);
        assert!(matches!(decoded, Err(ZstdError::Ratio { .. })), "{decoded:?}");
        assert_eq!(buffer.capacity(), 0);
        let zeros = vec![0; FREE_BYTES];
        assert_eq!(decode(&frame(&zeros), 1 << 30).unwrap(), zeros, "what is short may be");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let body = frame(&b"remote write ".repeat(100));
        for end in 0..body.len() {
            assert!(decode(&body[..end], 1 << 20).is_err() || end == 0, "cut at {end}");
        }
        assert!(is_frame(&body) && !is_frame(&body[..3]));
    }

    #[test]
    fn no_snappy_block_looks_like_a_frame() {
        // a length of 40, then a copy before there is anything to be copied
        let mut block = MAGIC.to_vec();
        block.resize(64, 0);
        let mut buffer = Vec::new();
        assert!(super::super::snappy::decode(&block, 1 << 20, &mut buffer).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(plain in proptest::collection::vec(any::<u8>(), 0..5000), times in 1usize..40) {
            let plain = plain.repeat(times);
            let body = frame(&plain);
            prop_assert_eq!(decoded_len(&body, usize::MAX), Ok(plain.len()));
            prop_assert_eq!(decode(&body, plain.len()).unwrap(), plain.clone());
            prop_assert_eq!(decode(&unsized_frame(&plain), plain.len()).unwrap(), plain);
        }
    }
}
