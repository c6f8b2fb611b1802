//! How full the tables behind reports are, and how much the report has to say.

use std::sync::Arc;

use metrics::{Counter, Gauge};

use super::names;
use super::registry::Registry;
use crate::cardinality::{Finding, FindingKind, Usage};

/// Gauges that the janitor sets once a minute.
pub struct TrackingMetrics {
    registry: Arc<Registry>,
    warming_up: Gauge,
    findings: [(FindingKind, Gauge); FindingKind::ALL.len()],
    stuck_runs: Gauge,
    stuck_series: Gauge,
    forgotten: Counter,
    sketch_bytes: Gauge,
}

impl TrackingMetrics {
    /// Registers the handles.
    pub fn new(registry: &Arc<Registry>) -> Self {
        let finding =
            |kind: FindingKind| (kind, registry.gauge(&names::FINDINGS, &[("kind", kind.as_str())]));
        Self {
            warming_up: registry.gauge(&names::WARMING_UP, &[]),
            findings: FindingKind::ALL.map(finding),
            stuck_runs: registry.gauge(&names::STUCK_RUNS, &[]),
            stuck_series: registry.gauge(&names::STUCK_SERIES, &[]),
            forgotten: registry.counter(&names::TRACKING_FORGOTTEN, &[]),
            sketch_bytes: registry.gauge(&names::TRACKING_BYTES, &[]),
            registry: Arc::clone(registry),
        }
    }

    /// Says what is known now.
    pub fn publish(&self, warming_up: bool, usage: &Usage, findings: &[Finding]) {
        self.warming_up.set(f64::from(u8::from(warming_up)));
        for (kind, gauge) in &self.findings {
            gauge.set(findings.iter().filter(|finding| finding.kind == *kind).count() as f64);
        }
        let stuck = || findings.iter().filter(|finding| finding.kind == FindingKind::StuckRuns);
        self.stuck_runs.set(stuck().map(|finding| f64::from(finding.runs_over)).sum::<f64>());
        self.stuck_series.set(stuck().map(|finding| finding.series_held as f64).sum::<f64>());
        for table in usage.tables {
            let what = [("what", table.what)];
            self.registry.gauge(&names::TRACKED, &what).set(table.records as f64);
            self.registry.gauge(&names::TRACKED_TEXT, &what).set(table.text_bytes as f64);
            self.registry.counter(&names::TRACKING_REFUSED, &what).absolute(table.refused);
        }
        self.registry.gauge(&names::TRACKED, &[("what", "owners")]).set(usage.owners as f64);
        self.forgotten.absolute(usage.filters_dropped);
        self.sketch_bytes.set(usage.sketch_bytes as f64);
    }
}
