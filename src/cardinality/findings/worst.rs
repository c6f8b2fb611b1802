//! The metrics of a finding.

use crate::cardinality::snapshot::CauseLine;

/// The metric that has most of a finding's new series.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstMetric {
    /// Its name.
    pub name: String,
    /// New series of it, of this workload.
    pub new_series: u64,
    /// The labels to blame.
    pub labels: Vec<String>,
    /// The share of `new_series` in which nothing else was new, 0 to 1.
    pub share: f64,
    /// What the values of the most telling label look like.
    pub pattern: String,
}

/// The metric with most new series, and the labels that most of them blame.
pub(super) fn worst<'c>(causes: impl Iterator<Item = &'c CauseLine>) -> Option<WorstMetric> {
    let mut metrics: Vec<(&str, u64, Option<&CauseLine>)> = Vec::new();
    for cause in causes {
        let new = cause.blamed_last_hour + cause.first_last_hour;
        let blamed = |cause: &CauseLine| cause.blamed_last_hour;
        match metrics.iter_mut().find(|(name, ..)| *name == cause.metric) {
            Some((_, all, most)) => {
                *all += new;
                if most.is_none_or(|most| blamed(most) < blamed(cause)) {
                    *most = Some(cause);
                }
            }
            None => metrics.push((&cause.metric, new, Some(cause))),
        }
    }
    let (name, all, most) = metrics.into_iter().max_by_key(|(name, all, most)| {
        (*all, most.map(|most| most.blamed_last_hour), std::cmp::Reverse(name.to_owned()))
    })?;
    let most = most?;
    Some(WorstMetric {
        name: name.to_owned(),
        new_series: all,
        labels: most.labels.clone(),
        share: most.blamed_last_hour as f64 / all.max(1) as f64,
        pattern: most.pattern.clone(),
    })
}

/// Metrics with fewer new series are not spoken of beside others.
const FEW_OF_A_METRIC: u64 = 10;

/// The names of the metrics, most new series first.
pub(super) fn names(causes: &[CauseLine]) -> Vec<String> {
    let mut metrics: Vec<(&str, u64)> = Vec::new();
    for cause in causes {
        let new = cause.blamed_last_hour + cause.first_last_hour;
        match metrics.iter_mut().find(|(name, _)| *name == cause.metric) {
            Some((_, all)) => *all += new,
            None => metrics.push((&cause.metric, new)),
        }
    }
    metrics.retain(|(_, new)| *new >= FEW_OF_A_METRIC);
    metrics.sort_unstable_by_key(|(name, new)| (std::cmp::Reverse(*new), *name));
    metrics.into_iter().map(|(name, _)| name.to_owned()).collect()
}
