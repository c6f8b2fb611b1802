//! Decompresses bodies, and makes nothing large because a header claims it is.

use std::io::Read;

use super::walk::BadBody;
use crate::protocol::Encoding;

/// The largest body decoded, in bytes.
const MAX_RAW_BYTES: usize = 256 << 20;

/// Decompresses a body.
pub(super) fn unpack(body: &[u8], encoding: Encoding) -> Result<Vec<u8>, BadBody> {
    match encoding {
        Encoding::Snappy => snappy(body),
        Encoding::Zstd => zstd(body),
    }
}

fn snappy(body: &[u8]) -> Result<Vec<u8>, BadBody> {
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

fn zstd(body: &[u8]) -> Result<Vec<u8>, BadBody> {
    let bad = |error: std::io::Error| BadBody::Zstd(error.to_string());
    let mut raw = Vec::new();
    let frames = zstd::stream::read::Decoder::with_buffer(body).map_err(bad)?;
    frames.take(MAX_RAW_BYTES as u64 + 1).read_to_end(&mut raw).map_err(bad)?;
    if raw.len() > MAX_RAW_BYTES {
        return Err(BadBody::Zstd(format!("it holds more than {MAX_RAW_BYTES} bytes")));
    }
    Ok(raw)
}
