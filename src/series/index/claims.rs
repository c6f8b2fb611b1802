//! Which series an identity upstream belongs to, where that is not plain from the index itself.
//!
//! A series that passes as it is owns its identity by being in the index. A series that goes under other labels
//! has a claim on what it becomes; a series on its way into the index claims itself until it is there. So two
//! series cannot become one: whoever comes second finds the claim or the entry.

use std::sync::atomic::Ordering;

use super::slots::Claim;
use super::{Emits, Index, Shard};
use crate::series::fingerprint::Fingerprint;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The identity is the claimant's.
    Granted,
    /// It belongs to another series.
    Taken,
    /// There is no room to note it; nobody else is known to have it.
    Full,
}

impl Index {
    /// Claims the identity `output` for the series `owner` (both may be the same), decided under `generation`.
    /// Holds until the owner is idle, is decided to be something else, or, where it passes as it is, is in the
    /// index itself. Idempotent.
    pub fn claim(&self, output: Fingerprint, owner: Fingerprint, generation: u32, now: u32) -> Claimed {
        let claim = Claim::new(output, owner, generation, now);
        // A rival that turned out to be something else by now: who, and under which policies it had the identity.
        let mut gone = None;
        loop {
            let rival = {
                let mut shard = self.shards[self.shard_of(output)].lock();
                let stands = shard.series.get_mut(output).is_some_and(|e| e.emits() == Emits::Itself);
                if stands && output != owner {
                    return Claimed::Taken;
                }
                match shard.claims.get_mut(output) {
                    None if stands => return Claimed::Granted,
                    None => return self.note(&mut shard, claim),
                    Some(held) if held.owner() == owner || gone == Some((held.owner(), held.generation)) => {
                        *held = claim;
                        return Claimed::Granted;
                    }
                    Some(held) => *held,
                }
            };
            // The rival's own shard is asked with no lock held, as two shards are never locked at one time; so
            // everything is looked at again afterwards.
            if !self.has_moved_on(&rival) {
                return Claimed::Taken;
            }
            gone = Some((rival.owner(), rival.generation));
        }
    }

    /// Gives up a claim of `owner`, if it has it.
    pub fn disclaim(&self, output: Fingerprint, owner: Fingerprint) {
        let mut shard = self.shards[self.shard_of(output)].lock();
        if shard.claims.get_mut(output).is_some_and(|claim| claim.owner() == owner) {
            shard.claims.remove(output);
            self.claims.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn note(&self, shard: &mut Shard, claim: Claim) -> Claimed {
        if self.claims.fetch_add(1, Ordering::Relaxed) >= self.max_tracked {
            self.claims.fetch_sub(1, Ordering::Relaxed);
            return Claimed::Full;
        }
        shard.claims.insert(claim, ());
        Claimed::Granted
    }

    /// Whether the owner was decided anew, under later policies, and did not renew the claim.
    fn has_moved_on(&self, claim: &Claim) -> bool {
        let owner = claim.owner();
        let mut shard = self.shards[self.shard_of(owner)].lock();
        shard.series.get_mut(owner).is_some_and(|entry| entry.generation() > claim.generation)
    }

    /// For a series that comes into the index to pass as it is: its own claim has done its work. Returns whether
    /// another series was given a claim on it in the meantime, under the policies of the same `generation`.
    pub(super) fn settle_claim(&self, shard: &mut Shard, series: Fingerprint, generation: u32) -> bool {
        let Some(claim) = shard.claims.get_mut(series) else { return false };
        if claim.owner() != series {
            return claim.generation == generation;
        }
        shard.claims.remove(series);
        self.claims.fetch_sub(1, Ordering::Relaxed);
        false
    }
}
