//! Compresses whole bodies.

use std::cell::RefCell;

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use crate::protocol::{Encoding, Protocol};

/// What the library takes where no level is asked for, as vmagent does.
const ZSTD_LEVEL: i32 = 0;

thread_local! {
    /// An encoder has megabytes, so those of one thread share it.
    static ZSTD: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(ZSTD_LEVEL).expect("memory for an encoder"));
}

/// Puts a body, compressed as a protocol has it, in place of what is in `out`.
pub(crate) fn pack(raw: &[u8], protocol: Protocol, encoder: &mut snap::raw::Encoder, out: &mut Vec<u8>) {
    match protocol.form().encoding {
        Encoding::Snappy => {
            out.resize(snap::raw::max_compress_len(raw.len()), 0);
            let len = encoder.compress(raw, out).expect("the output has room and the input is below 4 GiB");
            out.truncate(len);
        }
        Encoding::Zstd => zstd(raw, out),
    }
}

/// The same in zstd.
pub(crate) fn zstd(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(compress_bound(raw.len()));
    ZSTD.with_borrow_mut(|encoder| encoder.compress_to_buffer(raw, out)).expect("the output has room");
}
