//! A borrowed label set, sorted by name.

use std::cmp::Ordering;
use std::fmt;

use super::quote;

/// The labels of one series: sorted by name in byte order, no duplicate names, no empty names or values.
/// Whoever builds one promises that; `validate` does it for what comes from the wire.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    pairs: &'a [(&'a str, &'a str)],
}

impl<'a> Labels<'a> {
    /// Wraps pairs that are sorted and valid already.
    pub fn from_sorted(pairs: &'a [(&'a str, &'a str)]) -> Self {
        debug_assert!(pairs.windows(2).all(|w| w[0].0 < w[1].0), "labels are sorted by name");
        Self { pairs }
    }

    /// The value of a label; `""` where it is missing, as PromQL matchers and relabel rules see it.
    pub fn get(&self, name: &str) -> &'a str {
        // Label sets are short: a scan beats a binary search and stops at the first larger name. Most names differ in
        // their first byte, which saves a call for each.
        let first = name.as_bytes().first();
        for (candidate, value) in self.pairs {
            let order = candidate.as_bytes().first().cmp(&first).then_with(|| (*candidate).cmp(name));
            if order != Ordering::Less {
                return if order == Ordering::Equal { value } else { "" };
            }
        }
        ""
    }

    /// The metric name; `""` where there is none.
    pub fn metric(&self) -> &'a str {
        self.get("__name__")
    }

    /// The pair at a place in name order.
    pub fn at(&self, place: usize) -> Option<(&'a str, &'a str)> {
        self.pairs.get(place).copied()
    }

    /// All pairs in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.pairs.iter().copied()
    }

    /// How many labels, the metric name included.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// As PromQL writes a series: `name{label="value"}`, or `{"odd name","odd.label"="value"}`. All of it prints.
impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric();
        let plain_metric = quote::is_metric_name(metric);
        if plain_metric {
            f.write_str(metric)?;
        }
        let others = self.pairs.iter().filter(|(name, _)| *name != "__name__");
        if plain_metric && others.clone().next().is_none() {
            return Ok(());
        }
        f.write_str("{")?;
        let mut comma = "";
        if !plain_metric && !metric.is_empty() {
            f.write_str(&quote::promql(metric))?;
            comma = ",";
        }
        for (name, value) in others {
            f.write_str(comma)?;
            f.write_str(&quote::label(name))?;
            f.write_str("=")?;
            f.write_str(&quote::promql(value))?;
            comma = ",";
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_promql_writes_it() {
        for (pairs, expected) in [
            (&[("__name__", "up")][..], "up"),
            (&[("__name__", "up"), ("a", "x\"\\\n")], r#"up{a="x\"\\\n"}"#),
            (&[("__name__", "a.b"), ("c.d", "é")], r#"{"a.b","c.d"="é"}"#),
            (&[("__name__", "up"), ("a", "\u{202e}\x1b[m")], r#"up{a="\u202e\u001b[m"}"#),
            (&[("a", "1"), ("b", "2")], r#"{a="1",b="2"}"#),
            (&[], "{}"),
        ] {
            assert_eq!(Labels::from_sorted(pairs).to_string(), expected);
        }
    }
}
