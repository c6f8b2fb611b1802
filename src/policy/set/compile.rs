//! From definitions to a set.

use std::sync::Arc;

use ahash::AHashMap;

use super::columns::{Builder, Check, Test};
use super::routes::{BranchId, Route, Routes};
use super::rows::Rows;
use super::walk::Plain;
use super::{Act, Branch, MAX_POLICIES, Policy, PolicySet, Run, Summary};
use crate::policy::pattern::{Pattern, PatternError};
use crate::policy::relabel::{Rule, RuleField, Rules};
use crate::policy::{
    Action, ActionKind, CompiledCondition, Condition, Definition, Disposition, MatchOp, Matcher, Mode,
    PolicyIndex, Selector,
};

/// What the regexes of all policies may take together, bytes; the combined ones of `columns` not counted.
const MAX_PATTERN_BYTES: usize = 128 << 20;

/// Where in a policy something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The policy as a whole.
    Policy,
    /// A selector, by position in the policy; first = 0.
    Selector(usize),
    /// A relabel rule, by position in the policy; first = 0.
    Rule(usize, RuleField),
}

/// Why definitions do not make a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy {}: {message}", policy + 1)]
pub struct CompileError {
    /// Position of the policy, first = 0.
    pub policy: usize,
    /// Where in the policy.
    pub place: Place,
    /// What is wrong, for a person.
    pub message: String,
    /// A regex that is at fault, and where in it in bytes.
    pub regex: Option<(String, usize)>,
}

/// What is wrong in one policy.
struct Fault {
    place: Place,
    message: String,
    regex: Option<(String, usize)>,
}

impl PolicySet {
    /// Compiles policies in their order.
    ///
    /// # Errors
    /// The first regex or rule that cannot be used, or that there is too much of them.
    pub fn compile(definitions: &[Definition], run: Run) -> Result<PolicySet, CompileError> {
        if definitions.len() > MAX_POLICIES {
            let message = format!("more than {MAX_POLICIES} policies");
            return Err(CompileError { policy: MAX_POLICIES, place: Place::Policy, message, regex: None });
        }
        let mut compiler = Compiler::default();
        for (definition, index) in definitions.iter().zip(0u16..) {
            compiler.policy(PolicyIndex(index), definition, run).map_err(|fault| {
                let Fault { place, message, regex } = fault;
                CompileError { policy: usize::from(index), place, message, regex }
            })?;
        }
        let columns = compiler.columns.build().map_err(|label| too_large(definitions, &label))?;
        compiler.routes.finish();
        let Compiler { policies, routes, branches, .. } = compiler;
        let summaries: Box<[Summary]> = definitions
            .iter()
            .zip(&policies)
            .map(|(definition, policy)| Summary {
                name: Arc::clone(&definition.name),
                action: definition.action.kind(),
                mode: policy.mode,
            })
            .collect();
        let numbered: Vec<_> = (0..).map(PolicyIndex).zip(&summaries).collect();
        let rows = Rows::new(endings(&numbered));
        let makes = |action| matches!(action, ActionKind::Relabel | ActionKind::Aggregate);
        let rewrites = numbered.iter().filter(in_force).any(|(_, s)| makes(s.action));
        drop(numbered);
        let asks_for_workloads = definitions.iter().any(Definition::asks_for_workloads);
        let selections = definitions.iter().map(Definition::selection).collect();
        let definitions = definitions.iter().map(|definition| definition.canonical().into()).collect();
        Ok(PolicySet {
            asks_for_workloads,
            aggregates: policies.iter().any(Policy::collects),
            limits: policies.iter().any(|policy| matches!(policy.act, Act::Limit(_))),
            policies: policies.into(),
            summaries,
            routes,
            branches,
            columns,
            rows,
            rewrites,
            definitions,
            selections,
            run,
        })
    }
}

fn in_force((_, summary): &&(PolicyIndex, &Summary)) -> bool {
    summary.mode == Mode::Enforce
}

/// The policies that can end a walk, and what happens to the samples then.
fn endings<'a>(
    numbered: &'a [(PolicyIndex, &Summary)],
) -> impl Iterator<Item = (PolicyIndex, Disposition)> + 'a {
    numbered.iter().filter(in_force).flat_map(|(index, summary)| {
        let how = match summary.action {
            ActionKind::Pass => &[Disposition::Forward][..],
            ActionKind::Drop => &[Disposition::Drop],
            // by its rules, or where what it makes is added up
            ActionKind::Relabel => &[Disposition::Drop, Disposition::Aggregate],
            // or it cannot, or is to keep its input
            ActionKind::Aggregate => &[Disposition::Aggregate, Disposition::Forward],
            // or has them added up
            ActionKind::Limit => &[Disposition::Hold, Disposition::Aggregate],
        };
        how.iter().map(|disposition| (*index, *disposition))
    })
}

#[derive(Default)]
struct Compiler {
    columns: Builder,
    routes: Routes,
    branches: Vec<Branch>,
    /// Selectors repeat a regex often; each is compiled once.
    patterns: AHashMap<String, Pattern>,
    pattern_bytes: usize,
    policies: Vec<Policy>,
}

impl Compiler {
    fn policy(&mut self, index: PolicyIndex, definition: &Definition, run: Run) -> Result<(), Fault> {
        let all = [Selector { matchers: Vec::new() }];
        let selectors = if definition.selectors.is_empty() { &all[..] } else { &definition.selectors };
        let mut plain = Vec::with_capacity(selectors.len());
        for (number, selector) in selectors.iter().enumerate() {
            let place = Place::Selector(number);
            plain.push(self.selector(index, selector, place)?);
        }
        let act = self.act(&definition.action)?;
        let condition = self.condition(definition.workload.as_ref())?;
        let mode = if run == Run::Bypassed { Mode::Preview } else { definition.mode };
        let next_branch = self.branches.len() as BranchId;
        self.policies.push(Policy { act, mode, condition, next_branch, plain });
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<Act, Fault> {
        Ok(match action {
            Action::Pass => Act::Pass,
            Action::Drop => Act::Drop,
            Action::Aggregate(aggregation) => Act::Aggregate(Arc::clone(aggregation)),
            Action::Limit(limit) => Act::Limit(Arc::clone(limit)),
            Action::Relabel(texts) | Action::RelabelAggregate(texts, _) => {
                let mut rules = Vec::with_capacity(texts.len());
                for (number, text) in texts.iter().enumerate() {
                    let rule = Rule::new(text).map_err(|error| Fault {
                        place: Place::Rule(number, error.field),
                        message: error.message.clone(),
                        regex: text.regex.clone().zip(error.offset),
                    })?;
                    self.weigh(rule.bytes(), Place::Rule(number, RuleField::Regex))?;
                    rules.push(rule);
                }
                let aggregation = match action {
                    Action::RelabelAggregate(_, aggregation) => Some(Arc::clone(aggregation)),
                    _ => None,
                };
                Act::Relabel(Rules::new(rules), aggregation)
            }
        })
    }

    fn condition(&mut self, condition: Option<&Condition>) -> Result<Option<CompiledCondition>, Fault> {
        let Some(condition) = condition else { return Ok(None) };
        let compiled = condition.compile().map_err(|error| Fault {
            place: Place::Policy,
            message: format!("the regex of `name`: {error}"),
            regex: condition.name.clone().map(|name| (name, error.offset)),
        })?;
        self.weigh(compiled.bytes(), Place::Policy)?;
        Ok(Some(compiled))
    }

    fn selector(
        &mut self,
        policy: PolicyIndex,
        selector: &Selector,
        place: Place,
    ) -> Result<Vec<Plain>, Fault> {
        let mut plain = Vec::with_capacity(selector.matchers.len());
        for matcher in &selector.matchers {
            plain.push(self.plain(matcher, place)?);
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
                    let number = self.columns.regex(column, &matcher.value);
                    Test::Regex { number: number.map_err(|e| faulty(place, matcher, &e))?, matches: positive }
                }
            };
            checks.push(Check { column, test });
        }
        // what is known of a workload has to be looked up
        let cost =
            |check: &Check| (self.columns.is_virtual(check.column), matches!(check.test, Test::Regex { .. }));
        checks.sort_by_key(cost);
        let id = BranchId::try_from(self.branches.len()).map_err(|_| Fault {
            place,
            message: "too many selectors".to_owned(),
            regex: None,
        })?;
        self.routes.add(route, id);
        self.branches.push(Branch { policy, checks: checks.into() });
        Ok(plain)
    }

    fn plain(&mut self, matcher: &Matcher, place: Place) -> Result<Plain, Fault> {
        if matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual) {
            return Ok(Plain::literal(matcher));
        }
        if let Some(pattern) = self.patterns.get(&matcher.value) {
            return Ok(Plain::regex(matcher, pattern.clone()));
        }
        let pattern = Pattern::compile(&matcher.value).map_err(|error| faulty(place, matcher, &error))?;
        self.weigh(pattern.bytes(), place)?;
        self.patterns.insert(matcher.value.clone(), pattern.clone());
        Ok(Plain::regex(matcher, pattern))
    }

    fn weigh(&mut self, bytes: usize, place: Place) -> Result<(), Fault> {
        self.pattern_bytes += bytes;
        if self.pattern_bytes <= MAX_PATTERN_BYTES {
            return Ok(());
        }
        let limit = MAX_PATTERN_BYTES >> 20;
        let message =
            format!("the regexes of all policies up to this one take more than {limit} MiB together");
        Err(Fault { place, message, regex: None })
    }
}

fn faulty(place: Place, matcher: &Matcher, error: &PatternError) -> Fault {
    let message = format!("the regex of `{}`: {error}", matcher.name);
    Fault { place, message, regex: Some((matcher.value.clone(), error.offset)) }
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
    CompileError { policy, place: Place::Selector(selector), message, regex: None }
}
