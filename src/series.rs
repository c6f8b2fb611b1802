//! Series: identity, labels and the index of everything that passes.

pub mod labels;

pub use labels::Labels;
