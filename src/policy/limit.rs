//! How many series may pass: what a policy with `action: limit` says.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Aggregation, OwnedLabels, PolicyIndex, VirtualLabel, WorkloadSource};
use crate::series::Labels;

/// What stands where the values of folded labels stood.
pub const FOLDED: &str = "__overflow__";

/// A limit, for each of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Labels whose values make a group. None: all that the policy matches, of one tenant, is one group.
    pub by: Vec<String>,
    /// Series that are admitted and not idle, at most.
    pub max_series: Option<u32>,
    /// Series admitted within an hour, at most.
    pub max_new_per_hour: Option<u32>,
    /// Groups of one tenant at most; what would be one more shares one group with all others that would.
    pub max_groups: u32,
    /// From this share of a limit on a group is told of, percent.
    pub warn_at: u8,
    /// What becomes of series that are not admitted; `None`: they are held back.
    pub fold: Option<Fold>,
}

/// How series that are not admitted are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Labels whose values become [`FOLDED`].
    pub labels: Vec<String>,
    /// How those that become one are added up.
    pub aggregation: Arc<Aggregation>,
}

/// Whether a limit lets a series pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does: the walk goes on.
    Admitted,
    /// The group has as many as it may have.
    Exceeded,
    /// Nothing could be remembered of it: it is held back, whatever the limit says of what it does not admit.
    NoRoom,
}

/// What a walk needs of what is known of other series. It is given the labels as the policy sees them.
pub trait OtherSeries {
    /// Whether a limit lets the series in. Of its workload `workload` knows.
    fn admit(&self, policy: PolicyIndex, labels: Labels<'_>, workload: &WorkloadSource<'_>) -> Admission;

    /// The series would become part of a group, were the policy in force.
    fn would_join(&self, policy: PolicyIndex, aggregation: &Aggregation, labels: Labels<'_>);
}

/// Nothing is known of any other series, and every limit says this.
pub struct NoOthers(pub Admission);

impl OtherSeries for NoOthers {
    fn admit(&self, _: PolicyIndex, _: Labels<'_>, _: &WorkloadSource<'_>) -> Admission {
        self.0
    }

    fn would_join(&self, _: PolicyIndex, _: &Aggregation, _: Labels<'_>) {}
}

impl Limit {
    /// The values that make the group of a series, in the order of `by`.
    pub fn group<'l>(
        &'l self,
        labels: Labels<'l>,
        workload: &'l WorkloadSource<'_>,
    ) -> impl Iterator<Item = (&'l str, &'l str)> {
        self.by.iter().map(move |name| {
            let value =
                VirtualLabel::named(name).map_or_else(|| labels.get(name), |label| workload.label(label));
            (name.as_str(), value)
        })
    }
}

impl Fold {
    /// The labels of what a series becomes a part of; `None` where it has none of those that are folded.
    pub fn apply(&self, labels: Labels<'_>) -> Option<OwnedLabels> {
        let is_folded = |name: &str| self.labels.iter().any(|folded| folded == name);
        let folded = labels.iter().map(|(name, value)| {
            let value = if is_folded(name) { Cow::Borrowed(FOLDED) } else { Cow::Borrowed(value) };
            (Box::from(name), Box::from(&*value))
        });
        labels.iter().any(|(name, value)| is_folded(name) && value != FOLDED).then(|| folded.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Keys, borrowed};

    fn fold(labels: &[&str]) -> Fold {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Fold { labels, aggregation: Arc::new(Aggregation { keys: Keys::All, ..Aggregation::default() }) }
    }

    #[test]
    fn folding_keeps_all_labels_but_the_values_of_those_that_are_named() {
        let pairs = [("__name__", "m"), ("pod", "a-1"), ("uid", "7")];
        let folded = fold(&["pod", "uid", "absent"]).apply(Labels::from_sorted(&pairs)).unwrap();
        assert_eq!(borrowed(&folded), [("__name__", "m"), ("pod", FOLDED), ("uid", FOLDED)]);
        assert_eq!(fold(&["absent"]).apply(Labels::from_sorted(&pairs)), None);
        let already = [("__name__", "m"), ("pod", FOLDED)];
        assert_eq!(fold(&["pod"]).apply(Labels::from_sorted(&already)), None);
    }
}
