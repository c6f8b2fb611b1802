//! What waits for one tenant, in order, and what of it is given up for room.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashSet;

use crate::aggregate::outgoing::Outgoing;
use crate::aggregate::point::{Point, PointKind};

/// One request that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Grows from request to request.
    pub number: u64,
    /// What is in it.
    pub outgoing: Arc<Outgoing>,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    points: usize,
    /// Requests below this may be sent: what they came from is on disk, or there is no disk.
    released: u64,
    /// Whether something came or went since this was last asked.
    changed: bool,
}

impl Queue {
    pub(super) fn points(&self) -> usize {
        self.points
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.points += waiting.outgoing.points.len();
        self.waiting.push_back(waiting);
        self.changed = true;
    }

    pub(super) fn release(&mut self, below: u64) {
        self.released = self.released.max(below);
    }

    /// The first request, if it may be sent.
    pub(super) fn first(&self) -> Option<&Waiting> {
        self.waiting.front().filter(|first| first.number < self.released)
    }

    pub(super) fn done(&mut self, number: u64) {
        if self.waiting.front().is_some_and(|first| first.number == number)
            && let Some(first) = self.waiting.pop_front()
        {
            self.points -= first.outgoing.points.len();
            self.changed = true;
        }
    }

    /// Points that may not be sent yet.
    pub(super) fn held(&self) -> usize {
        let held = self.waiting.iter().rev().take_while(|waiting| waiting.number >= self.released);
        held.map(|waiting| waiting.outgoing.points.len()).sum()
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Point> {
        self.waiting.iter().flat_map(|waiting| &waiting.outgoing.points)
    }

    /// A newer value of a counter says all that an older one said.
    pub(super) fn merge_counters(&mut self) {
        let mut newer: AHashSet<usize> = AHashSet::new();
        for waiting in self.waiting.iter_mut().rev() {
            let mut keep: Vec<bool> = Vec::with_capacity(waiting.outgoing.points.len());
            for point in waiting.outgoing.points.iter().rev() {
                let first = newer.insert(Arc::as_ptr(&point.labels).cast::<u8>() as usize);
                keep.push(point.kind != PointKind::Cumulative || first);
            }
            thin_out(waiting, keep.into_iter().rev());
        }
        self.tidy();
    }

    /// Gives up the gauges of the oldest request that has any; returns how many points that were.
    pub(super) fn give_up_gauges(&mut self) -> usize {
        let oldest = self.waiting.iter_mut().find(|waiting| waiting.outgoing.gauges() > 0);
        let Some(oldest) = oldest else { return 0 };
        let lost = oldest.outgoing.gauges();
        let keep: Vec<bool> =
            oldest.outgoing.points.iter().map(|point| point.kind != PointKind::Gauge).collect();
        thin_out(oldest, keep.into_iter());
        self.tidy();
        lost
    }

    pub(super) fn has_gauges(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.outgoing.gauges() > 0)
    }

    fn tidy(&mut self) {
        self.waiting.retain(|waiting| !waiting.outgoing.points.is_empty());
        self.points = self.waiting.iter().map(|waiting| waiting.outgoing.points.len()).sum();
        self.changed = true;
    }
}

fn thin_out(waiting: &mut Waiting, keep: impl Iterator<Item = bool>) {
    let points = waiting.outgoing.points.iter().zip(keep).filter(|(_, keep)| *keep);
    let points: Vec<Point> = points.map(|(point, _)| point.clone()).collect();
    if points.len() < waiting.outgoing.points.len() {
        waiting.outgoing = Arc::new(Outgoing { points });
    }
}
