//! Keeping series as examples, and showing those that were kept.

use ahash::AHashSet;

use super::Tracker;
use crate::cardinality::examples::{Example, Offered};
use crate::series::Labels;
use crate::wire::labels::LabelRun;

impl Tracker {
    /// Keeps a series of a metric and a workload as an example, if one like it is wanted; says whether another may be.
    pub fn show(&self, tenant: u32, labels: Labels<'_>, (metric, workload): (u32, u32), now: u32) -> bool {
        let key = self.hash.hash_one(("example", metric, workload));
        matches!(
            self.by_metric.offer(key, now, || Example::of(tenant, labels)),
            Offered::Kept | Offered::Unfit
        )
    }

    /// The same of a workload and the labels that name its pod or job, where there are such.
    pub fn show_subject(&self, tenant: u32, labels: Labels<'_>, workload: u32, now: u32) -> bool {
        let Some(subject) = self.subjects.about(labels).subject() else { return false };
        let key = self.hash.hash_one(("example of", workload, subject.labels));
        matches!(
            self.by_subject.offer(key, now, || Example::of(tenant, labels)),
            Offered::Kept | Offered::Unfit
        )
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
