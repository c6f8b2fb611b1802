//! Counting the series of runs, and with them the runs of workloads.

use super::Tracker;
use crate::cardinality::records::Unit;
use crate::cardinality::tally::Tally;

/// What a run has of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Whether it was learned, not new, when it came.
    pub(super) learned: bool,
    /// When that was, Unix seconds.
    pub(super) born: u32,
    /// Whether it has ended with a stale marker.
    pub(super) ended: bool,
    /// What its values are evidence of, and whether the last was other than 0.
    pub(super) evidence: u8,
    /// See `evidence`.
    pub(super) on: bool,
}

impl Tracker {
    /// Changes the counts of a run, and takes over into its workload how it stands now.
    pub(super) fn change<T>(&self, unit: u32, change: impl FnOnce(&mut Unit) -> T) -> (u32, T) {
        let (workload, before, after, result) = self.units.with(unit, |unit| {
            let before = unit.state();
            let result = change(unit);
            (unit.workload, before, unit.state(), result)
        });
        if before != after {
            self.workloads.with(workload, |workload| workload.turn(before, after));
        }
        (workload, result)
    }

    /// Counts a series to a run and its workload.
    pub(super) fn move_in(&self, unit: u32, held: Held, now: u32) {
        let Held { learned, born, .. } = held;
        let (workload, (run_came, run_is_new)) = self.change(unit, |unit| {
            let came = unit.active == 0 && unit.run.is_some();
            if unit.came == 0 {
                (unit.came, unit.learned) = (born, learned);
            }
            unit.active += 1;
            unit.ended += u32::from(held.ended);
            if !held.ended {
                unit.said.add(held.evidence, held.on);
            }
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
    pub(super) fn move_out(&self, unit: u32, held: Held, count: impl FnOnce(&mut Tally)) {
        let (workload, ()) = self.change(unit, |unit| {
            unit.active = unit.active.saturating_sub(1);
            unit.ended = unit.ended.saturating_sub(u32::from(held.ended));
            if !held.ended {
                unit.said.take(held.evidence, held.on);
            }
        });
        self.workloads.with(workload, |workload| count(&mut workload.tally));
    }
}
