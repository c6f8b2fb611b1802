//! Compression, with caps: nothing is allocated because a header claims it.

pub mod snappy;
pub mod varint;
