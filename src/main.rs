//! The `seriesgate` binary.
fn main() {}
