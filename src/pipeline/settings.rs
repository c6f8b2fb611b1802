//! What a pipeline is made with.

use super::read::Rules;
use crate::clock::Clock;
use crate::config::Validation;
use crate::series::{Limits, LongValues};
use crate::wire::Message;
use crate::{aggregate, cardinality};

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Series remembered at most.
    pub max_tracked: usize,
    /// Scopes told apart at most.
    pub max_tenants: usize,
    /// Decoded body at most, bytes.
    pub max_decoded_bytes: usize,
    /// Bounds of one series.
    pub limits: Limits,
    /// Samples that are further ahead of our clock are rejected, milliseconds; `None`: none is.
    pub max_future_ms: Option<i64>,
    /// What is looked for in series.
    pub validation: Validation,
    /// What becomes of label values that are longer than the upstream takes; `None`: there are none.
    pub long_values: Option<LongValues>,
    /// Whether a series that is withheld from now on, or goes under other labels, ends with a stale marker.
    pub stale_markers: bool,
    /// What is counted of series, and how much of it is kept.
    pub tracking: cardinality::Settings,
    /// Bounds of all aggregations.
    pub aggregation: aggregate::Settings,
}

impl Settings {
    /// By what a body of this version is read.
    pub(super) fn rules(&self, message: Message, clock: &Clock) -> Rules {
        let latest_ms = self.max_future_ms.map(|ahead| clock.unix_ms().saturating_add(ahead));
        Rules { message, most: self.max_decoded_bytes, validation: self.validation, latest_ms }
    }

    /// Twice the limit of what comes in: rules may add labels, not without bounds.
    pub(super) fn max_rewritten_bytes(&self) -> usize {
        self.max_decoded_bytes.saturating_mul(2).min(u32::MAX as usize / 2)
    }
}
