//! The edits of all rewritten series, each once; append-only, read without a lock.
//!
//! Nothing is taken out one by one: a number that is remembered with a series must never come to mean something
//! else. When most are for series that are gone, the whole table is left behind and series are decided anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::AHashMap;
use parking_lot::RwLock;

/// Stands for an edit that there was no room to keep; the series is decided anew at each sample.
pub(super) const NO_EDIT: u32 = u32::MAX;
/// Marks an edit that only the request in hand knows.
pub(super) const LOOSE: u32 = 1 << 31;

/// Edits that a table may hold beyond those in use before it is left behind.
const SLACK: usize = 16_384;

/// What an edit takes beside its text, bytes.
const EDIT_BYTES: usize = 80;

/// Edits by number.
pub(super) struct Edits {
    scripts: boxcar::Vec<Arc<[u8]>>,
    numbers: RwLock<AHashMap<Arc<[u8]>, u32>>,
    max: usize,
    /// Text of all, bytes.
    text: AtomicUsize,
}

impl Edits {
    /// Room for `max` edits.
    pub(super) fn new(max: usize) -> Self {
        Self {
            scripts: boxcar::Vec::new(),
            numbers: RwLock::default(),
            max: max.min(LOOSE as usize),
            text: AtomicUsize::new(0),
        }
    }

    /// The number of an edit; `None` if there is no room, or it is new and `may_add` says no.
    pub(super) fn number(&self, script: &[u8], may_add: bool) -> Option<u32> {
        if let Some(number) = self.numbers.read().get(script) {
            return Some(*number);
        }
        if !may_add {
            return None;
        }
        let mut numbers = self.numbers.write();
        if let Some(number) = numbers.get(script) {
            return Some(*number);
        }
        if numbers.len() >= self.max {
            return None;
        }
        let script: Arc<[u8]> = script.into();
        let number = self.scripts.push(Arc::clone(&script)) as u32;
        self.text.fetch_add(script.len(), Ordering::Relaxed);
        numbers.insert(script, number);
        Some(number)
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&[u8]> {
        self.scripts.get(number as usize).map(|script| &**script)
    }

    /// Memory held, bytes: of each its text, once, and its places in the two tables.
    pub(super) fn bytes(&self) -> usize {
        self.text.load(Ordering::Relaxed) + self.len() * EDIT_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.scripts.count()
    }

    /// Whether most edits are for series that are gone, given how many rewritten series there are.
    pub(super) fn is_mostly_dead(&self, rewritten: usize) -> bool {
        self.len() > 2 * rewritten + SLACK
    }
}
