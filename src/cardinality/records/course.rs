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
                self.going_since = self.going_since.or(Some(at));
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
    use crate::cardinality::evidence::{Ending, Evidence};

    const OVER: Option<RunState> = Some(RunState::Over(Ending::Failed));
    const GOES_ON: Option<RunState> = Some(RunState::GoesOn);

    /// What the series of a run say that stands so.
    fn said(state: Option<RunState>) -> Said {
        let mut said = Said::default();
        match state {
            Some(RunState::GoesOn) => said.add(Evidence::JobActive.code(), true),
            Some(RunState::Over(_)) => said.add(Evidence::JobFailed.code(), true),
            None => {}
        }
        said
    }

    /// Lets things be said of a run that was due at 100, each at its time, and asks when it ended.
    fn after(all: &[(u32, Option<RunState>)]) -> Option<u32> {
        let mut course = Course::default();
        course.begin(all[0].0);
        for (at, state) in all {
            course.hear(*at);
            course.stand(*state, &said(*state), Some(100));
        }
        course.ended(Some(100))
    }

    #[test]
    fn what_is_left_of_a_run_says_nothing_new() {
        let mut course = Course::default();
        course.begin(110);
        course.hear(400);
        course.stand(OVER, &said(OVER), Some(100));
        // its job has no active pod, and what it came to is not said any more
        let mut left = Said::default();
        left.add(Evidence::JobActive.code(), false);
        for (at, state, left) in
            [(500, GOES_ON, &left), (600, GOES_ON, &Said::default()), (900, OVER, &said(OVER))]
        {
            course.hear(at);
            course.stand(state, left, Some(100));
            assert_eq!(course.ended(Some(100)), Some(100), "{at}");
        }
    }

    #[test]
    fn a_run_ended_when_it_was_seen_to_or_else_when_it_was_due() {
        for (what, said, expected) in [
            ("it goes on", &[(110, GOES_ON), (400, GOES_ON)][..], None),
            ("it was seen to end", &[(110, GOES_ON), (400, OVER), (500, OVER)], Some(400)),
            ("over at first sight", &[(9000, OVER)], Some(100)),
            ("over with the same scrape", &[(9000, GOES_ON), (9001, OVER)], Some(100)),
            ("over before it was due, by another clock", &[(90, OVER)], Some(90)),
            ("its exporter was away", &[(110, GOES_ON), (400, OVER), (500, None), (900, OVER)], Some(400)),
            (
                "the exporter says one thing after the other",
                &[(110, GOES_ON), (400, OVER), (500, None), (900, GOES_ON), (901, OVER)],
                Some(400),
            ),
            ("it was tried again", &[(110, GOES_ON), (400, OVER), (500, GOES_ON), (700, OVER)], Some(700)),
            ("it went on while nobody looked", &[(110, GOES_ON), (200, None), (900, OVER)], Some(900)),
        ] {
            assert_eq!(after(said), expected, "{what}");
        }
    }

    #[test]
    fn what_a_job_says_of_its_end_counts_where_it_can_be() {
        for (completed, expected) in
            [(250.0, 250), (99.0, 400), (401.0, 400), (0.0, 400), (f64::NAN, 400), (1e300, 400), (-5.0, 400)]
        {
            let mut course = Course::default();
            course.complete(completed);
            course.begin(110);
            for (at, state) in [(110, GOES_ON), (400, OVER)] {
                course.hear(at);
                course.stand(state, &said(state), Some(100));
            }
            assert_eq!(course.ended(Some(100)), Some(expected), "{completed}");
        }
    }
}
