//! Names that workflow engines and CI runners make. Each has a mark of its own that is looked for first, since
//! their tails would pass for something of Kubernetes' own.

use super::token::{
    is_hex, is_milliseconds, is_mixed_eight, is_nanoseconds, is_number, is_random_five, is_suffix,
    is_template_hash, is_written_minute, number, peel, schedule_seconds,
};
use super::{Kind, Workload, cut};

/// The engine that made a pod's name, if one did; Airflow is asked last of all, its mark is the weakest.
pub(super) fn pod(name: &str) -> Option<Workload<'_>> {
    gitlab_runner(name)
        .or_else(|| spark(name))
        .or_else(|| tekton(name))
        .or_else(|| argo(name))
        .or_else(|| knative(name))
}

/// `runner-<token>-project-<id>-concurrent-<n>-<random>`; older ones have no dash before the random part.
fn gitlab_runner(name: &str) -> Option<Workload<'_>> {
    let after_runner = name.strip_prefix("runner-")?;
    let (token, after_token) = after_runner.split_once("-project-")?;
    let (project, tail) = after_token.split_once("-concurrent-")?;
    number(project)?;
    let slot = match tail.split_once('-') {
        Some((slot, random)) if is_random_tail(random) => slot,
        Some(_) => return None,
        None => {
            let (slot, random) = tail.split_at_checked(tail.len().checked_sub(5)?)?;
            is_suffix(random).then_some(slot)?
        }
    };
    number(slot)?;
    let name_len = "runner-".len() + token.len() + "-project-".len() + project.len();
    (!token.is_empty()).then(|| Workload::of(Kind::GitlabRunner, &name[..name_len], Some(name)))
}

fn is_random_tail(part: &str) -> bool {
    (5..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// `<app>-<id>-driver` and `<app>-<id>-exec-<n>`. The id is 16 hex digits since Spark 3 (`KubernetesUtils.uniqueID`),
/// in 2.4 the launch time in milliseconds (`KubernetesClientApplication.getResourceNamePrefix`), in 2.3 an MD5
/// (`DriverConfigOrchestrator`).
fn spark(name: &str) -> Option<Workload<'_>> {
    let run = match name.strip_suffix("-driver") {
        Some(run) => run,
        None => {
            let (rest, executor) = peel(name)?;
            number(executor)?;
            rest.strip_suffix("-exec")?
        }
    };
    let (app, id) = peel(run)?;
    (is_hex(id, 16) || is_hex(id, 32) || is_milliseconds(id))
        .then(|| Workload::of(Kind::Spark, app, Some(run)))
}

/// `<run>-<task>-pod` or `<run>-pod`, where a run is `<pipeline or task>-<5 random>`; a retry is marked. Before 0.24
/// a random part follows (`<taskrun>-pod-<5>`), and a TaskRun's own name ends in one.
fn tekton(name: &str) -> Option<Workload<'_>> {
    if let Some(found) = affinity_assistant(name) {
        return Some(found);
    }
    if let Some(rest) = name.strip_suffix("-pod") {
        let (name, run) = run_in(rest).or_else(|| run_in(before_md5(rest)?))?;
        return Some(Workload::of(Kind::Tekton, name, Some(run)));
    }
    let found = match name.rsplit_once("-pod-retry") {
        Some((rest, retry)) if number(retry).is_some() => run_in(rest),
        _ => {
            let (rest, random) = peel(name)?;
            rest.strip_suffix("-pod").filter(|_| is_suffix(random)).and_then(in_taskrun)
        }
    };
    let (name, run) = found?;
    Some(Workload::of(Kind::Tekton, name, Some(run)))
}

/// The run in the name of a TaskRun: `<run>-<task>`, before 0.24 with a random part of its own behind it.
fn in_taskrun(name: &str) -> Option<(&str, &str)> {
    let of_pipeline = peel(name).filter(|(_, last)| is_suffix(last)).and_then(|(rest, _)| run_in(rest));
    of_pipeline.or_else(|| run_in(name))
}

/// The pipeline or task, and its run, by the name of a TaskRun or PipelineRun.
pub(super) fn tekton_run(name: &str) -> Option<Workload<'_>> {
    let (pipeline, run) = in_taskrun(name)?;
    Some(Workload::of(Kind::Tekton, pipeline, Some(run)))
}

/// The application by the name of a SparkApplication: as Airflow makes one, or as a ScheduledSparkApplication does, with
/// nanoseconds (`createSparkApplication`, `kubeflow/spark-operator`).
pub(super) fn spark_run(name: &str) -> Option<Workload<'_>> {
    let (app, made) = peel(name)?;
    let generated = is_suffix(made) || is_mixed_eight(made) || is_written_minute(made);
    (generated || is_milliseconds(made) || is_nanoseconds(made))
        .then(|| Workload::of(Kind::Spark, app, Some(name)))
}

/// Whole parts before the MD5 that takes the place of what does not fit into 63 bytes (`kmeta.ChildName`,
/// `knative.dev/pkg`): 27 bytes of the name, the digest glued to them.
fn before_md5(rest: &str) -> Option<&str> {
    let (head, digest) = rest.split_at_checked(27)?;
    let (parts, _) = head.rsplit_once('-').filter(|_| is_hex(digest, 32))?;
    Some(parts)
}

/// `affinity-assistant-<10 hex>-0`: keeps the pods of one pipeline run on a node (`affinity_assistant.go` of Tekton).
fn affinity_assistant(name: &str) -> Option<Workload<'_>> {
    let run = name.strip_suffix("-0")?;
    let (stem, id) = peel(run).filter(|(stem, _)| *stem == "affinity-assistant")?;
    is_hex(id, 10).then(|| Workload::of(Kind::Tekton, stem, Some(run)))
}

/// `<workflow>-<template>-<hash>`: the hash of the node's name in decimal (`GeneratePodName`; version 1 has no template).
/// A workflow is `<name>-<5 random>`, `<cron workflow>-<Unix seconds>` (`getChildWorkflowName`) or, by Argo CD's
/// action on a WorkflowTemplate, `<name>-<YYYYmmddHHMM>`; one that a person named cannot be told from its template. A
/// workflow of one template has a pod of its own name, which says so only with a CronWorkflow's seconds.
fn argo(name: &str) -> Option<Workload<'_>> {
    let (workflow_and_template, hash) = peel(name)?;
    if let (None, Some(due)) = (run_in(workflow_and_template), schedule_seconds(hash)) {
        return Some(Workload {
            scheduled: Some(due),
            ..Workload::of(Kind::Argo, workflow_and_template, Some(name))
        });
    }
    let value = number(hash)?;
    // fewer digits are one in 4,000 and would take StatefulSets' ordinals
    if hash.len() < 7 || u32::try_from(value).is_err() {
        return None;
    }
    let (name, run) = run_in(workflow_and_template)?;
    let scheduled = peel(run).and_then(|(_, last)| schedule_seconds(last));
    Some(Workload { scheduled, ..Workload::of(Kind::Argo, name, Some(run)) })
}

/// The one part of a name that was made for a run, and the run's name up to it. None where two could be it.
fn run_in(text: &str) -> Option<(&str, &str)> {
    let mut found = None;
    let mut end = 0;
    for part in text.split('-') {
        let start = end;
        end = start + part.len();
        let minute = part.len() == 12 && is_written_minute(part);
        let generated = is_suffix(part) || schedule_seconds(part).is_some() || minute;
        // the first part is the name's
        if start > 0 && generated {
            if found.is_some() {
                return None;
            }
            found = Some((&text[..start - 1], &text[..end]));
        }
        end += 1;
    }
    found.filter(|(name, _)| !name.is_empty())
}

/// `<service>-<5 digits>-deployment-<template hash>-<5 random>`.
fn knative(name: &str) -> Option<Workload<'_>> {
    let (rest, random) = peel(name)?;
    let (rest, hash) = peel(rest)?;
    let revision = rest.strip_suffix("-deployment")?;
    let (service, generation) = peel(revision)?;
    let fits =
        is_random_five(random) && is_template_hash(hash) && generation.len() == 5 && is_number(generation);
    fits.then(|| Workload::of(Kind::Knative, service, Some(revision)))
}

/// `<dag>-<task>-<8 letters and digits>` (`add_unique_suffix`); before 2.4 a dot and 32 hex digits
/// (`make_unique_pod_id`). Before 2.0 a dash stands there, as other generators have it: no kind is claimed then.
pub(super) fn airflow(name: &str) -> Option<Workload<'_>> {
    if let Some((task, id)) = name.rsplit_once('.')
        && is_hex(id, 32)
    {
        return Some(Workload::of(Kind::Airflow, task, Some(name)));
    }
    let (task, random) = peel(name)?;
    // where 63 letters were cut, the last part may be the end of a word and five random characters
    let kind = if cut::is_full(name) { Kind::Generated } else { Kind::Airflow };
    is_mixed_eight(random).then(|| Workload::of(kind, task, Some(name)))
}

/// The same by any eight letters and digits, where the task is known: see [`super::may_be_task`].
pub(super) fn may_be_task(name: &str) -> Option<Workload<'_>> {
    let (task, random) = peel(name)?;
    let digits = random.bytes().filter(u8::is_ascii_digit).count();
    let drawn = random.len() == 8 && (1..8).contains(&digits) && !random.contains('.');
    (drawn && !cut::is_full(name)).then(|| Workload::of(Kind::Airflow, task, Some(name)))
}
