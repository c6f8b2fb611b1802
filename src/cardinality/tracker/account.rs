//! Counting what a commit says: series that came, went elsewhere, ended, or were forgotten.

use super::{Sighting, Tracker, Watched};
use crate::cardinality::book::OTHERS;
use crate::cardinality::records::{Cause, Unit};
use crate::cardinality::tally::Tally;
use crate::series::{Charge, Departed, Moved};

impl Tracker {
    /// Counts a series that came into the index; `keys` is what [`Tracker::look`] added.
    pub fn born(&self, sighting: &Sighting, keys: &[u64], now: u32) {
        let Sighting { charge, learned, .. } = *sighting;
        self.metrics.with(charge.metric, |metric| metric.tally.born(learned, now));
        self.senders.with(charge.sender, |sender| sender.tally.born(learned, now));
        self.move_in(charge.unit, learned, (now, sighting.ended), now);
        self.known.remember(charge.metric, keys, learned, now);
        if !learned {
            self.causes.with(sighting.cause, |cause| {
                if sighting.rest_known { &mut cause.blamed } else { &mut cause.first }.add(1, now);
            });
        }
        if let Some(Watched { over: true }) = sighting.watched {
            self.turned(charge.unit, true, now);
        }
    }

    /// Changes the counts of a run, and takes over into its workload whether it is reported now.
    fn change<T>(&self, unit: u32, change: impl FnOnce(&mut Unit) -> T) -> (u32, T) {
        let (workload, before, after, over, result) = self.units.with(unit, |unit| {
            let before = unit.is_reported();
            let result = change(unit);
            (unit.workload, before, unit.is_reported(), u32::from(unit.over != 0), result)
        });
        if before != after {
            self.workloads.with(workload, |workload| {
                let count = |n: u32, by: u32| if after { n + by } else { n.saturating_sub(by) };
                workload.runs = count(workload.runs, 1);
                workload.runs_over = count(workload.runs_over, over);
            });
        }
        (workload, result)
    }

    /// Counts a series to a run and its workload.
    fn move_in(&self, unit: u32, learned: bool, (born, ended): (u32, bool), now: u32) {
        let (workload, (run_came, run_is_new)) = self.change(unit, |unit| {
            let came = unit.active == 0 && unit.run.is_some();
            if unit.came == 0 {
                (unit.came, unit.learned) = (born, learned);
            }
            unit.active += 1;
            unit.ended += u32::from(ended);
            unit.last = now;
            (came, unit.run.is_some() && !unit.learned)
        });
        self.workloads.with(workload, |workload| {
            workload.tally.moved_in(learned, born, now);
            if run_came && run_is_new {
                workload.new_runs.add(1, born);
            }
            if run_is_new && !learned {
                workload.series_of_new_runs.add(1, born);
            }
        });
    }

    /// Takes a series away from a run and its workload.
    fn move_out(&self, unit: u32, ended: bool, count: impl FnOnce(&mut Tally)) {
        let (workload, ()) = self.change(unit, |unit| {
            unit.active = unit.active.saturating_sub(1);
            unit.ended = unit.ended.saturating_sub(u32::from(ended));
        });
        self.workloads.with(workload, |workload| count(&mut workload.tally));
    }

    /// Counts a series with another unit: more is known of it now.
    pub fn moved(&self, moved: Moved, new: u32, now: u32) {
        let Moved { from: Charge { metric, unit: old, .. }, learned, born, ended } = moved;
        let workload_of = |unit| self.units.with(unit, |unit: &mut Unit| unit.workload);
        let workloads = (workload_of(old), workload_of(new));
        self.move_out(old, ended, |tally| tally.moved_out(learned, born));
        self.move_in(new, learned, (born, ended), now);
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

    /// Counts a stale marker of a series, seen on this node.
    pub fn ended(&self, charge: Charge, node: u32, now: u32) {
        self.metrics.with(charge.metric, |metric| metric.tally.ended += 1);
        self.senders.with(charge.sender, |sender| sender.tally.ended += 1);
        let (workload, ()) = self.change(charge.unit, |unit| unit.ended += 1);
        self.workloads.with(workload, |workload| workload.tally.ended += 1);
        if node != OTHERS {
            self.nodes.with(node, |node| node.lose(workload, now));
        }
    }

    /// Takes back the end of a series that is there again.
    pub fn returned(&self, charge: Charge) {
        self.change(charge.unit, |unit| unit.ended = unit.ended.saturating_sub(1));
    }

    /// Notes whether a run is over.
    pub fn turned(&self, unit: u32, over: bool, now: u32) {
        let (workload, change) = self.units.with(unit, |unit| {
            let change = unit.run.is_some() && (unit.over != 0) != over;
            unit.over = if over { now } else { 0 };
            (unit.workload, change && unit.is_reported())
        });
        if change {
            self.workloads.with(workload, |workload| {
                workload.runs_over =
                    if over { workload.runs_over + 1 } else { workload.runs_over.saturating_sub(1) };
            });
        }
    }

    /// Counts series that were forgotten.
    pub fn died(&self, departed: &[Departed], now: u32) {
        for gone in departed {
            let lifetime = gone.last_seen.saturating_sub(gone.born);
            let count = |tally: &mut Tally| tally.died(lifetime, gone.samples, now);
            self.metrics.with(gone.charge.metric, |metric| count(&mut metric.tally));
            self.senders.with(gone.charge.sender, |sender| count(&mut sender.tally));
            self.move_out(gone.charge.unit, gone.ended, count);
        }
    }
}
