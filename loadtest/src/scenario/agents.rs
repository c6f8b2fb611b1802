//! Who sends and through which gates, beyond their number.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Scenario, Span};

/// An agent that begins to send in the middle, with series that were there before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Its number, from 0.
    pub agent: usize,
    /// Time of its first scrape, from the first of all.
    pub at: Span,
}

/// A gate that ends as Kubernetes ends it, and comes back with the same address and directory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Its number, from 0.
    #[serde(default)]
    pub gate: usize,
    /// When it is told to end, from the first scrape.
    pub at: Span,
    /// How long after that it comes back, or as soon as it has ended.
    #[serde(default = "at_once")]
    pub down: Span,
}

fn at_once() -> Span {
    Span(Duration::ZERO)
}

/// Most gates, and most source addresses: 127.0.0.1 and on.
const MANY: usize = 100;

impl Scenario {
    pub(super) fn check_agents(&self) -> Result<()> {
        ensure!((1..=MANY).contains(&self.gates), "there are 1 to {MANY} gates");
        ensure!((1..=MANY).contains(&self.addresses), "there are 1 to {MANY} addresses");
        ensure!(
            self.scopes.len() <= self.agents,
            "{} scopes need as many agents, there are {}",
            self.scopes.len(),
            self.agents
        );
        ensure!(self.deal_every.is_none_or(|every| !every.0.is_zero()), "deal_every is a time");
        for join in &self.joins {
            ensure!(join.agent < self.agents, "joins: there is no agent {}", join.agent);
        }
        for restart in &self.restarts {
            ensure!(restart.gate < self.gates, "restarts: there is no gate {}", restart.gate);
            let warm = self.interval.0 * u32::try_from(self.warm).unwrap_or(u32::MAX);
            ensure!(restart.at.0 >= warm, "restarts: {} is while warming up", restart.at);
        }
        Ok(())
    }
}
