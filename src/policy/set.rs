//! Policies compiled: asked once for each series that is not remembered.
//!
//! Selectors that name their metric are found by it, see `routes`; labels are looked up and regexes run once
//! a series at most, see `columns`. So a series pays for the policies that could match it, not for all.

mod columns;
mod routes;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use ahash::AHashMap;
use regex::Regex;

use self::columns::{Builder, Check, Column, Test, View};
use self::routes::{BranchId, Route, Routes};
pub use self::rows::Row;
use self::rows::Rows;
use self::walk::Plain;
pub use self::walk::{Effect, Step, Walk};
use super::pattern;
use super::{
    Action, Decision, Definition, Disposition, MatchOp, Mode, PolicyIndex, Selector, ValidUntil, VerdictId,
};
use crate::series::labels::Labels;

/// Policies at most: the verdict table has a row for each, and some for what previews combine to.
pub const MAX_POLICIES: usize = 4000;

/// Whether policies act at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Each in the mode the config gives it.
    AsConfigured,
    /// All of them in preview.
    Bypassed,
}

/// Why definitions do not make a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy {policy}, selector {selector}: {message}")]
pub struct CompileError {
    /// Position of the policy, first = 0.
    pub policy: usize,
    /// Position of the selector in it, first = 0.
    pub selector: usize,
    /// What is wrong, for a person.
    pub message: String,
    /// Where in the text of the selector, if that is known.
    pub offset: Option<usize>,
}

/// A policy as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its name in the config.
    pub name: Arc<str>,
    /// What it does.
    pub action: Action,
    /// Whether it acts, a bypass considered.
    pub mode: Mode,
}

/// Policies in force.
#[derive(Debug)]
pub struct PolicySet {
    policies: Box<[Summary]>,
    routes: Routes,
    branches: Vec<Branch>,
    columns: Vec<Column>,
    /// For [`PolicySet::walk`]: by policy, by selector, its matchers.
    plain: Vec<Vec<Vec<Plain>>>,
    rows: Rows,
}

/// One selector of a policy, or the policy if it has none.
#[derive(Debug)]
struct Branch {
    policy: PolicyIndex,
    /// What the route does not say; cheap ones first.
    checks: Box<[Check]>,
}

impl PolicySet {
    /// Compiles policies in their order.
    pub fn compile(definitions: &[Definition], run: Run) -> Result<PolicySet, CompileError> {
        if definitions.len() > MAX_POLICIES {
            let message = format!("more than {MAX_POLICIES} policies");
            return Err(CompileError { policy: MAX_POLICIES, selector: 0, message, offset: None });
        }
        let mut compiler = Compiler::default();
        let all = [Selector { matchers: Vec::new() }];
        for (definition, index) in definitions.iter().zip(0u16..) {
            let selectors = if definition.selectors.is_empty() { &all[..] } else { &definition.selectors };
            let mut plain = Vec::with_capacity(selectors.len());
            for (number, selector) in selectors.iter().enumerate() {
                plain.push(compiler.selector(PolicyIndex(index), selector).map_err(|message| {
                    CompileError { policy: usize::from(index), selector: number, message, offset: None }
                })?);
            }
            compiler.plain.push(plain);
        }
        let policies: Box<[Summary]> = definitions
            .iter()
            .map(|definition| Summary {
                name: Arc::clone(&definition.name),
                action: definition.action,
                mode: if run == Run::Bypassed { Mode::Preview } else { definition.mode },
            })
            .collect();
        let rows =
            Rows::new(policies.iter().map(|p| (p.mode == Mode::Enforce).then(|| disposition(p.action))));
        let columns = compiler.columns.build().map_err(|label| too_large(definitions, &label))?;
        compiler.routes.finish();
        let Compiler { routes, branches, plain, .. } = compiler;
        Ok(PolicySet { policies, routes, branches, columns, plain, rows })
    }

    /// Asks the policies, first to last: the first enforced one that matches ends it, previews are noted.
    pub fn decide(&self, labels: Labels<'_>) -> Decision {
        let mut view = View::new(&self.columns, labels);
        let mut previewed: Vec<PolicyIndex> = Vec::new();
        let mut ended_by = None;
        for branch in self.routes.candidates(labels.metric()) {
            let branch = &self.branches[branch as usize];
            // Selectors of one policy follow each other, and one that matches is enough.
            if previewed.last() == Some(&branch.policy) || !branch.checks.iter().all(|c| view.holds(c)) {
                continue;
            }
            match self.policies[usize::from(branch.policy.0)].mode {
                Mode::Preview => previewed.push(branch.policy),
                Mode::Enforce => {
                    ended_by = Some(branch.policy);
                    break;
                }
            }
        }
        Decision { verdict: self.rows.id(ended_by, previewed), valid_until: ValidUntil::FOREVER }
    }

    /// The same, told step by step and slower.
    pub fn walk(&self, labels: Labels<'_>) -> Walk {
        let mut walk = Walk { steps: Vec::new(), ended_by: None, disposition: Disposition::Forward };
        for ((policy, selectors), index) in self.policies.iter().zip(&self.plain).zip(0u16..) {
            let matched = selectors.iter().any(|matchers| matchers.iter().all(|m| m.holds(labels)));
            let effect = if matched { policy.action.into() } else { Effect::None };
            walk.steps.push(Step { policy: PolicyIndex(index), mode: policy.mode, matched, effect });
            if matched && policy.mode == Mode::Enforce {
                walk.ended_by = Some(PolicyIndex(index));
                walk.disposition = disposition(policy.action);
                break;
            }
        }
        walk
    }

    /// What a verdict of this set stands for.
    pub fn row(&self, id: VerdictId) -> Arc<Row> {
        self.rows.get(id)
    }

    /// The policies in order.
    pub fn policies(&self) -> &[Summary] {
        &self.policies
    }

    /// How many decisions lost their previews because the verdict table is full.
    pub fn preview_overflow(&self) -> u64 {
        self.rows.overflow()
    }
}

#[derive(Default)]
struct Compiler {
    columns: Builder,
    routes: Routes,
    branches: Vec<Branch>,
    regexes: AHashMap<String, Regex>,
    plain: Vec<Vec<Vec<Plain>>>,
}

impl Compiler {
    fn selector(&mut self, policy: PolicyIndex, selector: &Selector) -> Result<Vec<Plain>, String> {
        let regexes = &mut self.regexes;
        let mut compile = |pattern: &str| match regexes.get(pattern) {
            Some(regex) => Ok(regex.clone()),
            None => {
                let regex = pattern::compile(pattern)?;
                regexes.insert(pattern.to_owned(), regex.clone());
                Ok(regex)
            }
        };
        let mut plain = Vec::with_capacity(selector.matchers.len());
        for matcher in &selector.matchers {
            let named = |reason| format!("the regex of `{}`: {reason}", matcher.name);
            plain.push(Plain::new(matcher, &mut compile).map_err(named)?);
        }
        let route = Route::of(selector);
        let settled = if let Route::Names { settled, .. } = route { Some(settled) } else { None };
        let mut checks = Vec::with_capacity(selector.matchers.len());
        for (_, matcher) in selector.matchers.iter().enumerate().filter(|(at, _)| Some(*at) != settled) {
            let column = self.columns.column(&matcher.name);
            let positive = matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
            let test = match matcher.op {
                MatchOp::Equal | MatchOp::NotEqual => {
                    Test::Literal { value: matcher.value.as_str().into(), equal: positive }
                }
                MatchOp::Regex | MatchOp::NotRegex => {
                    Test::Regex { number: self.columns.regex(column, &matcher.value)?, matches: positive }
                }
            };
            checks.push(Check { column, test });
        }
        checks.sort_by_key(|check| matches!(check.test, Test::Regex { .. }));
        let id = BranchId::try_from(self.branches.len()).map_err(|_| "too many selectors".to_owned())?;
        self.routes.add(route, id);
        self.branches.push(Branch { policy, checks: checks.into() });
        Ok(plain)
    }
}

fn disposition(action: Action) -> Disposition {
    match action {
        Action::Pass => Disposition::Forward,
        Action::Drop => Disposition::Drop,
    }
}

/// Told at the first selector that has a regex on the label.
fn too_large(definitions: &[Definition], label: &str) -> CompileError {
    let has = |selector: &Selector| {
        let mut on_label = selector.matchers.iter().filter(|m| m.name == label);
        on_label.any(|m| matches!(m.op, MatchOp::Regex | MatchOp::NotRegex))
    };
    let found = definitions.iter().enumerate().find_map(|(policy, definition)| {
        definition.selectors.iter().position(has).map(|selector| (policy, selector))
    });
    let (policy, selector) = found.unwrap_or_default();
    let message = format!("the regexes of `{label}` in all policies are too large together");
    CompileError { policy, selector, message, offset: None }
}
