//! What is known of label values: tests on them, label by label, and whether two sets of tests can meet.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{self, Coverage, Pattern, Shape};
use super::{Definition, MatchOp, Selector};

/// The label that holds the metric name.
pub(crate) const NAME: &str = "__name__";

/// One test on the value of a label; a label that is missing has the value `""`.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// One of these.
    OneOf(BTreeSet<String>),
    /// None of these.
    NoneOf(BTreeSet<String>),
    /// Matches.
    Like(Like),
    /// Does not match.
    Unlike(Like),
}

/// A regex that is not a list of literals.
#[derive(Clone, Debug)]
pub(crate) struct Like {
    text: String,
    pattern: Pattern,
    /// Every value that matches starts so.
    prefix: Vec<u8>,
}

impl Test {
    /// `None` where every value passes, and where the regex is one that we cannot read: then nothing is known.
    pub(crate) fn new(op: MatchOp, value: &str) -> Option<Test> {
        let one = || BTreeSet::from([value.to_owned()]);
        let (positive, test) = match op {
            MatchOp::Equal => return Some(Test::OneOf(one())),
            MatchOp::NotEqual => return Some(Test::NoneOf(one())),
            MatchOp::Regex => (true, value),
            MatchOp::NotRegex => (false, value),
        };
        let list = |literals: BTreeSet<String>, positive| {
            if positive { Test::OneOf(literals) } else { Test::NoneOf(literals) }
        };
        let pattern = Pattern::compile(test).ok()?;
        match pattern::coverage(test) {
            Coverage { empty: true, others: true } => {
                return (!positive).then(|| Test::OneOf(BTreeSet::new()));
            }
            Coverage { empty: false, others: true } => {
                return Some(list(BTreeSet::from([String::new()]), !positive));
            }
            Coverage { others: false, .. } => {}
        }
        let prefix = match pattern::shape(test) {
            Shape::Literals(literals) => return Some(list(literals.into_iter().collect(), positive)),
            Shape::Prefix(prefix) => prefix,
            Shape::Any => Vec::new(),
        };
        let like = Like { text: test.to_owned(), pattern, prefix };
        Some(if positive { Test::Like(like) } else { Test::Unlike(like) })
    }

    /// Only this value.
    pub(crate) fn is(value: impl Into<String>) -> Test {
        Test::OneOf(BTreeSet::from([value.into()]))
    }

    pub(crate) fn holds(&self, value: &str) -> bool {
        match self {
            Test::OneOf(values) => values.contains(value),
            Test::NoneOf(values) => !values.contains(value),
            Test::Like(like) => like.pattern.is_match(value),
            Test::Unlike(like) => !like.pattern.is_match(value),
        }
    }

    /// Texts of which every value that passes ends with one, where that shows.
    fn endings(&self) -> Option<Vec<String>> {
        match self {
            Test::OneOf(values) => Some(values.iter().cloned().collect()),
            Test::Like(like) => pattern::endings(&like.text),
            Test::NoneOf(_) | Test::Unlike(_) => None,
        }
    }

    /// Whether no value can pass both, as far as that shows without values.
    fn excludes(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Like(a), Test::Like(b)) => a.is_apart_from(b),
            (Test::Like(a), Test::Unlike(b)) | (Test::Unlike(b), Test::Like(a)) => a.text == b.text,
            _ => false,
        }
    }
}

impl Like {
    fn is_apart_from(&self, other: &Like) -> bool {
        !self.prefix.starts_with(&other.prefix) && !other.prefix.starts_with(&self.prefix)
    }
}

/// The values that pass all tests, where they can be counted.
fn finite(tests: &[Test]) -> Option<BTreeSet<String>> {
    let values = tests.iter().find_map(|test| match test {
        Test::OneOf(values) => Some(values),
        _ => None,
    })?;
    Some(values.iter().filter(|value| tests.iter().all(|test| test.holds(value))).cloned().collect())
}

fn satisfiable(tests: &[Test]) -> bool {
    match finite(tests) {
        Some(values) => !values.is_empty(),
        None => tests.iter().enumerate().all(|(n, a)| tests[..n].iter().all(|b| !a.excludes(b))),
    }
}

/// Whether each value that passes `tests` passes `wanted`; `false` where that does not show.
fn implies(tests: &[Test], wanted: &Test) -> bool {
    if let Some(values) = finite(tests) {
        return values.iter().all(|value| wanted.holds(value));
    }
    match wanted {
        Test::OneOf(_) => false,
        Test::NoneOf(values) => values.iter().all(|value| tests.iter().any(|test| !test.holds(value))),
        Test::Like(like) => tests.iter().any(|test| matches!(test, Test::Like(own) if own.text == like.text)),
        Test::Unlike(like) => tests.iter().any(|test| match test {
            Test::Unlike(own) => own.text == like.text,
            Test::Like(own) => own.is_apart_from(like),
            _ => false,
        }),
    }
}

/// What is known of a group of series: for each label tests that all hold. No test: any value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(BTreeMap<String, Vec<Test>>);

/// How a selector meets a group of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// No series of the group matches.
    Disjoint,
    /// Some may match.
    May,
    /// All match.
    Certain,
}

impl Known {
    /// What a selector says.
    pub(crate) fn of(selector: &Selector) -> Known {
        let mut known = Known::default();
        for matcher in &selector.matchers {
            known.matcher(&matcher.name, matcher.op, &matcher.value);
        }
        known
    }

    /// What is known of any series: it has a name.
    pub(crate) fn any_series() -> Known {
        let mut known = Known::default();
        known.add(NAME, Test::NoneOf(BTreeSet::from([String::new()])));
        known
    }

    /// What each selector of a policy says; a policy without one asks nothing.
    pub(crate) fn of_policy(definition: &Definition) -> Vec<Known> {
        let mut known: Vec<Known> = definition.selectors.iter().map(Known::of).collect();
        if known.is_empty() {
            known.push(Known::default());
        }
        known
    }

    pub(crate) fn matcher(&mut self, label: &str, op: MatchOp, value: &str) {
        if let Some(test) = Test::new(op, value) {
            self.add(label, test);
        }
    }

    /// One more test.
    pub(crate) fn add(&mut self, label: &str, test: Test) {
        self.0.entry(label.to_owned()).or_default().push(test);
    }

    /// Nothing is known of the label but this.
    pub(crate) fn set(&mut self, label: &str, test: Option<Test>) {
        self.0.remove(label);
        if let Some(test) = test {
            self.add(label, test);
        }
    }

    pub(crate) fn tests(&self, label: &str) -> &[Test] {
        self.0.get(label).map_or(&[], Vec::as_slice)
    }

    /// The values that a label can have, where they can be counted.
    pub(crate) fn values(&self, label: &str) -> Option<BTreeSet<String>> {
        finite(self.tests(label))
    }

    /// Texts of which every value of a label ends with one, where that shows.
    pub(crate) fn endings(&self, label: &str) -> Option<Vec<String>> {
        let counted = self.values(label).map(|values| values.into_iter().collect());
        counted.or_else(|| self.tests(label).iter().find_map(Test::endings))
    }

    /// Whether series have this label in any case.
    pub(crate) fn requires(&self, label: &str) -> bool {
        self.tests(label).iter().any(|test| !test.holds(""))
    }

    /// Whether the tests on a label say as much as those of `other` at least.
    pub(crate) fn implies_in(&self, label: &str, other: &Known) -> bool {
        other.tests(label).iter().all(|test| implies(self.tests(label), test))
    }

    /// The labels of which no value passes both.
    pub(crate) fn apart_by(&self, other: &Known) -> Vec<String> {
        let both = self.and(other).0.into_iter();
        both.filter(|(_, tests)| !satisfiable(tests)).map(|(label, _)| label).collect()
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is known of series for which both hold.
    pub(crate) fn and(&self, other: &Known) -> Known {
        let mut both = self.clone();
        for (label, tests) in &other.0 {
            both.0.entry(label.clone()).or_default().extend(tests.iter().cloned());
        }
        both
    }

    pub(crate) fn implies(&self, other: &Known) -> bool {
        other.labels().all(|label| self.implies_in(label, other))
    }

    /// How `selector` meets these series.
    pub(crate) fn meets(&self, selector: &Known) -> Overlap {
        if !self.and(selector).0.values().all(|tests| satisfiable(tests)) {
            Overlap::Disjoint
        } else if self.implies(selector) {
            Overlap::Certain
        } else {
            Overlap::May
        }
    }
}

#[cfg(test)]
mod tests;
