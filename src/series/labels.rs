//! A borrowed label set, sorted by name.

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
        // Label sets are short: a scan beats a binary search and stops at the first larger name.
        for (candidate, value) in self.pairs {
            if *candidate >= name {
                return if *candidate == name { value } else { "" };
            }
        }
        ""
    }

    /// The metric name; `""` where there is none.
    pub fn metric(&self) -> &'a str {
        self.get("__name__")
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
