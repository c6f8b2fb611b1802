//! Which selectors can match at all, by metric name.

use ahash::AHashMap;

use crate::policy::pattern::{self, Shape};
use crate::policy::selector::METRIC_NAME;
use crate::policy::{MatchOp, Selector};

/// Number of a selector, counted over all policies in order.
pub(super) type BranchId = u32;

/// From the metric name to the selectors worth a look; each list is in policy order.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_name: AHashMap<Box<str>, Vec<BranchId>>,
    prefixes: Vec<Prefix>,
    /// Those that say nothing of the name that could be looked up.
    generic: Vec<BranchId>,
}

/// Sorted by `text`.
#[derive(Debug)]
struct Prefix {
    text: Box<[u8]>,
    /// The next shorter entry that `text` starts with.
    shorter: Option<usize>,
    branches: Vec<BranchId>,
}

/// How a selector is found, and which of its matchers holds by being found that way.
pub(super) enum Route {
    Names { names: Vec<String>, settled: usize },
    Prefix(Vec<u8>),
    Generic,
}

impl Route {
    pub(super) fn of(selector: &Selector) -> Route {
        let mut best = Route::Generic;
        for (settled, matcher) in selector.matchers.iter().enumerate().filter(|(_, m)| m.name == METRIC_NAME)
        {
            let shape = match matcher.op {
                MatchOp::Equal => Shape::Literals(vec![matcher.value.clone()]),
                MatchOp::Regex => pattern::shape(&matcher.value),
                MatchOp::NotEqual | MatchOp::NotRegex => Shape::Any,
            };
            match shape {
                Shape::Literals(names) => return Route::Names { names, settled },
                Shape::Prefix(prefix) => best = Route::Prefix(prefix),
                Shape::Any => {}
            }
        }
        best
    }
}

impl Routes {
    pub(super) fn add(&mut self, route: Route, branch: BranchId) {
        match route {
            Route::Generic => self.generic.push(branch),
            Route::Prefix(text) => {
                let text = text.into_boxed_slice();
                match self.prefixes.binary_search_by(|prefix| prefix.text.cmp(&text)) {
                    Ok(at) => self.prefixes[at].branches.push(branch),
                    Err(at) => {
                        self.prefixes.insert(at, Prefix { text, shorter: None, branches: vec![branch] })
                    }
                }
            }
            Route::Names { names, .. } => {
                for name in names {
                    self.by_name.entry(name.into_boxed_str()).or_default().push(branch);
                }
            }
        }
    }

    /// To be called once, after the last [`Routes::add`].
    pub(super) fn finish(&mut self) {
        for at in 1..self.prefixes.len() {
            let mut shorter = Some(at - 1);
            while let Some(candidate) = shorter
                && !self.prefixes[at].text.starts_with(&self.prefixes[candidate].text)
            {
                shorter = self.prefixes[candidate].shorter;
            }
            self.prefixes[at].shorter = shorter;
        }
    }

    /// Every selector from `from` on that can match a series of this name, in policy order.
    pub(super) fn candidates(&self, name: &str, from: BranchId) -> Candidates<'_> {
        let mut specific = self.by_name.get(name).cloned().unwrap_or_default();
        // The longest prefix of `name` is the last entry not above it, or one that entry starts with.
        let above = self.prefixes.partition_point(|prefix| *prefix.text <= *name.as_bytes());
        let mut next = above.checked_sub(1);
        while let Some(at) = next {
            let prefix = &self.prefixes[at];
            if name.as_bytes().starts_with(&prefix.text) {
                specific.extend_from_slice(&prefix.branches);
            }
            next = prefix.shorter;
        }
        specific.retain(|branch| *branch >= from);
        specific.sort_unstable();
        let generic = &self.generic[self.generic.partition_point(|branch| *branch < from)..];
        Candidates { specific: specific.into_iter().peekable(), generic: generic.iter().peekable() }
    }
}

/// Two ascending lists as one.
pub(super) struct Candidates<'a> {
    specific: std::iter::Peekable<std::vec::IntoIter<BranchId>>,
    generic: std::iter::Peekable<std::slice::Iter<'a, BranchId>>,
}

impl Iterator for Candidates<'_> {
    type Item = BranchId;

    fn next(&mut self) -> Option<BranchId> {
        match (self.specific.peek(), self.generic.peek()) {
            (Some(specific), Some(generic)) if specific < *generic => self.specific.next(),
            (Some(_), None) => self.specific.next(),
            _ => self.generic.next().copied(),
        }
    }
}
