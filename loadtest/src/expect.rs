//! What is expected to arrive, said by whoever wrote the policies: the harness does not ask the proxy.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::fleet::{Expect, Fate};
use crate::identity;
use crate::selector::Selector;

/// One expectation, as a scenario has it. The first whose selector matches a series holds; a series without one arrives
/// as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expectation {
    /// These series arrive as they were sent, whatever is said further down.
    Exact(String),
    /// These series do not arrive.
    Removed(String),
    /// These series arrive under other labels, with every sample.
    Relabeled(String),
    /// These series arrive as one series for each group; of counters, what a group gains is what its members gain.
    Aggregated {
        /// Which series.
        select: String,
        /// The labels that the group does not have.
        without: Vec<String>,
    },
}

/// Expectations, read.
pub struct Expectations(Vec<Rule>);

struct Rule {
    select: Selector,
    outcome: Outcome,
}

enum Outcome {
    As(Fate),
    Without(Vec<String>),
}

impl Expectations {
    /// Reads expectations.
    pub fn new(list: &[Expectation]) -> Result<Self> {
        let rule = |expectation: &Expectation| {
            let (select, outcome) = match expectation {
                Expectation::Exact(select) => (select, Outcome::As(Fate::Exact)),
                Expectation::Removed(select) => (select, Outcome::As(Fate::Removed)),
                Expectation::Relabeled(select) => (select, Outcome::As(Fate::Relabeled)),
                Expectation::Aggregated { select, without } => {
                    ensure!(!without.is_empty(), "aggregated without labels to leave out");
                    (select, Outcome::Without(without.clone()))
                }
            };
            Ok(Rule { select: Selector::parse(select)?, outcome })
        };
        Ok(Self(list.iter().map(rule).collect::<Result<_>>()?))
    }
}

impl Expect for Expectations {
    fn fate(&self, labels: &[(&str, &str)]) -> Fate {
        match self.0.iter().find(|rule| rule.select.matches(labels)).map(|rule| &rule.outcome) {
            None => Fate::Exact,
            Some(Outcome::As(fate)) => *fate,
            Some(Outcome::Without(gone)) => {
                let kept = labels.iter().filter(|label| !gone.iter().any(|name| name == label.0)).copied();
                Fate::Aggregated(identity::of_labels(kept))
            }
        }
    }
}
