//! Names that Kubernetes' own controllers make.
//!
//! Parts are taken from the right, the rarest first: a generated ending would take everything that a template
//! hash, a schedule or an index before it says more exactly.

use super::token::{
    MAX_CRONJOB, before_uuid, before_written_moment, is_decimal_hash, is_hex, is_milliseconds, is_number,
    is_random_five, is_seconds, is_suffix, is_template_hash, is_written_day, number, peel, schedule,
};
use super::{Kind, Workload, cut};

/// Static pods of a control plane: what follows is a node's name, and no node is known here.
const CONTROL_PLANE: [&str; 4] = ["kube-apiserver-", "kube-controller-manager-", "kube-scheduler-", "etcd-"];

/// The workload of a pod by its name.
pub(super) fn pod(name: &str) -> Option<Workload<'_>> {
    match peel(name) {
        Some((owner, last)) if is_suffix(last) => generated(owner, name),
        // a number or a word: only behind what nobody writes
        Some((owner, last)) if is_random_five(last) && is_certain(owner) => generated(owner, name),
        Some((owner, last)) if is_number(last) => stateful(owner, last, name),
        _ => None,
    }
    .or_else(|| cut::pod(name))
    .or_else(|| tailed(name))
}

/// The workload of a job by its name.
pub(super) fn job(name: &str) -> Option<Workload<'_>> {
    cron_run(name).or_else(|| {
        let generated = || peel(name).filter(|(_, last)| is_suffix(last)).map(|(stem, _)| stem);
        // Argo CD's action "create job" on a CronJob (`resource_customizations/batch/CronJob/actions`) writes the minute:
        // scripts name theirs so, too, and so no CronJob is claimed
        let stem = before_written_moment(name).or_else(generated)?;
        Some(Workload::of(Kind::Job, stem, Some(name)))
    })
}

/// The family of a Job that no object made: programs and people number theirs by the moment, too. Eight digits are a CronJob's
/// minutes, which it is said not to be: it stands for itself; but for those that are a day.
pub(super) fn nobodys_job(name: &str) -> Option<Workload<'_>> {
    let numbered = || {
        let (stem, last) = peel(name)?;
        let made = is_suffix(last) || is_seconds(last) || is_milliseconds(last) || is_written_day(last);
        made.then_some(stem)
    };
    let stem = before_written_moment(name).or_else(numbered)?;
    Some(Workload::of(Kind::Job, stem, Some(name)))
}

/// The deployment of a ReplicaSet by its name. Something else is known to say that it is a ReplicaSet, so an old hash
/// is believed, too, but for what is rather a moment.
pub(super) fn replicaset(name: &str) -> Option<Workload<'_>> {
    hashed(name).or_else(|| {
        let (deployment, hash) = peel(name)?;
        is_decimal_hash(hash).then(|| Workload::of(Kind::Deployment, deployment, Some(name)))
    })
}

/// `<deployment>-<template hash>`.
pub(super) fn hashed(name: &str) -> Option<Workload<'_>> {
    let (deployment, hash) = peel(name)?;
    is_template_hash(hash).then(|| Workload::of(Kind::Deployment, deployment, Some(name)))
}

/// Whether only a controller writes such a name: its end is a template hash with letters, or a schedule's minutes.
fn is_certain(owner: &str) -> bool {
    peel(owner).is_some_and(|(_, last)| match is_number(last) {
        true => schedule(last).is_some(),
        false => is_template_hash(last),
    })
}

/// The pod of an owner that gave it five random characters.
fn generated<'a>(owner: &'a str, name: &str) -> Option<Workload<'a>> {
    let known = hashed(owner).or_else(|| cron_run(owner)).or_else(|| unindexed(owner, name));
    if let Some(found) = known.or_else(|| numbered(owner, name)) {
        return Some(found);
    }
    if of_control_plane(name) {
        return None;
    }
    if let Some(stem) = before_uuid(owner) {
        return Some(Workload::of(Kind::Generated, stem, Some(owner)));
    }
    // a job that was generated itself; a digit is asked for, since a part in the middle may be a word
    match peel(owner) {
        Some((stem, middle)) if is_suffix(middle) && middle.bytes().any(|b| b.is_ascii_digit()) => {
            Some(Workload::of(Kind::Generated, stem, Some(owner)))
        }
        _ => Some(Workload::of(Kind::Generated, owner, None)),
    }
}

/// `<cronjob>-<minutes>`, or seconds before 1.21.
pub(super) fn cron_run(name: &str) -> Option<Workload<'_>> {
    let (cronjob, moment) = peel(name)?;
    let scheduled = schedule(moment)?;
    (cronjob.len() <= MAX_CRONJOB)
        .then(|| Workload { scheduled: Some(scheduled), ..Workload::of(Kind::Cronjob, cronjob, Some(name)) })
}

/// `<job>--1`: the owner's part of a pod in Kubernetes 1.21 and 1.22, where a Job without indexes counted as index -1
/// (`unknownCompletionIndex`, `pkg/controller/job/indexed_job_utils.go`). A name that was cut may end in its own dash.
fn unindexed<'a>(owner: &'a str, name: &str) -> Option<Workload<'a>> {
    let job = owner.strip_suffix("--1").filter(|job| !job.is_empty() && !cut::is_full(name))?;
    cron_run(job).or_else(|| {
        let stem = peel(job).filter(|(_, last)| is_suffix(last)).map(|(stem, _)| stem);
        Some(Workload::of(Kind::Job, stem.unwrap_or(job), Some(job)))
    })
}

/// `<name>-<number>`: what stands before the random part of a pod.
fn numbered<'a>(owner: &'a str, name: &str) -> Option<Workload<'a>> {
    if let Some(stem) = before_written_moment(owner) {
        return Some(Workload::of(Kind::Generated, stem, Some(owner)));
    }
    let (stem, last) = peel(owner)?;
    if !is_number(last) || last.len() > 14 {
        return None;
    }
    if last.len() >= 8 {
        // a Deployment's old hash, a CronJob's in Kubernetes 1.5 to 1.7 (`hello-4111706356`), a date, a build's number
        return Some(Workload::of(Kind::Generated, stem, Some(owner)));
    }
    // the number of completions of an Indexed Job ends at 100,000
    if last.len() > 5 || number(last).is_none() {
        return None;
    }
    if cut::is_full(name) {
        return cut::indexed(stem);
    }
    // an Indexed Job's `<job>-<index>`, as likely the ReplicationController `<config>-<version>` of an OpenShift
    // DeploymentConfig (`LatestDeploymentNameForConfig`, `openshift/library-go`), or a DaemonSet of that name
    cron_run(stem).or_else(|| Some(Workload::of(Kind::Generated, stem, None)))
}

/// `<statefulset>-<ordinal>`.
fn stateful<'a>(stem: &'a str, ordinal: &str, name: &str) -> Option<Workload<'a>> {
    let value = number(ordinal)?;
    let year = (1900..2100).contains(&value);
    // `gke-<cluster>-<pool>-<8 hex>-<4 letters and digits>` is a node
    let node = ordinal.len() == 4 && peel(stem).is_some_and(|(_, last)| is_hex(last, 8));
    let plausible = ordinal.len() <= 4 && !year && !node && !ends_in_address(name) && !ends_in_month(stem);
    // `etcd-0` is a StatefulSet's; `etcd-node-1-35` is on a node
    let static_pod = of_control_plane(name) && (has_numbered_end(stem) || !name.starts_with("etcd-"));
    (plausible && !static_pod).then(|| Workload::of(Kind::Statefulset, stem, None))
}

fn has_numbered_end(stem: &str) -> bool {
    peel(stem).is_some_and(|(_, last)| is_number(last))
}

/// `<name>-<year>-<month>`: what follows is a day.
fn ends_in_month(stem: &str) -> bool {
    let Some((rest, month)) = peel(stem) else { return false };
    let within =
        |part: &str, range: std::ops::Range<u16>| part.parse().is_ok_and(|value| range.contains(&value));
    let year = rest.rsplit('-').next().unwrap_or_default();
    month.len() == 2 && within(month, 1..13) && year.len() == 4 && within(year, 1900..2100)
}

/// Whether the last four parts are numbers: a node's address, `ip-10-0-1-23`.
fn ends_in_address(name: &str) -> bool {
    name.rsplit('-').take(4).filter(|part| is_number(part) && part.len() <= 3).count() == 4
}

fn of_control_plane(name: &str) -> bool {
    CONTROL_PLANE.iter().any(|prefix| name.starts_with(prefix))
}

/// A UUID or 32 hex digits at the end: somebody's own generator.
fn tailed(name: &str) -> Option<Workload<'_>> {
    let stem =
        before_uuid(name).or_else(|| peel(name).filter(|(_, id)| is_hex(id, 32)).map(|(stem, _)| stem))?;
    Some(Workload::of(Kind::Generated, stem, None))
}
