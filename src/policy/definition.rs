//! A policy as the config states it, checked but not yet compiled.

use std::sync::Arc;

use super::relabel::RuleText;
use super::{Aggregation, Condition, Limit, VirtualLabel};

/// One policy, in the order of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Unique name, `[a-zA-Z0-9_-]{1,64}`; the `policy` label of our own metrics.
    pub name: Arc<str>,
    /// Selectors joined by OR. Empty: every series.
    pub selectors: Vec<super::Selector>,
    /// What is asked of the workload beside. `None`: nothing.
    pub workload: Option<Condition>,
    /// What to do with a series that matches.
    pub action: Action,
    /// Whether the action is carried out or only counted.
    pub mode: Mode,
}

impl Definition {
    /// What it adds up, and how, if it does.
    pub fn aggregation(&self) -> Option<&Aggregation> {
        match &self.action {
            Action::Aggregate(aggregation) | Action::RelabelAggregate(_, aggregation) => Some(aggregation),
            Action::Limit(limit) => limit.fold.as_ref().map(|fold| &*fold.aggregation),
            Action::Pass | Action::Drop | Action::Relabel(_) => None,
        }
    }

    /// The same, if the policy is in force.
    pub fn enforced_aggregation(&self) -> Option<&Aggregation> {
        self.aggregation().filter(|_| self.mode == Mode::Enforce)
    }

    /// Whether what it does to a series depends on the workload.
    pub fn asks_for_workloads(&self) -> bool {
        let is_virtual = |name: &String| VirtualLabel::named(name).is_some();
        let mut matchers = self.selectors.iter().flat_map(|selector| &selector.matchers);
        let rules = match &self.action {
            Action::Relabel(rules) | Action::RelabelAggregate(rules, _) => &rules[..],
            Action::Pass | Action::Drop | Action::Aggregate(_) | Action::Limit(_) => &[],
        };
        let by = match &self.action {
            Action::Limit(limit) => &limit.by[..],
            _ => &[],
        };
        self.workload.is_some()
            || matchers.any(|matcher| is_virtual(&matcher.name))
            || rules.iter().flat_map(RuleText::sources).chain(by).any(is_virtual)
    }
}

/// What a policy does to a series that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forward as it is; later policies do not see the series.
    Pass,
    /// Do not forward; the sender is told 2xx.
    Drop,
    /// Run these rules over the labels; later policies see the result.
    Relabel(Arc<[RuleText]>),
    /// The same, and series that it changes are aggregated under the labels they then have: several that become one
    /// are added up.
    RelabelAggregate(Arc<[RuleText]>, Arc<Aggregation>),
    /// Forward one series for all that have the same labels but for some; later policies do not see them.
    Aggregate(Arc<Aggregation>),
    /// Forward so many, and hold back or add up the others; the walk goes on for those that are admitted.
    Limit(Arc<Limit>),
}

/// An [`Action`] without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// [`Action::Pass`]
    Pass,
    /// [`Action::Drop`]
    Drop,
    /// [`Action::Relabel`]
    Relabel,
    /// [`Action::Aggregate`]
    Aggregate,
    /// [`Action::Limit`]
    Limit,
}

/// Whether a policy acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The action is carried out.
    #[default]
    Enforce,
    /// The action is counted and the walk goes on as if the policy were absent.
    Preview,
}

impl Mode {
    /// As written in the config and in the `mode` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Preview => "preview",
        }
    }
}

impl Action {
    /// Which action it is.
    pub fn kind(&self) -> ActionKind {
        match self {
            Action::Pass => ActionKind::Pass,
            Action::Drop => ActionKind::Drop,
            Action::Relabel(_) | Action::RelabelAggregate(..) => ActionKind::Relabel,
            Action::Aggregate(_) => ActionKind::Aggregate,
            Action::Limit(_) => ActionKind::Limit,
        }
    }
}

impl ActionKind {
    /// As written in the config and in `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            ActionKind::Pass => "pass",
            ActionKind::Drop => "drop",
            ActionKind::Relabel => "relabel",
            ActionKind::Aggregate => "aggregate",
            ActionKind::Limit => "limit",
        }
    }
}
