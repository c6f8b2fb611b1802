//! Counting the series of runs, and with them the runs of workloads.

use super::Tracker;
use crate::cardinality::records::{ARRIVES, PodKey, RunState, Turn, Unit};
use crate::cardinality::series_counts::SeriesCounts;

/// What a run has of one series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The pod that it is about.
    pub(super) pod: PodKey,
    /// Number of the sender that brought it.
    pub(super) sender: u32,
    /// Whether it was learned, not new, when it came.
    pub(super) learned: bool,
    /// When that was, Unix seconds.
    pub(super) first_seen: u32,
    /// When its sample was taken, Unix seconds; 0: that is not known.
    pub(super) at: u32,
    /// Whether it has ended with a stale marker.
    pub(super) ended: bool,
    /// What its values are evidence of, and whether the last was other than 0.
    pub(super) evidence: u8,
    /// See `evidence`.
    pub(super) on: bool,
}

impl Held {
    /// Whether a run has the same of another series that came in the same second.
    pub(super) fn counts_as(&self, other: &Self) -> bool {
        // what is evidence of something may turn the run
        self.evidence == 0
            && other.evidence == 0
            && (self.pod, self.sender, self.learned, self.ended)
                == (other.pod, other.sender, other.learned, other.ended)
    }
}

/// Series of a run that come together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alike {
    pub(super) unit: u32,
    /// What the run has of the first, and but for the time of its sample of each.
    pub(super) held: Held,
    pub(super) series: u32,
    /// When the newest of their samples was taken, Unix seconds.
    pub(super) latest: u32,
}

/// Why the counts of a run change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cardinality) enum Why {
    /// Its series say so, or say nothing any more.
    Heard,
    /// More is known of whose its series are.
    Moved,
    /// Its series are forgotten.
    Forgotten,
}

impl Why {
    /// Whether a run that is over now has ended just now, as far as one can tell.
    fn ends(self, unit: &Unit, now: u32) -> bool {
        match self {
            Self::Heard => !unit.learned || now.saturating_sub(unit.came) >= ARRIVES,
            Self::Moved => !unit.learned,
            Self::Forgotten => false,
        }
    }
}

impl Tracker {
    /// Changes the counts of a run, and takes over into its workload how it stands now.
    pub(in crate::cardinality) fn change<T>(
        &self,
        unit: u32,
        why: Why,
        now: u32,
        change: impl FnOnce(&mut Unit) -> T,
    ) -> (u32, T) {
        let (workload, turn, is_said, result) = self.units.with(unit, |unit| {
            let before = unit.state();
            let result = change(unit);
            let (after, has_ended, went) = (unit.state(), why.ends(unit, now), why == Why::Heard);
            let turn = Turn { before, after, order: unit.order(), over: unit.over, has_ended, went };
            let is_said = unit.course.stand(after, &unit.said, unit.scheduled);
            unit.over = match after {
                Some(RunState::Over(ending)) if unit.over.is_none_or(|(before, _)| before != ending) => {
                    Some((ending, if has_ended { now } else { 0 }))
                }
                Some(_) => unit.over,
                None => None,
            };
            (unit.workload, turn, is_said, result)
        });
        if turn.before != turn.after || is_said {
            self.workloads.with(workload, |workload| {
                workload.says_how_runs_stand |= is_said;
                if turn.before != turn.after {
                    workload.turn(turn, now);
                }
            });
        }
        (workload, result)
    }

    /// Counts series to a run and its workload.
    pub(super) fn move_in(&self, alike: Alike, why: Why, now: u32) {
        let Alike { unit, held, series, latest } = alike;
        let Held { sender, learned, first_seen, .. } = held;
        let (workload, (run_came, run_is_new)) = self.change(unit, why, now, |unit| {
            let came = unit.active == 0 && unit.run.is_some();
            if unit.active == 0 {
                (unit.came, unit.learned) = (first_seen, learned);
                (unit.vanished, unit.late) = (0, 0);
                unit.course.begin(held.at);
            }
            unit.course.hear(latest);
            unit.active += series;
            if held.ended {
                unit.ended += series;
            } else {
                // of those that are evidence none come together
                unit.said.add(held.evidence, held.on);
            }
            unit.last = now;
            (came, unit.run.is_some() && !unit.learned)
        });
        self.workloads.with(workload, |workload| {
            workload.series_counts.moved_in(series, learned, first_seen, now);
            workload.hear(sender);
            if !held.ended {
                workload.pods.add(held.pod, series, (learned, first_seen), now);
            }
            if run_came && run_is_new {
                workload.new_runs.add(1, first_seen);
            }
            if run_is_new && !learned {
                workload.series_of_new_runs.add(series, first_seen);
            }
        });
    }

    /// Takes a series away from a run and its workload that was never theirs, and the run with its last series.
    pub(super) fn move_out(&self, unit: u32, held: Held, now: u32) {
        let Held { learned, first_seen, .. } = held;
        let (workload, (run_went, run_is_new, came)) = self.change(unit, Why::Moved, now, |unit| {
            unit.lose(held);
            let run_is_new = unit.run.is_some() && !unit.learned;
            (unit.active == 0, run_is_new, unit.came)
        });
        self.workloads.with(workload, |workload| {
            workload.series_counts.moved_out(learned, first_seen);
            if !held.ended {
                workload.pods.remove(held.pod);
            }
            if run_went && run_is_new {
                workload.new_runs.take(1, came);
            }
            if run_is_new && !learned {
                workload.series_of_new_runs.take(1, first_seen);
            }
        });
    }

    /// Forgets a series of a run and its workload.
    pub(super) fn forget(&self, unit: u32, held: Held, now: u32, count: impl FnOnce(&mut SeriesCounts)) {
        let (workload, ()) = self.change(unit, Why::Forgotten, now, |unit| {
            unit.lose(held);
            // it was not seen for longer than it takes to vanish
            let missing = u32::from(!held.ended);
            unit.vanished = unit.vanished.saturating_sub(missing);
            unit.late = unit.late.saturating_sub(missing);
        });
        self.workloads.with(workload, |workload| count(&mut workload.series_counts));
    }
}

impl Unit {
    fn lose(&mut self, held: Held) {
        self.active = self.active.saturating_sub(1);
        self.ended = self.ended.saturating_sub(u32::from(held.ended));
        if !held.ended {
            self.said.take(held.evidence, held.on);
        }
    }
}
