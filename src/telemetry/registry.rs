//! Makes handles for the metrics of the table and renders them all.
//!
//! One registry per gate, not a global one: two gates in one process (as in `demo`) count apart.

use std::collections::BTreeMap;

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use parking_lot::Mutex;

use super::names::{Kind, Metric};

const METADATA: Metadata<'static> = Metadata::new("seriesgate", Level::INFO, None);

/// All metrics of one gate.
pub struct Registry {
    recorder: PrometheusRecorder,
}

impl Default for Registry {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for metric in super::names::ALL {
            match metric.kind {
                Kind::Counter => recorder.describe_counter(metric.name.into(), None, metric.help.into()),
                Kind::Gauge => recorder.describe_gauge(metric.name.into(), None, metric.help.into()),
            }
        }
        Self { recorder }
    }
}

impl Registry {
    /// A counter; the same name and labels give the same counter.
    pub fn counter(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Counter {
        debug_assert_eq!(metric.kind, Kind::Counter);
        self.recorder.register_counter(&key(metric, labels), &METADATA)
    }

    /// A gauge; the same name and labels give the same gauge.
    pub fn gauge(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Gauge {
        debug_assert_eq!(metric.kind, Kind::Gauge);
        self.recorder.register_gauge(&key(metric, labels), &METADATA)
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        self.recorder.handle().render()
    }

    /// Folds what has accumulated; to be called every few seconds whether or not anyone scrapes.
    pub fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }
}

fn key(metric: &Metric, labels: &[(&'static str, &str)]) -> Key {
    debug_assert!(labels.iter().map(|(name, _)| *name).eq(metric.labels.iter().copied()), "{}", metric.name);
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

/// A counter for each HTTP status code, made when the code is first seen: at most 900 of them.
pub struct ByCode {
    metric: &'static Metric,
    fixed: Option<(&'static str, String)>,
    seen: Mutex<BTreeMap<u16, Counter>>,
}

impl ByCode {
    /// `fixed` is a label that stands before `code`.
    pub fn new(metric: &'static Metric, fixed: Option<(&'static str, String)>) -> Self {
        Self { metric, fixed, seen: Mutex::default() }
    }

    /// Makes the counter of a code, so that it is there, at zero, before the code is seen.
    pub fn expect(self, registry: &Registry, code: u16) -> Self {
        self.add(registry, code, 0);
        self
    }

    /// Counts one answer.
    pub fn increment(&self, registry: &Registry, code: u16) {
        self.add(registry, code, 1);
    }

    fn add(&self, registry: &Registry, code: u16, by: u64) {
        let mut seen = self.seen.lock();
        let counter = seen.entry(code).or_insert_with(|| {
            let code = code.to_string();
            let mut labels: Vec<(&'static str, &str)> = Vec::with_capacity(2);
            if let Some((name, value)) = &self.fixed {
                labels.push((name, value));
            }
            labels.push(("code", &code));
            registry.counter(self.metric, &labels)
        });
        counter.increment(by);
    }
}
