//! What an expression reads: its selectors, and for each the labels that the rest of the expression uses.
//!
//! Goes from the outside in with the labels that are wanted of what stands inside: an aggregation wants those of
//! its `by` and hides all others, `label_replace` makes one label and wants another.

use promql_parser::label::{MatchOp as ParsedOp, Matcher};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector, parse,
};

use crate::policy::MatchOp;
use crate::policy::known::{Known, NAME, Test};

/// Beyond what people and generators write. An expression nests no deeper than it is long, and it is walked
/// recursively.
const MAX_BYTES: usize = 64 << 10;
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
}

/// Every selector of an expression, in the order of the text; why it cannot be read.
pub(super) fn reads(expression: &str) -> Result<Vec<Read>, String> {
    if expression.len() > MAX_BYTES {
        return Err(format!("it is longer than {} KiB", MAX_BYTES >> 10));
    }
    let mut reader = Reader { reads: Vec::new() };
    reader.expr(&parse(expression)?, &[]);
    Ok(reader.reads)
}

struct Reader {
    reads: Vec<Read>,
}

impl Reader {
    fn expr(&mut self, expr: &Expr, wanted: &[Use]) {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, wanted),
            Expr::Binary(binary) => self.binary(binary, wanted),
            Expr::Call(call) => self.call(call, wanted),
            Expr::Unary(unary) => self.expr(&unary.expr, wanted),
            Expr::Paren(paren) => self.expr(&paren.expr, wanted),
            Expr::Subquery(subquery) => self.expr(&subquery.expr, wanted),
            Expr::VectorSelector(selector) => self.selector(selector, wanted),
            Expr::MatrixSelector(selector) => self.selector(&selector.vs, wanted),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr, wanted: &[Use]) {
        let op = aggregate.op.to_string();
        // These pick series and leave their labels alone.
        let picks = ["topk", "bottomk", "limitk", "limit_ratio"].contains(&op.as_str());
        let inside = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => {
                let kept = if picks { wanted } else { &[] };
                with(kept, &labels.labels, How::GroupsBy)
            }
            Some(LabelModifier::Exclude(labels)) => {
                let kept = if picks { wanted.to_vec() } else { but(wanted, &labels.labels) };
                with(&kept, &labels.labels, How::Without)
            }
            None if picks => wanted.to_vec(),
            None => Vec::new(),
        };
        self.expr(&aggregate.expr, &inside);
        if let Some(param) = &aggregate.param {
            self.expr(param, &[]);
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, wanted: &[Use]) {
        let modifier = binary.modifier.as_ref();
        let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
        let (matched, how): (&[String], _) = match matching {
            Some(LabelModifier::Include(labels)) => (&labels.labels, How::MatchesOn),
            Some(LabelModifier::Exclude(labels)) => (&labels.labels, How::Ignores),
            None => (&[], How::MatchesOn),
        };
        let joined = |wanted: &[Use]| with(wanted, matched, how);
        // What the result has: the labels it is matched on, or those it is not matched without.
        let common = match matching {
            Some(LabelModifier::Include(_)) => Vec::new(),
            _ => but(wanted, matched),
        };
        let taken = |labels: &[String]| with(&joined(&[]), labels, How::TakesOver);
        let op = binary.op.to_string();
        let (left, right) = match modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(labels)) => {
                (joined(&but(wanted, &labels.labels)), taken(&labels.labels))
            }
            Some(VectorMatchCardinality::OneToMany(labels)) => {
                (taken(&labels.labels), joined(&but(wanted, &labels.labels)))
            }
            _ if op == "or" => (joined(wanted), joined(wanted)),
            _ if op == "and" || op == "unless" => (joined(wanted), joined(&[])),
            _ => (joined(&common), joined(&common)),
        };
        self.expr(&binary.lhs, &left);
        self.expr(&binary.rhs, &right);
    }

    fn call(&mut self, call: &Call, wanted: &[Use]) {
        let text = |n: usize| match call.args.args.get(n).map(|arg| &**arg) {
            Some(Expr::StringLiteral(literal)) => Some(literal.val.clone()),
            _ => None,
        };
        let texts_from = |start: usize| (start..call.args.args.len()).filter_map(text).collect::<Vec<_>>();
        let made: Vec<String> = text(1).into_iter().collect();
        let inside = match call.func.name {
            "label_replace" => with(&but(wanted, &made), text(3).as_slice(), How::Derives),
            "label_join" => with(&but(wanted, &made), &texts_from(3), How::Derives),
            "sort_by_label" | "sort_by_label_desc" => with(wanted, &texts_from(1), How::Sorts),
            "histogram_quantile" | "histogram_fraction" => with(wanted, &["le".to_owned()], How::Quantile),
            // Their results have no labels of the series.
            "absent" | "absent_over_time" | "scalar" => Vec::new(),
            _ => wanted.to_vec(),
        };
        for arg in &call.args.args {
            self.expr(arg, &inside);
        }
    }

    fn selector(&mut self, selector: &VectorSelector, wanted: &[Use]) {
        let matchers = &selector.matchers;
        let groups = if matchers.or_matchers.is_empty() {
            std::slice::from_ref(&matchers.matchers)
        } else {
            &matchers.or_matchers
        };
        for group in groups {
            self.alternative(selector.name.as_deref(), group, wanted);
        }
    }

    fn alternative(&mut self, name: Option<&str>, matchers: &[Matcher], wanted: &[Use]) {
        let mut known = Known::default();
        // Every series has a name.
        known.add(NAME, Test::NoneOf([String::new()].into()));
        if let Some(name) = name {
            known.add(NAME, Test::is(name));
        }
        let mut selected = Vec::new();
        for matcher in matchers {
            known.matcher(&matcher.name, op_of(&matcher.op), &matcher.value);
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
                    self.reads.push(Read { shown: name, known, uses: uses.clone() });
                }
            }
            _ => {
                let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
                let text = format!("{{{}}}", texts.join(","));
                let mut shown: String = text.chars().take(MAX_SHOWN).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                self.reads.push(Read { shown, known, uses });
            }
        }
    }
}

fn with(wanted: &[Use], labels: &[String], how: How) -> Vec<Use> {
    let named = labels.iter().filter(|label| !label.is_empty());
    wanted.iter().cloned().chain(named.map(|label| Use { label: label.clone(), how })).collect()
}

fn but(wanted: &[Use], labels: &[String]) -> Vec<Use> {
    wanted.iter().filter(|wanted| !labels.contains(&wanted.label)).cloned().collect()
}

fn op_of(op: &ParsedOp) -> MatchOp {
    match op {
        ParsedOp::Equal => MatchOp::Equal,
        ParsedOp::NotEqual => MatchOp::NotEqual,
        ParsedOp::Re(_) => MatchOp::Regex,
        ParsedOp::NotRe(_) => MatchOp::NotRegex,
    }
}

#[cfg(test)]
mod tests;
