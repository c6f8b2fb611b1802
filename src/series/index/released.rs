//! Identities that became free a moment ago, so that who waits for one need not wait for its next turn to ask.

use std::sync::atomic::{AtomicU32, Ordering};

/// So many cells; identities that share one make those who wait for the other ask once more, and nothing else.
const CELLS: usize = 4096;
/// For so long everybody who waits asks with each sample, seconds.
const FRESH: u32 = 120;

/// When an identity of each cell became free last, Unix seconds.
pub(super) struct Released(Box<[AtomicU32]>);

impl Default for Released {
    fn default() -> Self {
        Self((0..CELLS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Released {
    fn cell(&self, short: u32) -> Option<&AtomicU32> {
        self.0.get(short as usize % CELLS)
    }

    pub(super) fn note(&self, short: u32, now: u32) {
        if let Some(cell) = self.cell(short) {
            cell.fetch_max(now, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn is_fresh(&self, short: u32, now: u32) -> bool {
        self.cell(short).is_some_and(|cell| now.saturating_sub(cell.load(Ordering::Relaxed)) < FRESH)
    }
}
