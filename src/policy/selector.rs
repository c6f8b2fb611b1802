//! PromQL series selectors, as `match` has them.

mod escape;
mod parse;

use std::fmt;

pub(crate) use escape::escape;
pub use parse::parse_series;

/// The label that holds the metric name.
pub(super) const METRIC_NAME: &str = "__name__";

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    /// What is wrong, for a person.
    pub message: String,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
}

impl Selector {
    /// Reads a series selector in the syntax of Prometheus 3; `{}` selects everything.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        parse::selector(text)
    }
}

/// One selector: all its matchers must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// Matchers in the order written.
    pub matchers: Vec<Matcher>,
}

/// One matcher.
#[derive(Clone, Debug, PartialEq)]
pub struct Matcher {
    /// Label name; `__name__` for the metric name.
    pub name: String,
    /// `=`, `!=`, `=~`, `!~`.
    pub op: MatchOp,
    /// The literal or the pattern as written.
    pub value: String,
}

/// Operator of a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}
