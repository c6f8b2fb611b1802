//! Decompression keeps to its limit, and what was packed is unpacked to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seriesgate::codec::{self, Encoding, Packer, zstd};

const LIMIT: usize = 1 << 20;

fuzz_target!(|body: &[u8]| {
    let mut buffer = Vec::new();
    let mut decoder = zstd::Decoder::default();
    let said = codec::decoded_len(body, LIMIT);
    if let Ok(plain) = codec::decode(&mut decoder, body, LIMIT, &mut buffer) {
        assert!(plain.len() <= said.expect("what can be decoded says how long it is at most"));
    }
    assert!(buffer.len() <= LIMIT);
    for encoding in [Encoding::Snappy, Encoding::Zstd] {
        let mut packer = Packer::default();
        packer.start(encoding, body.len());
        for piece in body.chunks(7) {
            packer.push(piece).expect("a piece is taken");
        }
        let packed = packer.finish().expect("a body is packed").to_vec();
        assert_eq!(Encoding::of(&packed), encoding);
        let mut buffer = Vec::new();
        let unpacked = codec::decode(&mut decoder, &packed, LIMIT, &mut buffer).expect("what was packed");
        assert_eq!(unpacked, body);
    }
});
