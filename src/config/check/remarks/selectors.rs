//! Selectors that are read otherwise than they look.

use super::{Checker, Policy};
use crate::config::position::Position;
use crate::config::raw::MatchText;
use crate::policy::{MatchOp, Matcher};
use crate::series::quote;

impl Checker<'_> {
    pub(super) fn selectors_that_look_otherwise(&mut self, policy: &Policy<'_>) {
        let Some(matches) = &policy.raw.value.matches else { return };
        let places: Vec<Position> = match &matches.value {
            MatchText::One(_) => vec![matches.position],
            MatchText::Any(texts) => texts.iter().map(|text| text.position).collect(),
        };
        for (place, selector) in places.into_iter().zip(&policy.meant.selectors) {
            for message in selector.matchers.iter().filter_map(remark) {
                self.warn(place, message);
            }
        }
    }
}

/// What is to be said of a matcher. There are values with a `*` of their own (`/api/*`): only what looks like nothing else
/// is told.
fn remark(matcher: &Matcher) -> Option<String> {
    let Matcher { name, op, value } = matcher;
    let written = |op, value: &str| format!("`{}{op}{}`", quote::label(name), quote::promql(value));
    let is_text = matches!(op, MatchOp::Equal | MatchOp::NotEqual);
    let regex =
        if matches!(op, MatchOp::Equal | MatchOp::Regex) { MatchOp::Regex } else { MatchOp::NotRegex };
    let text = " compares with this very text; a regex is";
    let repeats = ": the `*` of a regex repeats the `-` in front of it; what starts so is";
    let (wanted, why) = match value.strip_suffix('*') {
        _ if is_text && is_regex(value) => (value.clone(), text),
        Some(start) if is_text && (start.is_empty() || start.ends_with('-')) => {
            (value.replace('*', ".*"), text)
        }
        Some(start) if !is_text && start.ends_with('-') => (format!("{start}.*"), repeats),
        _ => return None,
    };
    Some(format!("{}{why} {}", written(*op, value), written(regex, &wanted)))
}

/// Whether a text is a regex and can be nothing else. Texts have dots (`1.5`, `web.example.org.`), brackets (`[fe80::1]:9100`,
/// `node[1-4]`) and backslashes of their own.
fn is_regex(value: &str) -> bool {
    value.contains(".*") || value.contains(".+") || is_status(value) || has_repeated_class(value)
}

/// `5..`, `40.`: three characters, digits first.
fn is_status(value: &str) -> bool {
    let dots = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = value.len() - dots.len();
    value.len() == 3 && (1..3).contains(&digits) && dots.chars().all(|c| c == '.')
}

/// `[…]` or `\d`, `\w`, `\s` with a repetition behind it.
fn has_repeated_class(value: &str) -> bool {
    let repeats = |behind: &str| {
        behind.starts_with(['+', '*'])
            || behind.strip_prefix('{').is_some_and(|count| count.starts_with(|c: char| c.is_ascii_digit()))
    };
    let class = |(at, _): (usize, &str)| {
        value[at + 1..].find(']').is_some_and(|end| end > 0 && repeats(&value[at + end + 2..]))
    };
    let escaped = |(at, _): (usize, &str)| repeats(&value[at + 2..]);
    value.match_indices('[').any(class)
        || [r"\d", r"\w", r"\s"].iter().any(|of| value.match_indices(of).any(escaped))
}
