//! Values of groups that are read as if they were those of series: what is wrong, and what to write instead.

use crate::cli::check::meaning::{Misread, Value, is_quantile};
use crate::policy::{Aggregation, Definition, Output};

/// What the rule does.
pub(super) fn does(how: &Misread, names: &str) -> String {
    match how {
        Misread::Plain => format!("reads each value of {names}"),
        Misread::Aggregated(op) | Misread::Function(op) => format!("takes `{op}` of {names}"),
        Misread::Compared(op) => format!("compares {names} with a number (`{op}`)"),
        Misread::Combined(op) => format!("calculates with {names} (`{op}`)"),
        Misread::RateAggregated(op) => format!("takes `{op}` of the rate of {names}"),
        Misread::RateCompared(op) => format!("compares the rate of {names} with a number (`{op}`)"),
    }
}

/// What there is instead of the series.
pub(super) fn kept(value: Value) -> &'static str {
    match value {
        Value::Counter => "one counter for each group",
        Value::Gauge(Output::Sum) | Value::Either => "the sum of each group",
        Value::Gauge(Output::Min) => "the minimum of each group",
        Value::Gauge(Output::Max) => "the maximum of each group",
        Value::Gauge(Output::Avg) => "the average of each group",
        Value::Gauge(Output::Count) => "the number of series of each group",
        Value::Gauge(Output::Last) => "the last value of each group",
    }
}

pub(super) fn why(value: Value, how: &Misread) -> String {
    match (value, how) {
        (_, Misread::Aggregated(op) | Misread::RateAggregated(op)) if op == "count" => {
            "so that groups are counted, not series".to_owned()
        }
        (Value::Counter, Misread::RateAggregated(op)) => {
            format!("so that `{op}` is over groups, not over series")
        }
        (Value::Counter, Misread::RateCompared(_)) => "so that no series alone decides".to_owned(),
        (Value::Counter, Misread::Function(op)) if op == "resets" => "which never falls".to_owned(),
        (Value::Counter, Misread::Function(op)) if is_quantile(op) => {
            "so that the quantile is over all that the group ever counted, not over what one series did"
                .to_owned()
        }
        (Value::Counter, _) => "which begins at zero and grows by every increase".to_owned(),
        (_, Misread::Aggregated(op)) => format!("so that `{op}` is over groups, not over series"),
        (_, Misread::Compared(_)) => "so that no series alone decides".to_owned(),
        (_, Misread::Function(op)) => format!("and `{op}` of that is another number"),
        _ => "not one value for each series".to_owned(),
    }
}

/// What to write.
pub(super) fn instead(policy: &Definition, value: Value, how: &Misread, metric: &str) -> String {
    let metric = if metric.starts_with('{') { "x" } else { metric };
    let written = match value {
        Value::Counter => of_counter(how, metric),
        _ => policy.aggregation().and_then(|aggregation| of_gauge(aggregation, how, metric)),
    };
    written.unwrap_or_else(|| {
        format!(
            "let what it reads pass before `{}`, or keep the labels that tell its series apart",
            policy.name
        )
    })
}

fn of_counter(how: &Misread, metric: &str) -> Option<String> {
    match how {
        Misread::Aggregated(op) if op == "count" => None,
        Misread::Function(op) if op == "resets" => None,
        Misread::Function(op) if is_quantile(op) => Some(format!("take it of `rate({metric}[…])`")),
        Misread::Function(_) => Some(format!("write `increase({metric}[…])`")),
        Misread::RateAggregated(_) | Misread::RateCompared(_) => None,
        Misread::Aggregated(_) => Some(format!("write `sum(rate({metric}[…]))`")),
        _ => Some(format!("write `rate({metric}[…])` or `increase({metric}[…])`")),
    }
}

/// By another output of the policy, which may have to be asked for.
fn of_gauge(aggregation: &Aggregation, how: &Misread, metric: &str) -> Option<String> {
    let (output, rest) = match how {
        Misread::Aggregated(op) => match op.as_str() {
            "min" => (Output::Min, None),
            "max" => (Output::Max, None),
            "sum" => (Output::Sum, None),
            "count" => (Output::Count, None),
            "avg" => (Output::Sum, Some(Output::Count)),
            _ => return None,
        },
        Misread::Compared("==" | "<" | "<=") => (Output::Min, None),
        Misread::Compared(">" | ">=") => (Output::Max, None),
        _ => return None,
    };
    let mut outputs = aggregation.outputs.clone();
    if outputs.is_empty() {
        outputs.push(Output::Sum);
    }
    let before = outputs.len();
    for wanted in [Some(output), rest].into_iter().flatten() {
        if !outputs.contains(&wanted) {
            outputs.push(wanted);
        }
    }
    // A further output goes by the name of the first.
    let further = aggregation.outputs.iter().skip(1);
    let metric = further
        .filter_map(|output| metric.strip_suffix(output.as_str())?.strip_suffix(':'))
        .next()
        .unwrap_or(metric);
    let part = |output: Output| {
        let at = outputs.iter().position(|known| *known == output).unwrap_or(0);
        let operation = if output == Output::Count { "sum" } else { output.as_str() };
        let name = if at == 0 { metric.to_owned() } else { format!("{metric}:{}", output.as_str()) };
        format!("{operation}({name})")
    };
    let compared = match how {
        Misread::Compared(op) => format!(" {op} …"),
        _ => String::new(),
    };
    let by = rest.map(|rest| format!(" / {}", part(rest))).unwrap_or_default();
    let write = format!("write `{}{by}{compared}`", part(output));
    if outputs.len() == before {
        return Some(write);
    }
    let names: Vec<&str> = outputs.iter().map(|output| output.as_str()).collect();
    Some(format!("give it `outputs: [{}]` and {write}", names.join(", ")))
}
