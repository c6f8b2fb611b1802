//! What aggregations made and the upstream does not have yet: a bounded buffer, in order for each tenant.

mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use self::queue::Queue;
pub use self::queue::Waiting;
use super::outgoing::Outgoing;
use super::point::Point;

/// What the queue of a tenant takes, bytes.
const QUEUE_BYTES: usize = 128;

#[derive(Default)]
struct Queues {
    tenants: BTreeMap<u32, Queue>,
    points: usize,
    next: u64,
    lost: u64,
}

/// The buffer.
pub struct Outbox {
    queues: Mutex<Queues>,
    max_points: usize,
}

impl Outbox {
    /// Room for `max_points` points. What comes in although it is full, because time passes or a tenant has its share
    /// still free, has as much room again; beyond that newer values take the place of older ones.
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
            queues.tenants.entry(tenant).or_default().push(waiting);
        }
        if queues.points > 2 * self.max_points {
            queues.make_room(self.max_points);
        }
    }

    /// What is added from now on has this number or a higher one.
    pub fn mark(&self) -> u64 {
        self.queues.lock().next
    }

    /// Lets everything of a tenant go that was added before `mark`.
    pub fn release(&self, tenant: u32, mark: u64) {
        if let Some(queue) = self.queues.lock().tenants.get_mut(&tenant) {
            queue.release(mark);
        }
    }

    /// Lets everything go that was added so far.
    pub fn release_all(&self) {
        let mut queues = self.queues.lock();
        let next = queues.next;
        queues.tenants.values_mut().for_each(|queue| queue.release(next));
    }

    /// Tenants that have something to be sent.
    pub fn ready(&self) -> Vec<u32> {
        let queues = self.queues.lock();
        let ready = queues.tenants.iter().filter(|(_, queue)| queue.first().is_some());
        ready.map(|(tenant, _)| *tenant).collect()
    }

    /// The first request of a tenant, if it may be sent.
    pub fn first_of(&self, tenant: u32) -> Option<Waiting> {
        self.queues.lock().tenants.get(&tenant)?.first().cloned()
    }

    /// A request is done with: sent, or refused for good.
    pub fn done(&self, tenant: u32, number: u64) {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.tenants.get_mut(&tenant) else { return };
        let before = queue.points();
        queue.done(number);
        let gone = before - queue.points();
        queues.points -= gone;
    }

    /// Whether requests of a tenant that would feed it are to wait, given how many points are on their way to it: it is
    /// full, and the tenant has its share of it. So a tenant whose points cannot be sent stops itself, and no other.
    pub fn is_full(&self, tenant: u32, coming: usize) -> bool {
        let queues = self.queues.lock();
        if queues.points + coming < self.max_points {
            return false;
        }
        let own = queues.tenants.get(&tenant).map_or(0, Queue::points);
        let others =
            queues.tenants.iter().filter(|(other, queue)| **other != tenant && !queue.is_empty()).count();
        own >= self.max_points / (others + 1) || others == 0
    }

    /// Whether anything of a tenant waits.
    pub fn holds(&self, tenant: u32) -> bool {
        self.queues.lock().tenants.get(&tenant).is_some_and(|queue| !queue.is_empty())
    }

    /// Points that wait.
    pub fn len(&self) -> usize {
        self.queues.lock().points
    }

    /// Memory held, bytes, about: of a point beside its labels, which its group has, too.
    pub fn bytes(&self) -> usize {
        let queues = self.queues.lock();
        queues.points * size_of::<Point>() + queues.tenants.len() * QUEUE_BYTES
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Points that wait for what they came from to be on disk.
    pub fn held(&self) -> usize {
        self.queues.lock().tenants.values().map(Queue::held).sum()
    }

    /// Whether a tenant has such points.
    pub fn holds_back(&self, tenant: u32) -> bool {
        self.queues.lock().tenants.get(&tenant).is_some_and(|queue| queue.held() > 0)
    }

    /// Points of gauges that were given up for room, so far.
    pub fn lost(&self) -> u64 {
        self.queues.lock().lost
    }

    /// All that waits for a tenant, in order.
    pub fn of(&self, tenant: u32) -> Vec<Point> {
        let queues = self.queues.lock();
        queues.tenants.get(&tenant).map(|queue| queue.all().cloned().collect()).unwrap_or_default()
    }

    /// Whether what waits for a tenant is other than when this was last asked.
    pub fn take_changed(&self, tenant: u32) -> bool {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.tenants.get_mut(&tenant) else { return false };
        let changed = queue.take_changed();
        if queue.is_empty() {
            queues.tenants.remove(&tenant);
        }
        changed
    }
}

impl Queues {
    /// Newer values of counters take the place of older ones. What is then still too much is given up: gauges only, the
    /// oldest of the tenant that has most.
    fn make_room(&mut self, max: usize) {
        self.tenants.values_mut().for_each(Queue::merge_counters);
        self.count();
        while self.points > max {
            let with_gauges = self.tenants.values_mut().filter(|queue| queue.has_gauges());
            let Some(largest) = with_gauges.max_by_key(|queue| queue.points()) else { break };
            self.lost += largest.give_up_gauges() as u64;
            self.count();
        }
    }

    fn count(&mut self) {
        self.points = self.tenants.values().map(Queue::points).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::point::PointKind;

    fn point(labels: &Arc<[u8]>, ms: i64, kind: PointKind) -> Point {
        Point { labels: Arc::clone(labels), kin: u32::from(labels[0]), replica: 0, ms, bits: ms as u64, kind }
    }

    fn waiting(outbox: &Outbox) -> Vec<(u8, i64)> {
        let all = [0, 1].map(|tenant| outbox.of(tenant));
        all.iter().flatten().map(|point| (point.labels[0], point.ms)).collect()
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
        assert!(outbox.is_full(0, 0) && !Outbox::new(4).is_full(0, 3) && Outbox::new(4).is_full(0, 4));
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
        assert!(outbox.ready().is_empty() && outbox.holds_back(3));
        outbox.release_all();
        outbox.push(3, vec![point(&labels, 2, PointKind::Cumulative)]);
        outbox.push(1, vec![point(&labels, 2, PointKind::Cumulative)]);
        assert_eq!((outbox.ready(), outbox.held()), (vec![3], 2));
        outbox.done(3, 0);
        assert!(outbox.first_of(3).is_none());
        // what one tenant has on disk lets go of no other's
        outbox.release(1, outbox.mark());
        assert_eq!(outbox.ready(), [1]);
        outbox.release(3, outbox.mark());
        assert_eq!(outbox.ready(), [1, 3]);
        outbox.done(3, 0);
        assert_eq!((outbox.len(), outbox.held()), (2, 0));
    }

    #[test]
    fn a_tenant_that_cannot_be_flushed_stops_itself_and_no_other() {
        let outbox = Outbox::new(10);
        let labels: Arc<[u8]> = Arc::from(*b"a");
        let points = |count: i64, kind| (0..count).map(|ms| point(&labels, ms, kind)).collect::<Vec<_>>();
        outbox.push(0, points(10, PointKind::Gauge));
        assert!(outbox.is_full(0, 0));
        assert!(!outbox.is_full(1, 0), "it has nothing in it");
        outbox.push(1, points(4, PointKind::Gauge));
        assert!(!outbox.is_full(1, 0), "nor half of it");
        outbox.push(1, points(1, PointKind::Gauge));
        assert!(outbox.is_full(1, 0) && !outbox.is_full(2, 0));
        // what is given up is of the tenant that has most
        outbox.push(2, points(6, PointKind::Gauge));
        assert_eq!([0, 1, 2].map(|tenant| outbox.of(tenant).len()), [0, 5, 0]);
    }

    #[test]
    fn what_waits_is_told_to_have_changed_once() {
        let outbox = Outbox::new(10);
        let labels: Arc<[u8]> = Arc::from(*b"a");
        assert!(!outbox.take_changed(0));
        outbox.push(0, vec![point(&labels, 1, PointKind::Gauge)]);
        assert!(outbox.take_changed(0) && !outbox.take_changed(0));
        outbox.release_all();
        outbox.done(0, 0);
        assert!(outbox.take_changed(0) && !outbox.take_changed(0));
    }
}
