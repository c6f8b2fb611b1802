//! Conditions by workload: what a policy asks of the workload, and of the run, that a series is about.
//!
//! A condition is a pure function of what is known ([`WorkloadFacts`]) and of the sample's own time. It says how long its
//! answer holds, too: a series is asked about again then, so that a run that is over for half an hour is met by itself.

mod label;

use std::cell::{Cell, OnceCell};

pub use self::label::VirtualLabel;
use super::ValidUntil;
use super::pattern::{Pattern, PatternError};
use crate::series::grammar::Kind;
use crate::series::{RunFacts, RunProgress, WorkloadFacts};

/// A run that goes on may end: it is asked about again after so long, seconds of sample time.
const GOES_ON_SECONDS: u32 = 60;
/// A run that ended may go on after all, and a newer one may be gone: it is asked about again after so long.
const ENDED_SECONDS: u32 = 300;
/// What only a name says an owner may yet say otherwise. That has a series asked about by itself, but for what two requests
/// bring at the same moment.
const UNSAID_SECONDS: u32 = 3600;
/// Of a run that has just come more is known after so long.
const FRESH_SECONDS: u32 = 15;

/// What a policy asks of a workload. All that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What kind of object it is.
    pub kind: Option<Kind>,
    /// A regex that its whole name has to match.
    pub name: Option<String>,
    /// The run ended so long ago or longer, seconds.
    pub run_finished_for: Option<u32>,
    /// The run is over, and so many newer ones of the workload are reported.
    pub keep_runs: Option<u32>,
    /// The run was due, or else first seen, so long ago or longer, seconds.
    pub run_older_than: Option<u32>,
    /// No series of the run that a policy asks this about changed for so long, seconds.
    pub unchanged_for: Option<u32>,
}

/// When a series of the run changed last, the one in hand taken in; `None`: that is not known.
pub type LastChange<'f> = &'f dyn Fn() -> Option<u32>;

/// A condition with its regex compiled.
#[derive(Clone, Debug)]
pub struct CompiledCondition {
    condition: Condition,
    name: Option<Pattern>,
}

/// Whether a condition holds, and until when it is sure to be so.
type Answer = (bool, ValidUntil);

const NEVER: Answer = (false, ValidUntil::FOREVER);

impl Condition {
    /// Whether it asks for runs, and not only for whose a series is.
    pub fn asks_for_runs(&self) -> bool {
        self.asks_for_states() || self.run_older_than.is_some()
    }

    /// Whether it asks how runs stand, or which others there are: what only the stream says.
    pub fn asks_for_states(&self) -> bool {
        self.run_finished_for.is_some() || self.keep_runs.is_some() || self.unchanged_for.is_some()
    }

    /// # Errors
    /// If `name` is no regex.
    pub fn compile(&self) -> Result<CompiledCondition, PatternError> {
        let name = self.name.as_deref().map(Pattern::compile).transpose()?;
        Ok(CompiledCondition { condition: self.clone(), name })
    }

    /// Whether the conditions on a run hold.
    fn of_run(&self, run: &RunFacts, changed: LastChange<'_>, now: u32) -> Answer {
        let parts = [
            self.run_finished_for.map(|seconds| finished_for(seconds, run, now)),
            self.keep_runs.map(|runs| beyond(runs, run, now)),
            self.run_older_than.map(|seconds| older_than(seconds, run, now)),
            self.unchanged_for.map(|seconds| unchanged_for(seconds, changed(), now)),
        ];
        let soon = if run.fresh { after(now, FRESH_SECONDS) } else { ValidUntil::FOREVER };
        let both = |(all, until): Answer, (holds, holds_until): Answer| {
            (all && holds, ValidUntil(until.0.min(holds_until.0)))
        };
        parts.into_iter().flatten().fold((true, soon), both)
    }
}

impl CompiledCondition {
    /// As it was written.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Bytes of its regex.
    pub(super) fn bytes(&self) -> usize {
        self.name.as_ref().map_or(0, Pattern::bytes)
    }

    /// Whether it holds at `now` (sample time) for a series of which this is known, and until when. `changed` is asked if it
    /// matters, whatever else holds.
    pub fn holds(&self, facts: Option<&WorkloadFacts>, changed: LastChange<'_>, now: u32) -> Answer {
        let Some(facts) = facts else { return NEVER };
        let (holds, until) = self.of_workload(facts, changed, now);
        (holds, ValidUntil(until.0.min(same_workload(facts, now).0)))
    }

    fn of_workload(&self, facts: &WorkloadFacts, changed: LastChange<'_>, now: u32) -> Answer {
        if !self.names(facts) {
            return NEVER;
        }
        if !self.condition.asks_for_runs() {
            return (true, ValidUntil::FOREVER);
        }
        // a ReplicaSet or a revision is replaced, it does not end
        let Some(run) = facts.run.as_ref().filter(|_| facts.kind.runs_end()) else { return NEVER };
        self.condition.of_run(run, changed, now)
    }

    /// Whether kind and name are those that are asked for.
    pub fn names(&self, facts: &WorkloadFacts) -> bool {
        self.condition.kind.is_none_or(|kind| kind == facts.kind)
            && self.name.as_ref().is_none_or(|name| name.is_match(&facts.name))
    }
}

/// Until when a series is sure to be about this workload.
fn same_workload(facts: &WorkloadFacts, now: u32) -> ValidUntil {
    if facts.said { ValidUntil::FOREVER } else { after(now, UNSAID_SECONDS) }
}

fn after(now: u32, seconds: u32) -> ValidUntil {
    // never so late that it would be for ever
    ValidUntil(now.saturating_add(seconds).min(u32::MAX - 1))
}

fn finished_for(seconds: u32, run: &RunFacts, now: u32) -> Answer {
    let (ended, again) = match run.progress {
        RunProgress::GoesOn => return (false, after(now, GOES_ON_SECONDS)),
        RunProgress::Ended(at) => (Some(at), u32::MAX),
        // somebody may come to say how runs stand
        RunProgress::Unsaid => (run.scheduled, ENDED_SECONDS),
    };
    let Some(due) = ended.map(|at| after(at, seconds)) else { return (false, after(now, again)) };
    if now >= due.0 {
        return (true, after(now, ENDED_SECONDS));
    }
    (false, ValidUntil(due.0.min(after(now, again).0)))
}

fn beyond(kept: u32, run: &RunFacts, now: u32) -> Answer {
    // of runs of which nothing says how they stand the newest may be going on
    let kept = if run.progress == RunProgress::Unsaid { kept.max(1) } else { kept };
    if run.progress != RunProgress::GoesOn && run.newer >= kept {
        return (true, after(now, ENDED_SECONDS));
    }
    (false, after(now, GOES_ON_SECONDS))
}

fn older_than(seconds: u32, run: &RunFacts, now: u32) -> Answer {
    let due = after(run.scheduled.or(run.came).unwrap_or(now), seconds);
    if now >= due.0 { (true, ValidUntil::FOREVER) } else { (false, due) }
}

/// It is asked about again with each second of its samples, so that no change is missed.
fn unchanged_for(seconds: u32, changed: Option<u32>, now: u32) -> Answer {
    let holds = changed.is_some_and(|at| now >= after(at, seconds).0);
    (holds, after(now, 1))
}

/// What is known of the workload of the series in hand: found out once at most, and only if a policy asks. It notes until when
/// all that it said is so.
pub struct WorkloadSource<'f> {
    /// The time of the series' newest sample, Unix seconds.
    now: u32,
    find: &'f dyn Fn() -> Option<WorkloadFacts>,
    found: OnceCell<Option<WorkloadFacts>>,
    find_change: LastChange<'f>,
    last_change: OnceCell<Option<u32>>,
    until: Cell<ValidUntil>,
}

impl<'f> WorkloadSource<'f> {
    /// One that asks `find`, for a series whose newest sample is of `now`.
    pub fn new(now: u32, find: &'f dyn Fn() -> Option<WorkloadFacts>) -> Self {
        Self {
            now,
            find,
            found: OnceCell::new(),
            find_change: &|| None,
            last_change: OnceCell::new(),
            until: Cell::new(ValidUntil::FOREVER),
        }
    }

    /// The same where `find_change` knows when the run changed last; asked once at most, and only if a policy asks.
    pub fn with_changes(self, find_change: LastChange<'f>) -> Self {
        Self { find_change, ..self }
    }

    /// One that knows nothing: no condition holds, and its labels are empty.
    pub fn nothing() -> Self {
        Self::new(0, &|| None)
    }

    /// Whether a condition holds.
    pub(super) fn meets(&self, condition: &CompiledCondition) -> bool {
        let changed = || *self.last_change.get_or_init(self.find_change);
        let (holds, until) = condition.holds(self.facts(), &changed, self.now);
        self.note(until);
        holds
    }

    /// The value of a label; `""` where nothing says whose the series is.
    pub(super) fn label(&self, label: VirtualLabel) -> &str {
        let Some(facts) = self.facts() else { return "" };
        self.note(same_workload(facts, self.now));
        label.of(facts)
    }

    fn note(&self, until: ValidUntil) {
        self.until.set(ValidUntil(self.until.get().0.min(until.0)));
    }

    /// Until when all that was said so far is so.
    pub(super) fn valid_until(&self) -> ValidUntil {
        self.until.get()
    }

    /// What is known.
    pub fn facts(&self) -> Option<&WorkloadFacts> {
        self.found.get_or_init(self.find).as_ref()
    }
}

#[cfg(test)]
mod tests;
