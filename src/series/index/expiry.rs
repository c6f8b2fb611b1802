//! Forgetting what is idle, a shard at a time.

use std::sync::atomic::Ordering;

use ahash::AHashSet;

use super::slots::Claim;
use super::{Charge, Emits, Index};
use crate::series::table::Slot;

/// Identities that belong to nobody any more, in short form. Series that wait for one are decided anew.
pub type Freed = AHashSet<u32>;

/// Which of the series that wait for an identity are to be decided anew.
#[derive(Clone, Copy, Debug)]
pub enum Reopen<'a> {
    /// Those that wait for one of these.
    Waiting(&'a Freed),
    /// All.
    All,
}

impl Reopen<'_> {
    fn covers(self, wanted: u32) -> bool {
        match self {
            Reopen::Waiting(freed) => freed.contains(&wanted),
            Reopen::All => true,
        }
    }
}

/// What an expiry found in one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Series forgotten.
    pub series: usize,
    /// Series that go under other labels and stay, decided under any generation.
    pub rewritten: usize,
}

/// A series that was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Who it was charged to.
    pub charge: Charge,
    /// When it came, Unix seconds.
    pub born: u32,
    /// When it was last seen, Unix seconds.
    pub last_seen: u32,
    /// Samples of it, saturating at 65,535.
    pub samples: u16,
    /// Whether the last of them was a stale marker.
    pub ended: bool,
}

impl Index {
    /// Forgets what one shard has not seen since `horizon` (Unix seconds) and shows what stays to `visit`
    /// (generation, verdict). Series that wait for an identity are decided anew at next touch where
    /// `reopen` says so; identities that became free are added to `freeing`, the series themselves to `departed`.
    pub fn expire(
        &self,
        shard: usize,
        horizon: u32,
        reopen: Reopen<'_>,
        freeing: &mut Freed,
        departed: &mut Vec<Departed>,
        mut visit: impl FnMut(u32, u16),
    ) -> Expired {
        let mut rewritten = 0;
        let mut idle: Vec<Claim> = Vec::new();
        let waited_for = self.contested() > 0;
        let series = {
            let mut shard = self.shards[shard].lock();
            let (series, aliases) = (shard.series.len(), shard.aliases.len());
            shard.series.retain(|entry, past| {
                let keep = entry.last_seen >= horizon;
                match entry.emits() {
                    Emits::Contested(wanted) if keep && reopen.covers(wanted) => entry.reopen(),
                    Emits::Itself if !keep && waited_for => drop(freeing.insert(entry.fingerprint().short())),
                    Emits::Rewritten(_) if keep => rewritten += 1,
                    _ => {}
                }
                if keep {
                    visit(entry.generation(), entry.verdict);
                } else {
                    self.count_contested(Some(entry.emits()), None);
                    departed.push(Departed {
                        charge: past.charge(),
                        born: past.born,
                        last_seen: entry.last_seen,
                        samples: entry.samples(),
                        ended: entry.has_ended(),
                    });
                }
                keep
            });
            shard.aliases.retain(|alias, ()| alias.last_seen >= horizon);
            shard.claims.retain(|claim, ()| {
                if claim.seen < horizon {
                    idle.push(*claim);
                }
                true
            });
            self.aliases.fetch_sub(aliases - shard.aliases.len(), Ordering::Relaxed);
            series - shard.series.len()
        };
        self.live.fetch_sub(series, Ordering::Relaxed);
        for claim in idle {
            self.review(claim, horizon, freeing);
        }
        Expired { series, rewritten }
    }

    /// A claim whose owner has not been decided about for long: the owner may live all the same.
    fn review(&self, claim: Claim, horizon: u32, freeing: &mut Freed) {
        let owner = claim.owner();
        let last_seen = {
            let mut shard = self.shards[self.shard_of(owner)].lock();
            let entry = shard.series.get_mut(owner);
            entry
                .filter(|entry| entry.generation() <= claim.generation)
                .filter(|entry| matches!(entry.emits(), Emits::Rewritten(_)))
                .map(|entry| entry.last_seen)
        };
        let output = claim.fingerprint();
        let mut shard = self.shards[self.shard_of(output)].lock();
        // in the meantime it may have been renewed, or be another's
        let Some(held) = shard.claims.get_mut(output) else { return };
        if held.owner() != owner || held.seen >= horizon {
            return;
        }
        match last_seen {
            Some(seen) if seen >= horizon => held.seen = seen,
            _ => {
                shard.claims.remove(output);
                self.claims.fetch_sub(1, Ordering::Relaxed);
                freeing.insert(output.short());
            }
        }
    }
}
