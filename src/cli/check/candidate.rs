//! A policy that is asked what it does.

use crate::policy::Definition;
use crate::policy::known::Known;

/// A policy with its selectors made ready.
pub(super) struct Candidate<'c> {
    pub(super) definition: &'c Definition,
    pub(super) selectors: Vec<Known>,
}

impl<'c> Candidate<'c> {
    pub(super) fn new(definition: &'c Definition) -> Self {
        Self { definition, selectors: Known::of_policy(definition) }
    }
}
