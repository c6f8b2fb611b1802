//! `/api/v1/workloads`: every workload with its series and its runs.

use serde::Serialize;

use super::query::Query;
use super::{LineScope, Refused, Report, json, rounded, time};
use crate::cardinality::WorkloadLine;

#[derive(Debug, Serialize)]
struct WorkloadsResponse {
    at: String,
    rows_total: usize,
    offset: usize,
    limit: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    line_scope: LineScope,
    cluster: String,
    namespace: String,
    kind: &'static str,
    name: String,
    active_series: u64,
    new_series_last_hour: u64,
    ended_series_total: u64,
    expired_series_total: u64,
    runs_reported: u32,
    runs_over: u32,
    runs_silent: u32,
    new_runs_last_hour: u32,
    runs_growth_per_hour: Option<f64>,
    runs_double_in_hours: Option<f64>,
    runs_over_examples: Vec<String>,
}

const SORTS: [&str; 4] = ["active", "new", "runs", "name"];

pub(super) fn answer(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let sort = query.one_of("sort", &SORTS)?;
    let limit = query.number("limit", 100, (1, 10_000))?;
    let offset = query.number("offset", 0, (0, 100_000_000))?;
    let kind = query.get("kind");
    let namespace = query.get("namespace");
    let wanted = |line: &WorkloadLine| {
        line.number != 0
            && report.covers(line.tenant)
            && kind.is_none_or(|kind| kind == line.kind.as_str())
            && namespace.is_none_or(|namespace| namespace == line.namespace)
    };
    let mut lines: Vec<WorkloadLine> = report.view.tracker.workloads(report.view.now);
    lines.retain(wanted);
    let weight = |line: &WorkloadLine| match sort {
        "active" => line.counts.active,
        "new" => line.counts.new_last_hour,
        "runs" => u64::from(line.runs),
        _ => 0,
    };
    fn full_name(line: &WorkloadLine) -> (u32, &str, &str, &str, &str) {
        (line.tenant, &line.cluster, &line.namespace, &line.name, line.kind.as_str())
    }
    lines.sort_unstable_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| full_name(a).cmp(&full_name(b))));
    let answer = WorkloadsResponse {
        at: time(report.view.now),
        rows_total: lines.len(),
        offset,
        limit,
        rows: lines.into_iter().skip(offset).take(limit).map(|line| row(report, line)).collect(),
    };
    Ok(json(&answer))
}

fn row(report: &Report<'_>, line: WorkloadLine) -> Row {
    let growth = line.runs_growth_per_hour.filter(|_| line.runs_end());
    Row {
        line_scope: report.line_scope(line.tenant),
        kind: line.kind.as_str(),
        active_series: line.counts.active,
        new_series_last_hour: line.counts.new_last_hour,
        ended_series_total: line.counts.ended,
        expired_series_total: line.counts.expired,
        runs_reported: line.runs,
        runs_over: line.runs_over,
        runs_silent: line.runs_silent,
        new_runs_last_hour: line.new_runs_last_hour,
        runs_growth_per_hour: growth.map(rounded),
        runs_double_in_hours: growth
            .filter(|more| *more >= 1.0)
            .map(|more| rounded(f64::from(line.runs) / more)),
        runs_over_examples: line.runs_over_examples,
        cluster: line.cluster,
        namespace: line.namespace,
        name: line.name,
    }
}
