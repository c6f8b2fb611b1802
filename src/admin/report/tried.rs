//! What came of trying a remedy.

use std::fmt;

use serde::Serialize;

/// Series shown that a policy takes or leaves and should not.
const SHOWN: usize = 3;

/// What came of trying a remedy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TrialResult {
    /// No series of the finding is known by example, or there were too many remedies.
    #[default]
    Untried,
    /// It takes all of them and no other.
    Right,
    /// It takes some of them and no other.
    TakesSome,
    /// It takes none of them.
    TakesNone,
    /// It takes others too.
    TakesOthers,
}

/// What a remedy takes of the series that are known by example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Trial {
    pub(super) result: TrialResult,
    /// Whether what the finding is about, and is to be taken, are its finished runs only.
    #[serde(skip)]
    pub(super) of_finished_runs: bool,
    /// Series that the finding is about, and those of them that it takes.
    pub(super) own: u64,
    pub(super) own_taken: u64,
    /// Series that it is not about, and those of them that it takes.
    pub(super) others: u64,
    pub(super) others_taken: u64,
    /// Some that it should leave and takes; where there are none, some that it should take and leaves.
    pub(super) examples: Vec<String>,
    #[serde(skip)]
    left: Vec<String>,
}

impl Trial {
    pub(super) fn count(&mut self, is_own: bool, is_taken: bool, series: &impl Fn() -> String) {
        let (all, taken, wrong) = match is_own {
            true => (&mut self.own, &mut self.own_taken, (!is_taken).then_some(&mut self.left)),
            false => (&mut self.others, &mut self.others_taken, is_taken.then_some(&mut self.examples)),
        };
        *all += 1;
        *taken += u64::from(is_taken);
        if let Some(shown) = wrong.filter(|shown| shown.len() < SHOWN) {
            shown.push(series());
        }
    }

    /// Nothing that was counted is true.
    pub(super) fn forget(&mut self) {
        *self = Self { of_finished_runs: self.of_finished_runs, ..Self::default() };
    }

    pub(super) fn conclude(&mut self) {
        self.result = match (self.own, self.own_taken, self.others_taken) {
            (_, _, 1..) => TrialResult::TakesOthers,
            (0, ..) => TrialResult::Untried,
            (_, 0, _) => TrialResult::TakesNone,
            (own, taken, _) if taken < own => TrialResult::TakesSome,
            _ => TrialResult::Right,
        };
        if self.examples.is_empty() {
            self.examples = std::mem::take(&mut self.left);
        }
        self.examples.sort_unstable();
    }

    /// Whether it is not to be used as it is.
    pub(super) fn is_wrong(&self) -> bool {
        matches!(self.result, TrialResult::TakesNone | TrialResult::TakesOthers)
    }
}

/// In one line, for whoever is to paste it.
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, own_taken, others, others_taken, .. } = self;
        let series = if self.of_finished_runs { "series of finished runs" } else { "series" };
        let as_this = self.examples.first().map(|series| format!(", as {series}")).unwrap_or_default();
        match self.result {
            TrialResult::Untried => match self.of_finished_runs {
                true => write!(f, "not tried: no series of a finished run of it is known by example"),
                false => write!(f, "not tried: no series of it is known by example"),
            },
            TrialResult::Right => {
                write!(f, "takes all {own} of its {series} known by example, none of {others} others")
            }
            TrialResult::TakesSome => write!(
                f,
                "takes {own_taken} of its {own} {series} known by example, none of {others} others; it leaves some{as_this}"
            ),
            TrialResult::TakesNone => {
                write!(f, "NOT RIGHT: takes none of its {own} {series} known by example{as_this}")
            }
            TrialResult::TakesOthers => write!(
                f,
                "NOT RIGHT: takes {others_taken} of {others} series known by example that are not its own{as_this}; \
                 and {own_taken} of its {own}"
            ),
        }
    }
}
