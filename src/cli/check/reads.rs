//! What an expression reads: its selectors, for each the labels that the rest of the expression uses, and what is done
//! with its values.
//!
//! Goes from the outside in with the labels that are wanted of what stands inside: an aggregation wants those of
//! its `by` and hides all others, `label_replace` makes one label and wants another.

use super::promql::{Aggregate, Binary, Call, Expr, Keep, Operator, Refusal, Selector, parse};
use super::steps::{self, Path, Step};
use crate::policy::Matcher;
use crate::policy::known::{Known, NAME, Test};

/// A regex of so many metric names is taken as so many selectors.
const MAX_NAMES: usize = 32;
/// How much of a selector without a name is shown.
const MAX_SHOWN: usize = 60;

/// One selector.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// The metric name, or the selector where it has none.
    pub(super) shown: String,
    /// What is known of the series that it selects.
    pub(super) known: Known,
    /// Its labels that matter, its own matchers first.
    pub(super) uses: Vec<Use>,
    /// What is done with its values, the first thing first; `None` if that is not asked.
    pub(super) steps: Option<Vec<Step>>,
    /// What its series are matched with on all labels, as nothing says on which.
    pub(super) partners: Vec<Partner>,
    /// Where the result has all labels of its series but some that `without` names: those.
    pub(super) all_but: Option<Vec<String>>,
}

/// The other side of an operator.
#[derive(Clone, Debug)]
pub(super) struct Partner {
    /// See [`Read::shown`].
    pub(super) shown: String,
    pub(super) known: Known,
}

/// A label that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) label: String,
    pub(super) how: How,
}

/// What an expression does with a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Selects,
    GroupsBy,
    Without,
    MatchesOn,
    Ignores,
    TakesOver,
    Derives,
    Quantile,
    Sorts,
    /// A text of the alert shows it.
    Shows,
    /// It is in the result, as all labels are that `without` does not name.
    Keeps,
    /// In place of a label: the result has all labels but those of `withouts` at this position.
    AllBut(usize),
    /// In place of a label: the number of an operator that matches on all of them. It shows which reads come to it with
    /// the labels of their series.
    MatchesAll(usize),
}

/// Every selector of an expression, in the order of the text.
pub(super) fn reads(expression: &str) -> Result<Vec<Read>, Refusal> {
    reads_for(expression, &[])
}

/// The same where somebody shows these labels of the result.
pub(super) fn reads_for(expression: &str, shown: &[String]) -> Result<Vec<Read>, Refusal> {
    let mut reader = Reader { reads: Vec::new(), operators: 0, withouts: vec![Vec::new()] };
    let mut wanted = with(&[], shown, How::Shows);
    wanted.push(Use { label: String::new(), how: How::AllBut(0) });
    reader.expr(&parse(expression)?, &wanted, &Path::NONE);
    for read in &mut reader.reads {
        let all_but = read.uses.iter().find_map(|used| match used.how {
            How::AllBut(at) if at > 0 => reader.withouts.get(at).cloned(),
            _ => None,
        });
        read.all_but = all_but;
        read.uses.retain(|used| !matches!(used.how, How::MatchesAll(_) | How::AllBut(_)));
    }
    Ok(reader.reads)
}

struct Reader {
    reads: Vec<Read>,
    /// How many match on all labels.
    operators: usize,
    /// Labels that are aggregated without, and those of the aggregations around it; the first has none.
    withouts: Vec<Vec<String>>,
}

impl Reader {
    /// `wanted` are the labels that is asked for of the result, `path` is what is done with it.
    fn expr(&mut self, expr: &Expr, wanted: &[Use], path: &Path<'_>) {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, wanted, path),
            Expr::Binary(binary) => self.binary(binary, wanted, path),
            Expr::Call(call) => self.call(call, wanted, path),
            Expr::Negated(of) => self.expr(of, wanted, &Path::before(Some(&Step::Negated), path)),
            Expr::Range { of, .. } => self.expr(of, wanted, path),
            Expr::Selector(selector) => self.selector(selector, wanted, path),
            Expr::Number(_) | Expr::Text(_) => {}
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, wanted: &[Use], path: &Path<'_>) {
        // These pick series and leave their labels alone.
        let picks = ["topk", "bottomk", "limitk", "limit_ratio"].contains(&aggregate.op.as_str());
        let inside = match &aggregate.keep {
            Some(Keep::These(labels)) => {
                let kept = if picks { wanted } else { &[] };
                with(kept, labels, How::GroupsBy)
            }
            Some(Keep::Others(labels)) => {
                let mut kept = if picks { wanted.to_vec() } else { but(wanted, labels) };
                // which labels are left nobody knows
                kept.retain(|used| picks || !matches!(used.how, How::MatchesAll(_)));
                if !picks {
                    self.leave_out(&mut kept, labels);
                }
                with(&kept, labels, How::Without)
            }
            None if picks => wanted.to_vec(),
            None => Vec::new(),
        };
        let step = steps::of_aggregation(&aggregate.op);
        self.expr(&aggregate.of, &inside, &Path::before(Some(&step), path));
        if let Some(parameter) = &aggregate.parameter {
            self.expr(parameter, &[], &Path::NONE);
        }
    }

    /// Notes the labels that are left out of a result in which all others are.
    fn leave_out(&mut self, kept: &mut [Use], labels: &[String]) {
        for used in kept {
            if let How::AllBut(at) = &mut used.how {
                let left_out = [self.withouts[*at].as_slice(), labels].concat();
                *at = self.withouts.len();
                self.withouts.push(left_out);
            }
        }
    }

    fn binary(&mut self, binary: &Binary, wanted: &[Use], path: &Path<'_>) {
        let (matched, how): (&[String], _) = match &binary.matching {
            Some(Keep::These(labels)) => (labels, How::MatchesOn),
            Some(Keep::Others(labels)) => (labels, How::Ignores),
            None => (&[], How::MatchesOn),
        };
        let joined = |wanted: &[Use]| with(wanted, matched, how);
        // What the result has: the labels it is matched on, or those it is not matched without.
        let common = match &binary.matching {
            Some(Keep::These(_)) => Vec::new(),
            _ => but(wanted, matched),
        };
        let taken = |labels: &[String]| with(&joined(&[]), labels, How::TakesOver);
        let (mut left, mut right) = match (&binary.group, binary.op) {
            (Some((true, labels)), _) => (joined(&but(wanted, labels)), taken(labels)),
            (Some((false, labels)), _) => (taken(labels), joined(&but(wanted, labels))),
            (None, Operator::Or) => (joined(wanted), joined(wanted)),
            (None, Operator::And | Operator::Unless) => (joined(wanted), joined(&[])),
            (None, _) => (joined(&common), joined(&common)),
        };
        let steps = steps::of_binary(binary);
        let numbers = binary.left.is_number() || binary.right.is_number();
        let all = How::MatchesAll(self.operators);
        if binary.matching.is_none() && !numbers && binary.op != Operator::Or {
            self.operators += 1;
            left.push(Use { label: String::new(), how: all });
            right.push(Use { label: String::new(), how: all });
        }
        let first = self.reads.len();
        self.expr(&binary.left, &left, &Path::before(Some(&steps.0), path));
        let second = self.reads.len();
        self.expr(&binary.right, &right, &Path::before(Some(&steps.1), path));
        self.match_all(all, first, second);
    }

    /// Notes of the reads of both sides of an operator what they are matched with on all labels.
    fn match_all(&mut self, all: How, first: usize, second: usize) {
        let (left, right) = self.reads[first..].split_at_mut(second - first);
        let comes = |read: &&mut Read| read.uses.iter().any(|used| used.how == all);
        let partners = |reads: &mut [Read]| -> Vec<Partner> {
            let reads = reads.iter_mut().filter(comes);
            reads.map(|read| Partner { shown: read.shown.clone(), known: read.known.clone() }).collect()
        };
        let (of_left, of_right) = (partners(left), partners(right));
        left.iter_mut().filter(comes).for_each(|read| read.partners.extend_from_slice(&of_right));
        right.iter_mut().filter(comes).for_each(|read| read.partners.extend_from_slice(&of_left));
    }

    fn call(&mut self, call: &Call, wanted: &[Use], path: &Path<'_>) {
        let text = |n: usize| match call.arguments.get(n) {
            Some(Expr::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let texts_from = |start: usize| (start..call.arguments.len()).filter_map(text).collect::<Vec<_>>();
        let made: Vec<String> = text(1).into_iter().collect();
        let inside = match call.function.as_str() {
            "label_replace" => with(&but(wanted, &made), text(3).as_slice(), How::Derives),
            "label_join" => with(&but(wanted, &made), &texts_from(3), How::Derives),
            "sort_by_label" | "sort_by_label_desc" => with(wanted, &texts_from(1), How::Sorts),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                with(wanted, &["le".to_owned()], How::Quantile)
            }
            // It finds the labels of the target by these.
            "info" => with(wanted, &["instance".to_owned(), "job".to_owned()], How::MatchesOn),
            // Their results have no labels of the series.
            "absent" | "absent_over_time" | "scalar" => Vec::new(),
            _ => wanted.to_vec(),
        };
        // The second argument of `info` says which labels it adds.
        let most = if call.function == "info" { 1 } else { call.arguments.len() };
        for argument in &call.arguments[..most] {
            if argument.is_number() {
                self.expr(argument, &[], &Path::NONE);
            } else {
                let step = steps::of_call(&call.function, argument);
                self.expr(argument, &inside, &Path::before(Some(&step), path));
            }
        }
    }

    fn selector(&mut self, selector: &Selector, wanted: &[Use], path: &Path<'_>) {
        for matchers in &selector.alternatives {
            self.alternative(selector.name.as_deref(), matchers, wanted, path.steps());
        }
    }

    fn alternative(&mut self, name: Option<&str>, matchers: &[Matcher], wanted: &[Use], steps: Vec<Step>) {
        let mut known = Known::default();
        // Every series has a name.
        known.add(NAME, Test::NoneOf([String::new()].into()));
        if let Some(name) = name {
            known.add(NAME, Test::is(name));
        }
        let mut selected = Vec::new();
        for matcher in matchers {
            known.matcher(&matcher.name, matcher.op, &matcher.value);
            if matcher.name != NAME {
                selected.push(matcher.name.clone());
            }
        }
        let mut uses = with(&[], &selected, How::Selects);
        uses.extend_from_slice(wanted);
        match known.values(NAME) {
            Some(names) if (1..=MAX_NAMES).contains(&names.len()) => {
                for name in names {
                    let mut known = known.clone();
                    known.set(NAME, Some(Test::is(name.as_str())));
                    self.reads.push(Read {
                        shown: name,
                        known,
                        uses: uses.clone(),
                        steps: Some(steps.clone()),
                        partners: Vec::new(),
                        all_but: None,
                    });
                }
            }
            _ => self.reads.push(Read {
                shown: shown(matchers),
                known,
                uses,
                steps: Some(steps),
                partners: Vec::new(),
                all_but: None,
            }),
        }
    }
}

/// A selector without a name.
fn shown(matchers: &[Matcher]) -> String {
    let text = |matcher: &Matcher| format!("{}{}{:?}", matcher.name, matcher.op, matcher.value);
    let text = format!("{{{}}}", matchers.iter().map(text).collect::<Vec<_>>().join(","));
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn with(wanted: &[Use], labels: &[String], how: How) -> Vec<Use> {
    let named = labels.iter().filter(|label| !label.is_empty());
    wanted.iter().cloned().chain(named.map(|label| Use { label: label.clone(), how })).collect()
}

fn but(wanted: &[Use], labels: &[String]) -> Vec<Use> {
    wanted.iter().filter(|wanted| !labels.contains(&wanted.label)).cloned().collect()
}

#[cfg(test)]
mod tests;
