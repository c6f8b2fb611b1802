//! Remote-write messages as prost types.
