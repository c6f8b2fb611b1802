//! The labels that policies ask for: each looked up once a series, its regexes run once and all together.

use ahash::AHashMap;
use regex::{RegexSet, RegexSetBuilder, SetMatches};

use crate::policy::pattern::{self, NEST_LIMIT, PatternError};
use crate::policy::{VirtualLabel, WorkloadSource};
use crate::series::labels::Labels;

/// What all regexes on one label may take together.
const SIZE_LIMIT: usize = 64 << 20;
/// The cache of the lazy automaton; too small a one is thrown away again and again.
const CACHE_LIMIT: usize = 16 << 20;

/// One label.
#[derive(Debug)]
pub(super) struct Column {
    name: Box<str>,
    /// Where it is one that is read from what is known of the workload.
    read: Option<VirtualLabel>,
    regexes: RegexSet,
    /// Many series lack the label.
    on_missing: SetMatches,
}

/// One matcher, with its label and its regex by number.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) column: usize,
    pub(super) test: Test,
}

#[derive(Debug)]
pub(super) enum Test {
    Literal { value: Box<str>, equal: bool },
    Regex { number: usize, matches: bool },
}

/// Collects labels and regexes; equal ones once.
#[derive(Default)]
pub(super) struct Builder {
    numbers: AHashMap<String, usize>,
    columns: Vec<Draft>,
}

struct Draft {
    name: Box<str>,
    numbers: AHashMap<String, usize>,
    patterns: Vec<String>,
}

impl Builder {
    pub(super) fn column(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.numbers.insert(name.to_owned(), self.columns.len());
        self.columns.push(Draft { name: name.into(), numbers: AHashMap::default(), patterns: Vec::new() });
        self.columns.len() - 1
    }

    pub(super) fn is_virtual(&self, column: usize) -> bool {
        VirtualLabel::named(&self.columns[column].name).is_some()
    }

    pub(super) fn regex(&mut self, column: usize, pattern: &str) -> Result<usize, PatternError> {
        let draft = &mut self.columns[column];
        if let Some(number) = draft.numbers.get(pattern) {
            return Ok(*number);
        }
        draft.patterns.push(pattern::anchored(pattern)?);
        draft.numbers.insert(pattern.to_owned(), draft.patterns.len() - 1);
        Ok(draft.patterns.len() - 1)
    }

    /// The error names the label whose regexes are too much.
    pub(super) fn build(self) -> Result<Vec<Column>, String> {
        let build = |draft: Draft| {
            let regexes = RegexSetBuilder::new(&draft.patterns)
                .size_limit(SIZE_LIMIT)
                .nest_limit(NEST_LIMIT)
                .dfa_size_limit(CACHE_LIMIT)
                .build()
                .map_err(|_| draft.name.to_string())?;
            let on_missing = regexes.matches("");
            let read = VirtualLabel::named(&draft.name);
            Ok(Column { name: draft.name, read, regexes, on_missing })
        };
        self.columns.into_iter().map(build).collect()
    }
}

/// What is known of one series so far.
pub(super) struct View<'a> {
    columns: &'a [Column],
    labels: Labels<'a>,
    workload: &'a WorkloadSource<'a>,
    seen: Vec<Seen<'a>>,
}

#[derive(Clone, Default)]
struct Seen<'a> {
    value: Option<&'a str>,
    matches: Option<SetMatches>,
}

impl<'a> View<'a> {
    pub(super) fn new(columns: &'a [Column], labels: Labels<'a>, workload: &'a WorkloadSource<'a>) -> Self {
        Self { columns, labels, workload, seen: Vec::new() }
    }

    pub(super) fn holds(&mut self, check: &Check) -> bool {
        if self.seen.is_empty() {
            self.seen.resize(self.columns.len(), Seen::default());
        }
        let column = &self.columns[check.column];
        let seen = &mut self.seen[check.column];
        let find = || match column.read {
            Some(label) => self.workload.label(label),
            None => self.labels.get(&column.name),
        };
        let value = *seen.value.get_or_insert_with(find);
        match &check.test {
            Test::Literal { value: wanted, equal } => (**wanted == *value) == *equal,
            Test::Regex { number, matches } if value.is_empty() => {
                column.on_missing.matched(*number) == *matches
            }
            Test::Regex { number, matches } => {
                let found = seen.matches.get_or_insert_with(|| column.regexes.matches(value));
                found.matched(*number) == *matches
            }
        }
    }
}
