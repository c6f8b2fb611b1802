//! When an identity goes from one series to another: its owner has ended, or is silent while another asks for it.
//!
//! Silence alone proves nothing, as an outage silences all. So the owner's is held against those who ask: they must
//! have been there all the while.

use super::slots::{Claim, Entry, Past};
use super::{Claimant, Claimed, Index, IndexShard, SentAs};
use crate::series::fingerprint::Fingerprint;
use crate::series::table::{Slot, Table};

/// Mean periods of its own that an owner may be silent for.
const PERIODS: u32 = 3;
/// So long at least, seconds.
const LEAST_PATIENCE: u32 = 45;
/// So long at most where two periods are not longer, and where the period is not known, seconds.
pub(super) const PATIENCE: u32 = 120;

/// What the owner of a claim is by now.
pub(super) enum Standing {
    /// Decided anew, under later policies, and it did not renew the claim.
    MovedOn,
    /// Not in the index yet, or no series at all.
    OnItsWay,
    /// When it was last seen, Unix seconds, and how long it may be silent.
    Lives { last_seen: u32, patience: u32 },
}

/// Others ask for an identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge {
    high: u64,
    low: u32,
    /// Since when without a gap, Unix seconds.
    since: u32,
    /// When they asked last.
    pub(super) last: u32,
}

impl Slot for Challenge {
    type Aside = ();

    const EMPTY: Self = Self { high: 0, low: 0, since: 0, last: 0 };

    #[inline]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint { high: self.high, low: self.low }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.last == 0
    }
}

/// How long a series may be silent before who waits for its identity has it, seconds.
fn patience(entry: &Entry, past: &Past) -> u32 {
    let samples = u32::from(entry.samples());
    // one sample has no period; of what counts no further it is not known any more
    if !(2..u32::from(u16::MAX)).contains(&samples) {
        return PATIENCE;
    }
    let period = entry.last_seen.saturating_sub(past.first_seen) / (samples - 1);
    period.saturating_mul(PERIODS).clamp(LEAST_PATIENCE, PATIENCE.max(period.saturating_mul(2)))
}

/// Whether an owner that was last seen then has been silent for too long.
fn is_silent((last_seen, patience): (u32, u32), by: &Claimant) -> bool {
    by.now.saturating_sub(last_seen) >= patience && by.may_follow(last_seen) && !by.ends
}

impl Index {
    pub(super) fn standing(&self, claim: &Claim) -> Standing {
        let mut shard = self.shards[self.shard_of(claim.owner())].lock();
        match shard.series.get_both(claim.owner()) {
            Some((entry, _)) if entry.generation() > claim.generation() => Standing::MovedOn,
            Some((entry, past)) if matches!(entry.sent_as(), SentAs::Rewritten(_)) => {
                Standing::Lives { last_seen: entry.last_seen, patience: patience(entry, past) }
            }
            _ => Standing::OnItsWay,
        }
    }

    /// For an identity that a series has by being in the index: whether another may have it now. The series itself is
    /// decided anew then.
    pub(super) fn succeed(&self, shard: &mut IndexShard, output: Fingerprint, by: &Claimant) -> bool {
        let Some((entry, past)) = shard.series.get_both(output) else { return true };
        let (ended, owner) = (entry.has_ended(), (entry.last_seen, patience(entry, past)));
        // it holds until its last sample, see `Remembered::valid_until`
        let over = ended && by.may_follow(entry.valid_until);
        let free = over || self.persists(shard, output, owner.1, by.now) && is_silent(owner, by);
        if free {
            self.lose(shard, output, output);
        }
        free
    }

    /// Asks for an identity on which another series that is there has a claim.
    pub(super) fn challenge(
        &self,
        output: Fingerprint,
        held: &Claim,
        owner: (u32, u32),
        by: &Claimant,
    ) -> Claimed {
        {
            let mut shard = self.shards[self.shard_of(output)].lock();
            let persists = self.persists(&mut shard, output, owner.1, by.now);
            let same = shard.claims.get_mut(output).filter(|claim| *claim == held);
            let Some(claim) = same.filter(|_| persists && is_silent(owner, by)) else {
                return Claimed::Taken;
            };
            // First the claim, then the owner: where the owner has come back meanwhile, both wait, and none is one too
            // many.
            *claim = Claim::new(output, by).inherited(true);
        }
        let lost = {
            let mut shard = self.shards[self.shard_of(held.owner())].lock();
            let silent = shard
                .series
                .get_mut(held.owner())
                .is_none_or(|entry| is_silent((entry.last_seen, owner.1), by));
            if silent {
                self.lose(&mut shard, held.owner(), output);
            }
            silent
        };
        if lost {
            return Claimed::Inherited;
        }
        let mut shard = self.shards[self.shard_of(output)].lock();
        if let Some(claim) = shard.claims.get_mut(output).filter(|claim| claim.owner() == by.owner) {
            *claim = *held;
        }
        Claimed::Taken
    }

    /// Somebody asks for an identity whose owner cannot be silent: it is on its way, or has just ended.
    pub(super) fn wait_for(&self, shard: &mut IndexShard, output: Fingerprint, by: &Claimant) -> Claimed {
        self.persists(shard, output, PATIENCE, by.now);
        Claimed::Taken
    }

    /// Notes that somebody asks for an identity; whether they have done so for `patience` seconds without as long a gap.
    fn persists(&self, shard: &mut IndexShard, output: Fingerprint, patience: u32, now: u32) -> bool {
        match shard.challenges.get_mut(output) {
            Some(asked) => {
                if now.saturating_sub(asked.last) >= patience {
                    asked.since = now;
                }
                asked.last = asked.last.max(now);
                now.saturating_sub(asked.since) >= patience
            }
            None => {
                let room = self.room().div_ceil(self.shards.len());
                if shard.challenges.len() < room {
                    let (high, low) = (output.high, output.low);
                    shard.challenges.insert(Challenge { high, low, since: now, last: now.max(1) }, ());
                }
                false
            }
        }
    }

    /// An identity is nobody's any more: those who have asked for it may ask at once.
    pub(super) fn free(&self, challenges: &mut Table<Challenge>, output: Fingerprint, now: u32) {
        if challenges.get_mut(output).is_some() {
            self.released.note(output.short(), now);
        }
    }

    /// What a series had belongs to another from now on.
    fn lose(&self, shard: &mut IndexShard, series: Fingerprint, output: Fingerprint) {
        if let Some(entry) = shard.series.get_mut(series) {
            let after = SentAs::Contested(output.short());
            self.count_contested(Some(entry.sent_as()), Some(after));
            entry.lose(after);
        }
    }
}
