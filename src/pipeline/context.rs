//! A series that is decided, and what the policies say of it.

use super::scratch::Slot;
use crate::policy::{OwnedLabels, PolicyIndex, VerdictId};
use crate::series::{Fingerprint, Probe, SentAs};

/// A series that is decided.
#[derive(Clone, Copy)]
pub(super) struct SeriesContext<'s> {
    pub(super) series: Fingerprint,
    /// Its labels, sorted.
    pub(super) pairs: &'s [(&'s str, &'s str)],
    pub(super) body: &'s [u8],
    pub(super) slot: Slot,
    pub(super) probe: &'s Probe,
    /// Whether nothing at all is known of it.
    pub(super) unknown: bool,
    /// When it began, as it says of itself, Unix milliseconds.
    pub(super) started_ms: Option<i64>,
    /// What it is sent as so far, and the generation of the policies that said so.
    pub(super) before: Option<(SentAs, u32)>,
}

/// What the policies say of a series.
pub(super) struct PolicyResult {
    pub(super) verdict: VerdictId,
    pub(super) valid_until: u32,
    pub(super) output: Option<OwnedLabels>,
    /// The policy that has it in a group, and what finds the group.
    pub(super) group_key: Option<(PolicyIndex, u32)>,
    /// Whether it passes because nobody said what it is.
    pub(super) untyped: bool,
}

/// Whole seconds, as the index keeps sample time.
pub(super) fn seconds(unix_ms: i64) -> u32 {
    u32::try_from(unix_ms.max(0) / 1000).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}
