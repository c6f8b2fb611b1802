//! What aggregations hold, made and lost.

use std::sync::Arc;

use metrics::{Counter, Gauge};
use parking_lot::Mutex;

use super::names;
use super::registry::Registry;
use crate::aggregate::{Counts, NotAggregated, Point, PointKind};

/// Metrics named in [`names::UNTYPED_SERIES`] at most.
pub const UNTYPED_NAMED: usize = 20;

/// Handles of what is counted of aggregations.
pub struct AggregationMetrics {
    registry: Arc<Registry>,
    /// Requests to be sent again.
    pub retries: Counter,
    /// Points that wait to be sent.
    pub pending: Gauge,
    /// Aggregations that began anew because their policies are others now.
    pub restarted: Counter,
    /// Snapshots written, and those that could not be.
    pub snapshots: Counter,
    /// See `snapshots`.
    pub snapshot_failures: Counter,
    /// Size of all files of snapshots.
    pub snapshot_bytes: Gauge,
    /// Bytes written.
    pub snapshot_written: Counter,
    /// Points held back until what they came from is in a snapshot.
    pub held: Gauge,
    /// How long the last one took.
    pub snapshot_seconds: Gauge,
    aggregates: Counter,
    stale_markers: Counter,
    /// Metrics that were named last, so that those which are none of the first any more say 0.
    untyped: Mutex<Vec<Box<str>>>,
}

impl AggregationMetrics {
    /// Registers the handles.
    pub fn new(registry: &Arc<Registry>) -> Self {
        for reason in ["overflow", "refused", "too_large", "unencodable"] {
            registry.counter(&names::AGGREGATION_LOST, &[("reason", reason)]).increment(0);
        }
        Self {
            retries: registry.counter(&names::AGGREGATION_RETRIES, &[]),
            pending: registry.gauge(&names::AGGREGATION_PENDING, &[]),
            restarted: registry.counter(&names::AGGREGATION_RESTARTS, &[]),
            snapshots: registry.counter(&names::SNAPSHOTS, &[("result", "ok")]),
            snapshot_failures: registry.counter(&names::SNAPSHOTS, &[("result", "failed")]),
            snapshot_bytes: registry.gauge(&names::SNAPSHOT_BYTES, &[]),
            snapshot_written: registry.counter(&names::SNAPSHOT_WRITTEN, &[]),
            held: registry.gauge(&names::AGGREGATION_HELD, &[]),
            snapshot_seconds: registry.gauge(&names::SNAPSHOT_SECONDS, &[]),
            aggregates: registry.counter(&names::GENERATED, &[("kind", "aggregate")]),
            stale_markers: registry.counter(&names::GENERATED, &[("kind", "stale_marker")]),
            untyped: Mutex::default(),
            registry: Arc::clone(registry),
        }
    }

    /// Counts points that were made.
    pub fn made(&self, points: &[Point]) {
        let stale = points.iter().filter(|point| point.kind == PointKind::Stale).count();
        self.stale_markers.increment(stale as u64);
        self.aggregates.increment((points.len() - stale) as u64);
    }

    /// Counts points that the upstream will never have.
    pub fn lost(&self, reason: &'static str, points: u64) {
        if points > 0 {
            self.registry.counter(&names::AGGREGATION_LOST, &[("reason", reason)]).increment(points);
        }
    }

    /// All points given up for room so far.
    pub fn overflowed(&self, points: u64) {
        self.registry.counter(&names::AGGREGATION_LOST, &[("reason", "overflow")]).absolute(points);
    }

    /// Counts a series that a policy was to aggregate and could not.
    pub fn not_aggregated(&self, policy: &str, reason: NotAggregated) {
        let labels = [("policy", policy), ("reason", reason.as_str())];
        self.registry.counter(&names::AGGREGATION_PASSED, &labels).increment(1);
    }

    /// Says how often a type was forgotten to make room, and a sender found none.
    pub fn refused(&self, types: u64, senders: u64) {
        for (what, times) in [("types", types), ("senders", senders)] {
            self.registry.counter(&names::AGGREGATION_REFUSED, &[("what", what)]).absolute(times);
        }
    }

    /// Counters whose last value was given up, so far.
    pub fn given_up(&self, counters: u64) {
        self.registry.counter(&names::AGGREGATION_GIVEN_UP, &[]).absolute(counters);
    }

    /// Says what the aggregation of a policy holds.
    pub fn publish(&self, policy: &str, counts: &Counts) {
        let labels = [("policy", policy)];
        let gauge = |metric, value: usize| self.registry.gauge(metric, &labels).set(value as f64);
        gauge(&names::AGGREGATION_MEMBERS, counts.members);
        gauge(&names::AGGREGATION_GROUPS, counts.groups);
        gauge(&names::AGGREGATION_TOMBSTONES, counts.tombstones);
        gauge(&names::AGGREGATION_MIXED, counts.mixed_buckets);
        gauge(&names::AGGREGATION_BYTES, counts.bytes);
        let counter = |metric, value| self.registry.counter(metric, &labels).absolute(value);
        counter(&names::AGGREGATION_BIRTHS, counts.births);
        counter(&names::AGGREGATION_BASELINES, counts.baselines);
        counter(&names::AGGREGATION_MOVED, counts.moved);
        counter(&names::AGGREGATION_REOPENED, counts.reopened);
        counter(&names::AGGREGATION_RETYPED, counts.retyped);
        counter(&names::AGGREGATION_SLOW, counts.slow);
        counter(&names::AGGREGATION_WINDOWS, counts.windows);
    }

    /// Says which metrics passed because nobody said what they are, those with most series.
    pub fn publish_untyped(&self, untyped: &[(Box<str>, u64)]) {
        let gauge = |metric: &str| self.registry.gauge(&names::UNTYPED_SERIES, &[("metric", metric)]);
        let mut named = self.untyped.lock();
        named.iter().for_each(|metric| gauge(metric).set(0.0));
        untyped.iter().for_each(|(metric, times)| gauge(metric).set(*times as f64));
        for (metric, _) in untyped {
            // a bounded number of metrics is ever named
            if named.len() < 10 * UNTYPED_NAMED && !named.contains(metric) {
                named.push(metric.clone());
            }
        }
    }
}
