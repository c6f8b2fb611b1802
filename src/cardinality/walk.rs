//! What only a walk over all series finds: those whose owner has become known, and those that have vanished.
//!
//! What vanishes while its agent is down never ends with a stale marker. So a series that is not seen any more while others
//! of its sender go on counts as gone from its run.

use ahash::{AHashMap, AHashSet};

use super::tracker::{Tracker, Why};
use crate::series::Index;
use crate::series::index::{MAX_SENDERS, Walked};

/// A series has vanished when it was not seen for so long, seconds, and for three times as long as it used to take. A sender that
/// paused is to go on for so long first.
const UNSEEN: u32 = 300;
/// It is late when it was not seen for so long, seconds, and for two and a half times as long as it used to take: it may be there still.
const LATE: u32 = 150;

/// A walk under way.
pub struct Walk {
    now: u32,
    /// Runs whose series are to be looked at again.
    due: AHashSet<u32>,
    /// When a series of each sender was last seen, Unix seconds.
    newest: Vec<u32>,
    /// Series that are late, and those of them that were not seen for long, by run and sender.
    missing: AHashMap<(u32, u32), (u32, u32)>,
}

/// Whether a series is late, and whether it was not seen for long.
fn is_missing(series: &Walked, now: u32) -> (bool, bool) {
    let unseen = now.saturating_sub(series.last_seen);
    if unseen <= LATE || series.ended {
        return (false, false);
    }
    let every = series.last_seen.saturating_sub(series.first_seen) / u32::from(series.samples.max(2) - 1);
    (unseen > LATE.max(every.saturating_mul(5) / 2), unseen > UNSEEN.max(every.saturating_mul(3)))
}

impl Tracker {
    /// Begins a walk over all shards of the index.
    pub fn begin_walk(&self, now: u32) -> Walk {
        Walk {
            now,
            due: self.waiting.take_due(),
            newest: vec![0; MAX_SENDERS as usize],
            missing: AHashMap::new(),
        }
    }

    /// Walks over one shard.
    pub fn walk(&self, walk: &mut Walk, index: &Index, shard: usize) {
        let Walk { now, due, newest, missing } = walk;
        index.walk(shard, *now, |series| {
            let attribution = series.attribution;
            if let Some(newest) = newest.get_mut(attribution.sender as usize) {
                *newest = (*newest).max(series.last_seen);
            }
            let (late, unseen) = is_missing(series, *now);
            if late {
                let (all, long) = missing.entry((attribution.unit, attribution.sender)).or_default();
                *all += 1;
                *long += u32::from(unseen);
            }
            !due.is_empty() && due.contains(&attribution.unit)
        });
    }

    /// Takes over what the walk has found.
    pub fn end_walk(&self, walk: Walk) {
        let Walk { now, newest, missing, .. } = walk;
        let mut goes_on = vec![false; newest.len()];
        self.senders.each(|number, sender| {
            if let Some(newest) = newest.get(number as usize) {
                sender.follow(*newest, now);
                goes_on[number as usize] = sender.on_since.is_some_and(|since| now - since >= UNSEEN);
            }
        });
        let mut of: AHashMap<u32, (u32, u32)> = AHashMap::new();
        for ((unit, sender), (late, unseen)) in missing {
            let (all, vanished) = of.entry(unit).or_default();
            *all += late;
            if goes_on.get(sender as usize) == Some(&true) {
                *vanished += unseen;
            }
        }
        let mut news = Vec::new();
        self.units.each(|number, unit| {
            let (late, vanished) = of.get(&number).copied().unwrap_or_default();
            unit.late = late;
            if unit.vanished != vanished {
                news.push((number, vanished));
            }
        });
        for (number, vanished) in news {
            self.change(number, Why::Heard, now, |unit| unit.vanished = vanished);
        }
    }
}
