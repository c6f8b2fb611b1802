//! What counts take, and what is given up of them while memory is short.

use std::sync::atomic::Ordering;

use super::Tracker;

/// The part of `tracking.filter_size` that filters have while memory is short.
const PART_OF_FILTERS: usize = 4;

impl Tracker {
    /// Tells less apart, or as much as before: the filters of known label values have a quarter of their room, what labels had
    /// in the last window is forgotten, and what has no series any more is remembered for 20 minutes instead of two hours.
    pub fn set_shrunk(&self, shrunk: bool) {
        if self.shrunk.swap(shrunk, Ordering::Relaxed) == shrunk {
            return;
        }
        let filters = if shrunk { self.filter_bytes / PART_OF_FILTERS } else { self.filter_bytes };
        self.known.set_max_bytes(filters);
        if shrunk {
            self.labels.each(|_, label| label.forget_former());
        }
    }

    /// Whether less is told apart for want of memory.
    pub fn is_shrunk(&self) -> bool {
        self.shrunk.load(Ordering::Relaxed)
    }

    /// Memory of sketches and filters, bytes.
    pub fn sketch_bytes(&self) -> usize {
        let mut bytes = self.known.bytes();
        self.labels.each(|_, label| bytes += label.sketch_bytes());
        bytes
    }

    /// Memory of everything else that is counted and known, bytes, about.
    pub fn record_bytes(&self) -> usize {
        let tables = [
            self.metrics.bytes(),
            self.workloads.bytes(),
            self.units.bytes(),
            self.senders.bytes(),
            self.labels.bytes(),
            self.nodes.bytes(),
            self.causes.bytes(),
        ];
        let (_, examples) = self.examples_kept();
        tables.into_iter().sum::<usize>() + self.owners.bytes() + self.waiting.bytes() + examples
    }
}
