//! Which workload made a series: by the owners of a recording, else by its name, and what is not known then.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use seriesgate_proto::WriteRequest;

use crate::cardinality::RecordedOwners;
use crate::series::grammar::{self, Kind, Workload};
use crate::series::{Labels, RunProgress, SubjectTable, WorkloadFacts};

/// Owners of a recording that are kept: more pods than a cluster may have (150,000), with their jobs.
const MAX_OWNERS: usize = 1 << 20;

/// What `explain` says of a series' workload.
pub(super) struct Attribution {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) run: Option<String>,
    /// When the run was due, Unix seconds.
    scheduled: Option<i64>,
    /// Whether an owner said so; else its name did.
    pub(super) owner_said: bool,
}

impl Attribution {
    /// The same, for what policies ask.
    pub(super) fn facts(&self) -> WorkloadFacts {
        let Self { kind, name, run, scheduled, .. } = self;
        let workload = Workload { kind: *kind, name, run: run.as_deref(), scheduled: *scheduled };
        WorkloadFacts::of(&workload, RunProgress::Unsaid)
    }
}

/// Reads the owners in recordings; none given: `None`.
///
/// # Errors
/// If a file cannot be read, with its name; if no owner is in any.
pub(super) fn owners(
    recordings: &[PathBuf],
    limit: usize,
    subjects: &Arc<SubjectTable>,
) -> Result<Option<RecordedOwners>, String> {
    if recordings.is_empty() {
        return Ok(None);
    }
    let owners = RecordedOwners::new(MAX_OWNERS, Arc::clone(subjects));
    crate::cli::simulate::recording(recordings, limit, |body| {
        let request = WriteRequest::decode(body).map_err(|error| error.to_string())?;
        for series in &request.timeseries {
            let labels = series.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
            let mut pairs: Vec<(&str, &str)> = labels.filter(|(_, value)| !value.is_empty()).collect();
            pairs.sort_unstable();
            owners.learn(Labels::from_sorted(&pairs));
        }
        Ok(())
    })?;
    if owners.is_empty() {
        return Err(
            "no series in the recording names an owner; kube_pod_owner, kube_pod_info, kube_job_owner and \
                    kube_replicaset_owner of kube-state-metrics do"
                .into(),
        );
    }
    Ok(Some(owners))
}

/// The workload of a series, as far as it is known.
pub(super) fn of(
    series: Labels<'_>,
    subjects: &SubjectTable,
    owners: Option<&RecordedOwners>,
) -> Option<Attribution> {
    let then = |workload: Workload<'_>, owner_said: bool| Attribution {
        kind: workload.kind,
        name: workload.name.to_owned(),
        run: workload.run.map(str::to_owned),
        scheduled: workload.scheduled,
        owner_said,
    };
    match owners {
        Some(owners) => owners.workload(series, then),
        None => {
            let subject = subjects.about(series).subject()?;
            grammar::of_subject(subject, series).map(|workload| then(workload, false))
        }
    }
}

/// What is not known of the workload, for a person; `None` where it is, and where the series names no pod and no job.
pub(super) fn doubt(
    series: Labels<'_>,
    subjects: &SubjectTable,
    found: Option<&Attribution>,
    with_owners: bool,
) -> Option<&'static str> {
    let vague = found.is_none_or(|found| found.kind == Kind::Generated);
    match found {
        _ if subjects.about(series).subject().is_none() => None,
        Some(found) if found.owner_said => None,
        _ if with_owners => Some("the recording names no owner of it: this is what its name says"),
        _ if vague => {
            Some("its name does not tell what made it; give --owners a recording of kube-state-metrics")
        }
        _ => None,
    }
}

/// In words: kind and name, the run, when that was due.
pub(super) fn in_words(found: Option<&Attribution>) -> String {
    let Some(found) = found else { return "unknown".to_owned() };
    let mut text = format!("{} {}", found.kind.as_str(), found.name);
    if let Some(run) = &found.run {
        text += &format!(", run {run}");
    }
    if let Some(due) = found.scheduled.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        text += &format!(", due {due}");
    }
    if found.owner_said {
        text += ", by its owner";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_in_words_with_its_run_and_when_that_was_due() {
        for (name, expected) in [
            ("sync-29707814-h2f28", "cronjob sync, run sync-29707814, due 2026-06-26T10:14:00Z"),
            ("web-7d764666f9-qdcxt", "deployment web, run web-7d764666f9"),
            ("kindnet-zkpn8", "generated kindnet"),
            ("toolbox", "unknown"),
        ] {
            let found = of(Labels::from_sorted(&[("pod", name)]), &SubjectTable::known(), None);
            assert_eq!(in_words(found.as_ref()), expected);
        }
    }
}
