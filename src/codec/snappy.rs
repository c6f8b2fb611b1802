//! Snappy block format: bounded decoding, and encoding of a body that is gathered from pieces.

use thiserror::Error;

use super::varint;

/// A block is compressed in fragments of this many bytes; no copy reaches across a fragment.
const FRAGMENT: usize = 1 << 16; // 64 KiB, as the format prescribes

/// Why a body could not be decoded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SnappyError {
    /// The preamble says more than the configured limit.
    #[error("declared length {declared} is over the limit of {limit} bytes")]
    OverLimit {
        /// Bytes the preamble claims.
        declared: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No snappy stream of this size can decode to that much (the best element turns 3 bytes into 64).
    #[error(
        "declared length {declared} is impossible for a body of {compressed} bytes; send the block format of snappy, or zstd"
    )]
    Impossible {
        /// Bytes the preamble claims.
        declared: usize,
        /// Bytes there are.
        compressed: usize,
    },
    /// Another format, which is known by how it begins.
    #[error("this is {0}; send the block format of snappy, or zstd")]
    Other(&'static str),
    /// Not snappy block format.
    #[error("corrupt snappy block: {0}; send the block format of snappy, or zstd")]
    Corrupt(#[from] snap::Error),
}

/// How other formats begin. No block begins so: its first copy would be of what is not there yet.
const OTHERS: [(&[u8], &str); 2] =
    [(b"\xff\x06\x00\x00sNaPpY", "the framing format of snappy"), (b"\x1f\x8b\x08", "gzip")];

/// Bytes that a block decodes to, as its preamble says.
///
/// # Errors
/// If that is over `limit` or impossible for the input, or if there is no preamble.
pub fn decoded_len(compressed: &[u8], limit: usize) -> Result<usize, SnappyError> {
    if let Some((_, name)) = OTHERS.iter().find(|(start, _)| compressed.starts_with(start)) {
        return Err(SnappyError::Other(name));
    }
    let declared = snap::raw::decompress_len(compressed)?;
    if declared > limit {
        return Err(SnappyError::OverLimit { declared, limit });
    }
    if declared > compressed.len() * 22 + 64 {
        return Err(SnappyError::Impossible { declared, compressed: compressed.len() });
    }
    Ok(declared)
}

/// Decodes a block into `buffer`, which only grows, and returns the decoded bytes.
///
/// # Errors
/// As [`decoded_len`], before anything is allocated; or if the block is corrupt.
pub fn decode<'b>(compressed: &[u8], limit: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], SnappyError> {
    let declared = decoded_len(compressed, limit)?;
    if buffer.len() < declared {
        buffer.resize(declared, 0);
    }
    let written = snap::raw::Decoder::new().decompress(compressed, &mut buffer[..declared])?;
    Ok(&buffer[..written])
}

/// One block that decodes to what several decode to, one behind the other: copies say how far back they reach, so elements stay as they
/// are. `None` where one of them is no block, or all are too long for one.
pub fn concat(blocks: &[&[u8]]) -> Option<Vec<u8>> {
    let mut total = 0_usize;
    let mut elements = Vec::with_capacity(blocks.len());
    for block in blocks {
        let (declared, preamble) = varint::read(block)?;
        total += usize::try_from(declared).ok()?;
        elements.push(block.get(preamble..)?);
    }
    if total > u32::MAX as usize {
        return None;
    }
    let mut out = Vec::with_capacity(5 + elements.iter().map(|elements| elements.len()).sum::<usize>());
    varint::put(&mut out, total);
    for part in elements {
        out.extend_from_slice(part);
    }
    Some(out)
}

/// Compresses a body given in pieces, without ever having it whole in memory.
///
/// A block is a preamble (its decoded length) followed by independent fragments, so pieces are gathered
/// 64 KiB at a time in a buffer that stays in the cache, and each fragment is appended to the output.
pub struct Gatherer {
    encoder: snap::raw::Encoder,
    fragment: Vec<u8>,
    out: Vec<u8>,
    len: usize,
}

impl Default for Gatherer {
    fn default() -> Self {
        Self { encoder: snap::raw::Encoder::new(), fragment: Vec::new(), out: Vec::new(), len: 0 }
    }
}

impl Gatherer {
    /// Starts a block that will hold `total` bytes.
    pub fn start(&mut self, total: usize) {
        self.fragment.clear();
        self.fragment.reserve(FRAGMENT);
        let fragments = total / FRAGMENT + 1;
        let bound = total + total / 6 + fragments * 32 + 16;
        if self.out.len() < bound {
            self.out.resize(bound, 0);
        }
        self.len = varint::write(&mut self.out, total);
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// Never for the sizes a request can have; the encoder's own error is passed on.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), SnappyError> {
        while self.fragment.len() + piece.len() >= FRAGMENT {
            let (now, later) = piece.split_at(FRAGMENT - self.fragment.len());
            self.fragment.extend_from_slice(now);
            self.flush()?;
            piece = later;
        }
        self.fragment.extend_from_slice(piece);
        Ok(())
    }

    /// The finished block.
    ///
    /// # Errors
    /// As [`Gatherer::push`].
    pub fn finish(&mut self) -> Result<&[u8], SnappyError> {
        self.flush()?;
        Ok(&self.out[..self.len])
    }

    fn flush(&mut self) -> Result<(), SnappyError> {
        if self.fragment.is_empty() {
            return Ok(());
        }
        // The encoder writes a preamble of its own; it is laid over the last bytes written, which are put back.
        let preamble = varint::len(self.fragment.len());
        let from = self.len - preamble;
        let mut covered = [0; 10];
        covered[..preamble].copy_from_slice(&self.out[from..self.len]);
        let written = self.encoder.compress(&self.fragment, &mut self.out[from..])?;
        self.out[from..self.len].copy_from_slice(&covered[..preamble]);
        self.len = from + written;
        self.fragment.clear();
        Ok(())
    }

    /// Bytes this scratch holds.
    pub fn capacity(&self) -> usize {
        self.fragment.capacity() + self.out.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compress(data: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(data).unwrap()
    }

    #[test]
    fn a_header_that_claims_four_gigabytes_allocates_nothing() {
        let body = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        let mut buffer = Vec::new();
        assert!(matches!(decode(&body, 1 << 25, &mut buffer), Err(SnappyError::OverLimit { .. })));
        assert!(matches!(decode(&body, usize::MAX, &mut buffer), Err(SnappyError::Impossible { .. })));
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn other_formats_are_named_and_no_block_looks_like_one() {
        for (start, name) in OTHERS {
            let mut body = start.to_vec();
            body.resize(1000, 0);
            assert_eq!(decode(&body, 1 << 20, &mut Vec::new()), Err(SnappyError::Other(name)));
            let mut decoded = vec![0; 1 << 12];
            assert!(snap::raw::Decoder::new().decompress(&body, &mut decoded).is_err(), "{name}");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let body = compress(&b"remote write ".repeat(100));
        let mut buffer = Vec::new();
        for end in 0..body.len() {
            assert!(decode(&body[..end], 1 << 20, &mut buffer).is_err(), "cut at {end}");
        }
        assert_eq!(decode(&body, 1 << 20, &mut buffer).unwrap(), b"remote write ".repeat(100));
    }

    #[test]
    fn the_best_legal_ratio_is_accepted() {
        let zeros = vec![0; 1 << 20];
        assert_eq!(decode(&compress(&zeros), 1 << 20, &mut Vec::new()).unwrap(), zeros);
    }

    proptest! {
        #[test]
        fn gathered_pieces_decode_to_their_concatenation(
            pieces in proptest::collection::vec((any::<u8>(), 0usize..90_000), 0..8),
            twice in any::<bool>(),
        ) {
            let pieces: Vec<Vec<u8>> = pieces.iter().map(|&(seed, len)| {
                (0..len).map(|i| seed.wrapping_mul(31).wrapping_add((i * i / 7) as u8)).collect()
            }).collect();
            let whole = pieces.concat();
            let mut gatherer = Gatherer::default();
            for _ in 0..=usize::from(twice) {
                gatherer.start(whole.len());
                for piece in &pieces {
                    gatherer.push(piece).unwrap();
                }
                let block = gatherer.finish().unwrap();
                let mut decoded = Vec::new();
                prop_assert_eq!(decode(block, whole.len(), &mut decoded).unwrap(), &whole[..]);
            }
        }
    }
}
