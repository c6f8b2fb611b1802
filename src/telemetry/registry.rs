//! Makes handles for the metrics of the table and renders them all.
//!
//! One registry per gate, not a global one: two gates in one process (as in `demo`) count apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use parking_lot::Mutex;

use super::durations::Durations;
use super::machine;
use super::names::{self, Kind, Metric};
use super::text::{self, Labels};

const METADATA: Metadata<'static> = Metadata::new("seriesgate", Level::INFO, None);

/// All metrics of one gate.
pub struct Registry {
    recorder: PrometheusRecorder,
    /// By name and labels.
    durations: Mutex<BTreeMap<(&'static str, Labels), Arc<Durations>>>,
}

impl Default for Registry {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for metric in names::ALL {
            match metric.kind {
                Kind::Counter => recorder.describe_counter(metric.name.into(), None, metric.help.into()),
                Kind::Gauge => recorder.describe_gauge(metric.name.into(), None, metric.help.into()),
                Kind::Histogram => {}
            }
        }
        Self { recorder, durations: Mutex::default() }
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

    /// A histogram; the same name and labels give the same histogram.
    pub fn durations(&self, metric: &Metric, labels: &[(&'static str, &str)]) -> Arc<Durations> {
        debug_assert_eq!(metric.kind, Kind::Histogram);
        debug_assert!(are_of(metric, labels), "{}", metric.name);
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Arc::clone(self.durations.lock().entry((metric.name, labels)).or_default())
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut out = self.recorder.handle().render();
        let durations = self.durations.lock();
        for metric in names::ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
            let mut has_head = false;
            for ((_, labels), durations) in durations.iter().filter(|((name, _), _)| *name == metric.name) {
                if !has_head {
                    text::head(&mut out, metric);
                    has_head = true;
                }
                durations.write(&mut out, metric.name, labels);
            }
        }
        machine::write(&mut out);
        out
    }

    /// Folds what has accumulated; to be called every few seconds whether or not anyone scrapes.
    pub fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }
}

fn key(metric: &Metric, labels: &[(&'static str, &str)]) -> Key {
    debug_assert!(are_of(metric, labels), "{}", metric.name);
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

/// Whether the labels are those of the table, in its order.
fn are_of(metric: &Metric, labels: &[(&'static str, &str)]) -> bool {
    labels.iter().map(|(name, _)| *name).eq(metric.labels.iter().copied())
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
