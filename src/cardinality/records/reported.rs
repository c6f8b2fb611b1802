//! The reported runs of a workload, from old to new.

/// By schedule, else by first sight: Unix seconds of sample time, ascending. As many as there are reported runs, so no more
/// than `tracking.max_runs` over all workloads.
#[derive(Debug, Default)]
pub(in crate::cardinality) struct ReportedRuns(Vec<u32>);

impl ReportedRuns {
    /// One more.
    pub(in crate::cardinality) fn add(&mut self, order: u32) {
        let at = self.0.partition_point(|other| *other <= order);
        self.0.insert(at, order);
    }

    /// One less.
    pub(in crate::cardinality) fn take(&mut self, order: u32) {
        if let Ok(at) = self.0.binary_search(&order) {
            self.0.remove(at);
            if self.0.len() < self.0.capacity() / 4 {
                self.0.shrink_to(self.0.len() * 2);
            }
        }
    }

    /// How many are newer.
    pub(in crate::cardinality) fn newer_than(&self, order: u32) -> u32 {
        (self.0.len() - self.0.partition_point(|other| *other <= order)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_that_are_newer() {
        let mut runs = ReportedRuns::default();
        for order in [50, 10, 30, 30, 20] {
            runs.add(order);
        }
        assert_eq!([0, 10, 20, 30, 40, 50, 60].map(|order| runs.newer_than(order)), [5, 4, 3, 1, 1, 0, 0]);
        for order in [30, 99, 50] {
            runs.take(order);
        }
        assert_eq!([0, 10, 20, 30].map(|order| runs.newer_than(order)), [3, 2, 1, 0]);
        (0..1000).for_each(|order| runs.add(order));
        (0..1000).for_each(|order| runs.take(order));
        assert_eq!(runs.newer_than(0), 3);
        assert!(runs.0.capacity() < 50, "{}", runs.0.capacity());
    }
}
