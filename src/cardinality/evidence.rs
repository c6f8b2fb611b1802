//! What series say of a run, as kube-state-metrics has it: whether its job is active or done, and how its pods ended.
//!
//! A pod that ended does not end its job: it may be tried again, or be one of many. So the job's own series decide, where
//! there are any.

use crate::series::Labels;

/// What a series says of a run, once its value is other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    JobActive,
    JobComplete,
    JobFailed,
    PodSucceeded,
    PodFailed,
    /// Of no run, but how many of a CronJob's runs are to be kept.
    Limit,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded,
    Failed,
}

impl Ending {
    pub(super) const ALL: [Self; 2] = [Self::Succeeded, Self::Failed];
}

impl Evidence {
    /// Those that are about a run.
    const OF_A_RUN: usize = Self::Limit as usize;

    /// What a series is evidence of, if it is.
    pub(super) fn of(labels: Labels<'_>) -> Option<Self> {
        let of_condition = |evidence| (labels.get("condition") == "true").then_some(evidence);
        match labels.metric() {
            "kube_job_status_active" => Some(Self::JobActive),
            "kube_job_complete" => of_condition(Self::JobComplete),
            "kube_job_failed" => of_condition(Self::JobFailed),
            "kube_cronjob_spec_successful_job_history_limit"
            | "kube_cronjob_spec_failed_job_history_limit" => Some(Self::Limit),
            // failed jobs have none
            "kube_job_status_completion_time" => Some(Self::JobComplete),
            "kube_pod_status_phase" => match labels.get("phase") {
                "Succeeded" => Some(Self::PodSucceeded),
                "Failed" => Some(Self::PodFailed),
                _ => None,
            },
            _ => None,
        }
    }

    /// Its number, as the index keeps it; never 0.
    pub(super) fn code(self) -> u8 {
        self as u8 + 1
    }
}

/// Series that are evidence: how many there are, and how many of them have another value than 0, by what they say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    there: [u32; Evidence::OF_A_RUN],
    on: [u32; Evidence::OF_A_RUN],
}

impl Said {
    /// Takes in what a series says, given the number of its evidence (0: it is none) and whether its value is other than 0.
    pub(super) fn add(&mut self, code: u8, on: bool) {
        if let Some((there, counted)) = self.of(code) {
            *there += 1;
            *counted += u32::from(on);
        }
    }

    /// Takes it back.
    pub(super) fn take(&mut self, code: u8, on: bool) {
        if let Some((there, counted)) = self.of(code) {
            *there = there.saturating_sub(1);
            *counted = counted.saturating_sub(u32::from(on));
        }
    }

    /// Whether there is nothing that would say how the run stands.
    pub(super) fn is_empty(&self) -> bool {
        self.there.iter().all(|series| *series == 0)
    }

    /// Whether its job has an active pod, by its own series.
    pub(super) fn has_active_job(&self) -> bool {
        self.on[Evidence::JobActive as usize] > 0
    }

    /// Whether something says that the run is active, beyond that nothing says it is over.
    pub(super) fn is_active(&self) -> bool {
        let there = |evidence: Evidence| self.there[evidence as usize];
        let on = |evidence: Evidence| self.on[evidence as usize];
        if there(Evidence::JobActive) > 0 {
            return self.has_active_job();
        }
        let pods = there(Evidence::PodSucceeded).max(there(Evidence::PodFailed));
        pods > on(Evidence::PodSucceeded) + on(Evidence::PodFailed)
    }

    fn of(&mut self, code: u8) -> Option<(&mut u32, &mut u32)> {
        let at = usize::from(code.checked_sub(1)?);
        Some((self.there.get_mut(at)?, self.on.get_mut(at)?))
    }

    /// How the run ended; `None` while it goes on, or where nothing says so.
    pub(super) fn ending(&self) -> Option<Ending> {
        let there = |evidence: Evidence| self.there[evidence as usize];
        let on = |evidence: Evidence| self.on[evidence as usize];
        if on(Evidence::JobFailed) > 0 {
            return Some(Ending::Failed);
        }
        if on(Evidence::JobComplete) > 0 {
            return Some(Ending::Succeeded);
        }
        let succeeded = on(Evidence::PodSucceeded) > 0;
        if there(Evidence::JobActive) > 0 {
            // without a pod it may wait to be tried again; one that has succeeded ends what its job's other series,
            // filtered out on their way, do not end
            return (on(Evidence::JobActive) == 0 && succeeded).then_some(Ending::Succeeded);
        }
        let pods = there(Evidence::PodSucceeded).max(there(Evidence::PodFailed));
        let over = on(Evidence::PodSucceeded) + on(Evidence::PodFailed);
        let ending = if succeeded { Ending::Succeeded } else { Ending::Failed };
        (pods > 0 && over >= pods).then_some(ending)
    }
}
