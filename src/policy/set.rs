//! Policies compiled: asked once for each series that is not remembered.
//!
//! Selectors that name their metric are found by it, see `routes`; labels are looked up and regexes run once
//! a series at most, see `columns`. So a series pays for the policies that could match it, not for all.

mod columns;
mod compile;
mod decide;
mod routes;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use self::columns::{Check, Column};
pub use self::compile::{CompileError, Place};
use self::routes::{BranchId, Routes};
pub use self::rows::Row;
use self::rows::Rows;
use self::walk::Plain;
pub use self::walk::{Step, Walk};
use super::relabel::Rules;
use super::selector::METRIC_NAME;
use super::{
    ActionKind, Aggregation, CompiledCondition, Disposition, Effect, Limit, Mode, PolicyIndex, VerdictId,
    WorkloadSource,
};
use crate::series::{Invalid, Labels};

/// Policies at most: the verdict table has a row for each, and some for what they combine to.
pub const MAX_POLICIES: usize = 4000;

/// Whether policies act at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Each in the mode the config gives it.
    AsConfigured,
    /// All of them in preview.
    Bypassed,
}

/// A policy as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What it does.
    pub action: ActionKind,
    /// Whether it acts, a bypass considered.
    pub mode: Mode,
}

/// Policies in force.
#[derive(Debug)]
pub struct PolicySet {
    policies: Box<[Policy]>,
    summaries: Box<[Summary]>,
    routes: Routes,
    branches: Vec<Branch>,
    columns: Vec<Column>,
    rows: Rows,
    rewrites: bool,
    /// Whether a policy in force aggregates.
    aggregates: bool,
    asks_for_workloads: bool,
    limits: bool,
    /// By position, what it is as text.
    definitions: Box<[Arc<str>]>,
    /// The same of those that limit, as if all were in force.
    selections: Box<[Option<Arc<str>>]>,
    run: Run,
}

/// One policy.
#[derive(Debug)]
struct Policy {
    act: Act,
    mode: Mode,
    /// What it asks of the workload, if it does.
    condition: Option<CompiledCondition>,
    /// The first selector that is not this policy's or an earlier one's.
    next_branch: BranchId,
    /// For [`PolicySet::walk`]: by selector, its matchers.
    plain: Vec<Vec<Plain>>,
}

/// Endings of the names that metrics of one family have.
const ENDINGS: [&str; 5] = ["", "_bucket", "_sum", "_count", "_total"];

impl Policy {
    /// Whether it is in force and adds series up.
    fn collects(&self) -> bool {
        self.act.aggregation().is_some() && self.mode == Mode::Enforce
    }

    /// Whether a selector leaves room for a metric of this family.
    fn may_match(&self, family: &str) -> bool {
        let named = |matchers: &Vec<Plain>| matchers.iter().any(Plain::is_of_name);
        if self.plain.iter().any(|matchers| !named(matchers)) {
            return true;
        }
        ENDINGS.iter().any(|ending| {
            let name = format!("{family}{ending}");
            let labels = [(METRIC_NAME, name.as_str())];
            let (labels, nobody) = (Labels::from_sorted(&labels), WorkloadSource::nothing());
            let holds = |matcher: &Plain| !matcher.is_of_name() || matcher.holds(labels, &nobody);
            self.plain.iter().any(|matchers| matchers.iter().all(holds))
        })
    }
}

/// What a policy does, compiled.
#[derive(Debug)]
enum Act {
    Pass,
    Drop,
    /// With the aggregation of what it changes, where there is one.
    Relabel(Rules, Option<Arc<Aggregation>>),
    Aggregate(Arc<Aggregation>),
    Limit(Arc<Limit>),
}

impl Act {
    /// How it adds up what it takes, if it does.
    fn aggregation(&self) -> Option<&Arc<Aggregation>> {
        match self {
            Self::Aggregate(aggregation) | Self::Relabel(_, Some(aggregation)) => Some(aggregation),
            Self::Limit(limit) => limit.fold.as_ref().map(|fold| &fold.aggregation),
            Self::Pass | Self::Drop | Self::Relabel(_, None) => None,
        }
    }
}

/// A policy that aggregates and is in force.
#[derive(Clone, Debug)]
pub struct Aggregating {
    /// Its name in the config.
    pub name: Arc<str>,
    /// All that makes it what it is, as text; the same text is the same policy.
    pub definition: Arc<str>,
    /// What it does.
    pub aggregation: Arc<Aggregation>,
}

/// A policy that limits, in force or in preview.
#[derive(Clone, Debug)]
pub struct Limiting {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What it says.
    pub limit: Arc<Limit>,
    /// What it selects, as text: the same whatever its numbers are, and whether it is in force or in preview.
    pub selection: Arc<str>,
    /// Whether it is in force, and not in preview.
    pub is_enforced: bool,
}

/// One selector of a policy, or the policy if it has none.
#[derive(Debug)]
struct Branch {
    policy: PolicyIndex,
    /// What the route does not say; cheap ones first.
    checks: Box<[Check]>,
}

impl PolicySet {
    /// What a verdict of this set stands for.
    pub fn row(&self, id: VerdictId) -> Arc<Row> {
        self.rows.get(id)
    }

    /// The policies in order.
    pub fn policies(&self) -> &[Summary] {
        &self.summaries
    }

    /// Whether a policy in force may send something under labels that no series came with.
    pub fn rewrites(&self) -> bool {
        self.rewrites
    }

    /// Whether a policy asks for the workload of series, so that what was decided changes with what is known.
    pub fn asks_for_workloads(&self) -> bool {
        self.asks_for_workloads
    }

    /// What a policy asks of the workload, if it does.
    pub fn condition(&self, index: PolicyIndex) -> Option<&CompiledCondition> {
        self.policies.get(usize::from(index.0))?.condition.as_ref()
    }

    /// The same policies matched, but the identity they give the series is another's.
    pub fn collided(&self, verdict: VerdictId) -> VerdictId {
        let row = Row::clone(&self.rows.get(verdict));
        self.rows.id(Row { disposition: Disposition::Collide, ..row })
    }

    /// The same policies matched, and the series goes under labels with values that were cut.
    pub fn cut(&self, verdict: VerdictId) -> VerdictId {
        let row = Row::clone(&self.rows.get(verdict));
        self.rows.id(Row { disposition: Disposition::Rewrite, cut: true, ..row })
    }

    /// The same policies matched, and the series cannot be sent.
    pub fn rejected(&self, verdict: VerdictId, reason: Invalid) -> VerdictId {
        let row = Row::clone(&self.rows.get(verdict));
        self.rows.id(Row { disposition: Disposition::Reject, reason: Some(reason), ..row })
    }

    /// The aggregation of a policy that aggregates and is in force.
    pub fn aggregation(&self, index: PolicyIndex) -> Option<&Arc<Aggregation>> {
        let policy = self.policies.get(usize::from(index.0))?;
        policy.act.aggregation().filter(|_| policy.mode == Mode::Enforce)
    }

    /// Whether a policy sends what it aggregates as well, so that it saves nothing.
    pub fn keeps_input(&self, index: PolicyIndex) -> bool {
        let policy = self.policies.get(usize::from(index.0));
        policy.and_then(|policy| policy.act.aggregation()).is_some_and(|aggregation| aggregation.keep_input)
    }

    /// What a policy limits, in force or in preview, if it does.
    pub fn limit(&self, index: PolicyIndex) -> Option<&Arc<Limit>> {
        match &self.policies.get(usize::from(index.0))?.act {
            Act::Limit(limit) => Some(limit),
            _ => None,
        }
    }

    /// Whether a policy limits, in force or in preview, so that it has to be known who is admitted.
    pub fn limits(&self) -> bool {
        self.limits
    }

    /// Those that limit, by position.
    pub fn limiting(&self) -> Vec<Option<Limiting>> {
        let numbered = (0..).map(PolicyIndex).zip(self.summaries.iter().zip(&self.selections));
        numbered
            .map(|(index, (summary, selection))| {
                let limit = Arc::clone(self.limit(index)?);
                let (name, selection) = (Arc::clone(&summary.name), selection.clone()?);
                let is_enforced = summary.mode == Mode::Enforce;
                Some(Limiting { name, limit, selection, is_enforced })
            })
            .collect()
    }

    /// Those that aggregate and are in force, by position.
    pub fn aggregating(&self) -> Vec<Option<Aggregating>> {
        let numbered = (0..).map(PolicyIndex).zip(&self.summaries).zip(&self.definitions);
        numbered
            .map(|((index, summary), definition)| {
                let aggregation = Arc::clone(self.aggregation(index)?);
                let (name, definition) = (Arc::clone(&summary.name), Arc::clone(definition));
                Some(Aggregating { name, definition, aggregation })
            })
            .collect()
    }

    /// Whether a policy in force could aggregate a metric of this family, as far as names tell. Where labels are changed
    /// before, they tell nothing.
    pub fn may_aggregate(&self, family: &str) -> bool {
        let in_force = self.policies.iter().filter(|policy| policy.mode == Mode::Enforce);
        for policy in in_force {
            match &policy.act {
                Act::Relabel(..) => return self.aggregates,
                Act::Aggregate(_) | Act::Limit(_)
                    if policy.act.aggregation().is_some() && policy.may_match(family) =>
                {
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// Whether all policies are previews for a while.
    pub fn is_bypassed(&self) -> bool {
        self.run == Run::Bypassed
    }

    /// The same policies matched, but the last one cannot aggregate the series: it goes on as it is then.
    pub fn forwarded_instead(&self, verdict: VerdictId, output: bool) -> VerdictId {
        let mut row = Row::clone(&self.rows.get(verdict));
        row.disposition = if output { Disposition::Rewrite } else { Disposition::Forward };
        if let Some((_, effect)) = row.matched.last_mut()
            && *effect == Effect::Aggregate
        {
            *effect = Effect::Pass;
        }
        self.rows.id(row)
    }

    /// The same policies matched, but the limit at the end cannot have the series added up: it holds it back.
    pub fn held_instead(&self, verdict: VerdictId) -> VerdictId {
        let mut row = Row::clone(&self.rows.get(verdict));
        row.disposition = Disposition::Hold;
        if let Some((_, effect)) = row.matched.last_mut()
            && *effect == Effect::Fold
        {
            *effect = Effect::Hold;
        }
        self.rows.id(row)
    }

    /// How many decisions lost who matched because the verdict table is full.
    pub fn preview_overflow(&self) -> u64 {
        self.rows.overflow()
    }
}
