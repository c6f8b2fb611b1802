//! Prometheus relabeling (`relabel_configs`), rule by rule, as Prometheus 3 does it.
//!
//! A [`RuleText`] is a rule as written; [`Rule::new`] checks it as Prometheus validates its config and
//! compiles it; [`Rules::apply`] runs a chain over a [`LabelSet`].

mod case;
mod label_set;
mod rule;
mod template;
mod text;

use crate::series::{Invalid, Limits};

pub use label_set::LabelSet;
pub use rule::Rule;
pub use text::{RuleError, RuleField, RuleText};

/// While a chain runs, labels and values may be this many times larger than a series may be in the end:
/// `__tmp` labels come and go, and long joined values are there to be hashed.
const WORKING_ROOM: usize = 16;

/// A chain of rules.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Box<[Rule]>,
}

/// What a chain did with a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It goes on with the labels as they are now.
    Kept,
    /// A rule dropped it; the labels are as that rule found them.
    Dropped,
    /// The chain would have made a series beyond all bounds.
    Overgrown(Invalid),
}

impl Rules {
    /// A chain of these rules, in order.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Memory of all compiled regexes.
    pub fn bytes(&self) -> usize {
        self.rules.iter().map(Rule::bytes).sum()
    }

    /// Runs the chain up to the first rule that drops.
    pub fn apply(&self, labels: &mut LabelSet<'_>, limits: &Limits) -> Applied {
        for rule in &self.rules {
            if !rule.apply(labels) {
                return Applied::Dropped;
            }
            if labels.len() > limits.max_labels.saturating_mul(WORKING_ROOM) {
                return Applied::Overgrown(Invalid::TooManyLabels);
            }
            if labels.longest() > limits.max_value_bytes.saturating_mul(WORKING_ROOM) {
                return Applied::Overgrown(Invalid::LabelValueTooLong);
            }
        }
        Applied::Kept
    }
}
