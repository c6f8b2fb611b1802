//! `/api/v1/churn`: what is new, and why: findings, then counts by metric, workload, label or sender.

use std::collections::BTreeMap;

use serde::Serialize;

use super::finding::{Found, Workload, found};
use super::query::Query;
use super::{LineScope, Refused, Report, json, rounded, time, trial};
use crate::cardinality::{CauseLine, Counts, Lifetimes, WorkloadLine};

/// Causes shown with each row.
const CAUSES: usize = 3;
/// Values shown with each label.
const VALUES: usize = 5;

#[derive(Debug, Serialize)]
struct ChurnResponse {
    at: String,
    watching_since: String,
    warming_up: bool,
    incomplete: bool,
    active_series: u64,
    new_series_last_hour: u64,
    new_series_last_minute: u64,
    learned_series_total: u64,
    expired_series_total: u64,
    findings: Vec<Found>,
    by: &'static str,
    rows_total: usize,
    offset: usize,
    limit: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Default, Serialize)]
struct Row {
    /// Of the workload.
    #[serde(skip)]
    number: u32,
    name: String,
    #[serde(flatten)]
    line_scope: LineScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload>,
    active_series: u64,
    new_series_last_hour: u64,
    new_series_last_minute: u64,
    learned_series_total: u64,
    ended_series_total: u64,
    expired_series_total: u64,
    /// Upper ends; null where it is more than 30 days.
    lifetime_seconds: Option<Lifetimes>,
    samples_per_series: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_values: Vec<Value>,
    causes: Vec<Cause>,
}

#[derive(Debug, Serialize)]
struct Value {
    value: String,
    series: u64,
    /// By so much the count may be too high.
    error_series: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Cause {
    metric: String,
    workload: Option<String>,
    changed_labels: Vec<String>,
    pattern: String,
    /// New series of the last hour in which nothing else was new.
    blamed_series_last_hour: u64,
    /// New series of the last hour whose other labels were new too.
    first_series_last_hour: u64,
}

pub(super) fn answer(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let by = query.one_of("by", &["metric", "workload", "label", "sender"])?;
    let limit = query.number("limit", 20, (1, 10_000))?;
    let offset = query.number("offset", 0, (0, 100_000_000))?;
    let view = report.view;
    let (tracker, now) = (view.tracker, view.now);
    let workloads = tracker.workloads(now);
    let causes: Vec<CauseLine> =
        tracker.causes(now).into_iter().filter(|cause| report.covers(cause.tenant)).collect();
    let metrics: Vec<_> =
        tracker.metrics(now).into_iter().filter(|line| report.covers(line.tenant)).collect();
    let sum = |of: fn(&Counts) -> u64| metrics.iter().map(|line| of(&line.counts)).sum();
    let mut findings = tracker.findings(now);
    findings.retain(|finding| report.covers(finding.tenant));
    let remedies = trial::remedies(report, &findings);
    let mut answer = ChurnResponse {
        at: time(now),
        watching_since: time(tracker.started()),
        warming_up: tracker.is_warming_up(now),
        incomplete: view.incomplete,
        active_series: sum(|counts| counts.active),
        new_series_last_hour: sum(|counts| counts.new_last_hour),
        new_series_last_minute: sum(|counts| counts.new_last_minute),
        learned_series_total: sum(|counts| counts.learned),
        expired_series_total: sum(|counts| counts.expired),
        findings: findings.iter().zip(remedies).map(|(of, advised)| found(report, of, advised)).collect(),
        by,
        rows_total: 0,
        offset,
        limit,
        rows: Vec::new(),
    };
    let lines = |lines: Vec<crate::cardinality::Line>| -> Vec<Row> {
        lines
            .into_iter()
            .filter(|line| report.covers(line.tenant))
            .map(|line| row(line.name, report.line_scope(line.tenant), &line.counts))
            .collect()
    };
    let mut rows = match by {
        "metric" => lines(metrics),
        "sender" => lines(tracker.senders(now)),
        "workload" => by_workload(report, &workloads),
        _ => by_label(report, &causes),
    };
    rows.retain(|row| row.active_series + row.expired_series_total + row.new_series_last_hour > 0);
    rows.sort_unstable_by(|a, b| {
        (b.new_series_last_hour, b.active_series)
            .cmp(&(a.new_series_last_hour, a.active_series))
            .then_with(|| (&a.name, &a.line_scope).cmp(&(&b.name, &b.line_scope)))
    });
    answer.rows_total = rows.len();
    answer.rows = rows.into_iter().skip(offset).take(limit).collect();
    add_causes(&mut answer.rows, by, &causes, &workloads);
    Ok(json(&answer))
}

fn row(name: String, line_scope: LineScope, counts: &Counts) -> Row {
    Row {
        name,
        line_scope,
        active_series: counts.active,
        new_series_last_hour: counts.new_last_hour,
        new_series_last_minute: counts.new_last_minute,
        learned_series_total: counts.learned,
        ended_series_total: counts.ended,
        expired_series_total: counts.expired,
        lifetime_seconds: counts.lifetimes,
        samples_per_series: counts.samples_per_series.map(rounded),
        ..Row::default()
    }
}

fn by_workload(report: &Report<'_>, workloads: &[WorkloadLine]) -> Vec<Row> {
    let own = workloads.iter().filter(|line| line.number == 0 || report.covers(line.tenant));
    own.map(|line| Row {
        number: line.number,
        workload: (line.number != 0).then(|| workload(line)),
        ..row(title(line), report.line_scope(line.tenant), &line.counts)
    })
    .collect()
}

/// Labels have no births of their own: what is new by them are the series that blame them.
fn by_label(report: &Report<'_>, causes: &[CauseLine]) -> Vec<Row> {
    let mut blamed: BTreeMap<&str, u64> = BTreeMap::new();
    for cause in causes {
        for label in &cause.labels {
            *blamed.entry(label).or_default() += cause.blamed_last_hour;
        }
    }
    let rows = report.labels(VALUES).into_iter().map(|(name, label)| Row {
        new_series_last_hour: blamed.get(name.as_str()).copied().unwrap_or(0),
        active_series: label.series,
        values: Some(label.values.round() as u64),
        top_values: label
            .top
            .into_iter()
            .take(VALUES)
            .map(|(value, series, error_series)| Value { value, series, error_series })
            .collect(),
        name,
        ..Row::default()
    });
    rows.collect()
}

fn add_causes(rows: &mut [Row], by: &str, causes: &[CauseLine], workloads: &[WorkloadLine]) {
    // sorted by number
    let named = |number: u32| {
        let at = workloads.binary_search_by_key(&number, |line| line.number).ok()?;
        (number != 0).then(|| title(&workloads[at]))
    };
    for row in rows {
        let fits = |cause: &&CauseLine| match by {
            "metric" => cause.metric == row.name,
            "workload" => cause.workload == row.number,
            "label" => cause.labels.contains(&row.name),
            _ => false,
        };
        row.causes = causes
            .iter()
            .filter(fits)
            .take(CAUSES)
            .map(|cause| Cause {
                metric: cause.metric.clone(),
                workload: named(cause.workload),
                changed_labels: cause.labels.clone(),
                pattern: cause.pattern.clone(),
                blamed_series_last_hour: cause.blamed_last_hour,
                first_series_last_hour: cause.first_last_hour,
            })
            .collect();
    }
}

fn workload(line: &WorkloadLine) -> Workload {
    Workload {
        cluster: line.cluster.clone(),
        namespace: line.namespace.clone(),
        kind: line.kind.as_str(),
        name: line.name.clone(),
    }
}

/// `kind namespace/name`, unique within a cluster.
fn title(line: &WorkloadLine) -> String {
    match (line.number, line.cluster.as_str()) {
        (0, _) => String::new(),
        (_, "") => format!("{} {}/{}", line.kind.as_str(), line.namespace, line.name),
        (_, cluster) => format!("{} {cluster}/{}/{}", line.kind.as_str(), line.namespace, line.name),
    }
}
