//! Why a snapshot cannot be used, its version among the reasons.

use std::io;

use thiserror::Error;

/// Grows when what is written means something else.
pub(super) const VERSION: u32 = 2;

/// Why a snapshot cannot be used.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Reading or writing, a wrong checksum included.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not say what a snapshot says.
    #[error("{0}")]
    Damaged(&'static str),
    /// Another version of the program wrote it.
    #[error("it has version {0}, this program knows versions up to {VERSION}")]
    Version(u32),
}
