//! `/api/v1/cardinality/label_names` and `label_values`, as Mimir answers them (pkg/cardinality).

use std::collections::BTreeMap;

use serde::Serialize;

use super::query::Query;
use super::{Refused, Report, json};

/// A label, added up over the tenants that a report covers.
pub(super) struct Merged {
    /// Different values, about.
    pub(super) values: f64,
    /// Series that have it, about.
    pub(super) series: u64,
    /// Values with their series and the error of that.
    pub(super) top: Vec<(String, u64, u64)>,
}

impl Report<'_> {
    /// All labels but the metric name, with their `top` values.
    pub(super) fn labels(&self, top: usize) -> BTreeMap<String, Merged> {
        let mut all: BTreeMap<String, Merged> = BTreeMap::new();
        for line in self.view.tracker.labels(top).into_iter().filter(|line| self.covers(line.tenant)) {
            match all.get_mut(&line.name) {
                // the same value may be in several tenants; without a tenant asked for, the most there can be
                Some(label) => {
                    label.values += line.values;
                    label.series += line.series;
                    label.add(line.top);
                }
                None => {
                    let label = Merged { values: line.values, series: line.series, top: line.top };
                    all.insert(line.name, label);
                }
            }
        }
        all
    }
}

impl Merged {
    fn add(&mut self, more: Vec<(String, u64, u64)>) {
        for (value, count, error) in more {
            match self.top.iter_mut().find(|(own, ..)| *own == value) {
                Some(own) => (own.1, own.2) = (own.1 + count, own.2 + error),
                None => self.top.push((value, count, error)),
            }
        }
        self.top.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
}

#[derive(Debug, Serialize)]
struct LabelNames {
    label_values_count_total: u64,
    label_names_count: usize,
    cardinality: Vec<LabelName>,
}

#[derive(Debug, Serialize)]
struct LabelName {
    label_name: String,
    label_values_count: u64,
}

pub(super) fn label_names(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let limit = common(query)?;
    if query.metric("selector")?.is_some() {
        return Err(
            "`selector` with a metric cannot be answered: labels are counted over all metrics".to_owned()
        );
    }
    let mut names: Vec<LabelName> = report
        .labels(0)
        .into_iter()
        .map(|(label_name, label)| LabelName { label_name, label_values_count: label.values.round() as u64 })
        .collect();
    names.push(LabelName {
        label_name: "__name__".to_owned(),
        label_values_count: report.metrics().len() as u64,
    });
    names.retain(|name| name.label_values_count > 0);
    names.sort_unstable_by(|a, b| {
        b.label_values_count.cmp(&a.label_values_count).then_with(|| a.label_name.cmp(&b.label_name))
    });
    let answer = LabelNames {
        label_values_count_total: names.iter().map(|name| name.label_values_count).sum(),
        label_names_count: names.len(),
        cardinality: names.into_iter().take(limit).collect(),
    };
    Ok(json(&answer))
}

#[derive(Debug, Serialize)]
struct LabelValues {
    series_count_total: u64,
    labels: Vec<LabelAndValues>,
}

#[derive(Debug, Serialize)]
struct LabelAndValues {
    label_name: String,
    label_values_count: u64,
    series_count: u64,
    cardinality: Vec<LabelValue>,
}

#[derive(Debug, Serialize)]
struct LabelValue {
    label_value: String,
    series_count: u64,
}

pub(super) fn label_values(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let limit = common(query)?;
    let asked: Vec<&str> = query.all("label_names[]").filter(|name| !name.is_empty()).collect();
    if asked.is_empty() {
        return Err("'label_names[]' param is required".to_owned());
    }
    let metric = query.metric("selector")?;
    if let (Some(metric), true) = (&metric, asked.iter().any(|name| *name != "__name__")) {
        return Err(format!(
            "`selector={metric}` can be answered for `__name__` only: other labels are counted over all metrics"
        ));
    }
    let mut metrics = report.metrics();
    let series_count_total = metrics.values().sum();
    metrics.retain(|name, _| metric.as_ref().is_none_or(|metric| metric == name));
    let known = report.labels(limit);
    let labels = asked.into_iter().map(|name| {
        if name == "__name__" {
            return by_metric(&metrics, limit);
        }
        let label = known.get(name);
        let top = label.map(|label| label.top.as_slice()).unwrap_or_default();
        LabelAndValues {
            label_name: name.to_owned(),
            label_values_count: label.map_or(0, |label| label.values.round() as u64),
            series_count: label.map_or(0, |label| label.series),
            cardinality: top.iter().take(limit).map(|(value, count, _)| value_of(value, *count)).collect(),
        }
    });
    Ok(json(&LabelValues { series_count_total, labels: labels.collect() }))
}

fn by_metric(metrics: &BTreeMap<String, u64>, limit: usize) -> LabelAndValues {
    let mut values: Vec<LabelValue> = metrics.iter().map(|(name, count)| value_of(name, *count)).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.series_count));
    values.truncate(limit);
    LabelAndValues {
        label_name: "__name__".to_owned(),
        label_values_count: metrics.len() as u64,
        series_count: metrics.values().sum(),
        cardinality: values,
    }
}

fn value_of(value: &str, series_count: u64) -> LabelValue {
    LabelValue { label_value: value.to_owned(), series_count }
}

impl Report<'_> {
    /// Active series by metric; metrics without any are left out.
    pub(super) fn metrics(&self) -> BTreeMap<String, u64> {
        let mut metrics: BTreeMap<String, u64> = BTreeMap::new();
        let lines = self.view.tracker.metrics(self.view.now).into_iter();
        for line in lines.filter(|line| self.covers(line.tenant) && line.counts.active > 0) {
            *metrics.entry(line.name).or_default() += line.counts.active;
        }
        metrics
    }
}

/// What both take: Mimir's `limit`, and its `count_method`, between which we do not differ.
fn common(query: &Query) -> Result<usize, Refused> {
    query.one_of("count_method", &["inmemory", "active"])?;
    query.number("limit", 20, (0, 500))
}
