//! The functions and aggregations of Prometheus 3, and what tells those of MetricsQL.

use super::Refusal;
use super::kind::Type;

/// What functions take: `v` an instant vector, `r` a range vector, `n` a number, `t` a text; the last may be left out
/// (`?`) or be there any number of times (`*`).
const FUNCTIONS: [(&str, &str); 18] = [
    ("", "time pi start end range step"),
    (
        "v",
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count \
         histogram_sum histogram_stddev histogram_stdvar ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan \
         tanh timestamp",
    ),
    (
        "r",
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate \
         last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time \
         stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time \
         ts_of_min_over_time",
    ),
    ("v?", "days_in_month day_of_month day_of_week day_of_year hour minute month year"),
    ("vn", "clamp_max clamp_min"),
    ("vnn", "clamp"),
    ("vtnn*", "histogram_quantiles"),
    ("vn?", "round"),
    ("vv?", "info"),
    ("vtttt", "label_replace"),
    ("vttt*", "label_join"),
    ("vt*", "sort_by_label sort_by_label_desc"),
    ("rn", "predict_linear"),
    ("rnn", "double_exponential_smoothing holt_winters"),
    ("nr", "quantile_over_time"),
    ("nv", "histogram_quantile"),
    ("nnv", "histogram_fraction"),
    ("n", "vector"),
];

const AGGREGATIONS: [&str; 14] = [
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "limit_ratio",
    "limitk",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];

/// Words between or behind expressions that PromQL does not have.
const METRICSQL_WORDS: [&str; 6] = ["default", "if", "ifnot", "keep_metric_names", "limit", "prefix"];

/// How its functions and aggregations start, end, and are called.
const METRICSQL_STARTS: [&str; 12] = [
    "rollup",
    "range_",
    "running_",
    "label_",
    "bitmap_",
    "rand",
    "topk_",
    "bottomk_",
    "keep_",
    "outliers",
    "quantiles",
    "hoeffding_",
];
const METRICSQL_ENDS: [&str; 4] = ["_over_time", "_prometheus", "_with_name", "_numeric"];
const METRICSQL_NAMES: &str = "alias any buckets_limit count_values_over_time default_rollup deriv_fast distinct \
     drop_common_labels drop_empty_series geomean histogram histogram_share ideriv increase_pure integrate interpolate \
     lag lifetime limit_offset mad median mode now prometheus_buckets rate_over_sum remove_resets ru scrape_interval \
     share smooth_exponential sum2 timezone_offset ttf union vmrange zscore with";

/// What a function takes; `None` if there is none of this name.
pub(super) fn arguments(function: &str) -> Option<&'static str> {
    let named = |names: &str| names.split_whitespace().any(|name| name == function);
    FUNCTIONS.iter().find(|(_, names)| named(names)).map(|(takes, _)| *takes)
}

/// What a function makes.
pub(super) fn result(function: &str) -> Type {
    let number = function == "scalar" || arguments(function) == Some("");
    if number { Type::Scalar } else { Type::Vector }
}

pub(super) fn kind(letter: Option<u8>) -> Type {
    match letter {
        Some(b'r') => Type::Range,
        Some(b'n') => Type::Scalar,
        Some(b't') => Type::Text,
        _ => Type::Vector,
    }
}

/// Of a word in lower case.
pub(super) fn is_aggregation(word: &str) -> bool {
    AGGREGATIONS.contains(&word)
}

pub(super) fn has_parameter(aggregation: &str) -> bool {
    ["bottomk", "count_values", "limit_ratio", "limitk", "quantile", "topk"].contains(&aggregation)
}

pub(super) fn is_metricsql_word(word: &str) -> bool {
    METRICSQL_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// A function or an aggregation that PromQL does not have.
pub(super) fn unknown(at: usize, name: &str, what: &str) -> Refusal {
    let lower = name.to_ascii_lowercase();
    let foreign = METRICSQL_STARTS.iter().any(|start| lower.starts_with(start))
        || METRICSQL_ENDS.iter().any(|end| lower.ends_with(end))
        || METRICSQL_NAMES.split_whitespace().any(|known| known == lower);
    let message = format!("PromQL has no {what} `{name}`");
    if foreign { Refusal::metricsql(at, message) } else { Refusal::syntax(at, message) }
}
