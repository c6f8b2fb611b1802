//! Keeping series as examples, and showing those that were kept.

use ahash::AHashSet;

use super::Tracker;
use crate::cardinality::examples::Example;
use crate::series::identity;
use crate::series::{Attribution, Labels};
use crate::wire::labels::LabelRun;

impl Tracker {
    /// Keeps a series that was looked at as an example, if one like it is wanted. Its labels are sorted.
    pub fn show(&self, tenant: u32, pairs: &[(&str, &str)], attribution: Attribution, now: u32) {
        let make = || {
            let mut labels =
                Vec::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len() + 12).sum());
            identity::encode_canonical(pairs, &mut labels);
            Example { tenant, labels: labels.into() }
        };
        let workload = self.units.with(attribution.unit, |unit| unit.workload);
        let key = self.hash.hash_one(("example", attribution.metric, workload));
        if self.by_metric.offer(key, now, make)
            && let Some(subject) = self.subjects.about(Labels::from_sorted(pairs)).subject()
        {
            let key = self.hash.hash_one(("example of", workload, subject.labels));
            self.by_subject.offer(key, now, make);
        }
    }

    /// Shows each series that is known by example, with the number of its tenant.
    pub fn each_example(&self, mut show: impl FnMut(u32, Labels<'_>)) {
        let mut seen = AHashSet::new();
        for example in self.by_subject.all().chain(self.by_metric.all()) {
            if !seen.insert(self.hash.hash_one(&example)) {
                continue;
            }
            let run = LabelRun::new(&example.labels, 0, example.labels.len()).map_while(Result::ok);
            let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
            let pairs: Vec<_> = run.map(|label| (text(label.name), text(label.value))).collect();
            show(example.tenant, Labels::from_sorted(&pairs));
        }
    }

    /// How many examples there are, and the bytes that they take.
    pub(in crate::cardinality) fn examples_kept(&self) -> (usize, usize) {
        let (metric, subject) = (self.by_metric.usage(), self.by_subject.usage());
        (metric.0 + subject.0, metric.1 + subject.1)
    }
}
