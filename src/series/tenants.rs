//! Scopes told apart, a bounded number of them. One that is silent for long gives its place back.
//!
//! A scope has a number, by which counts and aggregations know it. The number is free for another only when nothing
//! refers to it any more: whoever forgets a scope says so.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use parking_lot::Mutex;

use super::fingerprint::{Fingerprinter, TenantKey};
use super::scope;

/// A scope may be forgotten after so many rounds in which nothing came from it. With a round a minute three hours:
/// counts remember what has no series for two.
pub const SILENT_ROUNDS: u32 = 180;

/// A scope as the data path knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// One of those told apart.
    Known {
        /// Its part of every series' identity.
        key: TenantKey,
        /// Its number, below `tenant.max`: the group its series are charged to.
        group: u32,
    },
    /// One too many: its data is passed through, not tracked, and no policy applies.
    Overflow,
}

/// What a scope takes beside its text, bytes: its number, its key, and their places in the tables.
const SCOPE_BYTES: usize = 192;

struct Known {
    key: TenantKey,
    group: u32,
    /// Whether something came since the last round.
    heard: AtomicBool,
    /// Rounds since.
    silent: AtomicU32,
}

impl Known {
    fn heard(&self) -> Tenant {
        // all workers read it with each request
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
        Tenant::Known { key: self.key, group: self.group }
    }
}

#[derive(Default)]
struct Numbers {
    texts: Vec<Option<Arc<str>>>,
    /// Those of `texts` that nobody has, free for longest first.
    free: VecDeque<u32>,
}

/// The registry.
pub struct Tenants {
    known: DashMap<Arc<str>, Known, RandomState>,
    /// Locked while a scope comes or goes, so that two never share a number and the limit is exact.
    numbers: Mutex<Numbers>,
    max: usize,
    /// Whether no more are told apart, however few there are.
    closed: AtomicBool,
    overflowed: AtomicU64,
    forgotten: AtomicU64,
}

impl Tenants {
    /// A registry for at most `max` scopes.
    pub fn new(max: usize) -> Self {
        // few shards: it is read once a request
        Self {
            known: DashMap::with_capacity_and_hasher_and_shard_amount(0, RandomState::new(), 16),
            numbers: Mutex::default(),
            max,
            closed: AtomicBool::new(false),
            overflowed: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    /// The scope with this text, from which something came; registers it if there is room.
    pub fn resolve(&self, text: &str, prints: &Fingerprinter) -> Tenant {
        if let Some(known) = self.known.get(text) {
            return known.heard();
        }
        let mut numbers = self.numbers.lock();
        if let Some(known) = self.known.get(text) {
            return known.heard();
        }
        let fresh = numbers.texts.len();
        let group = if text.len() > scope::MAX_BYTES || self.closed.load(Ordering::Relaxed) {
            None
        } else if fresh < self.max {
            numbers.texts.push(None);
            Some(fresh as u32)
        } else {
            numbers.free.pop_front()
        };
        match group {
            Some(group) => self.register(&mut numbers, group, text, prints),
            None => {
                self.overflowed.fetch_add(1, Ordering::Relaxed);
                Tenant::Overflow
            }
        }
    }

    fn register(&self, numbers: &mut Numbers, group: u32, text: &str, prints: &Fingerprinter) -> Tenant {
        let text: Arc<str> = Arc::from(text);
        let key = prints.tenant(&text);
        numbers.texts[group as usize] = Some(Arc::clone(&text));
        let (heard, silent) = (AtomicBool::new(true), AtomicU32::new(0));
        self.known.insert(text, Known { key, group, heard, silent });
        Tenant::Known { key, group }
    }

    /// Says that nothing came from a scope for so many rounds.
    pub fn was_silent(&self, number: u32, rounds: u32) {
        if let Some(known) = self.text(number).and_then(|text| self.known.get(&*text)) {
            known.heard.store(false, Ordering::Relaxed);
            known.silent.store(rounds, Ordering::Relaxed);
        }
    }

    /// Ends a round. Returns the numbers of those that were silent for long enough to be forgotten.
    pub fn end_round(&self) -> Vec<u32> {
        let mut silent = Vec::new();
        for known in &self.known {
            if known.heard.swap(false, Ordering::Relaxed) {
                known.silent.store(0, Ordering::Relaxed);
            } else if known.silent.fetch_add(1, Ordering::Relaxed) >= SILENT_ROUNDS - 1 {
                silent.push(known.group);
            }
        }
        silent
    }

    /// Forgets a scope, unless something came from it in this round. `clear` forgets what belongs to the number before
    /// another can have it.
    pub fn forget(&self, number: u32, clear: impl FnOnce()) -> bool {
        let mut numbers = self.numbers.lock();
        let Some(text) = numbers.texts.get(number as usize).cloned().flatten() else { return false };
        if self.known.remove_if(&text, |_, known| !known.heard.load(Ordering::Relaxed)).is_none() {
            return false;
        }
        clear();
        numbers.texts[number as usize] = None;
        numbers.free.push_back(number);
        self.forgotten.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The text of a scope.
    pub fn text(&self, number: u32) -> Option<Arc<str>> {
        self.numbers.lock().texts.get(number as usize).cloned().flatten()
    }

    /// The texts of all, by number; [`scope::VACANT`] where a number is free.
    pub fn names(&self) -> Vec<String> {
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or(scope::VACANT).to_owned();
        self.numbers.lock().texts.iter().map(text).collect()
    }

    /// Says that no others are to be told apart, for want of memory, or takes it back.
    pub fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// Memory held, bytes, about.
    pub fn bytes(&self) -> usize {
        let numbers = self.numbers.lock();
        let texts: usize = numbers.texts.iter().flatten().map(|text| text.len()).sum();
        texts + numbers.texts.capacity() * SCOPE_BYTES
    }

    /// How many are told apart now.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Times that a request's scope was one too many.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Scopes that were forgotten.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(tenants: &Tenants, text: &str) -> Option<u32> {
        match tenants.resolve(text, &Fingerprinter::from_seed(1)) {
            Tenant::Known { group, .. } => Some(group),
            Tenant::Overflow => None,
        }
    }

    /// Ends rounds until somebody is silent for long; `talks` goes on.
    fn silence(tenants: &Tenants, talks: &str) -> Vec<u32> {
        for _ in 0..SILENT_ROUNDS {
            group(tenants, talks);
            assert_eq!(tenants.end_round(), [0; 0]);
        }
        group(tenants, talks);
        tenants.end_round()
    }

    #[test]
    fn the_silent_give_their_place_back_and_the_number_that_is_free_for_longest_goes_first() {
        let tenants = Tenants::new(3);
        assert_eq!(["a", "b", "c", "d"].map(|text| group(&tenants, text)), [Some(0), Some(1), Some(2), None]);
        assert_eq!(tenants.overflowed(), 1);
        let mut silent = silence(&tenants, "a");
        silent.sort_unstable();
        assert_eq!(silent, [1, 2]);
        // it came back in time
        group(&tenants, "c");
        assert!(!tenants.forget(2, || panic!("it is heard of")));
        let mut cleared = false;
        assert!(tenants.forget(1, || cleared = true) && cleared);
        assert_eq!((tenants.len(), tenants.forgotten(), tenants.text(1)), (2, 1, None));
        assert_eq!(tenants.names(), ["a", scope::VACANT, "c"]);
        assert_eq!((group(&tenants, "d"), group(&tenants, "b")), (Some(1), None));
    }

    #[test]
    fn a_scope_comes_back_as_silent_as_it_was() {
        let tenants = Tenants::new(3);
        assert_eq!(["a", "b"].map(|text| group(&tenants, text)), [Some(0), Some(1)]);
        tenants.was_silent(1, SILENT_ROUNDS - 1);
        assert_eq!(tenants.end_round(), [1]);
    }

    #[test]
    fn where_no_others_are_told_apart_those_that_are_stay() {
        let tenants = Tenants::new(3);
        group(&tenants, "a");
        tenants.set_closed(true);
        assert_eq!(["a", "b"].map(|text| group(&tenants, text)), [Some(0), None]);
        tenants.set_closed(false);
        assert_eq!(group(&tenants, "b"), Some(1));
        assert!(tenants.bytes() >= 2 * SCOPE_BYTES + 2);
    }

    #[test]
    fn what_is_too_long_is_one_too_many() {
        let tenants = Tenants::new(3);
        assert_eq!(group(&tenants, &"x".repeat(scope::MAX_BYTES + 1)), None);
        assert_eq!(group(&tenants, &"x".repeat(scope::MAX_BYTES)), Some(0));
    }
}
