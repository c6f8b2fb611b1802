//! The walk told step by step, for `explain`: no routing and no shared regexes, so that it can also be held
//! against [`super::PolicySet::decide`].

use regex::Regex;

use crate::policy::{Action, Disposition, MatchOp, Matcher, Mode, PolicyIndex};
use crate::series::labels::Labels;

/// What every policy said of a series.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Policies in order, up to the last one that was asked.
    pub steps: Vec<Step>,
    /// The enforced policy that decided, if one did.
    pub ended_by: Option<PolicyIndex>,
    /// What becomes of the series.
    pub disposition: Disposition,
}

/// One policy asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub policy: PolicyIndex,
    /// Whether it acts.
    pub mode: Mode,
    /// Whether one of its selectors matches.
    pub matched: bool,
    /// What it does, in preview what it would do.
    pub effect: Effect,
}

/// What a policy does to a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it does not match.
    None,
    /// Forwards it.
    Pass,
    /// Drops it.
    Drop,
}

impl Effect {
    /// As shown in `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::None => "none",
            Effect::Pass => "pass",
            Effect::Drop => "drop",
        }
    }
}

impl From<Action> for Effect {
    fn from(action: Action) -> Self {
        match action {
            Action::Pass => Effect::Pass,
            Action::Drop => Effect::Drop,
        }
    }
}

/// A matcher on its own.
#[derive(Debug)]
pub(super) struct Plain {
    name: Box<str>,
    test: PlainTest,
    positive: bool,
}

#[derive(Debug)]
enum PlainTest {
    Literal(Box<str>),
    Regex(Regex),
}

impl Plain {
    /// `compile` may know the pattern already.
    pub(super) fn new(
        matcher: &Matcher,
        compile: impl FnOnce(&str) -> Result<Regex, String>,
    ) -> Result<Self, String> {
        let test = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => PlainTest::Literal(matcher.value.as_str().into()),
            MatchOp::Regex | MatchOp::NotRegex => PlainTest::Regex(compile(&matcher.value)?),
        };
        let positive = matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
        Ok(Self { name: matcher.name.as_str().into(), test, positive })
    }

    pub(super) fn holds(&self, labels: Labels<'_>) -> bool {
        let value = labels.get(&self.name);
        let found = match &self.test {
            PlainTest::Literal(wanted) => **wanted == *value,
            PlainTest::Regex(regex) => regex.is_match(value),
        };
        found == self.positive
    }
}
