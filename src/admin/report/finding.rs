//! What multiplies series, for `/api/v1/churn`.

use serde::Serialize;

use super::remedy::Remedy;
use super::trial::Advised;
use super::{LineScope, Report, rounded};
use crate::cardinality::{Culprit, Finding, WorstMetric};

#[derive(Debug, Serialize)]
pub(super) struct Found {
    kind: &'static str,
    /// For people.
    sentence: String,
    #[serde(flatten)]
    line_scope: LineScope,
    pub(super) workload: Option<Workload>,
    node: Option<String>,
    metric: Option<Worst>,
    /// The counts are over so many minutes, 60 at most.
    minutes: u32,
    new_series: u64,
    new_runs: u32,
    runs_reported: u32,
    runs_over: u32,
    series_of_runs_over: u64,
    runs_growth_per_hour: Option<f64>,
    runs_double_in_hours: Option<f64>,
    runs_over_examples: Vec<String>,
    /// What to do where they come from, and why no remedy is offered, where something is to be done.
    advice: Option<String>,
    remedy: Option<Remedy>,
}

#[derive(Debug, Serialize)]
pub(super) struct Workload {
    pub(super) cluster: String,
    pub(super) namespace: String,
    pub(super) kind: &'static str,
    pub(super) name: String,
}

impl From<&Culprit> for Workload {
    fn from(culprit: &Culprit) -> Self {
        Self {
            cluster: culprit.cluster.clone(),
            namespace: culprit.namespace.clone(),
            kind: culprit.kind.as_str(),
            name: culprit.name.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Worst {
    name: String,
    new_series: u64,
    changed_labels: Vec<String>,
    share: f64,
    pattern: String,
}

impl From<&WorstMetric> for Worst {
    fn from(worst: &WorstMetric) -> Self {
        Self {
            name: worst.name.clone(),
            new_series: worst.new_series,
            changed_labels: worst.labels.clone(),
            share: rounded(worst.share),
            pattern: worst.pattern.clone(),
        }
    }
}

/// A finding as JSON has it.
pub(super) fn found(report: &Report<'_>, finding: &Finding, advised: Advised) -> Found {
    Found {
        kind: finding.kind.as_str(),
        sentence: finding.sentence(),
        line_scope: report.line_scope(finding.tenant),
        workload: finding.culprit.as_ref().map(Workload::from),
        node: finding.node.clone(),
        metric: finding.worst.as_ref().map(Worst::from),
        minutes: finding.minutes,
        new_series: finding.series,
        new_runs: finding.new_runs,
        runs_reported: finding.runs,
        runs_over: finding.runs_over,
        series_of_runs_over: finding.series_held,
        runs_growth_per_hour: finding.growth_per_hour.map(rounded),
        runs_double_in_hours: finding.doubles_in_hours.map(rounded),
        runs_over_examples: finding.examples.clone(),
        advice: advised.advice,
        remedy: advised.remedy,
    }
}
