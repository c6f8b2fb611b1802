//! Names of pods whose owner's name was cut: 58 bytes and five random characters, no dash kept between them.
//!
//! What is left of a hash or of a moment tells where the owner's own name ends, but not what the owner is: two
//! controllers cut to the same text. So no kind is claimed here.
//!
//! Rules: `SimpleNameGenerator` (`k8s.io/apiserver/pkg/storage/names`) and `podGenerateNameWithIndex`
//! (`pkg/controller/job/indexed_job_utils.go`).

use super::token::{
    CUT_LEN, CUT_NAME_LEN, MAX_CRONJOB, is_cut_hash, is_number, is_suffix, is_template_hash, peel,
};
use super::{Kind, Workload};

/// Digits of a CronJob's minutes in a job's name.
const MINUTE_DIGITS: usize = 8;

/// Whether a name has all the bytes that a generated name can have, so that something may have been cut.
pub(super) fn is_full(name: &str) -> bool {
    name.len() == CUT_NAME_LEN
}

/// The workload of a pod with the random part right behind its stem.
pub(super) fn pod(name: &str) -> Option<Workload<'_>> {
    if !is_full(name) {
        return None;
    }
    let (stem, random) = name.split_at_checked(CUT_LEN)?;
    if stem.ends_with('-') || !is_suffix(random) {
        return None;
    }
    let owner = peel(stem).and_then(|(owner, last)| {
        let hash = is_template_hash(last) || is_cut_hash(last);
        // `<cronjob>-<minutes>` has at most 61 bytes, so at least five digits are left
        let moment = last.len() >= 5 && is_cut_moment(owner, last);
        (hash || moment).then_some(owner)
    });
    Some(Workload::of(Kind::Generated, owner.unwrap_or(stem), None))
}

/// The workload by what is left of a job's name before `-<index>-<5>`: all runs of a CronJob may have the same.
pub(super) fn indexed(job: &str) -> Option<Workload<'_>> {
    let owner = peel(job).filter(|(owner, last)| is_cut_moment(owner, last)).map(|(owner, _)| owner);
    let name = owner.unwrap_or(job).trim_end_matches('-');
    (!name.is_empty()).then(|| Workload::of(Kind::Generated, name, None))
}

/// Whether these are the first digits of a schedule's minutes.
fn is_cut_moment(owner: &str, digits: &str) -> bool {
    owner.len() <= MAX_CRONJOB
        && (1..=MINUTE_DIGITS).contains(&digits.len())
        && is_number(digits)
        && matches!(digits.as_bytes()[0], b'2' | b'3')
}
