//! Why a snapshot cannot be used.

use std::io;

use thiserror::Error;

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
    #[error("it has version {found}, this program knows versions up to {known}")]
    Version {
        /// That of the file.
        found: u32,
        /// The last one that is known.
        known: u32,
    },
}
