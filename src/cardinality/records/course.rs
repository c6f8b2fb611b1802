//! When a run came, went on and ended, in sample time: Unix seconds of samples' own timestamps.

use super::run::RunState;
use crate::cardinality::evidence::Said;

/// The series of a run that was over before it was seen come within so many seconds.
pub(in crate::cardinality) const ARRIVES: u32 = 45;

/// The course of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cardinality) struct Course {
    /// When the first sample of its first series was taken, and the newest of those that were counted.
    pub(in crate::cardinality) came: u32,
    pub(in crate::cardinality) latest: u32,
    /// Since when its series say that it goes on.
    going_since: Option<u32>,
    ended: Option<u32>,
    /// When its job was completed, as kube-state-metrics says.
    completed: Option<u32>,
    /// Whether its series ever said how it stands.
    pub(in crate::cardinality) was_said: bool,
}

impl Course {
    /// Notes that a series of it comes where it has none.
    pub(in crate::cardinality) fn begin(&mut self, at: u32) {
        *self = Self { came: at, completed: self.completed, ..Self::default() };
    }

    /// Notes a sample that something is counted of.
    pub(in crate::cardinality) fn hear(&mut self, at: u32) {
        self.latest = self.latest.max(at);
    }

    /// Takes in when its job was completed.
    pub(in crate::cardinality) fn complete(&mut self, value: f64) {
        if value >= 1.0 && value < f64::from(u32::MAX) {
            self.completed = Some(value as u32);
        }
    }

    /// Notes how it stands now, and what its series say. Returns whether they say something for the first time.
    ///
    /// A run whose series say that it is over before any said for a while that it goes on was over before it was seen, or
    /// comes back: it ended then as it was known to, or else when it was due.
    pub(in crate::cardinality) fn stand(
        &mut self,
        state: Option<RunState>,
        said: &Said,
        scheduled: Option<u32>,
    ) -> bool {
        let (at, is_said) = (self.latest, !said.is_empty());
        match state {
            Some(RunState::Over(_)) => {
                let since = self.going_since.take();
                if since.is_some_and(|since| at.saturating_sub(since) >= ARRIVES) {
                    self.ended = Some(at);
                } else if self.ended.is_none() {
                    self.ended = Some(scheduled.map_or(at, |scheduled| scheduled.min(at)));
                }
            }
            // what is left of one that ended says nothing new
            Some(RunState::GoesOn) if said.is_active() || (is_said && self.ended.is_none()) => {
                // a job with an active pod was seen to go on; other things may be half of what a scrape says
                let since = if said.has_active_job() { at.saturating_sub(ARRIVES) } else { at };
                self.going_since = Some(self.going_since.unwrap_or(since).min(since));
            }
            _ => {}
        }
        let first = is_said && !self.was_said;
        self.was_said |= is_said;
        first
    }

    /// When it ended last. What its job says counts, but before it was due it was not over.
    pub(in crate::cardinality) fn ended(&self, scheduled: Option<u32>) -> Option<u32> {
        let is_right = |at: &u32| (scheduled.unwrap_or(0)..=self.latest).contains(at);
        self.completed.filter(is_right).filter(|_| self.ended.is_some()).or(self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cardinality::evidence::Evidence;

    /// What series of a run are evidence of, and whether their values are other than 0.
    type Heard = &'static [(Evidence, bool)];

    const ACTIVE: Heard = &[(Evidence::JobActive, true)];
    const OVER: Heard = &[(Evidence::JobActive, false), (Evidence::JobFailed, true)];
    /// Its job has no active pod, and what it came to is not said.
    const SILENT: Heard = &[(Evidence::JobActive, false)];
    /// Of the phases of its pod one series has come.
    const HALF: Heard = &[(Evidence::PodFailed, false)];
    const POD_OVER: Heard = &[(Evidence::PodFailed, false), (Evidence::PodSucceeded, true)];
    /// Nothing is reported.
    const AWAY: Heard = &[];

    /// Lets things be said of a run that was due at 100, each at its time.
    fn after(all: &[(u32, Heard)], course: &mut Course) -> Option<u32> {
        course.begin(all[0].0);
        for (at, heard) in all {
            let mut said = Said::default();
            heard.iter().for_each(|(evidence, on)| said.add(evidence.code(), *on));
            let state = said.ending().map_or(RunState::GoesOn, RunState::Over);
            course.hear(*at);
            course.stand((!heard.is_empty()).then_some(state), &said, Some(100));
        }
        course.ended(Some(100))
    }

    #[test]
    fn a_run_ended_when_it_was_seen_to_or_else_when_it_was_due() {
        for (what, heard, expected) in [
            ("it goes on", &[(110, ACTIVE), (400, ACTIVE)][..], None),
            ("it was seen to end", &[(110, ACTIVE), (400, OVER), (500, OVER)], Some(400)),
            ("it was seen to end soon", &[(110, ACTIVE), (120, OVER)], Some(120)),
            ("over at first sight", &[(9000, OVER)], Some(100)),
            ("over with the same scrape", &[(9000, HALF), (9001, POD_OVER)], Some(100)),
            ("its pod went on for a while", &[(9000, HALF), (9060, POD_OVER)], Some(9060)),
            ("over before it was due, by another clock", &[(90, OVER)], Some(90)),
            ("its exporter was away", &[(110, ACTIVE), (400, OVER), (500, AWAY), (900, OVER)], Some(400)),
            (
                "the exporter says one thing after the other",
                &[(110, ACTIVE), (400, POD_OVER), (500, AWAY), (900, HALF), (901, POD_OVER)],
                Some(400),
            ),
            (
                "what is left of it says nothing new",
                &[(110, ACTIVE), (400, OVER), (500, SILENT), (900, OVER)],
                Some(400),
            ),
            ("it was tried again", &[(110, ACTIVE), (400, OVER), (500, ACTIVE), (700, OVER)], Some(700)),
            ("it went on while nobody looked", &[(110, ACTIVE), (200, AWAY), (900, OVER)], Some(900)),
        ] {
            assert_eq!(after(heard, &mut Course::default()), expected, "{what}");
        }
    }

    #[test]
    fn what_a_job_says_of_its_end_counts_where_it_can_be() {
        for (completed, expected) in
            [(250.0, 250), (99.0, 400), (401.0, 400), (0.0, 400), (f64::NAN, 400), (1e300, 400), (-5.0, 400)]
        {
            let mut course = Course::default();
            course.complete(completed);
            assert_eq!(after(&[(110, ACTIVE), (400, OVER)], &mut course), Some(expected), "{completed}");
        }
    }
}
