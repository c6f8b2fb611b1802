//! What an expression does with the values that a selector gives, step by step.

use super::promql::{Binary, Expr, Operator};

/// More are not looked at: the first ones decide.
const MAX_STEPS: usize = 8;

/// One thing that is done with values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A function of a range.
    OverTime(String),
    /// A function of an instant vector.
    Function(String),
    /// An aggregation, in lower case.
    Aggregated(String),
    /// Compared with a number, where it is written as one; the series stand on the left.
    Compared {
        op: &'static str,
        with: Option<f64>,
    },
    /// Multiplied by a number, or by what all series of a group share.
    Scaled,
    Negated,
    /// Other arithmetic, and comparisons with other series.
    Combined(&'static str),
    /// Series are left out, their values stay.
    Chosen,
    /// Only whether there are series.
    Exists,
}

/// The way from a selector outwards.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    first: Option<&'p Step>,
    rest: Option<&'p Path<'p>>,
}

impl<'p> Path<'p> {
    /// Nothing is done.
    pub(super) const NONE: Path<'static> = Path { first: None, rest: None };

    /// This step before the others.
    pub(super) fn before(first: Option<&'p Step>, rest: &'p Path<'p>) -> Self {
        Self { first, rest: Some(rest) }
    }

    /// The innermost step first.
    pub(super) fn steps(&self) -> Vec<Step> {
        let path = std::iter::successors(Some(self), |path| path.rest);
        path.filter_map(|path| path.first).take(MAX_STEPS).cloned().collect()
    }
}

/// What a function does, with the argument that has series.
pub(super) fn of_call(function: &str, argument: &Expr) -> Step {
    match function {
        "absent" | "absent_over_time" => Step::Exists,
        _ if matches!(argument, Expr::Range { .. }) => Step::OverTime(function.to_owned()),
        _ => Step::Function(function.to_owned()),
    }
}

pub(super) fn of_aggregation(op: &str) -> Step {
    if op == "group" { Step::Exists } else { Step::Aggregated(op.to_owned()) }
}

/// What an operator does with the left side, and with the right one.
pub(super) fn of_binary(binary: &Binary) -> (Step, Step) {
    let (left, right) = (binary.left.is_number(), binary.right.is_number());
    let many = binary.group.as_ref().map(|(left, _)| *left);
    match binary.op {
        Operator::Or => (Step::Chosen, Step::Chosen),
        Operator::And | Operator::Unless => (Step::Chosen, Step::Exists),
        Operator::Compare(op) if right => (compared(op, &binary.right), Step::Combined(op)),
        Operator::Compare(op) if left => (Step::Combined(op), compared(turned(op), &binary.left)),
        Operator::Product("*") if left || right => (scaled(&binary.right), scaled(&binary.left)),
        Operator::Product("/") if right => (scaled(&binary.right), Step::Combined("/")),
        Operator::Product("*") if many == Some(true) => (Step::Scaled, Step::Combined("*")),
        Operator::Product("*") if many == Some(false) => (Step::Combined("*"), Step::Scaled),
        Operator::Product("/") if many == Some(true) => (Step::Scaled, Step::Combined("/")),
        Operator::Compare(op) | Operator::Sum(op) | Operator::Product(op) => {
            (Step::Combined(op), Step::Combined(op))
        }
        Operator::Power => (Step::Combined("^"), Step::Combined("^")),
    }
}

fn compared(op: &'static str, with: &Expr) -> Step {
    let with = if let Expr::Number(number) = with { Some(*number) } else { None };
    Step::Compared { op, with }
}

/// As the other side sees it.
fn turned(op: &'static str) -> &'static str {
    match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

fn scaled(by: &Expr) -> Step {
    match by {
        Expr::Number(number) if *number < 0.0 => Step::Negated,
        _ => Step::Scaled,
    }
}
