//! Bodies of segments in zstd. Frames of zstd cannot be put one behind the other and still share what they repeat, so a body is
//! made in snappy, as for 1.0, and compressed anew.

use std::cell::RefCell;

use crate::packer;

thread_local! {
    /// Room for a body, for all lanes of a thread.
    static RAW: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Compresses in zstd what is in snappy.
pub(super) fn to_zstd(block: &mut Vec<u8>) {
    RAW.with_borrow_mut(|raw| {
        let valid = "our own bodies are valid snappy";
        raw.resize(snap::raw::decompress_len(block).expect(valid), 0);
        snap::raw::Decoder::new().decompress(block, raw).expect(valid);
        packer::zstd(raw, block);
    });
}
