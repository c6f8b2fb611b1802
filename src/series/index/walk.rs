//! A walk over all series, a shard at a time, for what no sample brings up.

use super::{Attribution, Index};

/// A series that a walk has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Who it is charged to.
    pub attribution: Attribution,
    /// When it came, Unix seconds.
    pub first_seen: u32,
    /// When it was last seen, Unix seconds.
    pub last_seen: u32,
    /// Samples of it, saturating at 65,535.
    pub samples: u16,
    /// Whether the last of them was a stale marker.
    pub ended: bool,
}

impl Index {
    /// Shows every series of one shard to `visit`. One of which it says yes is looked at closely at its next sample.
    pub fn walk(&self, shard: usize, now: u32, mut visit: impl FnMut(&Walked) -> bool) {
        let at = self.moment(now);
        self.shards[shard].lock().series.for_each_mut(|entry, past| {
            let walked = Walked {
                attribution: past.attribution(),
                first_seen: past.first_seen,
                last_seen: entry.last_seen,
                samples: entry.samples(),
                ended: entry.has_ended(),
            };
            if visit(&walked) {
                entry.make_due(at);
            }
        });
    }
}
