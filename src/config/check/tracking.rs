//! `tracking`.

use super::Checker;
use crate::config::Tracking;
use crate::config::raw::RawTracking;

impl Checker<'_> {
    pub(super) fn tracking(&mut self, raw: &RawTracking) -> Tracking {
        Tracking {
            max_metrics: self.number(&raw.max_metrics, 1, 1_000_000),
            max_workloads: self.number(&raw.max_workloads, 1, 1_000_000),
            max_runs: self.number(&raw.max_runs, 1, 10_000_000),
            max_senders: self.number(&raw.max_senders, 1, 900),
            max_nodes: self.number(&raw.max_nodes, 1, 1_000_000),
            max_owners: self.number(&raw.max_owners, 1, 10_000_000),
            max_causes: self.number(&raw.max_causes, 1, 1_000_000),
            max_labels: self.number(&raw.max_labels, 1, 100_000),
            values_per_label: self.number(&raw.values_per_label, 1, 10_000),
            filter_bytes: self.size(&raw.filter_size, "1MiB", "16GiB"),
        }
    }
}
