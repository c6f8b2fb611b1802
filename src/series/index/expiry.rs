//! Forgetting what is idle, a shard at a time.

use std::sync::atomic::Ordering;

use super::slots::Claim;
use super::takeover::PATIENCE;
use super::{Attribution, Index, SentAs};
use crate::series::Fingerprint;
use crate::series::table::Slot;

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
    /// Which.
    pub series: Fingerprint,
    /// Who it was charged to.
    pub attribution: Attribution,
    /// When it came, Unix seconds.
    pub first_seen: u32,
    /// When it was last seen, Unix seconds.
    pub last_seen: u32,
    /// Samples of it, saturating at 65,535.
    pub samples: u16,
    /// Whether the last of them was a stale marker.
    pub ended: bool,
    /// Whether its last value was other than 0, where its values are watched.
    pub on: bool,
}

impl Index {
    /// Forgets what one shard has not seen since `horizon` (Unix seconds) and shows what stays to `visit`
    /// (generation, verdict); what goes is added to `departed`. `now`: who waits for an identity that becomes free asks
    /// for it with its next sample.
    pub fn expire(
        &self,
        shard: usize,
        (horizon, now): (u32, u32),
        departed: &mut Vec<Departed>,
        mut visit: impl FnMut(u32, u16),
    ) -> Expired {
        let mut rewritten = 0;
        let mut idle: Vec<Claim> = Vec::new();
        let series = {
            let mut shard = self.shards[shard].lock();
            let shard = &mut *shard;
            let (series, aliases) = (shard.series.len(), shard.aliases.len());
            shard.series.retain(|entry, past| {
                let keep = entry.last_seen >= horizon;
                match entry.sent_as() {
                    sent_as if sent_as.is_itself() && !keep => {
                        self.free(&mut shard.challenges, entry.fingerprint(), now);
                    }
                    SentAs::Rewritten(_) if keep => rewritten += 1,
                    _ => {}
                }
                if keep {
                    visit(entry.generation(), entry.verdict);
                } else {
                    self.count_contested(Some(entry.sent_as()), None);
                    departed.push(Departed {
                        series: entry.fingerprint(),
                        attribution: past.attribution(),
                        first_seen: past.first_seen,
                        last_seen: entry.last_seen,
                        samples: entry.samples(),
                        ended: entry.has_ended(),
                        on: entry.is_on(),
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
            // who waits asks now and then only
            shard.challenges.retain(|asked, ()| asked.last.saturating_add(PATIENCE) >= horizon);
            self.aliases.fetch_sub(aliases - shard.aliases.len(), Ordering::Relaxed);
            series - shard.series.len()
        };
        self.live.fetch_sub(series, Ordering::Relaxed);
        for claim in idle {
            self.review(claim, horizon, now);
        }
        Expired { series, rewritten }
    }

    /// A claim whose owner has not been decided about for long: the owner may live all the same.
    fn review(&self, claim: Claim, horizon: u32, now: u32) {
        let owner = claim.owner();
        let last_seen = {
            let mut shard = self.shards[self.shard_of(owner)].lock();
            let entry = shard.series.get_mut(owner);
            entry
                .filter(|entry| entry.generation() <= claim.generation())
                .filter(|entry| matches!(entry.sent_as(), SentAs::Rewritten(_)))
                .map(|entry| entry.last_seen)
        };
        let output = claim.fingerprint();
        let mut shard = self.shards[self.shard_of(output)].lock();
        let shard = &mut *shard;
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
                self.free(&mut shard.challenges, output, now);
            }
        }
    }
}
