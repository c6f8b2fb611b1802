//! `policies[].workload`: conditions that can hold.

use super::Checker;
use super::policies::Fault;
use crate::config::at::At;
use crate::config::position::Position;
use crate::config::raw::{DurationText, RawWorkload};
use crate::policy::Condition;
use crate::policy::pattern::Pattern;
use crate::series::grammar::Kind;

/// More runs of one workload than anybody keeps.
const MAX_KEPT: u64 = 1_000_000;

impl Checker<'_> {
    /// What a policy asks of workloads; worth something only if no mistake was found in it.
    pub(super) fn workload(&mut self, at: &At<RawWorkload>) -> Condition {
        let RawWorkload { kind, name, run_finished_for, keep_runs, run_older_than, unchanged_for } =
            &at.value;
        let kinds = Kind::ALL.map(|kind| (kind.as_str(), kind));
        let condition = Condition {
            kind: kind.as_ref().and_then(|kind| self.choice(kind, &kinds)),
            name: name.as_ref().map(|name| self.workload_name(name)),
            run_finished_for: run_finished_for.as_ref().map(|time| self.seconds(time, "0s")),
            keep_runs: keep_runs.as_ref().map(|runs| self.number(runs, 0, MAX_KEPT) as u32),
            run_older_than: run_older_than.as_ref().map(|time| self.seconds(time, "1s")),
            unchanged_for: unchanged_for.as_ref().map(|time| self.seconds(time, "1s")),
        };
        let on_runs = [
            ("run_finished_for", run_finished_for.as_ref().map(|at| at.position)),
            ("keep_runs", keep_runs.as_ref().map(|at| at.position)),
            ("run_older_than", run_older_than.as_ref().map(|at| at.position)),
        ];
        let keys = ["kind", "name", on_runs[0].0, on_runs[1].0, on_runs[2].0, "unchanged_for"];
        let is_empty = kind.is_none()
            && name.is_none()
            && unchanged_for.is_none()
            && on_runs.iter().all(|(_, at)| at.is_none());
        if is_empty && !self.could_not_read(&keys) {
            self.refuse(
                at.position,
                "`workload` asks for nothing; leave it out to take series of all workloads",
            );
        }
        let is_misread = kind.is_some() != condition.kind.is_some() || self.could_not_read(&["kind"]);
        let is_of_jobs = matches!(condition.kind, Some(Kind::Cronjob | Kind::Job));
        if let Some(unchanged_for) = unchanged_for.as_ref().filter(|_| !is_of_jobs && !is_misread) {
            let message = "`unchanged_for` is for runs of Jobs: give `kind: cronjob` or `kind: job` with it";
            self.refuse(unchanged_for.position, message);
        }
        if let Some(kind) = condition.kind.filter(|kind| !kind.runs_end()) {
            self.no_runs_that_end(kind, &on_runs);
        }
        condition
    }

    fn workload_name(&mut self, at: &At<String>) -> String {
        if at.value.is_empty() {
            self.refuse(at.position, "no workload has an empty name; leave `name` out to take all");
        }
        if let Err(error) = Pattern::compile(&at.value) {
            let message = error.to_string();
            self.refuse_inside(
                at.position,
                &at.value,
                error.offset,
                Fault { part: "regex", message: &message },
            );
        }
        at.value.clone()
    }

    /// Whole seconds, the next where it is not whole.
    fn seconds(&mut self, at: &At<DurationText>, min: &str) -> u32 {
        let seconds = self.duration(at, min, "10y").as_millis().div_ceil(1000);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    fn no_runs_that_end(&mut self, kind: Kind, on_runs: &[(&str, Option<Position>)]) {
        let ending: Vec<&str> =
            Kind::ALL.into_iter().filter(|kind| kind.runs_end()).map(Kind::as_str).collect();
        for (key, position) in on_runs {
            if let Some(position) = position {
                let message = format!(
                    "`{key}` is for runs that end, of {}; those of a `{}` do not",
                    super::either(&ending),
                    kind.as_str()
                );
                self.refuse(*position, message);
            }
        }
    }
}
