//! Sets of label names: series of one metric have the same, and so have most of its neighbours.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::Ordering;

use ahash::AHashMap;

use crate::cardinality::tracker::Tracker;
use crate::series::{Labels, grammar, subject};

/// Sets that a worker remembers at most; where there are more, it begins anew.
pub(super) const MOST: usize = 4096;

/// A set of label names of a tenant.
pub(in crate::cardinality) struct Shape {
    /// A hash of the names and the tenant.
    pub(super) key: u64,
    /// A hash of each name.
    pub(in crate::cardinality) names: Box<[u64]>,
    /// Where the name of the metric is.
    pub(in crate::cardinality) metric_at: Option<usize>,
    /// A bit for each of the first 64 labels that has a say in whose a series is.
    subject: u64,
    /// Numbers of the labels' records.
    numbers: Box<[u32]>,
}

impl Shape {
    /// Whether the label at this place has a say in whose a series is. Of those beyond the first 64 it may be said.
    pub(super) fn says_whose(&self, place: usize) -> bool {
        place >= 64 || self.subject >> place & 1 != 0
    }

    /// What the labels come to that have a say in whose a series is, given a hash of each.
    pub(super) fn subject(&self, hashes: &[u64]) -> u64 {
        let said = hashes.iter().enumerate().filter(|(place, _)| self.says_whose(*place));
        said.fold(0, |key, (_, hash)| (key ^ *hash).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
    }
}

/// The sets that a worker has seen.
#[derive(Default)]
pub(super) struct Shapes {
    all: Vec<Shape>,
    by_key: AHashMap<u64, usize>,
    /// Which numbers of labels those are: they are given out anew when labels are forgotten.
    epoch: u32,
}

impl Shapes {
    /// Forgets what does not hold any more, before a request.
    pub(super) fn renew(&mut self, tracker: &Tracker) {
        let current = tracker.labels_epoch.load(Ordering::Acquire);
        if self.epoch != current {
            self.forget();
            self.epoch = current;
        }
    }

    fn forget(&mut self) {
        self.all.clear();
        self.by_key.clear();
    }

    pub(super) fn at(&self, shape: usize) -> &Shape {
        &self.all[shape]
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The set of these names; made where it is not there. Those that were found before may be others then.
    pub(super) fn find(&mut self, tracker: &Tracker, tenant: u32, labels: Labels<'_>, now: u32) -> usize {
        let mut key = tracker.hash.build_hasher();
        key.write_u32(tenant);
        labels.iter().for_each(|(name, _)| name.hash(&mut key));
        let key = key.finish();
        if self.all.len() >= MOST && !self.by_key.contains_key(&key) {
            self.forget();
        }
        *self.by_key.entry(key).or_insert_with(|| {
            let names = || labels.iter().map(|(name, _)| name);
            let has_a_say = |(place, name): (usize, &str)| {
                let says =
                    tracker.subjects.asks(name) || subject::CLUSTER.contains(&name) || grammar::asks(name);
                u64::from(says && place < 64) << (place % 64)
            };
            self.all.push(Shape {
                key,
                names: names().map(|name| tracker.hash.hash_one(name)).collect(),
                metric_at: names().position(|name| name == "__name__"),
                subject: names().enumerate().map(has_a_say).fold(0, |all, bit| all | bit),
                numbers: names().map(|name| tracker.label(tenant, name, now)).collect(),
            });
            self.all.len() - 1
        })
    }

    /// The number of a label's record; none where those are given out anew by now.
    pub(super) fn label(&self, tracker: &Tracker, shape: usize, place: usize) -> Option<u32> {
        (tracker.labels_epoch.load(Ordering::Acquire) == self.epoch).then(|| self.all[shape].numbers[place])
    }
}
