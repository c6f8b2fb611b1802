//! What series of remote write 2.0 say of their metrics, as 1.0 says it: apart from the series.

use ahash::AHashSet;

use super::compose::{InV2, left};
use super::learn::metric;
use super::scratch::{Request, SlotState, bytes};
use crate::series::Fingerprinter;
use crate::wire::metadata::family;
use crate::wire::v1;
use crate::wire::v2::Expanded;

/// Metadata of 1.0, each family's once.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// One for each family.
    pub entries: Vec<Entry>,
    /// The entries, each a field of a `WriteRequest`.
    pub encoded: Vec<u8>,
}

/// What is said of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stands for the family, in its scope.
    pub metric: u64,
    /// Stands for what is said of it.
    pub content: u64,
    /// Where in [`Metadata::encoded`] it starts, and ends.
    pub start: u32,
    /// See `start`.
    pub end: u32,
}

impl Metadata {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.encoded.clear();
    }

    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        bytes(&self.entries) + self.encoded.capacity()
    }
}

/// Collects what the series of a request say that go upstream. `plain` is the request in 1.0.
pub(super) fn collect(
    plain: &[u8],
    came: InV2<'_>,
    request: &Request,
    (prints, scope): (&Fingerprinter, &str),
    metadata: &mut Metadata,
) {
    if came.expansion.frames().is_empty() {
        return;
    }
    let scope = prints.tenant(scope);
    let mut seen = AHashSet::new();
    // neighbours are mostly of one metric
    let mut last: (&[u8], bool) = (b"", false);
    for (slot, frame) in request.slots.iter().zip(left(came.expansion, request)) {
        let goes_on = matches!(slot.state, SlotState::Verdict(verdict) if verdict.disposition().forwards());
        if !goes_on || !frame.said.says_something() {
            continue;
        }
        // then its name is that of all of it
        let native = slot.histograms > 0;
        let Some(name) = metric(plain, slot).filter(|name| (*name, native) != last && !name.is_empty())
        else {
            continue;
        };
        last = (name, native);
        let hash = |bytes: &[u8]| prints.fingerprint(bytes, scope).high;
        let Expanded { metric_type, help, unit, .. } = frame.said;
        let family = if native { name } else { family(name, metric_type) };
        let metric = hash(family);
        if !seen.insert(metric) {
            continue;
        }
        let text = |at| came.expansion.symbols().get(came.body, at).unwrap_or_default();
        let start = metadata.encoded.len();
        v1::put_metadata(&mut metadata.encoded, metric_type, family, (text(help), text(unit)));
        let end = metadata.encoded.len();
        let content = hash(&metadata.encoded[start..end]);
        metadata.entries.push(Entry { metric, content, start: start as u32, end: end as u32 });
    }
}
