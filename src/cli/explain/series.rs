//! A line as the labels of a series.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::{SelectorError, parse_series};

/// Reads JSON where it is an object, else the text of a series; a sample's value and time behind it, as `/metrics` has them,
/// and an exemplar, as OpenMetrics has it, are left out.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.is_empty() {
        return Err("the series is empty; expected a name, labels, or both: up{job=\"api\"}".to_owned());
    }
    if text.starts_with('{')
        && let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text)
    {
        return object
            .into_iter()
            .map(|(name, value)| match value {
                _ if name.is_empty() => Err("a label name is empty".to_owned()),
                Value::String(value) => Ok((name, value)),
                other => Err(format!("the value of `{name}` is {other}, not a string")),
            })
            .collect();
    }
    parse_series(text)
        .or_else(|error| of_sample(text).unwrap_or(Err(error)))
        .map(|labels| labels.into_iter().collect())
        .map_err(|error| format!("{} at byte {} of `{text}`", error.message, error.offset))
}

/// The series of a line with a sample; `None` if there is no sample.
fn of_sample(text: &str) -> Option<Result<Vec<(String, String)>, SelectorError>> {
    // values of labels may look like the beginning of an exemplar
    let exemplars = text.match_indices(" # {").map(|(at, _)| at);
    let of = |end: usize| without_sample(text[..end].trim_end()).map(parse_series);
    let good = |read: &Result<_, _>| read.is_ok();
    exemplars.filter_map(of).find(good).or_else(|| of(text.len()))
}

/// What stands before one or two numbers at the end.
fn without_sample(text: &str) -> Option<&str> {
    let mut series = None;
    let mut rest = text;
    for _ in 0..2 {
        let (before, number) = rest.rsplit_once(char::is_whitespace)?;
        number.parse::<f64>().ok()?;
        rest = before.trim_end();
        series = Some(rest);
        if rest.ends_with('}') || !rest.contains(char::is_whitespace) {
            break;
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_metrics_is_read_without_its_sample() {
        for (text, series) in [
            ("up 1", Some("up")),
            ("up 1 1764547200000", Some("up")),
            ("up{job=\"a 1\"} NaN", Some("up{job=\"a 1\"}")),
            ("up{job=\"a\"}  +Inf  1764547200000", Some("up{job=\"a\"}")),
            ("up == 1", None),
            ("up", None),
        ] {
            assert_eq!(without_sample(text).filter(|series| parse_series(series).is_ok()), series, "{text}");
        }
        assert_eq!(read("up{job=\"a\"} 1").unwrap(), read("up{job=\"a\"}").unwrap());
        let bucket = read("foo_bucket{le=\"1\"}").unwrap();
        assert_eq!(read("foo_bucket{le=\"1\"} 5 # {trace_id=\"x\"} 0.7 123").unwrap(), bucket);
        assert_eq!(read("foo_bucket{le=\"1\"} 5 1764547200.5 # {} 0.7").unwrap(), bucket);
        assert_eq!(read("foo_total 5 # {trace_id=\"a # {b\"} 1").unwrap(), read("foo_total").unwrap());
        assert_eq!(read("foo{a=\"b 1 # {c\"} 5").unwrap(), read("foo{a=\"b 1 # {c\"}").unwrap());
        assert!(read("foo_total # {trace_id=\"x\"} 1").is_err(), "an exemplar without a sample");
        assert!(read("up{job=\"a\" 1").unwrap_err().contains(" of `up{job=\"a\" 1`"));
    }
}
