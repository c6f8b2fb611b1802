//! PromQL series selectors, as `match` has them.

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
