//! Whether what an expression does with the values of groups means what it meant of the series they are made of.
//!
//! A group's value is one operation over its members' values. What commutes with that operation may come before the
//! expression does the same over what is left of the labels: a sum of sums of averages over time is the sum of the
//! series' averages. Everything else is another number than before.

use super::steps::Step;
use crate::policy::known::{Known, NAME};
use crate::policy::{Aggregation, MetricKind, Output};

/// What the values of groups are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It grows by what its members grow by.
    Counter,
    Gauge(Output),
    /// One of the two, by what metadata says.
    Either,
}

/// How values are read that do not have this meaning any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misread {
    Plain,
    Aggregated(String),
    Function(String),
    Compared(&'static str),
    Combined(&'static str),
    /// The rate of a counter is aggregated other than by `sum`.
    RateAggregated(String),
    /// The rate of a counter is compared so that one member could decide.
    RateCompared(&'static str),
}

impl Value {
    /// Of the groups of these series; `None` if they are not aggregated.
    pub(super) fn of(aggregation: &Aggregation, series: &Known) -> Option<Value> {
        let ends = |typed: &[&str]| {
            let all =
                |ends: Vec<String>| ends.iter().all(|end| typed.iter().any(|typed| end.ends_with(typed)));
            series.endings(NAME).is_some_and(all)
        };
        let output = aggregation.outputs.first().copied();
        Some(match (aggregation.kind, output) {
            (Some(MetricKind::Counter), _) => Value::Counter,
            (Some(MetricKind::Gauge), output) => Value::Gauge(output.unwrap_or(Output::Sum)),
            (None, _) if ends(&["_total", "_bucket"]) => Value::Counter,
            (None, None) if ends(&["_total", "_bucket", "_sum", "_count"]) => Value::Counter,
            // Quantiles pass.
            (None, _) if series.requires("quantile") => return None,
            (None, Some(output)) => Value::Gauge(output),
            (None, None) => Value::Either,
        })
    }

    /// What is wrong with the way it is read, if anything is.
    pub(super) fn misread(self, steps: &[Step]) -> Option<Misread> {
        match self {
            Value::Counter => counter(steps),
            Value::Gauge(output) => gauge(output, steps),
            Value::Either => gauge(Output::Sum, steps).filter(|_| counter(steps).is_some()),
        }
    }
}

fn counter(steps: &[Step]) -> Option<Misread> {
    match steps {
        _ if asks_existence(steps) => None,
        [Step::OverTime(function), rest @ ..] if is_rate(function) => rate(rest),
        // Shares of all that was counted so far. Of one series those are since its process began; a group has no such
        // beginning, and its quantile hardly moves any more.
        [Step::Aggregated(sum), Step::Function(function), ..] if sum == "sum" && is_quantile(function) => {
            None
        }
        [Step::OverTime(present), rest @ ..] if present == "present_over_time" => existence(rest),
        [Step::Chosen | Step::Scaled | Step::Negated, rest @ ..] => counter(rest),
        [Step::Function(function), rest @ ..] if is_about_labels(function) => counter(rest),
        [step, ..] => Some(misread(step)),
        [] => Some(Misread::Plain),
    }
}

/// The rate of a group is the sum of its members' rates.
fn rate(steps: &[Step]) -> Option<Misread> {
    match steps {
        _ if asks_existence(steps) => None,
        [Step::Chosen | Step::Scaled | Step::Negated, rest @ ..] => rate(rest),
        [Step::Function(function), rest @ ..] if is_about_labels(function) => rate(rest),
        [Step::Aggregated(op), ..] if op != "sum" => Some(Misread::RateAggregated(op.clone())),
        // More than none of all of them is more than none of one; any other number is one for a series, or one for a group.
        [Step::Compared { op, with }, ..] if !(matches!(*op, ">" | ">=" | "!=") && *with == Some(0.0)) => {
            Some(Misread::RateCompared(op))
        }
        [Step::Compared { .. }, rest @ ..] if asks_existence(rest) => None,
        [Step::Compared { .. }, Step::Aggregated(op), ..] => Some(Misread::RateAggregated(op.clone())),
        _ => None,
    }
}

fn gauge(output: Output, steps: &[Step]) -> Option<Misread> {
    match steps {
        _ if asks_existence(steps) => None,
        [Step::OverTime(present), rest @ ..] if present == "present_over_time" => existence(rest),
        [Step::Chosen | Step::Scaled, rest @ ..] => gauge(output, rest),
        [Step::Negated, rest @ ..] if is_linear(output) => gauge(output, rest),
        [Step::Function(function), rest @ ..] if is_about_labels(function) => gauge(output, rest),
        [Step::Function(function), ..] if is_linear(output) && is_quantile(function) => None,
        [Step::Function(function), rest @ ..] if is_extreme(output) && is_monotone(function) => {
            gauge(output, rest)
        }
        [Step::OverTime(function), rest @ ..] if commutes(output, function) => gauge(output, rest),
        [Step::Aggregated(op), ..] if aggregates(output) == Some(op.as_str()) => None,
        [Step::Compared { op, .. }, rest @ ..] if one_decides(output, op) => {
            gauge(output, rest).filter(|why| *why != Misread::Plain)
        }
        _ if output == Output::Last => last(steps),
        [step, ..] => Some(misread(step)),
        [] => Some(Misread::Plain),
    }
}

/// Groups of which one member at a time is there are read as a series is, but not counted.
fn last(steps: &[Step]) -> Option<Misread> {
    steps.iter().find(|step| matches!(step, Step::Aggregated(_))).map(misread)
}

/// Whether it is only asked if there are series: a group is there because its members are.
fn asks_existence(steps: &[Step]) -> bool {
    match steps {
        [Step::Exists, ..]
        | [Step::OverTime(_) | Step::Function(_) | Step::Aggregated(_), Step::Exists, ..] => true,
        // how many there are of what the labels tell apart
        [Step::Aggregated(_), Step::Aggregated(count), ..] if count == "count" => true,
        [Step::Aggregated(count), rest @ ..] if count == "count" => is_more_than_none(rest),
        _ => false,
    }
}

/// Whether a number of series is only told from none.
fn is_more_than_none(steps: &[Step]) -> bool {
    match steps {
        [Step::Chosen, rest @ ..] => is_more_than_none(rest),
        [Step::Compared { op, with: Some(with) }, ..] => {
            // all numbers from 1 on pass, or none of them does
            match *op {
                ">" | "<=" => (0.0..1.0).contains(with),
                ">=" | "<" => *with > 0.0 && *with <= 1.0,
                _ => *with == 0.0,
            }
        }
        _ => false,
    }
}

/// What is there is 1; how often, only the series say.
fn existence(steps: &[Step]) -> Option<Misread> {
    match steps {
        [Step::Aggregated(op), rest @ ..] if op == "sum" || op == "count" => {
            (!is_more_than_none(rest) && !asks_existence(steps)).then(|| misread(&steps[0]))
        }
        _ => None,
    }
}

fn misread(step: &Step) -> Misread {
    match step {
        Step::OverTime(function) | Step::Function(function) => Misread::Function(function.clone()),
        Step::Aggregated(op) => Misread::Aggregated(op.clone()),
        Step::Compared { op, .. } => Misread::Compared(op),
        Step::Combined(op) => Misread::Combined(op),
        Step::Negated => Misread::Combined("-"),
        Step::Scaled | Step::Chosen | Step::Exists => Misread::Plain,
    }
}

fn is_rate(function: &str) -> bool {
    ["rate", "irate", "increase"].contains(&function)
}

/// Whether a function makes a quantile or a share of the buckets of a histogram.
pub(super) fn is_quantile(function: &str) -> bool {
    ["histogram_quantile", "histogram_quantiles", "histogram_fraction"].contains(&function)
}

/// Values go through as they are.
fn is_about_labels(function: &str) -> bool {
    ["label_replace", "label_join", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "info"]
        .contains(&function)
}

fn is_monotone(function: &str) -> bool {
    ["ceil", "clamp", "clamp_max", "clamp_min", "exp", "floor", "ln", "log10", "log2", "round", "sgn", "sqrt"]
        .contains(&function)
}

fn is_linear(output: Output) -> bool {
    matches!(output, Output::Sum | Output::Count)
}

fn is_extreme(output: Output) -> bool {
    matches!(output, Output::Min | Output::Max)
}

/// Whether a function over time may come before the operation.
fn commutes(output: Output, function: &str) -> bool {
    let linear =
        ["avg_over_time", "sum_over_time", "delta", "idelta", "deriv", "predict_linear", "first_over_time"];
    match (output, function) {
        (_, "last_over_time") => true,
        (Output::Sum | Output::Count, _) => linear.contains(&function),
        (Output::Max, _) => function == "max_over_time",
        (Output::Min, _) => function == "min_over_time",
        _ => false,
    }
}

/// The aggregation that goes on with what the output began.
fn aggregates(output: Output) -> Option<&'static str> {
    match output {
        Output::Sum | Output::Count => Some("sum"),
        Output::Min => Some("min"),
        Output::Max => Some("max"),
        Output::Avg | Output::Last => None,
    }
}

/// Whether the output passes a comparison if and only if one of the members does.
fn one_decides(output: Output, op: &str) -> bool {
    matches!((output, op), (Output::Max, ">" | ">=") | (Output::Min, "<" | "<="))
}

#[cfg(test)]
mod tests;
