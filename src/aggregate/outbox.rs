//! What aggregations made and the upstream does not have yet: a bounded buffer, in order for each tenant.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ahash::AHashSet;
use parking_lot::Mutex;

use super::outgoing::Outgoing;
use super::point::{Point, PointKind};

/// One request that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Grows from request to request.
    pub number: u64,
    /// What is in it.
    pub outgoing: Arc<Outgoing>,
}

#[derive(Default)]
struct Queues {
    /// By tenant.
    waiting: BTreeMap<u32, VecDeque<Waiting>>,
    points: usize,
    next: u64,
    /// Requests below this may be sent: what they came from is on disk, or there is no disk.
    released: u64,
    lost: u64,
}

/// The buffer.
pub struct Outbox {
    queues: Mutex<Queues>,
    max_points: usize,
}

impl Outbox {
    /// Room for `max_points` points. What comes in although it is full, because time passes, has as much room again;
    /// beyond that newer values take the place of older ones.
    pub fn new(max_points: usize) -> Self {
        Self { queues: Mutex::default(), max_points }
    }

    /// Adds what was made for a tenant.
    pub fn push(&self, tenant: u32, points: Vec<Point>) {
        let requests = Outgoing::of(points);
        let mut queues = self.queues.lock();
        for outgoing in requests {
            queues.points += outgoing.points.len();
            let number = queues.next;
            queues.next += 1;
            let waiting = Waiting { number, outgoing: Arc::new(outgoing) };
            queues.waiting.entry(tenant).or_default().push_back(waiting);
        }
        if queues.points > 2 * self.max_points {
            queues.make_room(self.max_points);
        }
    }

    /// Lets everything go that was added so far.
    pub fn release(&self) {
        let mut queues = self.queues.lock();
        queues.released = queues.next;
    }

    /// The first request of each tenant that may be sent.
    pub fn first(&self) -> Vec<(u32, Waiting)> {
        let queues = self.queues.lock();
        let first =
            queues.waiting.iter().filter_map(|(tenant, waiting)| Some((*tenant, waiting.front()?.clone())));
        first.filter(|(_, waiting)| waiting.number < queues.released).collect()
    }

    /// The first request of a tenant, if it may be sent.
    pub fn first_of(&self, tenant: u32) -> Option<Waiting> {
        let queues = self.queues.lock();
        let first = queues.waiting.get(&tenant)?.front()?;
        (first.number < queues.released).then(|| first.clone())
    }

    /// A request is done with: sent, or refused for good.
    pub fn done(&self, tenant: u32, number: u64) {
        let mut queues = self.queues.lock();
        let Some(waiting) = queues.waiting.get_mut(&tenant) else { return };
        if waiting.front().is_some_and(|first| first.number == number)
            && let Some(first) = waiting.pop_front()
        {
            if waiting.is_empty() {
                queues.waiting.remove(&tenant);
            }
            queues.points -= first.outgoing.points.len();
        }
    }

    /// Whether anything of a tenant waits.
    pub fn holds(&self, tenant: u32) -> bool {
        self.queues.lock().waiting.contains_key(&tenant)
    }

    /// Whether requests that would feed it are to wait, given how many points are on their way to it.
    pub fn is_full(&self, coming: usize) -> bool {
        self.queues.lock().points + coming >= self.max_points
    }

    /// Points that wait.
    pub fn len(&self) -> usize {
        self.queues.lock().points
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Points of gauges that were given up for room, so far.
    pub fn lost(&self) -> u64 {
        self.queues.lock().lost
    }

    /// All that waits, by tenant, in order.
    pub fn all(&self) -> Vec<(u32, Vec<Point>)> {
        let queues = self.queues.lock();
        let points = |waiting: &VecDeque<Waiting>| {
            waiting.iter().flat_map(|waiting| waiting.outgoing.points.iter().cloned()).collect()
        };
        queues.waiting.iter().map(|(tenant, waiting)| (*tenant, points(waiting))).collect()
    }
}

impl Queues {
    /// A newer value of a counter says all that an older one said; what is then still too much is given up, gauges
    /// only, the oldest first.
    fn make_room(&mut self, max: usize) {
        for waiting in self.waiting.values_mut() {
            let mut newer: AHashSet<usize> = AHashSet::new();
            for waiting in waiting.iter_mut().rev() {
                let mut keep: Vec<bool> = Vec::with_capacity(waiting.outgoing.points.len());
                for point in waiting.outgoing.points.iter().rev() {
                    let first = newer.insert(Arc::as_ptr(&point.labels).cast::<u8>() as usize);
                    keep.push(point.kind != PointKind::Cumulative || first);
                }
                thin_out(waiting, keep.into_iter().rev());
            }
            waiting.retain(|waiting| !waiting.outgoing.points.is_empty());
        }
        self.count();
        while self.points > max {
            let oldest = self
                .waiting
                .values_mut()
                .flat_map(VecDeque::iter_mut)
                .filter(|waiting| waiting.outgoing.gauges() > 0)
                .min_by_key(|waiting| waiting.number);
            let Some(oldest) = oldest else { break };
            self.lost += oldest.outgoing.gauges() as u64;
            let keep: Vec<bool> =
                oldest.outgoing.points.iter().map(|point| point.kind != PointKind::Gauge).collect();
            thin_out(oldest, keep.into_iter());
            self.count();
        }
        for waiting in self.waiting.values_mut() {
            waiting.retain(|waiting| !waiting.outgoing.points.is_empty());
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
    }

    fn count(&mut self) {
        self.points = self.waiting.values().flatten().map(|waiting| waiting.outgoing.points.len()).sum();
    }
}

fn thin_out(waiting: &mut Waiting, keep: impl Iterator<Item = bool>) {
    let points = waiting.outgoing.points.iter().zip(keep).filter(|(_, keep)| *keep);
    let points: Vec<Point> = points.map(|(point, _)| point.clone()).collect();
    if points.len() < waiting.outgoing.points.len() {
        waiting.outgoing = Arc::new(Outgoing { points });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(labels: &Arc<[u8]>, ms: i64, kind: PointKind) -> Point {
        Point { labels: Arc::clone(labels), kin: u32::from(labels[0]), replica: 0, ms, bits: ms as u64, kind }
    }

    fn waiting(outbox: &Outbox) -> Vec<(u8, i64)> {
        let all = outbox.all();
        all.iter().flat_map(|(_, points)| points).map(|point| (point.labels[0], point.ms)).collect()
    }

    #[test]
    fn newer_values_of_counters_replace_older_ones_and_gauges_are_given_up_with_a_count() {
        let outbox = Outbox::new(4);
        let (counter, gauge): (Arc<[u8]>, Arc<[u8]>) = (Arc::from(*b"c"), Arc::from(*b"g"));
        outbox.push(0, vec![point(&counter, 0, PointKind::Start), point(&counter, 1, PointKind::Cumulative)]);
        outbox.push(0, vec![point(&gauge, 1, PointKind::Gauge)]);
        for ms in 2..4 {
            outbox.push(
                0,
                vec![point(&counter, ms, PointKind::Cumulative), point(&gauge, ms, PointKind::Gauge)],
            );
        }
        assert!(outbox.is_full(0) && !Outbox::new(4).is_full(3));
        assert_eq!(outbox.len(), 7);
        outbox.push(0, vec![point(&counter, 4, PointKind::Cumulative), point(&gauge, 4, PointKind::Gauge)]);
        // the newest value of the counter and where it began; of the gauge what there is room for
        assert_eq!(waiting(&outbox), [(b'c', 0), (b'g', 3), (b'c', 4), (b'g', 4)]);
        assert_eq!(outbox.lost(), 2);
        let other: Arc<[u8]> = Arc::from(*b"x");
        for ms in 5..10 {
            outbox.push(1, vec![point(&other, ms, PointKind::Stale)]);
        }
        // ends and beginnings are never given up
        assert_eq!((outbox.lost(), outbox.len()), (4, 7));
    }

    #[test]
    fn nothing_goes_before_it_is_let_go_and_each_tenant_has_its_own_order() {
        let outbox = Outbox::new(100);
        let labels: Arc<[u8]> = Arc::from(*b"a");
        outbox.push(3, vec![point(&labels, 1, PointKind::Cumulative)]);
        assert!(outbox.first().is_empty());
        outbox.release();
        outbox.push(3, vec![point(&labels, 2, PointKind::Cumulative)]);
        outbox.push(1, vec![point(&labels, 2, PointKind::Cumulative)]);
        let first = outbox.first();
        assert_eq!(
            first.iter().map(|(tenant, waiting)| (*tenant, waiting.number)).collect::<Vec<_>>(),
            [(3, 0)]
        );
        outbox.done(3, 0);
        assert!(outbox.first_of(3).is_none());
        outbox.release();
        assert_eq!(outbox.first().len(), 2);
        outbox.done(3, 0);
        assert_eq!(outbox.len(), 2);
    }
}
