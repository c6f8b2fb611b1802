//! What an expression is made of, as far as somebody here asks.

use super::functions;
use super::kind::Type;
use crate::policy::Matcher;

/// An expression; parentheses are gone.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::check) enum Expr {
    /// A duration is its seconds.
    Number(f64),
    Text(String),
    Selector(Selector),
    /// `expr[range]` or `expr[range:step]`.
    Range {
        of: Box<Expr>,
        subquery: bool,
    },
    Negated(Box<Expr>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Call),
}

/// An instant selector. Its name is a matcher of `__name__` like others.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::check) struct Selector {
    /// The name, where it is given without an operator.
    pub(in crate::cli::check) name: Option<String>,
    /// The other matchers, in the order of the text; more than one list where MetricsQL's `or` stands between them.
    pub(in crate::cli::check) alternatives: Vec<Vec<Matcher>>,
}

/// Labels, and whether they are those that stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::check) enum Keep {
    /// `by`, `on`.
    These(Vec<String>),
    /// `without`, `ignoring`.
    Others(Vec<String>),
}

/// `sum by (a) (x)`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::check) struct Aggregate {
    /// In lower case.
    pub(in crate::cli::check) op: String,
    pub(in crate::cli::check) keep: Option<Keep>,
    /// Of `topk`, `quantile` and others.
    pub(in crate::cli::check) parameter: Option<Expr>,
    pub(in crate::cli::check) of: Expr,
}

/// `f(x, …)`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::check) struct Call {
    pub(in crate::cli::check) function: String,
    pub(in crate::cli::check) arguments: Vec<Expr>,
}

/// `a op b`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::check) struct Binary {
    pub(in crate::cli::check) op: Operator,
    /// A comparison that gives 0 and 1.
    pub(in crate::cli::check) boolean: bool,
    pub(in crate::cli::check) matching: Option<Keep>,
    /// Of `group_left` (`true`: the left side is the many) or `group_right`, with the labels that are taken over.
    pub(in crate::cli::check) group: Option<(bool, Vec<String>)>,
    pub(in crate::cli::check) left: Expr,
    pub(in crate::cli::check) right: Expr,
    /// Of its value: a number, or a vector.
    pub(super) kind: Type,
}

/// An operator between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(in crate::cli::check) enum Operator {
    Or,
    And,
    Unless,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`.
    Compare(&'static str),
    /// `+`, `-`.
    Sum(&'static str),
    /// `*`, `/`, `%`, `atan2`, and those that trim histograms.
    Product(&'static str),
    Power,
}

impl Operator {
    /// How tight it binds.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And | Operator::Unless => 2,
            Operator::Compare(_) => 3,
            Operator::Sum(_) => 4,
            Operator::Product(_) => 5,
            Operator::Power => 6,
        }
    }

    /// Whether it is about sets of series, not about their values.
    pub(in crate::cli::check) fn is_set(self) -> bool {
        matches!(self, Operator::Or | Operator::And | Operator::Unless)
    }
}

impl Expr {
    /// Whether it is a number, if maybe one that is calculated.
    pub(in crate::cli::check) fn is_number(&self) -> bool {
        self.kind() == Type::Scalar
    }

    /// What kind of value it has.
    pub(super) fn kind(&self) -> Type {
        let mut expr = self;
        loop {
            return match expr {
                Expr::Number(_) => Type::Scalar,
                Expr::Text(_) => Type::Text,
                Expr::Selector(_) | Expr::Aggregate(_) => Type::Vector,
                Expr::Range { .. } => Type::Range,
                Expr::Negated(of) => {
                    expr = of;
                    continue;
                }
                Expr::Binary(binary) => binary.kind,
                Expr::Call(call) => functions::result(&call.function),
            };
        }
    }
}
