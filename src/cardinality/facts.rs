//! What is known of the workload and the run of a series, for the conditions of policies.

use std::sync::atomic::Ordering;

use super::ownership::Ownership;
use super::record_table::OTHERS;
use super::records::{RunState, Unit};
use super::tracker::Tracker;
use super::values::TimedValue;
use crate::series::{Fingerprint, Labels, RunFacts, RunProgress, WorkloadFacts};

/// More is known of a run that came so few seconds ago soon.
const FRESH: u32 = 60;

/// What a run's own record says.
struct Record {
    came: u32,
    /// What it is told from newer ones by, where it is reported.
    order: u32,
    is_reported: bool,
    /// Whether something says that it goes on, or it never ended.
    goes_on: bool,
    was_said: bool,
    ended: Option<u32>,
}

impl Record {
    /// `None` where all of it is forgotten but the record: what comes now is another run of that name.
    fn of(unit: &Unit) -> Option<Self> {
        let ended = unit.course.ended(unit.scheduled);
        let (course, order) = (&unit.course, unit.order());
        let (came, state, was_said) = (course.came, unit.state(), course.was_said);
        // what is left of one that ended says nothing new
        let goes_on = ended.is_none() || (state == Some(RunState::GoesOn) && unit.said.is_active());
        let record = Self { came, order, is_reported: state.is_some(), goes_on, was_said, ended };
        (unit.active > 0).then_some(record)
    }

    /// `unsaid`: whether nothing says how runs of the workload stand, and enough time was given to say so.
    fn progress(&self, unsaid: bool) -> RunProgress {
        match self.ended {
            Some(at) if !self.goes_on => RunProgress::Ended(at),
            None if unsaid && !self.was_said => RunProgress::Unsaid,
            _ => RunProgress::GoesOn,
        }
    }
}

impl Tracker {
    /// What is known of the workload that a series is about, given when its sample was taken (`at`, Unix seconds) and our own
    /// time; `None` where nothing in its labels says whose it is. What it says itself of its owner is known by then.
    pub fn workload_facts(
        &self,
        tenant: u32,
        labels: Labels<'_>,
        at: u32,
        now: u32,
    ) -> Option<WorkloadFacts> {
        self.learn_owner(tenant, labels, now);
        self.known_facts(tenant, labels, at)
    }

    /// The same of what is known now, with nothing learned of the series.
    pub fn known_facts(&self, tenant: u32, labels: Labels<'_>, at: u32) -> Option<WorkloadFacts> {
        self.registry().with_ownership(tenant, labels, |whose| {
            let run = whose.run.filter(|_| whose.kind.runs_end()).map(|run| self.run_facts(&whose, run, at));
            let said = whose.unsaid.is_none() || !self.owners.are_said();
            WorkloadFacts { kind: whose.kind, name: whose.name.to_owned(), said, run }
        })
    }

    /// When a series of the run changed last that policies ask this about, the values of this one (oldest first) taken in; `None`
    /// where the run found no room. For a policy that asks this, each time that it does.
    pub fn last_change(
        &self,
        tenant: u32,
        labels: Labels<'_>,
        series: Fingerprint,
        values: &[TimedValue],
        now: u32,
    ) -> Option<u32> {
        let newest = values.last().map_or(0, |(at, _)| *at);
        let (unit, _) = self.unit(tenant, labels, now);
        if unit == OTHERS {
            return None;
        }
        let changed = self.values.hear(series.high, values, now);
        let last = self.units.with(unit, |unit| {
            // of a run that was not asked about it is not known
            let changed = changed.or((unit.changed == 0).then_some(newest));
            unit.changed = unit.changed.max(changed.unwrap_or(0));
            unit.changed
        });
        (last > 0).then_some(last)
    }

    fn run_facts(&self, whose: &Ownership<'_>, run: &str, now: u32) -> RunFacts {
        let scheduled = whose.scheduled.and_then(|at| u32::try_from(at).ok());
        let workload = self.workload_key(whose.scope, whose.kind, whose.name);
        let unit = self.units.peek(self.unit_key(workload, Some(run)), |unit| Record::of(unit)).flatten();
        let order = unit.as_ref().map_or(scheduled.unwrap_or(now), |unit| unit.order);
        let of_workload = self
            .workloads
            .peek(workload, |workload| (workload.reported.newer_than(order), workload.says_how_runs_stand));
        let (newer, says) = of_workload.unwrap_or_default();
        let came = unit.as_ref().map(|unit| unit.came).filter(|came| *came > 0);
        let age = came.map_or(0, |came| now.saturating_sub(came));
        let is_away = unit.as_ref().is_none_or(|unit| !unit.is_reported);
        // whoever says how runs stand may not have been heard yet
        let unsaid = !says && came.is_some() && age >= self.warmup.load(Ordering::Relaxed);
        let progress = unit.as_ref().map_or(RunProgress::GoesOn, |unit| unit.progress(unsaid));
        RunFacts { scheduled, came, progress, newer, fresh: is_away || age < FRESH }
    }
}
