//! The memo of other spellings: label bytes that are not canonical, and texts of remote write 2.0, lead to the identity of the series
//! that they stand for. Bounded, and forgotten when idle.

use std::sync::atomic::Ordering;

use super::slots::Alias;
use super::{Found, Index, IndexShard, Probe};
use crate::series::Fingerprint;

impl Index {
    /// Remembers that this spelling stands for `series`. Forgotten when idle; not kept when the memo is full.
    pub fn alias(&self, spelling: Fingerprint, series: Fingerprint, now: u32) {
        if self.aliases.fetch_add(1, Ordering::Relaxed) >= self.room() {
            self.aliases.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let alias = Alias::new(spelling, series, now);
        if !self.shards[self.shard_of(spelling)].lock().aliases.insert(alias, ()) {
            self.aliases.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Answers all probes of a batch that go by spellings, with the identities that those stand for: each shard is locked
    /// once, and its probes are in flight together.
    pub fn follow(&self, probes: &mut [Probe], order: &mut Vec<u32>, now: u32) {
        let starts = self.sort_by_shard(probes, order);
        for (shard, lock) in self.shards.iter().enumerate() {
            let mine = &order[starts[shard] as usize..starts[shard + 1] as usize];
            if !mine.is_empty() {
                lock.lock().follow(probes, mine, now);
            }
        }
    }
}

impl IndexShard {
    fn follow(&mut self, probes: &mut [Probe], mine: &[u32], now: u32) {
        for &i in mine {
            self.aliases.prefetch(probes[i as usize].fingerprint);
        }
        for &i in mine {
            let probe = &mut probes[i as usize];
            probe.found = self.alias_of(probe.fingerprint, now);
        }
    }

    pub(super) fn alias_of(&mut self, spelling: Fingerprint, now: u32) -> Found {
        self.aliases.get_mut(spelling).map_or(Found::Missing, |alias| {
            alias.last_seen = now.max(1);
            Found::Alias(alias.series)
        })
    }
}
