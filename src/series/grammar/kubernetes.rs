//! Names that Kubernetes' own controllers make.
//!
//! Parts are taken from the right, the rarest first: a generated ending would take everything that a template
//! hash, a schedule or an index before it says more exactly.

use super::token::{
    CUT_LEN, CUT_NAME_LEN, before_uuid, is_cut_hash, is_hex, is_number, is_suffix, is_template_hash, number,
    peel, schedule,
};
use super::{Kind, Workload};

/// A CronJob's name leaves room for its jobs' endings: 63 less 11.
const MAX_CRONJOB: usize = 52;

/// Static pods of a control plane: what follows is a node's name, and no node is known here.
const CONTROL_PLANE: [&str; 4] = ["kube-apiserver-", "kube-controller-manager-", "kube-scheduler-", "etcd-"];

/// The workload of a pod by its name.
pub(super) fn pod(name: &str) -> Option<Workload<'_>> {
    match peel(name) {
        Some((owner, last)) if is_suffix(last) => generated(owner, name),
        Some((owner, last)) if is_number(last) => stateful(owner, last, name),
        _ => None,
    }
    .or_else(|| cut(name))
    .or_else(|| tailed(name))
}

/// The workload of a job by its name.
pub(super) fn job(name: &str) -> Option<Workload<'_>> {
    cron_run(name).or_else(|| {
        let (stem, last) = peel(name)?;
        is_suffix(last).then(|| Workload::of(Kind::Job, stem, Some(name)))
    })
}

/// The deployment of a ReplicaSet by its name.
pub(super) fn replicaset(name: &str) -> Option<Workload<'_>> {
    let (deployment, hash) = peel(name)?;
    is_template_hash(hash).then(|| Workload::of(Kind::Deployment, deployment, Some(name)))
}

/// The pod of an owner that gave it five random characters.
fn generated<'a>(owner: &'a str, name: &str) -> Option<Workload<'a>> {
    if let Some(found) = replicaset(owner).or_else(|| cron_run(owner)).or_else(|| indexed(owner)) {
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
fn cron_run(name: &str) -> Option<Workload<'_>> {
    let (cronjob, moment) = peel(name)?;
    let scheduled = schedule(moment)?;
    (cronjob.len() <= MAX_CRONJOB)
        .then(|| Workload { scheduled: Some(scheduled), ..Workload::of(Kind::Cronjob, cronjob, Some(name)) })
}

/// `<job>-<index>`: the owner's part of an Indexed Job's pod, also one that a CronJob started.
fn indexed(owner: &str) -> Option<Workload<'_>> {
    let (job, index) = peel(owner)?;
    // the number of completions of an Indexed Job ends at 100,000
    if index.len() > 5 || number(index).is_none() {
        return None;
    }
    cron_run(job).or_else(|| Some(Workload::of(Kind::IndexedJob, job, None)))
}

/// `<statefulset>-<ordinal>`.
fn stateful<'a>(stem: &'a str, ordinal: &str, name: &str) -> Option<Workload<'a>> {
    let value = number(ordinal)?;
    let year = (1900..2100).contains(&value);
    let plausible = ordinal.len() <= 4 && !year && !ends_in_address(name);
    // `etcd-0` is a StatefulSet's; `etcd-node-1-35` is on a node
    let static_pod = of_control_plane(name) && (has_numbered_end(stem) || !name.starts_with("etcd-"));
    (plausible && !static_pod).then(|| Workload::of(Kind::Statefulset, stem, None))
}

fn has_numbered_end(stem: &str) -> bool {
    peel(stem).is_some_and(|(_, last)| is_number(last))
}

/// Whether the last four parts are numbers: a node's address, `ip-10-0-1-23`.
fn ends_in_address(name: &str) -> bool {
    name.rsplit('-').take(4).filter(|part| is_number(part) && part.len() <= 3).count() == 4
}

fn of_control_plane(name: &str) -> bool {
    CONTROL_PLANE.iter().any(|prefix| name.starts_with(prefix))
}

/// A stem of 58 bytes with the random part glued to it: the owner's name was cut, and its dash with it.
fn cut(name: &str) -> Option<Workload<'_>> {
    if name.len() != CUT_NAME_LEN {
        return None;
    }
    let (stem, random) = name.split_at_checked(CUT_LEN)?;
    if stem.ends_with('-') || !is_suffix(random) {
        return None;
    }
    let Some((owner, last)) = peel(stem) else {
        return Some(Workload::of(Kind::Generated, stem, None));
    };
    if is_template_hash(last) || is_cut_hash(last) {
        return Some(Workload::of(Kind::Deployment, owner, None));
    }
    // a CronJob of 49 to 52 bytes loses up to three digits of the moment
    if (5..=8).contains(&last.len()) && is_number(last) && matches!(last.as_bytes()[0], b'2' | b'3') {
        let scheduled = schedule(last);
        let run = scheduled.map(|_| stem);
        return Some(Workload { scheduled, ..Workload::of(Kind::Cronjob, owner, run) });
    }
    Some(Workload::of(Kind::Generated, stem, None))
}

/// A UUID or 32 hex digits at the end: somebody's own generator.
fn tailed(name: &str) -> Option<Workload<'_>> {
    let stem =
        before_uuid(name).or_else(|| peel(name).filter(|(_, id)| is_hex(id, 32)).map(|(stem, _)| stem))?;
    Some(Workload::of(Kind::Generated, stem, None))
}
