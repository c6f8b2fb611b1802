//! Counting what is too much to be kept: different values, the most frequent ones, and what was there before.

mod distinct;
mod seen;
mod top;

pub use distinct::Distinct;
pub(super) use seen::Seen;
pub(super) use top::Top;
