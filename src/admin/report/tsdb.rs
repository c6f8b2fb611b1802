//! `/api/v1/status/tsdb`: the shape of Prometheus (web/api/v1), with the fields that VictoriaMetrics adds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::query::Query;
use super::{Refused, Report, json};

#[derive(Debug, Serialize)]
struct TsdbResponse {
    status: &'static str,
    data: Data,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    head_stats: HeadStats,
    series_count_by_metric_name: Vec<Item>,
    label_value_count_by_label_name: Vec<Item>,
    memory_in_bytes_by_label_name: Vec<Item>,
    series_count_by_label_value_pair: Vec<Item>,
    // VictoriaMetrics
    total_series: u64,
    total_label_value_pairs: u64,
    series_count_by_label_name: Vec<Item>,
    series_count_by_focus_label_value: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: u64,
    num_label_pairs: u64,
    chunk_count: u64,
    min_time: i64,
    max_time: i64,
}

#[derive(Debug, Serialize)]
struct Item {
    name: String,
    value: u64,
}

pub(super) fn answer(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let top = query.number("topN", 10, (1, 10_000))?;
    let limit = query.number("limit", top, (1, 10_000))?;
    if query.get("date").is_some() {
        return Err("`date` cannot be answered: this gate knows the series that are active now".to_owned());
    }
    if query.metric("match[]")?.is_some() {
        return Err("`match[]` cannot be answered: label values are counted over all metrics".to_owned());
    }
    let view = report.view;
    let mut metrics: BTreeMap<String, u64> = BTreeMap::new();
    for line in view.tracker.metrics(view.now).into_iter().filter(|line| report.covers(line.tenant)) {
        *metrics.entry(line.name).or_default() += line.counts.active;
    }
    let series: u64 = metrics.values().sum();
    let distinct = metrics.values().filter(|count| **count > 0).count() as u64;
    let labels = report.labels(limit);
    let focus = query.get("focusLabel").unwrap_or_default();
    let pairs = labels.iter().flat_map(|(name, label)| {
        label.top.iter().map(move |(value, count, _)| (format!("{name}={value}"), *count))
    });
    let values = |label: &super::mimir::Merged| label.values.round() as u64;
    let label_pairs = labels.values().map(values).sum::<u64>() + distinct;
    let focused = labels
        .get(focus)
        .map(|label| label.top.iter().map(|(value, count, _)| (value.clone(), *count)).collect::<Vec<_>>());
    let by_label = |of: &dyn Fn(&super::mimir::Merged) -> u64, named: u64| {
        let all = labels.iter().map(|(name, label)| (name.clone(), of(label)));
        most(all.chain([("__name__".to_owned(), named)]), limit)
    };
    let data = Data {
        head_stats: HeadStats {
            num_series: series,
            num_label_pairs: label_pairs,
            chunk_count: 0,
            min_time: i64::from(view.tracker.started()) * 1000,
            max_time: i64::from(view.now) * 1000,
        },
        label_value_count_by_label_name: by_label(&values, distinct),
        memory_in_bytes_by_label_name: Vec::new(),
        series_count_by_label_value_pair: most(
            pairs.chain(metrics.iter().map(|(name, count)| (format!("__name__={name}"), *count))),
            limit,
        ),
        total_series: series,
        total_label_value_pairs: label_pairs,
        series_count_by_label_name: by_label(&|label| label.series, series),
        series_count_by_focus_label_value: most(focused.unwrap_or_default().into_iter(), limit),
        series_count_by_metric_name: most(metrics.into_iter(), limit),
    };
    Ok(json(&TsdbResponse { status: "success", data }))
}

/// The largest, by count and then by name; nothing that is not there.
fn most(items: impl Iterator<Item = (String, u64)>, limit: usize) -> Vec<Item> {
    let mut items: Vec<Item> =
        items.filter(|(_, value)| *value > 0).map(|(name, value)| Item { name, value }).collect();
    items.sort_unstable_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
    items.truncate(limit);
    items
}
