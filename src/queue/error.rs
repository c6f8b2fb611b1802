//! What can be wrong with a queue.

use std::io;

use thiserror::Error;

/// Why a queue cannot be opened.
#[derive(Debug, Error)]
pub enum QueueError {
    /// A file or the directory.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another version of the program wrote a file.
    #[error("{file} has version {found}, this program knows versions up to {known}")]
    Version {
        /// Its name.
        file: String,
        /// That of the file.
        found: u32,
        /// The last one that is known.
        known: u32,
    },
}

/// Why something is not in the queue.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AppendError {
    /// It has no room in `queue.max_size`.
    #[error("the queue is full (upstreams[].queue.max_size)")]
    Full,
    /// The disk did not take it.
    #[error("the queue cannot be written: {0}")]
    Io(String),
}
