//! Which series an identity upstream belongs to, where that is not plain from the index itself.
//!
//! A series that passes as it is owns its identity by being in the index. A series that goes under other labels
//! has a claim on what it becomes, and so has a group on each of its outputs; a series on its way into the index claims
//! itself until it is there. So two writers cannot become one: whoever comes second finds the claim or the entry.

use std::sync::atomic::Ordering;

use super::slots::Claim;
use super::takeover::Standing;
use super::{Index, IndexShard};
use crate::series::fingerprint::Fingerprint;
use crate::series::table::Slot;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The identity is the claimant's.
    Granted,
    /// The same, and another had it before: nothing that is sent may be older than what that sent.
    Inherited,
    /// It belongs to another series.
    Taken,
    /// There is no room to note it; nobody else is known to have it.
    Full,
}

/// Who wants an identity, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Claimant {
    /// Whose the identity is to be: a series, or what stands for a group.
    pub owner: Fingerprint,
    /// The series that asks; what it is in the index itself stands in nobody's way.
    pub series: Fingerprint,
    /// Under which policies.
    pub generation: u32,
    /// Unix seconds.
    pub now: u32,
    /// The first sample it would send, Unix seconds of sample time.
    pub begins: u32,
    /// Whether it ends with a stale marker: then it takes nothing from an owner that may be back.
    pub ends: bool,
}

impl Claimant {
    /// Whether all it would send is newer than what was sent until `last` (Unix seconds of sample time): one identity
    /// never has two values at one time, nor an older one after a newer.
    pub(super) fn may_follow(&self, last: u32) -> bool {
        self.begins > last
    }

    /// Whether it only says that the owner is there still.
    fn renews(&self) -> bool {
        self.begins == u32::MAX
    }
}

/// What one look at the shard of an identity says.
enum Look {
    Settled(Claimed),
    /// Another has a claim; only the other's own shard says what that is worth.
    Held(Claim),
}

impl Index {
    /// Claims the identity `output`. Holds until the owner ends, is silent while others ask, is decided to be something
    /// else, or, where it passes as it is, is in the index itself. Idempotent.
    pub fn claim(&self, output: Fingerprint, by: &Claimant) -> Claimed {
        // A rival that turned out to be something else by now: who, and under which policies it had the identity.
        let mut gone = None;
        loop {
            let held = match self.look(output, by, gone) {
                Look::Settled(claimed) => return claimed,
                Look::Held(held) => held,
            };
            // The rival's own shard is asked with no lock held, as two shards are never locked at one time; so
            // everything is looked at again afterwards.
            match self.standing(&held) {
                Standing::MovedOn => gone = Some((held.owner(), held.generation())),
                Standing::OnItsWay => {
                    let mut shard = self.shards[self.shard_of(output)].lock();
                    return self.wait_for(&mut shard, output, by);
                }
                Standing::Lives { last_seen, patience } => {
                    return self.challenge(output, &held, (last_seen, patience), by);
                }
            }
        }
    }

    fn look(&self, output: Fingerprint, by: &Claimant, gone: Option<(Fingerprint, u32)>) -> Look {
        let mut shard = self.shards[self.shard_of(output)].lock();
        let held = shard.claims.get_mut(output).map(|held| *held);
        let entry = shard.series.get_mut(output).filter(|entry| entry.sent_as().is_itself());
        let (stands, ended) = (entry.is_some(), entry.is_some_and(|entry| entry.has_ended()));
        // a group has what its first member was sent as before that is known to have left; what was granted under other
        // policies is worth nothing beside what stands
        let is_granted = |held: Claim| held.owner() == by.owner && held.generation() == by.generation;
        let granted = held.is_some_and(is_granted);
        if stands && !granted && output != by.owner && output != by.series {
            let other = |held: Claim| held.vacant_since().is_none() && held.owner() != by.owner;
            if held.is_some_and(other) {
                return Look::Settled(self.wait_for(&mut shard, output, by));
            }
            if !self.succeed(&mut shard, output, by) {
                return Look::Settled(Claimed::Taken);
            }
        }
        let is_mine = |held: &Claim| {
            let freed = gone == Some((held.owner(), held.generation()));
            // what a series is sent as goes to the group that it becomes a part of
            let own = held.owner() == by.owner || held.owner() == by.series;
            freed || own || held.vacant_since().is_some_and(|last| by.may_follow(last))
        };
        let claimed = match held {
            // its place in the index is claim enough, unless it had ended and others may follow
            None if stands && !ended && output == by.owner => Claimed::Granted,
            None => self.note(&mut shard, Claim::new(output, by).inherited(stands && output != by.owner)),
            Some(held) if is_mine(&held) => {
                let same = held.owner() == by.owner;
                renew(&mut shard, output, by, !same || held.is_inherited() && !by.renews())
            }
            Some(held) if held.vacant_since().is_some() => self.wait_for(&mut shard, output, by),
            Some(held) => return Look::Held(held),
        };
        Look::Settled(claimed)
    }

    /// Gives up a claim of `owner`, if it has it: it was never used.
    pub fn disclaim(&self, output: Fingerprint, owner: Fingerprint) {
        let mut shard = self.shards[self.shard_of(output)].lock();
        if shard.claims.get_mut(output).is_some_and(|claim| claim.owner() == owner) {
            shard.claims.remove(output);
            self.claims.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives up all claims of which `is` says so, given the identity and its owner.
    pub fn disclaim_where(&self, mut is: impl FnMut(Fingerprint, Fingerprint) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.claims.len();
            shard.claims.retain(|claim, ()| !is(claim.fingerprint(), claim.owner()));
            self.claims.fetch_sub(before - shard.claims.len(), Ordering::Relaxed);
        }
    }

    /// Ends what `owner` has sent as `output`; `last` is the time of the last sample, Unix seconds of sample time. Who
    /// waits for the identity has it with its next sample that is newer.
    pub fn release(&self, output: Fingerprint, owner: Fingerprint, last: u32, now: u32) {
        let mut shard = self.shards[self.shard_of(output)].lock();
        if let Some(claim) = shard.claims.get_mut(output).filter(|claim| claim.owner() == owner) {
            claim.vacate(last, now);
        }
        self.free(&mut shard.challenges, output, now);
    }

    /// Whether what was last sent as `output` was sent by `series`, and nobody else is to send it.
    pub fn owns(&self, output: Fingerprint, series: Fingerprint) -> bool {
        let mut shard = self.shards[self.shard_of(output)].lock();
        let stands = shard.series.get_mut(output).is_some_and(|entry| entry.sent_as().is_itself());
        match shard.claims.get_mut(output) {
            Some(claim) => claim.owner() == series && (output == series || !stands),
            None => stands && output == series,
        }
    }

    pub(super) fn note(&self, shard: &mut IndexShard, claim: Claim) -> Claimed {
        if self.claims.fetch_add(1, Ordering::Relaxed) >= self.room() {
            self.claims.fetch_sub(1, Ordering::Relaxed);
            return Claimed::Full;
        }
        shard.claims.insert(claim, ());
        granted(&claim)
    }

    /// For a series that comes into the index to pass as it is: its own claim has done its work. Returns whether
    /// another series was given a claim on it in the meantime, under the policies of the same `generation`.
    pub(super) fn settle_claim(&self, shard: &mut IndexShard, series: Fingerprint, generation: u32) -> bool {
        let Some(claim) = shard.claims.get_mut(series) else { return false };
        if claim.owner() != series && claim.vacant_since().is_none() {
            return claim.generation() == generation;
        }
        shard.claims.remove(series);
        self.claims.fetch_sub(1, Ordering::Relaxed);
        false
    }
}

fn renew(shard: &mut IndexShard, output: Fingerprint, by: &Claimant, inherited: bool) -> Claimed {
    let claim = Claim::new(output, by).inherited(inherited);
    if let Some(held) = shard.claims.get_mut(output) {
        *held = claim;
    }
    granted(&claim)
}

fn granted(claim: &Claim) -> Claimed {
    if claim.is_inherited() { Claimed::Inherited } else { Claimed::Granted }
}
