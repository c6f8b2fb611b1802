//! YAML: a text becomes one tree of nodes, each with its place. What the nodes mean, `reader` says.
//!
//! Says what is wrong in the words of the config's reader; where, the caller renders.

mod bounds;
mod brackets;
mod build;
mod events;
pub(super) mod scalar;
#[cfg(test)]
mod tests;
mod tree;

use super::position::Position;

pub(super) use build::{Tree, foreign, own};
pub(super) use tree::{Kind, Node};

/// What is said of merge keys, which are read as keys like others: so they hide no other mistake.
pub(super) const NO_MERGE_KEYS: &str = "merge keys (`<<`) are not supported; state the keys";
/// The key of one.
pub(super) const MERGE_KEY: &str = "<<";
/// What is said of a bracket that is open where a text is no YAML.
pub(super) const UNCLOSED: &str = "the bracket that opens here is not closed where it should be";
pub(super) const NO_TAGS: &str = "YAML tags are not supported";

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) position: Position,
    /// The offending key, if it is one we do not know. What follows it may be a secret under a misspelt name.
    pub(crate) unknown_key: Option<String>,
}

impl Refusal {
    pub(super) fn new(position: Position, message: impl Into<String>) -> Self {
        Self { message: message.into(), position, unknown_key: None }
    }

    /// The same where the key may be a part of a secret.
    pub(super) fn hidden(self) -> Self {
        Self::new(self.position, "unknown key; it is not shown, as the value of a secret may stand here")
    }
}
