//! What is known of the workload that a series is about, and of the run of it: what conditions of policies are asked with.
//!
//! All times are **sample time**: Unix seconds of samples' own timestamps.

use super::grammar::{Kind, Workload};

/// The workload behind a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// What kind of object it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Whether its owner says so; else a name does, and an owner may yet say otherwise.
    pub said: bool,
    /// The run of it that the series is about, where it has runs.
    pub run: Option<RunFacts>,
}

/// One run of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// When it was due, where its name says so.
    pub scheduled: Option<u32>,
    /// When its first sample was taken; `None`: it was not seen yet.
    pub came: Option<u32>,
    /// How it stands.
    pub progress: RunProgress,
    /// Reported runs of the same workload that are newer, by schedule, else by first sight.
    pub newer: u32,
    /// Whether it came, or came back, a moment ago: more will be known of it soon.
    pub fresh: bool,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunProgress {
    /// It goes on, or nothing says yet how it stands.
    GoesOn,
    /// It ended then.
    Ended(u32),
    /// Nothing in the stream ever says how runs of its workload stand.
    Unsaid,
}

impl WorkloadFacts {
    /// What a name says of a workload where nothing is known of how its runs stand.
    pub fn of(workload: &Workload<'_>, progress: RunProgress) -> Self {
        let scheduled = workload.scheduled.and_then(|at| u32::try_from(at).ok());
        let run = RunFacts { scheduled, came: None, progress, newer: 0, fresh: false };
        let (kind, name) = (workload.kind, workload.name.to_owned());
        Self { kind, name, said: false, run: workload.run.map(|_| run) }
    }
}
