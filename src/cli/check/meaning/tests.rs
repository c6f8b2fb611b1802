use super::*;
use crate::cli::check::reads::reads;

/// What is wrong with the first read of an expression.
fn told(value: Value, expression: &str) -> String {
    let steps =
        reads(expression).unwrap_or_else(|refusal| panic!("{expression}: {refusal:?}"))[0].steps.clone();
    match value.misread(&steps.unwrap_or_default()) {
        None => "right".to_owned(),
        Some(Misread::Plain) => "plain".to_owned(),
        Some(Misread::Aggregated(op) | Misread::Function(op)) => op,
        Some(Misread::Compared(op)) => format!("number {op}"),
        Some(Misread::Combined(op)) => op.to_owned(),
        Some(Misread::RateAggregated(op)) => format!("rate {op}"),
        Some(Misread::RateCompared(op)) => format!("rate {op}"),
    }
}

fn all(value: Value, cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(told(value, expression), *expected, "{value:?}: {expression}");
    }
}

#[test]
fn a_sum_is_still_a_sum() {
    all(
        Value::Gauge(Output::Sum),
        &[
            ("sum(x)", "right"),
            ("sum by (a) (x) > 5", "right"),
            ("sum without (a) (x) / 2", "right"),
            ("topk(3, sum by (a) (x))", "right"),
            ("max(sum by (a) (x))", "right"),
            ("sum(x * 2)", "right"),
            ("sum(2 * x / 1024)", "right"),
            ("sum(-x)", "right"),
            ("sum(-2 * x)", "right"),
            ("sum(avg_over_time(x[5m]))", "right"),
            ("sum(last_over_time(x[5m] offset 1d))", "right"),
            ("sum(avg_over_time(x[1h:5m]))", "right"),
            ("sum(x * on (a) group_left (b) y)", "right"),
            ("sum(label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\"))", "right"),
            ("sum(x and on (a) y)", "right"),
            ("sum(x or vector(0))", "right"),
            ("absent(x)", "right"),
            ("absent_over_time(x[5m])", "right"),
            ("group by (a) (x)", "right"),
            ("(y unless on (a) x)", "plain"),
            ("vector(1) unless on () x", "right"),
            ("max(present_over_time(x[5m]))", "right"),
            ("scalar(sum(x))", "right"),
            // another number
            ("x", "plain"),
            ("x offset 5m", "plain"),
            ("x and on (a) y", "plain"),
            ("min by (a) (x) == 0", "min"),
            ("max(x)", "max"),
            ("avg(x) < 0.9", "avg"),
            ("count(x)", "count"),
            ("count(x == 1) < 3", "number =="),
            ("sum(x > 0)", "number >"),
            ("x == 0", "number =="),
            ("0 < x", "number >"),
            ("x > bool 0", "number >"),
            ("quantile(0.9, x)", "quantile"),
            ("stddev(x)", "stddev"),
            ("topk(3, x)", "topk"),
            ("count_values(\"v\", x)", "count_values"),
            ("sum(present_over_time(x[5m]))", "sum"),
            ("max_over_time(x[5m])", "max_over_time"),
            ("sum(max_over_time(x[5m]))", "max_over_time"),
            ("changes(x[5m])", "changes"),
            ("sum(rate(x[5m]))", "rate"),
            ("sum(abs(x))", "abs"),
            ("sum(x + 1)", "+"),
            ("sum(1 / x)", "/"),
            ("x / y", "/"),
            ("x > y", ">"),
            ("sum(x * y)", "*"),
            ("sum(x * on (a) group_right (b) y)", "*"),
            ("timestamp(x)", "timestamp"),
            ("scalar(x)", "scalar"),
        ],
    );
}

#[test]
fn a_maximum_is_still_a_maximum_and_a_minimum_a_minimum() {
    all(
        Value::Gauge(Output::Max),
        &[
            ("max(x)", "right"),
            ("max by (a) (max_over_time(x[5m]))", "right"),
            ("max(floor(x / 2))", "right"),
            ("x > 0", "right"),
            ("0 < x", "right"),
            ("x >= 5 and on (a) y", "right"),
            ("max(x > 5)", "right"),
            ("count(x > 5)", "count"),
            ("x", "plain"),
            ("x < 5", "number <"),
            ("x == 1", "number =="),
            ("sum(x)", "sum"),
            ("min(x)", "min"),
            ("max(-x)", "-"),
            ("max(avg_over_time(x[5m]))", "avg_over_time"),
        ],
    );
    all(
        Value::Gauge(Output::Min),
        &[
            ("min(x)", "right"),
            ("min(min_over_time(x[5m]))", "right"),
            ("x < 1", "right"),
            ("x > 1", "number >"),
            ("max(x)", "max"),
        ],
    );
}

#[test]
fn of_other_outputs() {
    all(Value::Gauge(Output::Count), &[("sum(x)", "right"), ("count(x)", "count"), ("x", "plain")]);
    all(
        Value::Gauge(Output::Avg),
        &[("avg(x)", "avg"), ("sum(x)", "sum"), ("x > 1", "number >"), ("absent(x)", "right")],
    );
    all(
        Value::Gauge(Output::Last),
        &[
            ("x", "right"),
            ("x == 0", "right"),
            ("changes(x[5m])", "right"),
            ("sum(x)", "sum"),
            ("count(x)", "count"),
        ],
    );
}

#[test]
fn a_counter_is_read_by_what_it_grows_by() {
    all(
        Value::Counter,
        &[
            ("rate(x[5m])", "right"),
            ("sum by (a) (rate(x[5m])) > 1", "right"),
            ("increase(x[5m]) > 0", "right"),
            ("increase(x[5m]) > 3", "rate >"),
            ("sum(increase(x[5m])) > 3", "right"),
            ("count(count by (a) (x))", "right"),
            ("count(count by (a) (rate(x[5m])))", "right"),
            ("count(count by (a) (x) > 5)", "count"),
            ("irate(x[5m]) >= 0", "right"),
            ("rate(x[5m]) != 0", "right"),
            ("rate(x[5m]) / rate(y[5m]) < 0.9", "right"),
            ("sum(rate(x[5m])) / sum(rate(y[5m])) < 0.9", "right"),
            ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1", "right"),
            ("histogram_quantile(0.9, rate(x_bucket[5m]))", "right"),
            ("histogram_quantile(0.9, sum by (le) (x_bucket))", "right"),
            ("histogram_quantile(0.9, x_bucket)", "histogram_quantile"),
            ("histogram_fraction(0, 1, x_bucket)", "histogram_fraction"),
            ("sum(rate(x[5m]) * on (a) group_left (b) y)", "right"),
            ("absent(x)", "right"),
            ("absent(rate(x[5m]))", "right"),
            ("group(x)", "right"),
            // another number
            ("x", "plain"),
            ("x > 0", "number >"),
            ("sum(x)", "sum"),
            ("count(x) > 100", "count"),
            ("changes(x[10m]) > 0", "changes"),
            ("resets(x[10m]) > 0", "resets"),
            ("delta(x[5m]) > 0", "delta"),
            ("x - x offset 5m", "-"),
            ("rate(sum(x)[5m:])", "sum"),
            ("info(x)", "plain"),
            ("max(rate(x[5m]))", "rate max"),
            ("count(rate(x[5m]) > 0)", "rate count"),
            ("avg by (a) (increase(x[5m]))", "rate avg"),
            ("rate(x[5m]) == 0", "rate =="),
            ("increase(x[5m]) < 1", "rate <"),
        ],
    );
}

#[test]
fn where_only_metadata_says_what_it_is_one_of_both_is_enough() {
    all(
        Value::Either,
        &[
            ("sum(x)", "right"),
            ("rate(x[5m])", "right"),
            ("min(x)", "min"),
            ("x", "plain"),
            ("x == 0", "number =="),
        ],
    );
}

#[test]
fn names_and_policies_say_what_values_are() {
    let aggregation = |kind, outputs: &[Output]| Aggregation {
        keys: crate::policy::Keys::All,
        kind,
        outputs: outputs.to_vec(),
        ..Aggregation::default()
    };
    let value = |kind, outputs: &[Output], selector: &str| {
        Value::of(&aggregation(kind, outputs), &reads(selector).unwrap()[0].known)
    };
    let gauge = |output| Some(Value::Gauge(output));
    assert_eq!(value(Some(MetricKind::Gauge), &[], "x_total"), gauge(Output::Sum));
    assert_eq!(value(Some(MetricKind::Gauge), &[Output::Max, Output::Sum], "x"), gauge(Output::Max));
    assert_eq!(value(Some(MetricKind::Counter), &[], "x"), Some(Value::Counter));
    for counter in ["x_total", "x_bucket", "x_sum", "x_count", "{__name__=~\"x_(a|b)_total\"}"] {
        assert_eq!(value(None, &[], counter), Some(Value::Counter), "{counter}");
    }
    assert_eq!(value(None, &[Output::Min], "x_total"), Some(Value::Counter));
    assert_eq!(value(None, &[Output::Min], "x"), gauge(Output::Min));
    assert_eq!(value(None, &[], "x"), Some(Value::Either));
    assert_eq!(value(None, &[], "{__name__=~\"x_.*\"}"), Some(Value::Either));
    assert_eq!(value(None, &[], "x{quantile=\"0.9\"}"), None);
}

/// A group is there because its members are.
#[test]
fn whether_there_are_series_may_be_asked_by_counting_them() {
    let everywhere = [Value::Counter, Value::Either, Value::Gauge(Output::Sum), Value::Gauge(Output::Last)];
    for value in everywhere {
        all(
            value,
            &[
                ("count(x) > 0", "right"),
                ("0 < count by (a) (x)", "right"),
                ("count(x) >= 1", "right"),
                ("count(x) == 0", "right"),
                ("count(x) != 0", "right"),
                ("count(x) > bool 0", "right"),
                ("count(x) < 1", "right"),
                ("(count(x) or vector(0)) == 0", "right"),
                ("vector(1) unless on () count(x)", "right"),
                ("absent(sum(x))", "right"),
                ("count(present_over_time(x[5m])) > 0", "right"),
                ("sum(present_over_time(x[5m])) > 0", "right"),
                // how many there are only the series say
                ("count(x) > 5", "count"),
                ("count(x) > 1", "count"),
                ("count(x) >= 2", "count"),
                ("count(x) == 1", "count"),
                ("count(x) <= 1", "count"),
                ("count(x) < 3", "count"),
                ("count(x)", "count"),
                ("count(x) > y", "count"),
                ("count(x) / 2 > 0", "count"),
            ],
        );
    }
    all(
        Value::Counter,
        &[("count(rate(x[5m]) > 0) > 0", "right"), ("count(rate(x[5m]) > 0) > 5", "rate count")],
    );
    all(Value::Gauge(Output::Max), &[("count(x > 5) > 0", "right"), ("count(x < 5) > 0", "number <")]);
    all(Value::Gauge(Output::Sum), &[("count(x > 5) > 0", "number >")]);
}
