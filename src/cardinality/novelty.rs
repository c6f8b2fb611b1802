//! Why a series is new: which of its labels have a value that its metric never had before.
//!
//! A pair of label and value that a metric has had is remembered as 64 bits in a filter, for one to two windows after
//! it was last seen; so is the rest of the labels, those whose values were known. A new series whose rest was there
//! before differs from its predecessors in the changed labels and nothing else: they are to blame. What comes
//! together changes together: pairs count as known only some minutes after they came, so that the series of a
//! new pod, which arrive in several requests, all blame the pod.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::observer::{Recent, Shape};
use super::sketch::Seen;
use crate::series::Labels;

/// More than there are workers, so that they seldom meet.
const SHARDS: usize = 16;
/// So long a pair is new, seconds.
const NEW_FOR: u32 = 180;
/// Pairs that wait to be known, in one shard; what is more is known at once.
const WAITING: usize = 16_384;
/// Labels looked at, from the first in name order.
pub(super) const MAX_LABELS: usize = 64;

/// The labels of a series by hashes.
#[derive(Clone, Copy)]
pub(super) struct HashedLabels<'s> {
    /// Of each pair of name and value.
    pub(super) pairs: &'s [u64],
    pub(super) shape: &'s Shape,
}

/// Which labels of a series are new for its metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Novelty {
    /// A bit for each label, in name order.
    pub(super) changed: u64,
    /// Whether the rest of the labels was there before.
    pub(super) rest_known: bool,
}

impl Novelty {
    /// The names of the changed labels.
    pub(super) fn names<'a>(self, labels: Labels<'a>) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        (0..MAX_LABELS as u32)
            .zip(labels.iter())
            .filter(move |(i, _)| self.changed >> i & 1 != 0)
            .map(|(_, p)| p)
    }
}

struct FilterShard {
    known: Seen,
    /// Series that were counted in the sketches at their first sight in the last minute or two: they may come again, in the same request
    /// or in another, before the index has them.
    lately: Seen,
    /// The same of this window, of those that were not sent on then.
    in_vain: Seen,
    /// The minute that `lately` is of, since the Unix epoch.
    minute: u32,
    /// Pairs with the time they came, oldest first.
    waiting: VecDeque<(u32, u64)>,
}

/// Pairs of label and value that metrics have had.
pub(super) struct KnownLabels {
    shards: Box<[Mutex<FilterShard>]>,
}

impl KnownLabels {
    /// Filters of at most `max_bytes` together.
    pub(super) fn new(max_bytes: usize) -> Self {
        let shard = |_| {
            let [known, lately, in_vain] = shares(max_bytes).map(Seen::new);
            Mutex::new(FilterShard { known, lately, in_vain, minute: 0, waiting: VecDeque::new() })
        };
        Self { shards: (0..SHARDS).map(shard).collect() }
    }

    /// Lets the filters grow to `max_bytes` together from now on; what is beyond that is forgotten.
    pub(super) fn set_max_bytes(&self, max_bytes: usize) {
        let [known, lately, in_vain] = shares(max_bytes);
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.known.set_max_bytes(known);
            shard.lately.set_max_bytes(lately);
            shard.in_vain.set_max_bytes(in_vain);
            shard.waiting.shrink_to_fit();
        }
    }

    /// Whether a series is to be counted in the sketches of this window: it is not where it comes again before the index has it. And what is new about it. What is to be remembered of it is added to `keys`: the rest first, then each
    /// changed pair. `answers`: what was said of pairs a moment ago.
    pub(super) fn first_sight(
        &self,
        metric: u32,
        series: u64,
        labels: HashedLabels<'_>,
        answers: &mut Recent,
        keys: &mut Vec<u64>,
    ) -> (bool, Novelty) {
        let rest_at = keys.len();
        keys.push(0);
        let mut shard = self.shard(metric).lock();
        // what is asked about is brought in together
        for key in labels.pairs.iter().take(MAX_LABELS).map(|pair| of_metric(*pair, metric)) {
            if !answers.has(key) {
                shard.known.prefetch(key);
            }
        }
        let counts = !shard.lately.check_and_insert(series) && !shard.in_vain.contains(series);
        let (mut changed, mut rest) = (0, u64::from(metric));
        for (i, (pair, name)) in (0..MAX_LABELS).zip(labels.pairs.iter().zip(&labels.shape.names)) {
            if labels.shape.metric_at == Some(i) {
                continue;
            }
            let key = of_metric(*pair, metric);
            if answers.get_or(key, || shard.known.contains(key)) {
                rest = rest.rotate_left(7) ^ pair;
            } else {
                changed |= 1 << i;
                keys.push(key);
                rest = rest.rotate_left(7) ^ name;
            }
        }
        // mixed: a filter takes its place from the upper half and its bits from the lower
        let rest = mix(rest);
        keys[rest_at] = rest;
        (counts, Novelty { changed, rest_known: shard.known.contains(rest) })
    }

    /// Remembers what [`KnownLabels::first_sight`] found. `at_once`: it is not news, so nothing needs to wait. `remembered`: what
    /// was remembered a moment ago.
    pub(super) fn remember(
        &self,
        metric: u32,
        keys: &[u64],
        at_once: bool,
        now: u32,
        remembered: &mut Recent,
    ) {
        let Some((rest, pairs)) = keys.split_first() else { return };
        let mut shard = self.shard(metric).lock();
        shard.ripen(now);
        shard.known.check_and_insert(*rest);
        for pair in pairs {
            // what waits is not known yet: the two are told apart
            remembered.get_or(pair.rotate_left(u32::from(at_once)), || {
                if at_once || shard.waiting.len() >= WAITING {
                    shard.known.check_and_insert(*pair);
                } else {
                    shard.waiting.push_back((now, *pair));
                }
                true
            });
        }
    }

    /// Says that the pairs of a known series are still there. `refreshed`: of which that was said a moment ago, `answers`: whether
    /// they were known then.
    pub(super) fn refresh(&self, metric: u32, hashes: &[u64], refreshed: &mut Recent, answers: &mut Recent) {
        let mut shard = self.shard(metric).lock();
        for key in hashes.iter().take(MAX_LABELS).map(|pair| of_metric(*pair, metric)) {
            refreshed.get_or(key, || {
                shard.known.check_and_insert(key);
                answers.put(key, true);
                true
            });
        }
    }

    /// Notes that a series at its first sight was not sent on.
    pub(super) fn note_in_vain(&self, metric: u32, series: u64) {
        self.shard(metric).lock().in_vain.check_and_insert(series);
    }

    /// Lets what has waited long enough be known.
    pub(super) fn tick(&self, now: u32) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.ripen(now);
            if now / 60 != shard.minute {
                shard.minute = now / 60;
                shard.lately.rotate();
            }
        }
    }

    /// Begins a new window: what was in none of the last two is forgotten.
    pub(super) fn rotate(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.known.rotate();
            // what was counted in the last window is to be counted in this one
            shard.in_vain.clear();
        }
    }

    /// How often something was forgotten early because the filters were full.
    pub(super) fn dropped(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().known.dropped_layers()).sum()
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        let of = |shard: &Mutex<FilterShard>| {
            let shard = shard.lock();
            let filters = shard.known.bytes() + shard.lately.bytes() + shard.in_vain.bytes();
            filters + shard.waiting.capacity() * size_of::<(u32, u64)>()
        };
        self.shards.iter().map(of).sum()
    }

    fn shard(&self, metric: u32) -> &Mutex<FilterShard> {
        &self.shards[metric as usize % SHARDS]
    }
}

/// What the filters of a shard may have of all. What is not sent on is mostly the same as a moment ago.
fn shares(max_bytes: usize) -> [usize; 3] {
    [14, 1, 1].map(|share| max_bytes / SHARDS * share / 16)
}

impl FilterShard {
    fn ripen(&mut self, now: u32) {
        while let Some((came, pair)) = self.waiting.front().copied() {
            if came.saturating_add(NEW_FOR) > now {
                break;
            }
            self.waiting.pop_front();
            self.known.check_and_insert(pair);
        }
    }
}

/// Spreads what is in some bits of a key over all of them.
fn mix(key: u64) -> u64 {
    let wide = u128::from(key) * 0x9e37_79b9_7f4a_7c15;
    (wide ^ wide >> 64) as u64
}

/// The key of a pair of label and value as a metric has it.
fn of_metric(pair: u64, metric: u32) -> u64 {
    pair ^ u64::from(metric).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
