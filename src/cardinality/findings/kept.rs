//! Runs that are over and kept for longer than they are meant to be.
//!
//! Of CronJobs it is known how many finished runs are to be kept. Of all other kinds nothing says so: there, who cleans up
//! behind itself is told from who does not by what becomes of the runs that ended.

use crate::cardinality::snapshot::{EndedRuns, WorkloadLine};
use crate::series::grammar::Kind;

/// So many runs beyond the limits are no coincidence: more than go by while an agent starts anew.
const SEVERAL: u32 = 6;
/// Fewer are to be there for so long, seconds: Kubernetes cleans up when a run ends, and a scrape may see both.
const LASTING: u32 = 150;

/// Where nothing says how many are to be kept: as many that ended alike are more than a history that people want to see,
const MANY: u32 = 12;
/// once several have been there for so long, seconds: what is deleted some minutes after its end is not kept,
const LONG: u32 = 540;
/// so many more than twice those that went meanwhile have ended,
const FEW: u32 = 2;
/// and runs have ended in so many stretches of five minutes: a batch of them that ends at one stroke is none.
const STRETCHES: usize = 3;

/// So many runs may have vanished without a word and not be missed yet: a CronJob starts no more than one in a minute.
const VANISHED: u32 = 7;
/// So long after the start it is known which runs came lately, minutes.
const SETTLED_MINUTES: u32 = 20;

/// Whether a workload keeps more runs than it is meant to, and ever more. `minutes`: for how long we have watched.
pub(super) fn beyond_limits(line: &WorkloadLine, minutes: u32, now: u32) -> bool {
    match line.kind {
        Kind::Cronjob => beyond_history_limits(line, minutes, now),
        _ => line.runs_end() && piles_up(line, now),
    }
}

/// Whether there are more runs than the history limits say. Where an agent sends no stale markers, the newest may have
/// vanished without a word.
fn beyond_history_limits(line: &WorkloadLine, minutes: u32, now: u32) -> bool {
    // what came while all was learned is not among the newest
    let unmarked = if minutes < SETTLED_MINUTES { VANISHED } else { line.newest_runs.min(VANISHED) };
    let slack = if line.is_marked { 0 } else { unmarked };
    let limits = line.history_limits.map(|limit| limit.saturating_add(slack));
    let limit = line.history_limits.iter().fold(slack, |sum, limit| sum.saturating_add(*limit));
    let all = (line.runs_over + line.runs_silent).saturating_sub(limit);
    let beyond: u32 = line.runs_kept.iter().zip(limits).map(|(runs, limit)| runs.saturating_sub(limit)).sum();
    let too_many = beyond.max(all) >= SEVERAL
        || (beyond > 0 && lasts(line, LASTING, now))
        || (line.runs_silent > 0 && all > 0);
    too_many && growth(line, 60).is_some_and(|more| more >= 1.0)
}

/// Whether many runs that ended alike are still reported, and ever more: of those that ended in the last hour, no more than
/// half are made up for by others that went. Where an agent sends no stale markers, the newest may have vanished without a
/// word, and others that went are missed later.
fn piles_up(line: &WorkloadLine, now: u32) -> bool {
    let slack = if line.is_marked { 0 } else { line.newest_runs };
    let pile = |(runs, ended): (&u32, &EndedRuns)| {
        runs.saturating_sub(slack) >= MANY
            && ended.kept.saturating_sub(slack) >= ended.cleaned.saturating_mul(2).saturating_add(FEW)
    };
    let again = line.stretches_with_ended_runs >= STRETCHES;
    again && lasts(line, LONG, now) && line.runs_kept.iter().zip(&line.ended_runs).any(pile)
}

/// Whether more than a few runs that are over have been reported for so long.
fn lasts(line: &WorkloadLine, seconds: u32, now: u32) -> bool {
    line.beyond_limits_since.is_some_and(|since| now.saturating_sub(since) >= seconds)
}

/// Whether a workload of which nothing says how its runs stand has more of them than are to be kept: besides those that
/// are kept, one that goes on, and those that may have vanished. A CronJob starts no more than one in a minute.
pub(super) fn may_be_beyond_limits(line: &WorkloadLine) -> bool {
    if line.kind != Kind::Cronjob {
        return line.runs_untold > MANY.saturating_add(line.newest_runs);
    }
    let limit = line.history_limits.iter().fold(1, |sum: u32, limit| sum.saturating_add(*limit));
    line.runs_untold > limit.saturating_add(line.newest_runs.min(VANISHED))
}

/// Runs more each hour: by the straight line, or by what was kept of the last `minutes` where that is more.
pub(super) fn growth(line: &WorkloadLine, minutes: u32) -> Option<f64> {
    let sum = |of: fn(&EndedRuns) -> u32| line.ended_runs.iter().map(of).sum::<u32>();
    let more = sum(|ended| ended.kept).saturating_sub(sum(|ended| ended.cleaned));
    let kept = (more > 0).then(|| f64::from(more) * 60.0 / f64::from(minutes.max(1)));
    line.runs_growth_per_hour.into_iter().chain(kept).reduce(f64::max)
}
