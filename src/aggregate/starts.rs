//! When pods, containers, processes and counters began, as series in the stream say it: evidence for and against a birth.

mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lru::LruCache;
use parking_lot::Mutex;

pub use self::keys::Keys;
use self::keys::{Key, Names, Of};
use crate::series::{Fingerprint, Fingerprinter, Labels, SubjectTable, TenantKey, grammar};

/// Starts of pods, jobs, containers, processes and machines that are remembered, and those that counters have of their own,
/// by `_created`: one for each set of labels. About 80 bytes each; the one not spoken of for longest is forgotten first.
const THINGS: usize = 200_000;
const OWN: usize = 50_000;
/// What one takes: a place in its table.
const START_BYTES: usize = 96;
/// Of two that tell of one thing, the one that said nothing for so long while the other did says nothing any more, seconds:
/// nearly all targets are scraped more often than that. It may have gone without a stale marker.
const SILENT_SECONDS: u32 = 600;
/// Unix seconds that can be meant: from 2001 to 5138. An exporter without a clock says 0.
const MEANT: std::ops::Range<f64> = 1e9..1e11;

/// What one series says.
#[derive(Clone, Copy)]
struct Start {
    /// The series.
    source: Fingerprint,
    ms: i64,
    /// What it was before.
    former_ms: Option<i64>,
    /// When it said so last, seconds of the clock that the index goes by; 0 once the series has ended.
    heard: u32,
}

impl Start {
    /// When that began which a first sample at `first_ms` is of: what began later is the next one.
    fn of_first(&self, first_ms: i64) -> i64 {
        self.former_ms.filter(|former| *former < self.ms && self.ms > first_ms).unwrap_or(self.ms)
    }

    /// Whether it is right beside another: the oldest is, for as long as it is said. They may be of two things of one name,
    /// and then nobody knows which is meant.
    fn outweighs(&self, other: &Self) -> bool {
        let silent = other.heard.saturating_sub(self.heard) > SILENT_SECONDS;
        self.source != other.source && self.ms < other.ms && self.heard > 0 && !silent
    }
}

/// Starts by what began.
pub struct Starts {
    names: Names,
    things: Mutex<LruCache<Key, Start>>,
    own: Mutex<LruCache<Key, Start>>,
    /// When something was said last, and when a start was forgotten for room that was said shortly before; seconds of the clock
    /// that the index goes by.
    now: AtomicU32,
    short: AtomicU32,
}

impl Starts {
    pub(super) fn new(prints: Fingerprinter, subjects: Arc<SubjectTable>) -> Self {
        // a bound given to the cache would be allocated at once
        let empty = || Mutex::new(LruCache::unbounded());
        let (now, short) = Default::default();
        Self { names: Names { prints, subjects }, things: empty(), own: empty(), now, short }
    }

    /// Whether the value of a metric of this name says when something began.
    pub fn tells(metric: &[u8]) -> bool {
        start_kind(metric).is_some()
    }

    /// Whether that is something whose parts may begin anew while the metric goes on: all but a counter.
    pub fn tells_of_thing(metric: &[u8]) -> bool {
        start_kind(metric).is_some_and(|of| of != Of::Counter)
    }

    /// Takes in the value of a series at `now` (seconds of the clock that the index goes by), if it says when something began.
    pub fn learn(&self, tenant: TenantKey, labels: Labels<'_>, value: Option<f64>, now: u32) {
        let Some(seconds) = value.filter(|seconds| MEANT.contains(seconds)) else { return };
        let Some((of, key)) = self.told(tenant, labels) else { return };
        let source = self.source(tenant, labels);
        let said = Start { source, ms: (seconds * 1000.0) as i64, former_ms: None, heard: now.max(1) };
        self.now.fetch_max(now, Ordering::Relaxed);
        let mut starts = self.of(of).lock();
        match starts.get_mut(&key) {
            Some(known) if known.outweighs(&said) => {}
            Some(known) => {
                let former_ms = if known.ms == said.ms { known.former_ms } else { Some(known.ms) };
                *known = Start { former_ms, ..said };
            }
            None => {
                starts.put(key, said);
                if starts.len() > if of == Of::Counter { OWN } else { THINGS } {
                    let gone = starts.pop_lru();
                    self.forgot(gone.map(|(_, start)| start.heard), now);
                }
            }
        }
    }

    /// Memory held, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        (self.things.lock().len() + self.own.lock().len()) * START_BYTES
    }

    fn forgot(&self, heard: Option<u32>, now: u32) {
        if heard.is_some_and(|heard| heard > 0 && now.saturating_sub(heard) <= SILENT_SECONDS) {
            self.short.fetch_max(now.max(1), Ordering::Relaxed);
        }
    }

    /// Whether starts that are said are forgotten for lack of room: then it proves nothing that none is known.
    pub(super) fn is_short(&self) -> bool {
        let short = self.short.load(Ordering::Relaxed);
        short > 0 && self.now.load(Ordering::Relaxed).saturating_sub(short) <= SILENT_SECONDS
    }

    /// A series has ended: what it said holds until another says something else. The counters of what began then may still be
    /// open.
    pub fn end(&self, tenant: TenantKey, labels: Labels<'_>) {
        let Some((of, key)) = self.told(tenant, labels) else { return };
        let source = self.source(tenant, labels);
        let mut starts = self.of(of).lock();
        if let Some(known) = starts.peek_mut(&key).filter(|known| known.source == source) {
            known.heard = 0;
        }
    }

    /// What finds the start of a series, now or later.
    pub fn keys(&self, tenant: TenantKey, labels: Labels<'_>) -> Keys {
        Keys::of(&self.names, tenant, labels)
    }

    /// When a series began whose first sample has this time, by what is nearest to it, Unix milliseconds.
    pub fn find(&self, keys: &Keys, first_ms: i64) -> Option<i64> {
        let own = keys.own().and_then(|key| self.own.lock().get(&key).copied());
        let start = own.or_else(|| {
            let mut things = self.things.lock();
            keys.things().find_map(|key| things.get(&key).copied())
        })?;
        Some(start.of_first(first_ms))
    }

    /// When the run was due that a series is of, Unix milliseconds.
    pub fn due(&self, labels: Labels<'_>) -> Option<i64> {
        let subject = self.names.subjects.about(labels).subject()?;
        Some(grammar::of_subject(subject, labels)?.scheduled? * 1000)
    }

    /// Who says it: by the labels, however their bytes came.
    fn source(&self, tenant: TenantKey, labels: Labels<'_>) -> Fingerprint {
        let mut text = Vec::new();
        for (name, value) in labels.iter() {
            [name, value].into_iter().for_each(|part| keys::put(&mut text, part));
        }
        self.names.prints.fingerprint(&text, tenant)
    }

    /// Of what a series says when it began.
    fn told(&self, tenant: TenantKey, labels: Labels<'_>) -> Option<(Of, Key)> {
        let of = start_kind(labels.metric().as_bytes())?;
        Some((of, Keys::one(&self.names, tenant, labels, of)?))
    }

    fn of(&self, of: Of) -> &Mutex<LruCache<Key, Start>> {
        if of == Of::Counter { &self.own } else { &self.things }
    }
}

/// Of what a metric says when it began.
fn start_kind(metric: &[u8]) -> Option<Of> {
    match metric {
        b"kube_pod_created" | b"kube_pod_start_time" => Some(Of::Pod),
        b"kube_job_created" => Some(Of::Job),
        b"container_start_time_seconds" => Some(Of::Container),
        b"process_start_time_seconds" => Some(Of::Process),
        b"node_boot_time_seconds" => Some(Of::Machine),
        _ => metric.ends_with(b"_created").then_some(Of::Counter),
    }
}

#[cfg(test)]
mod tests;
