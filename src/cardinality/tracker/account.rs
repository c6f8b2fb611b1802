//! Counting what a commit says: series that came, went elsewhere, ended, or were forgotten.

use super::runs::{Held, Why};
use super::{Sighting, Tracker};
use crate::cardinality::book::OTHERS;
use crate::cardinality::nodes::OnNode;
use crate::cardinality::records::{Cause, Unit};
use crate::cardinality::tally::Tally;
use crate::series::{Charge, Departed, Fingerprint, Moved};

impl Tracker {
    /// Counts a series that came into the index; `keys` is what [`Tracker::look`] added.
    pub fn born(&self, sighting: &Sighting, keys: &[u64], now: u32) {
        let Sighting { charge, learned, ended, on, .. } = *sighting;
        self.metrics.with(charge.metric, |metric| metric.tally.born(learned, now));
        self.senders.with(charge.sender, |sender| sender.tally.born(learned, now));
        let Charge { sender, evidence, .. } = charge;
        let held = Held { sender, learned, born: now, ended, evidence, on };
        self.move_in(charge.unit, held, Why::Heard, now);
        self.known.remember(charge.metric, keys, learned, now);
        if !learned {
            self.causes.with(sighting.cause, |cause| {
                if sighting.rest_known { &mut cause.blamed } else { &mut cause.first }.add(1, now);
            });
        }
    }

    /// Counts a series with another unit: more is known of it now.
    pub fn moved(&self, moved: Moved, new: u32, now: u32) {
        let Moved { from: Charge { metric, unit: old, sender, evidence }, learned, born, ended, on } = moved;
        let held = Held { sender, learned, born, ended, evidence, on };
        let workload_of = |unit| self.units.with(unit, |unit: &mut Unit| unit.workload);
        let workloads = (workload_of(old), workload_of(new));
        self.move_out(old, held, now);
        self.move_in(new, held, Why::Moved, now);
        if !learned && workloads.0 != workloads.1 {
            self.move_blame(metric, workloads, born, now);
        }
    }

    /// Blames for one new series of a metric what was blamed with another workload. The cause is not remembered for
    /// each series: it is taken to be the last one that this metric and workload had.
    fn move_blame(&self, metric: u32, (old, new): (u32, u32), born: u32, now: u32) {
        let Some(number) = self.latest_causes.lock().get(&(metric, old)).copied() else { return };
        let found = self.causes.with(number, |cause| {
            // its number may be another's by now
            if (cause.metric, cause.workload) != (metric, old) {
                return None;
            }
            let blamed = cause.blamed.in_last(60, now) > 0;
            if blamed { &mut cause.blamed } else { &mut cause.first }.take(1, born);
            let (labels, pattern) = (cause.labels.clone(), cause.pattern.clone());
            Some((Cause { metric, workload: new, labels, pattern, ..Cause::default() }, blamed))
        });
        let Some((copy, blamed)) = found else { return };
        let key = self.cause_key(metric, new, copy.labels.iter().map(|name| &**name));
        let number = self.causes.number(
            key,
            || copy,
            |cause| {
                cause.last = now;
                if blamed { &mut cause.blamed } else { &mut cause.first }.add(1, born);
            },
        );
        self.is_latest(metric, new, number);
    }

    /// Notes which cause a metric and workload had last. One that found no room is not worth it: what is noted is of
    /// causes that there are, so there are no more notes than `tracking.max_causes`.
    pub(super) fn is_latest(&self, metric: u32, workload: u32, cause: u32) {
        if cause != OTHERS {
            self.latest_causes.lock().insert((metric, workload), cause);
        }
    }

    /// Counts a stale marker of a series that names this node; `on` is what its last value was before.
    pub fn ended(&self, series: Fingerprint, (charge, on): (Charge, bool), node: OnNode, now: u32) {
        self.metrics.with(charge.metric, |metric| metric.tally.ended += 1);
        self.senders.with(charge.sender, |sender| sender.tally.ended += 1);
        let (workload, ()) = self.change(charge.unit, Why::Heard, now, |unit| {
            unit.ended += 1;
            unit.said.take(charge.evidence, on);
        });
        self.workloads.with(workload, |workload| workload.tally.ended += 1);
        if node.number != OTHERS {
            self.nodes.with(node.number, |of| of.lose(node.side, series.high, workload, now));
        }
    }

    /// Takes back the end of a series that is there again; `on` is what its last value was before.
    pub fn returned(&self, charge: Charge, on: bool, now: u32) {
        self.change(charge.unit, Why::Heard, now, |unit| {
            unit.ended = unit.ended.saturating_sub(1);
            unit.said.add(charge.evidence, on);
            unit.last = now;
        });
    }

    /// Notes that the value of a series that is evidence has turned, to 0 or away from it.
    pub fn turned(&self, charge: Charge, on: bool, now: u32) {
        self.change(charge.unit, Why::Heard, now, |unit| {
            unit.said.take(charge.evidence, !on);
            unit.said.add(charge.evidence, on);
            unit.last = now;
        });
    }

    /// Counts series that were forgotten.
    pub fn died(&self, departed: &[Departed], now: u32) {
        for gone in departed {
            let lifetime = gone.last_seen.saturating_sub(gone.born);
            let count = |tally: &mut Tally| tally.died(lifetime, gone.samples, now);
            self.metrics.with(gone.charge.metric, |metric| count(&mut metric.tally));
            self.senders.with(gone.charge.sender, |sender| count(&mut sender.tally));
            let Departed { charge, born, ended, on, .. } = *gone;
            // `learned` is of no meaning: nothing is taken back
            let Charge { sender, evidence, .. } = charge;
            let held = Held { sender, learned: false, born, ended, evidence, on };
            self.forget(charge.unit, held, now, count);
        }
    }
}
