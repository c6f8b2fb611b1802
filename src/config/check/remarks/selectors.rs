//! Selectors that are read otherwise than they look.

use super::{Checker, Policy};
use crate::config::position::Position;
use crate::config::raw::MatchText;
use crate::policy::{MatchOp, Matcher};

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
    let sign = match op {
        MatchOp::Equal | MatchOp::NotEqual => {
            let is_regex = value.contains(".*") || value.contains(".+");
            let is_glob = value == "*" || value.ends_with("-*");
            let regex = if *op == MatchOp::Equal { "=~" } else { "!~" };
            return (is_regex || is_glob).then(|| {
                let wanted = if is_regex { value.clone() } else { value.replace('*', ".*") };
                format!("`{name}{op}\"{value}\"` compares with this very text; a regex is `{name}{regex}\"{wanted}\"`")
            });
        }
        MatchOp::Regex | MatchOp::NotRegex => op,
    };
    (value.ends_with("-*")).then(|| {
        let wanted = format!("{}.*", value.trim_end_matches('*'));
        format!(
            "`{name}{sign}\"{value}\"`: the `*` of a regex repeats the `-` in front of it; \
             what starts so is `{name}{sign}\"{wanted}\"`"
        )
    })
}
