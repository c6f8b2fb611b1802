//! The values with the most series: Space-Saving (Metwally, Agrawal, El Abbadi 2005).
//!
//! As many counters as are asked for; a value that has none takes over the smallest, and what that had counted is
//! its error. So a count is never too low, too high by its error at most, and whatever has more than its share of
//! all is there.

use ahash::AHashMap;

/// Bytes of a value that are kept; one that is longer is shown by its beginning, with `…` after it.
const SHOWN: usize = 256;

/// Counters of values.
#[derive(Clone, Debug)]
pub(in crate::cardinality) struct Top {
    counters: AHashMap<u64, Counter>,
    /// Values that had the smallest count when it was last looked for.
    smallest: Vec<u64>,
    smallest_count: u64,
    max: usize,
    total: u64,
}

#[derive(Clone, Debug)]
struct Counter {
    /// Absent until a value that took over a counter comes again: most never do.
    text: Option<Box<str>>,
    count: u64,
    error: u64,
}

impl Top {
    /// `max` counters.
    pub(in crate::cardinality) fn new(max: usize) -> Self {
        Self { counters: AHashMap::new(), smallest: Vec::new(), smallest_count: 0, max: max.max(1), total: 0 }
    }

    /// Counts a value so many times, given its hash.
    pub(in crate::cardinality) fn add(&mut self, hash: u64, text: &str, times: u64) {
        self.total += times;
        if let Some(counter) = self.counters.get_mut(&hash) {
            counter.count += times;
            counter.text.get_or_insert_with(|| shown(text));
        } else if self.counters.len() < self.max {
            self.counters.insert(hash, Counter { text: Some(shown(text)), count: times, error: 0 });
        } else {
            let error = self.take_smallest();
            let text = (times > 1).then(|| shown(text));
            self.counters.insert(hash, Counter { text, count: error + times, error });
        }
    }

    /// Takes out a counter with the smallest count; returns that. Counts only grow, so those found once serve until
    /// they are used up: a label whose values are all different pays for one search in as many as there are counters.
    fn take_smallest(&mut self) -> u64 {
        loop {
            while let Some(hash) = self.smallest.pop() {
                if self.counters.get(&hash).is_some_and(|counter| counter.count == self.smallest_count) {
                    self.counters.remove(&hash);
                    return self.smallest_count;
                }
            }
            let least = self.counters.values().map(|counter| counter.count).min().unwrap_or(0);
            self.smallest_count = least;
            let those = self.counters.iter().filter(|(_, counter)| counter.count == least);
            self.smallest.extend(those.map(|(hash, _)| *hash));
            if self.smallest.is_empty() {
                return 0;
            }
        }
    }

    /// All that was counted.
    pub(in crate::cardinality) fn total(&self) -> u64 {
        self.total
    }

    /// The `max` values that have the most in one or the other: the value, its count (the larger), its error.
    pub(in crate::cardinality) fn larger(one: &Self, other: &Self, max: usize) -> Vec<(String, u64, u64)> {
        let mut found: AHashMap<u64, (&str, u64, u64)> = AHashMap::new();
        for (hash, counter) in one.counters.iter().chain(&other.counters) {
            // one that has only what it took over says nothing
            let known = counter.error == 0 || counter.count > counter.error + 1;
            if let Some(text) = counter.text.as_deref().filter(|_| known) {
                let best = found.entry(*hash).or_insert((text, 0, 0));
                *best = (*best).max((text, counter.count, counter.error));
            }
        }
        let mut all: Vec<_> =
            found.into_values().map(|(text, n, error)| (text.to_owned(), n, error)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(max);
        all
    }

    /// Forgets everything.
    pub(in crate::cardinality) fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    /// Memory held, about.
    pub(in crate::cardinality) fn bytes(&self) -> usize {
        let text: usize = self.counters.values().filter_map(|c| c.text.as_ref()).map(|text| text.len()).sum();
        self.counters.capacity() * (size_of::<(u64, Counter)>() + 1)
            + self.smallest.capacity() * size_of::<u64>()
            + text
    }
}

fn shown(value: &str) -> Box<str> {
    if value.len() <= SHOWN {
        return value.into();
    }
    let end = (0..=SHOWN).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &value[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn hash(value: u64) -> u64 {
        value.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    proptest! {
        #[test]
        fn counts_are_never_too_low_and_what_is_frequent_is_there(
            values in proptest::collection::vec(prop_oneof![0u64..5, 0u64..200], 1..2000),
            max in 1usize..20,
        ) {
            let (mut top, mut exact) = (Top::new(max), BTreeMap::<String, u64>::new());
            for value in &values {
                let text = value.to_string();
                top.add(hash(*value), &text, 1);
                *exact.entry(text).or_default() += 1;
            }
            prop_assert_eq!(top.total(), values.len() as u64);
            let found = Top::larger(&top, &Top::new(max), max);
            for (text, count, error) in &found {
                prop_assert!((count - error..=*count).contains(&exact[text]), "{}: {} - {}", text, count, error);
            }
            prop_assert!(top.counters.len() <= max);
            for (text, count) in exact {
                // seen twice while it held a counter, or its text would not be known
                if count * max as u64 > 2 * values.len() as u64 + 2 * max as u64 {
                    prop_assert!(found.iter().any(|(there, ..)| *there == text), "{} with {}", text, count);
                }
            }
        }
    }

    #[test]
    fn a_long_value_is_shown_by_its_beginning_and_stays_one_of_its_own() {
        let mut top = Top::new(10);
        let long = "é".repeat(2000);
        for key in [1, 2, 2] {
            top.add(hash(key), &long, 1);
        }
        let found = Top::larger(&top, &Top::new(10), 10);
        let beginning = format!("{}…", "é".repeat(SHOWN / 2));
        assert_eq!(found, [(beginning.clone(), 2, 0), (beginning, 1, 0)]);
        assert!(top.bytes() < 4000, "{}", top.bytes());
    }

    #[test]
    fn of_two_windows_the_larger_counts() {
        let (mut one, mut other) = (Top::new(10), Top::new(10));
        for (value, in_one, in_other) in [("a", 5, 3), ("b", 0, 4), ("c", 1, 1)] {
            let key = hash(u64::from(value.as_bytes()[0]));
            // at once or one by one is the same
            (0..in_one).for_each(|_| one.add(key, value, 1));
            (in_other > 0).then(|| other.add(key, value, in_other));
        }
        let found = Top::larger(&one, &other, 2);
        assert_eq!(found, [("a".to_owned(), 5, 0), ("b".to_owned(), 4, 0)]);
    }
}
