//! What the text of a scalar means: YAML 1.2's core schema, and somewhat more: words in any case, `_` between digits, `0b11`.

use super::tree::Kind;

/// What a tag says that a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Tag {
    /// There is none.
    None,
    Null,
    Bool,
    Int,
    Float,
    Text,
    List,
    Mapping,
    /// `!` alone: what a scalar is shall not be guessed from its text.
    Unguessed,
    /// One that we do not know.
    Other,
}

impl Tag {
    /// Whether a value can be what its tag says.
    pub(super) fn fits(self, kind: &Kind<'_>) -> bool {
        match self {
            Tag::None | Tag::Unguessed => true,
            Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Text => matches!(kind, Kind::Scalar { .. }),
            Tag::List => matches!(kind, Kind::List(_)),
            Tag::Mapping => matches!(kind, Kind::Mapping(_)),
            Tag::Other => false,
        }
    }
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) enum Value<'t> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'t str),
}

/// What a scalar without quotes and tag is.
pub(in crate::config) fn plain(text: &str) -> Value<'_> {
    if is_nullish(text) {
        return Value::Null;
    }
    let trimmed = trimmed(text);
    let negative =
        || trimmed.strip_prefix('-').and_then(unsigned).and_then(|n| 0_i64.checked_sub_unsigned(n));
    boolean(trimmed)
        .map(Value::Bool)
        .or_else(|| unsigned(trimmed).map(Value::Unsigned))
        .or_else(|| negative().map(Value::Signed))
        .or_else(|| float(trimmed).map(Value::Float))
        .unwrap_or(Value::Text(text))
}

/// Whether a scalar without quotes is a text.
pub(super) fn is_text(text: &str) -> bool {
    matches!(plain(text), Value::Text(_))
}

/// What a scalar is, with its quotes and tag; `None` if it is not what its tag says.
pub(in crate::config) fn value(tag: Tag, text: &str, is_plain: bool) -> Option<Value<'_>> {
    match tag {
        Tag::Null => Some(Value::Null),
        Tag::Bool => boolean(text).map(Value::Bool),
        Tag::Int => Some(plain(trimmed(text))).filter(|n| matches!(n, Value::Unsigned(_) | Value::Signed(_))),
        Tag::Float => float(trimmed(text)).map(Value::Float),
        Tag::None | Tag::Other if is_plain => Some(plain(text)),
        _ => Some(Value::Text(text)),
    }
}

/// Whether a scalar stands for nothing.
pub(in crate::config) fn is_null(tag: Tag, text: &str, is_plain: bool) -> bool {
    tag == Tag::Null || (matches!(tag, Tag::None | Tag::Other) && is_plain && is_nullish(text))
}

/// Whether a scalar without quotes says that there is nothing.
pub(in crate::config) fn is_nullish(text: &str) -> bool {
    text.is_empty() || text == "~" || text.eq_ignore_ascii_case("null")
}

/// `true` or `false`; not YAML 1.1's `yes` and `on`.
pub(in crate::config) fn boolean(text: &str) -> Option<bool> {
    let text = trimmed(text);
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// A whole number: `10`, `1_000`, `0x1F`, `0o17`, `0b11`. A number that starts with 0 may have been meant as an octal one.
pub(in crate::config) fn unsigned(text: &str) -> Option<u64> {
    let text = trimmed(text);
    let text = text.strip_prefix('+').unwrap_or(text);
    let prefixed = |prefix: [&str; 2]| prefix.iter().find_map(|prefix| text.strip_prefix(prefix));
    let (digits, radix) = if let Some(digits) = prefixed(["0x", "0X"]) {
        (digits, 16)
    } else if let Some(digits) = prefixed(["0o", "0O"]) {
        (digits, 8)
    } else if let Some(digits) = prefixed(["0b", "0B"]) {
        (digits, 2)
    } else if text.len() > 1 && text.starts_with('0') {
        return None;
    } else {
        (text, 10)
    };
    let is_between_digits = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let is_plain = digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_between_digits && is_plain {
        u64::from_str_radix(&digits.replace('_', ""), radix).ok()
    } else {
        None
    }
}

fn float(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        ".nan" | "+.nan" | "-.nan" => return Some(f64::NAN),
        ".inf" | "+.inf" => return Some(f64::INFINITY),
        "-.inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    // Rust also knows `inf`, `infinity` and `nan`, which are texts here
    if text.contains(|c: char| c.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Quoted and block scalars may have lines and spaces around a number.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_scalar_is_what_yamls_core_schema_says() {
        for (text, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("Null", Value::Null),
            ("NULL", Value::Null),
            ("nul", Value::Text("nul")),
            ("~~", Value::Text("~~")),
            ("true", Value::Bool(true)),
            ("TRUE", Value::Bool(true)),
            ("False", Value::Bool(false)),
            ("yes", Value::Text("yes")),
            ("off", Value::Text("off")),
            ("y", Value::Text("y")),
            ("0", Value::Unsigned(0)),
            ("+12", Value::Unsigned(12)),
            ("1_000_000", Value::Unsigned(1_000_000)),
            ("18446744073709551615", Value::Unsigned(u64::MAX)),
            ("-3", Value::Signed(-3)),
            ("-9223372036854775808", Value::Signed(i64::MIN)),
            ("0x1F", Value::Unsigned(31)),
            ("0o17", Value::Unsigned(15)),
            ("0b11", Value::Unsigned(3)),
            ("-0x10", Value::Signed(-16)),
            ("0x", Value::Text("0x")),
            ("0xG", Value::Text("0xG")),
            ("0o8", Value::Text("0o8")),
            ("++5", Value::Text("++5")),
            ("1__0", Value::Text("1__0")),
            ("_1", Value::Text("_1")),
            ("1_", Value::Text("1_")),
            ("18446744073709551616", Value::Float(18_446_744_073_709_551_616.0)),
            ("1.5", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("5.", Value::Float(5.0)),
            ("-1e3", Value::Float(-1000.0)),
            ("017", Value::Float(17.0)),
            ("1e999", Value::Float(f64::INFINITY)),
            (".inf", Value::Float(f64::INFINITY)),
            ("+.INF", Value::Float(f64::INFINITY)),
            ("-.Inf", Value::Float(f64::NEG_INFINITY)),
            ("inf", Value::Text("inf")),
            ("nan", Value::Text("nan")),
            ("Infinity", Value::Text("Infinity")),
            ("1h", Value::Text("1h")),
            ("1.2.3", Value::Text("1.2.3")),
            ("0.0.0.0:9201", Value::Text("0.0.0.0:9201")),
            ("2001-01-01", Value::Text("2001-01-01")),
        ] {
            assert_eq!(plain(text), expected, "{text:?}");
        }
        assert!(matches!(plain(".NaN"), Value::Float(n) if n.is_nan()));
    }

    #[test]
    fn a_number_that_is_asked_for_is_whole_and_not_octal_by_accident() {
        for (text, expected) in [
            ("12", Some(12)),
            (" 12\n", Some(12)),
            ("0", Some(0)),
            ("00", None),
            ("012", None),
            ("-0", None),
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
            ("", None),
            ("18446744073709551616", None),
            ("0xffffffffffffffff", Some(u64::MAX)),
        ] {
            assert_eq!(unsigned(text), expected, "{text:?}");
        }
    }
}
