//! Why a pattern is refused.

/// Said of a pattern and of what it compiles to, as Go says it.
pub(super) const LARGE: &str = "expression too large";

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong, in the words of Go.
    pub message: String,
    /// Where in the pattern, in bytes; at most its length.
    pub offset: usize,
}

impl PatternError {
    pub(super) fn new(message: impl Into<String>, offset: usize) -> Self {
        Self { message: message.into(), offset }
    }
}
