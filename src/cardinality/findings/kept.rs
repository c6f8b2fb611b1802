//! Runs that are over and kept for longer than they are meant to be.

use crate::cardinality::snapshot::WorkloadLine;

/// So many runs beyond the limits are no coincidence: more than go by while an agent starts anew.
const SEVERAL: u32 = 6;
/// Fewer are to be there for so long, seconds: Kubernetes cleans up when a run ends, and a scrape may see both.
const LASTING: u32 = 150;

/// So many runs may have vanished without a word and not be missed yet: a CronJob starts no more than one in a minute.
const VANISHED: u32 = 7;
/// So long after the start it is known which runs came lately, minutes.
const SETTLED_MINUTES: u32 = 20;

/// Whether a workload keeps more runs than it is meant to, and ever more. Where an agent sends no stale markers, the
/// newest may have vanished without a word. `minutes`: for how long we have watched.
pub(super) fn beyond_limits(line: &WorkloadLine, minutes: u32, now: u32) -> bool {
    if !line.runs_end() {
        return false;
    }
    // what came while all was learned is not among the newest
    let unmarked = if minutes < SETTLED_MINUTES { VANISHED } else { line.newest_runs.min(VANISHED) };
    let slack = if line.is_marked { 0 } else { unmarked };
    let limits = line.history_limits.map(|limit| limit.saturating_add(slack));
    let limit = line.history_limits.iter().fold(slack, |sum, limit| sum.saturating_add(*limit));
    let all = (line.runs_over + line.runs_silent).saturating_sub(limit);
    let lasts = line.beyond_limits_since.is_some_and(|since| now.saturating_sub(since) >= LASTING);
    let beyond: u32 = line.runs_kept.iter().zip(limits).map(|(runs, limit)| runs.saturating_sub(limit)).sum();
    let too_many = beyond.max(all) >= SEVERAL || (beyond > 0 && lasts) || (line.runs_silent > 0 && all > 0);
    too_many && growth(line, 60).is_some_and(|more| more >= 1.0)
}

/// Whether a workload of which nothing says how its runs stand has more of them than keeps its limits: besides those that
/// are kept, one that goes on, and those that may have vanished. A CronJob starts no more than one in a minute.
pub(super) fn may_be_beyond_limits(line: &WorkloadLine) -> bool {
    let limit = line.history_limits.iter().fold(1, |sum: u32, limit| sum.saturating_add(*limit));
    line.runs_untold > limit.saturating_add(line.newest_runs.min(VANISHED))
}

/// Runs more each hour: by the straight line, or by what was kept of the last `minutes` where that is more.
pub(super) fn growth(line: &WorkloadLine, minutes: u32) -> Option<f64> {
    let kept =
        (line.runs_kept_more > 0).then(|| f64::from(line.runs_kept_more) * 60.0 / f64::from(minutes.max(1)));
    line.runs_growth_per_hour.into_iter().chain(kept).reduce(f64::max)
}
