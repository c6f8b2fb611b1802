//! An open-addressing table of fixed-size slots, kept sorted by hash.
//!
//! Made for one thing: a probe that touches one cache line, at a known cost in memory. A slot's home is its
//! position scaled to the table's span, so slots stand in the order of their positions, a scan stops at the
//! first larger one, and growing is one pass from left to right. The table grows by an eighth at 75% fill, which
//! keeps it between 66% and 75%. What a probe does not need stands in a second array, in the same order.

use super::fingerprint::Fingerprint;

/// What a table holds.
pub(crate) trait Slot: Copy {
    /// What belongs to a slot and is not looked at when a batch is answered.
    type Aside: Copy + Default;
    /// A slot that holds nothing.
    const EMPTY: Self;
    /// The identity of what is held. Not called on an empty slot.
    fn fingerprint(&self) -> Fingerprint;
    /// Whether nothing is held.
    fn is_empty(&self) -> bool;
}

/// Slots behind the span, for runs that start near its end.
const TAIL: usize = 32;
/// Span of a table that holds anything at all.
const MIN_SPAN: usize = 32;

pub(crate) struct Table<S: Slot> {
    slots: Vec<S>,
    /// As many as slots, moved whenever they are.
    asides: Vec<S::Aside>,
    span: usize,
    live: usize,
}

impl<S: Slot> Default for Table<S> {
    fn default() -> Self {
        Self { slots: Vec::new(), asides: Vec::new(), span: 0, live: 0 }
    }
}

impl<S: Slot> Table<S> {
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes of all slots, empty ones included.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<S>() + self.asides.capacity() * size_of::<S::Aside>()
    }

    #[inline]
    fn home(&self, fingerprint: Fingerprint) -> usize {
        // The low 32 bits of the first lane are the position; shards are told apart by its top bits.
        (((fingerprint.high & 0xffff_ffff) * self.span as u64) >> 32) as usize
    }

    #[inline]
    fn position(fingerprint: Fingerprint) -> u32 {
        fingerprint.high as u32
    }

    /// Starts to bring in the line where a look-up of this fingerprint will begin.
    #[inline]
    pub(crate) fn prefetch(&self, fingerprint: Fingerprint) {
        if let Some(slot) = self.slots.get(self.home(fingerprint)) {
            super::prefetch::prefetch(slot);
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, fingerprint: Fingerprint) -> Option<&mut S> {
        let at = self.find(fingerprint).ok()?;
        self.slots.get_mut(at)
    }

    /// A slot with what stands aside.
    pub(crate) fn get_both(&mut self, fingerprint: Fingerprint) -> Option<(&mut S, &mut S::Aside)> {
        let at = self.find(fingerprint).ok()?;
        Some((self.slots.get_mut(at)?, self.asides.get_mut(at)?))
    }

    /// Where the fingerprint is, or where it would have to be put.
    #[inline]
    fn find(&self, fingerprint: Fingerprint) -> Result<usize, usize> {
        let mut at = self.home(fingerprint);
        let position = Self::position(fingerprint);
        while let Some(slot) = self.slots.get(at) {
            if slot.is_empty() {
                break;
            }
            let found = slot.fingerprint();
            if found == fingerprint {
                return Ok(at);
            }
            if Self::position(found) > position {
                break;
            }
            at += 1;
        }
        Err(at)
    }

    /// Puts a slot in unless its fingerprint is there already; returns whether it was put in.
    pub(crate) fn insert(&mut self, slot: S, aside: S::Aside) -> bool {
        if (self.live + 1) * 4 > self.span * 3 {
            let Err(_) = self.find(slot.fingerprint()) else { return false };
            self.resize((self.span + self.span / 8).max(MIN_SPAN));
        }
        loop {
            match self.find(slot.fingerprint()) {
                Ok(_) => return false,
                Err(at) if self.make_room(at) => {
                    self.slots[at] = slot;
                    self.asides[at] = aside;
                    self.live += 1;
                    return true;
                }
                Err(_) => self.resize(self.span + self.span / 8 + MIN_SPAN),
            }
        }
    }

    /// Shows every slot.
    pub(crate) fn for_each(&self, visit: impl FnMut(&S)) {
        self.slots.iter().filter(|slot| !slot.is_empty()).for_each(visit);
    }

    /// Shows every slot with what stands aside.
    pub(crate) fn for_each_mut(&mut self, mut visit: impl FnMut(&mut S, &S::Aside)) {
        let both = self.slots.iter_mut().zip(&self.asides);
        both.filter(|(slot, _)| !slot.is_empty()).for_each(|(slot, aside)| visit(slot, aside));
    }

    /// Takes a slot out.
    pub(crate) fn remove(&mut self, fingerprint: Fingerprint) {
        let Ok(mut at) = self.find(fingerprint) else { return };
        // What was pushed to the right of its home by this slot moves back by one.
        while let Some(next) = self.slots.get(at + 1).copied().filter(|next| !next.is_empty())
            && self.home(next.fingerprint()) <= at
        {
            self.slots[at] = next;
            self.asides[at] = self.asides[at + 1];
            at += 1;
        }
        self.slots[at] = S::EMPTY;
        self.live -= 1;
    }

    /// Moves the run that starts at `at` one to the right; `false` if it would run over the end.
    fn make_room(&mut self, at: usize) -> bool {
        let Some(length) = self.slots.get(at..).and_then(|run| run.iter().position(S::is_empty)) else {
            return false;
        };
        self.slots.copy_within(at..at + length, at + 1);
        self.asides.copy_within(at..at + length, at + 1);
        true
    }

    /// Keeps the slots for which `keep` says so; gives memory back when little is left.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut S, &S::Aside) -> bool) {
        // What stays moves left to where it would have been without the others, so one pass in place does it.
        let mut next = 0;
        let mut live = 0;
        for at in 0..self.slots.len() {
            let mut slot = std::mem::replace(&mut self.slots[at], S::EMPTY);
            if slot.is_empty() || !keep(&mut slot, &self.asides[at]) {
                continue;
            }
            let to = self.home(slot.fingerprint()).max(next);
            self.slots[to] = slot;
            self.asides[to] = self.asides[at];
            next = to + 1;
            live += 1;
        }
        self.live = live;
        if live == 0 {
            *self = Self::default();
        } else if live * 3 < self.span && self.span > MIN_SPAN {
            self.resize((live * 3 / 2).max(MIN_SPAN));
        }
    }

    /// Lays all slots out over a new span.
    fn resize(&mut self, span: usize) {
        let (old, old_asides) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.asides));
        self.span = span;
        self.slots = vec![S::EMPTY; span + TAIL];
        self.asides = vec![S::Aside::default(); span + TAIL];
        let mut next = 0;
        for (slot, aside) in old.into_iter().zip(old_asides).filter(|(slot, _)| !slot.is_empty()) {
            let at = self.home(slot.fingerprint()).max(next);
            if at >= self.slots.len() {
                self.slots.resize(at + TAIL, S::EMPTY);
                self.asides.resize(at + TAIL, S::Aside::default());
            }
            self.slots[at] = slot;
            self.asides[at] = aside;
            next = at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Held(Option<Fingerprint>, u32);

    impl Slot for Held {
        // the value again, to see that it stays with its slot
        type Aside = u32;
        const EMPTY: Self = Held(None, 0);
        fn fingerprint(&self) -> Fingerprint {
            self.0.unwrap()
        }
        fn is_empty(&self) -> bool {
            self.0.is_none()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u32),
        Look(u64),
        Remove(u64),
        DropBelow(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        // few distinct positions, some at the very end of the range: long runs and a full tail
        let key = prop_oneof![0u64..400, (0u64..64).prop_map(|k| 0xffff_ffff - k), any::<u64>()];
        prop_oneof![
            8 => (key.clone(), any::<u32>()).prop_map(|(k, v)| Step::Insert(k, v)),
            4 => key.clone().prop_map(Step::Look),
            2 => key.prop_map(Step::Remove),
            1 => any::<u32>().prop_map(Step::DropBelow),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec(step(), 0..800)) {
            let mut table = Table::<Held>::default();
            let mut model = BTreeMap::new();
            let print = |key| Fingerprint { high: key, low: (key % 3) as u32 };
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        let new = !model.contains_key(&key);
                        prop_assert_eq!(table.insert(Held(Some(print(key)), value), value), new);
                        model.entry(key).or_insert(value);
                    }
                    Step::Look(key) => {
                        prop_assert_eq!(table.get_mut(print(key)).map(|h| h.1), model.get(&key).copied());
                    }
                    Step::Remove(key) => {
                        table.remove(print(key));
                        model.remove(&key);
                    }
                    Step::DropBelow(limit) => {
                        table.retain(|held, aside| held.1 >= limit && held.1 == *aside);
                        model.retain(|_, value| *value >= limit);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for (key, value) in model {
                prop_assert_eq!(table.get_both(print(key)).map(|(h, a)| (h.1, *a)), Some((value, value)));
            }
        }
    }

    #[test]
    fn memory_comes_back_when_series_go() {
        let mut table = Table::<Held>::default();
        let spread = |i: u64| Fingerprint { high: i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16, low: 0 };
        for i in 0..10_000 {
            table.insert(Held(Some(spread(i)), i as u32), i as u32);
        }
        let full = table.bytes();
        table.retain(|held, _| held.1 < 100);
        assert!(table.bytes() * 20 < full, "{} of {full} bytes left", table.bytes());
        table.retain(|_, _| false);
        assert_eq!(table.bytes(), 0);
    }
}
