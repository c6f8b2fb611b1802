//! Which records are done: all below one number, and ranges above it where a lane is ahead of another.

use std::collections::BTreeMap;

/// Numbers that are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// All below are.
    low: u64,
    /// Ranges above it that do not touch: the first, and the one behind the last.
    ranges: BTreeMap<u64, u64>,
}

impl Done {
    pub(super) fn below(low: u64) -> Self {
        Self { low, ranges: BTreeMap::new() }
    }

    /// All below this are done.
    pub(super) fn low(&self) -> u64 {
        self.low
    }

    /// The ranges above [`Done::low`], first and behind the last.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(from, to)| (*from, *to))
    }

    /// One more than the largest number that is known to be done.
    pub(super) fn end(&self) -> u64 {
        self.ranges.last_key_value().map_or(self.low, |(_, to)| *to)
    }

    pub(super) fn has(&self, id: u64) -> bool {
        self.has_all(id, id + 1)
    }

    /// Whether all from `from` to before `to` are.
    pub(super) fn has_all(&self, from: u64, to: u64) -> bool {
        let from = from.max(self.low);
        from >= to || self.ranges.range(..=from).next_back().is_some_and(|(_, end)| *end >= to)
    }

    /// Adds all from `from` to before `to`.
    pub(super) fn add(&mut self, from: u64, to: u64) {
        let (mut from, mut to) = (from.max(self.low), to);
        if from >= to {
            return;
        }
        // whatever it touches becomes part of it
        while let Some((start, end)) = self.ranges.range(..=to).next_back().map(|(s, e)| (*s, *e))
            && end >= from
        {
            self.ranges.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        if from <= self.low {
            self.low = to;
        } else {
            self.ranges.insert(from, to);
        }
    }

    /// Adds all that another has.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.add(0, other.low);
        for (from, to) in other.ranges() {
            self.add(from, to);
        }
    }

    /// Memory held, bytes, about.
    pub(super) fn held(&self) -> usize {
        self.ranges.len() * 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_what_a_set_knows(adds in prop::collection::vec((0u64..200, 0u64..20), 0..60)) {
            let mut done = Done::below(10);
            let mut set: BTreeSet<u64> = (0..10).collect();
            for (from, count) in adds {
                done.add(from, from + count);
                set.extend(from..from + count);
                for id in 0..230 {
                    prop_assert_eq!(done.has(id), set.contains(&id), "{}", id);
                }
                let first_not = (0..).find(|id| !set.contains(id)).unwrap_or_default();
                prop_assert_eq!(done.low(), first_not);
                prop_assert_eq!(done.end(), set.last().map_or(0, |last| last + 1));
                let mut behind = done.low();
                for (from, to) in done.ranges() {
                    prop_assert!(from > behind && to > from, "ranges do not touch");
                    behind = to;
                }
                prop_assert_eq!(done.has_all(from, from + count), true);
            }
        }
    }
}
