//! A line as the labels of a series.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::parse_series;

/// Reads JSON where it is an object, else the text of a series; a sample's value and time behind it, as `/metrics` has them,
/// are left out.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
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
    let parsed = parse_series(text).or_else(|error| parse_series(without_sample(text).ok_or(error)?));
    parsed
        .map(|labels| labels.into_iter().collect())
        .map_err(|error| format!("{} at byte {} of `{text}`", error.message, error.offset))
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
        assert!(read("up{job=\"a\" 1").unwrap_err().contains(" of `up{job=\"a\" 1`"));
    }
}
