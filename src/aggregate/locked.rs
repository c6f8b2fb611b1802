//! One shard at a time: who lets go of a shard has what it holds counted, whatever was done to it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::shard::GroupShard;

/// What all shards of an engine hold: the sum of what is counted with each shard, so it cannot outlive one.
#[derive(Default)]
pub(super) struct Totals {
    groups: AtomicUsize,
    members: AtomicUsize,
    points: AtomicUsize,
    bytes: AtomicUsize,
}

/// What one shard holds.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    groups: usize,
    members: usize,
    points: usize,
    bytes: usize,
}

impl Held {
    fn of(shard: &GroupShard) -> Self {
        Self {
            groups: shard.groups.len(),
            members: shard.members.len(),
            points: shard.out.len(),
            bytes: shard.bytes(),
        }
    }
}

impl Totals {
    pub(super) fn groups(&self) -> usize {
        self.groups.load(Ordering::Relaxed)
    }

    pub(super) fn members(&self) -> usize {
        self.members.load(Ordering::Relaxed)
    }

    /// Points made and not yet taken away.
    pub(super) fn points(&self) -> usize {
        self.points.load(Ordering::Relaxed)
    }

    /// Memory of all shards, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn settle(&self, before: Held, after: Held) {
        // wrapping: a sum of differences is right whatever their order
        let change = |total: &AtomicUsize, before: usize, after: usize| {
            if before != after {
                total.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
        };
        change(&self.groups, before.groups, after.groups);
        change(&self.members, before.members, after.members);
        change(&self.points, before.points, after.points);
        change(&self.bytes, before.bytes, after.bytes);
    }
}

/// A shard, and what of it is in the totals.
struct Counted {
    shard: GroupShard,
    held: Held,
}

/// The shards of a partition. One that is retired is gone: there is nothing left that could take a sample.
pub(super) struct Shards<const N: usize> {
    shards: [Mutex<Option<Counted>>; N],
    totals: Arc<Totals>,
    /// Whether a shard was changed since this was last asked.
    changed: AtomicBool,
}

impl<const N: usize> Shards<N> {
    pub(super) fn new(totals: Arc<Totals>, shard: impl Fn() -> GroupShard) -> Self {
        let shards = std::array::from_fn(|_| {
            let shard = shard();
            let held = Held::of(&shard);
            totals.settle(Held::default(), held);
            Mutex::new(Some(Counted { shard, held }))
        });
        Self { shards, totals, changed: AtomicBool::new(true) }
    }

    /// `None` if it is retired.
    pub(super) fn lock(&self, at: usize) -> Option<Locked<'_>> {
        self.locked(self.shards.get(at)?.lock())
    }

    /// `Err` if another has it.
    pub(super) fn try_lock(&self, at: usize) -> Result<Option<Locked<'_>>, Busy> {
        let Some(shard) = self.shards.get(at) else { return Ok(None) };
        Ok(self.locked(shard.try_lock().ok_or(Busy)?))
    }

    fn locked<'s>(&'s self, guard: MutexGuard<'s, Option<Counted>>) -> Option<Locked<'s>> {
        let counted = MutexGuard::try_map(guard, Option::as_mut).ok()?;
        Some(Locked { counted, totals: &self.totals, changed: &self.changed, touched: false })
    }

    /// Those that are not retired, one after the other.
    pub(super) fn each(&self) -> impl Iterator<Item = Locked<'_>> {
        (0..N).filter_map(|at| self.lock(at))
    }

    /// Takes the shards out, one after the other.
    pub(super) fn retire(&self) -> impl Iterator<Item = GroupShard> {
        self.shards.iter().filter_map(|shard| {
            let Counted { shard, held } = shard.lock().take()?;
            self.totals.settle(held, Held::default());
            Some(shard)
        })
    }

    /// Whether a shard was changed since this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }
}

impl<const N: usize> Drop for Shards<N> {
    fn drop(&mut self) {
        self.retire().for_each(drop);
    }
}

/// Another has the shard now.
pub(super) struct Busy;

/// A shard that nobody else sees or changes.
pub(super) struct Locked<'s> {
    counted: MappedMutexGuard<'s, Counted>,
    totals: &'s Totals,
    changed: &'s AtomicBool,
    touched: bool,
}

impl Deref for Locked<'_> {
    type Target = GroupShard;

    fn deref(&self) -> &GroupShard {
        &self.counted.shard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut GroupShard {
        self.touched = true;
        &mut self.counted.shard
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if !self.touched {
            return;
        }
        let held = Held::of(&self.counted.shard);
        self.totals.settle(self.counted.held, held);
        self.counted.held = held;
        self.changed.store(true, Ordering::Release);
    }
}
