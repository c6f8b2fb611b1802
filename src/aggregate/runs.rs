//! A batch taken apart by policy and window.

use std::borrow::Cow;
use std::sync::Arc;

use super::aggregator::Aggregator;
use super::point::{Batch, Sample};
use crate::policy::PolicyIndex;

/// Samples of one policy and one window.
pub(super) struct Run<'b> {
    pub(super) aggregator: &'b Arc<Aggregator>,
    pub(super) policy: PolicyIndex,
    /// End of the window, Unix milliseconds.
    pub(super) end: i64,
    pub(super) samples: Cow<'b, [Sample]>,
}

/// A batch by policy and window, older windows first. Nearly always there is one of each.
pub(super) fn runs<'b>(batch: &'b Batch, aggregators: &'b [Option<Arc<Aggregator>>]) -> Vec<Run<'b>> {
    let end_of = |sample: &Sample| {
        let aggregator = aggregators.get(usize::from(sample.policy.0))?.as_ref()?;
        let interval = aggregator.aggregation.interval_ms;
        // the end belongs to the window
        Some((
            aggregator,
            sample.ms.saturating_sub(1).div_euclid(interval).saturating_add(1).saturating_mul(interval),
        ))
    };
    let Some(first) = batch.samples.first() else { return Vec::new() };
    let Some((aggregator, end)) = end_of(first) else { return Vec::new() };
    let start = end.saturating_sub(aggregator.aggregation.interval_ms);
    let alike = |sample: &Sample| sample.policy == first.policy && sample.ms > start && sample.ms <= end;
    if batch.samples.iter().all(alike) {
        let samples = Cow::Borrowed(batch.samples.as_slice());
        return vec![Run { aggregator, policy: first.policy, end, samples }];
    }
    let mut sorted: Vec<(u16, i64, Vec<Sample>)> = Vec::new();
    for sample in &batch.samples {
        let Some((_, end)) = end_of(sample) else { continue };
        let key = (sample.policy.0, end);
        match sorted.binary_search_by(|(policy, end, _)| (*policy, *end).cmp(&key)) {
            Ok(at) => sorted[at].2.push(*sample),
            Err(at) => sorted.insert(at, (key.0, key.1, vec![*sample])),
        }
    }
    let run = |(policy, end, samples): (u16, i64, Vec<Sample>)| {
        let aggregator = aggregators.get(usize::from(policy))?.as_ref()?;
        Some(Run { aggregator, policy: PolicyIndex(policy), end, samples: samples.into() })
    };
    sorted.into_iter().filter_map(run).collect()
}
