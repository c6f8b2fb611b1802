//! What this process stops sending. Whatever the reason, a series that was sent and is withheld from now on, or goes
//! under other labels, ends as what it was: with a stale marker at its place in the same request, see `rewrite`. It has
//! left when the upstream has that request; until then each request says so.
//!
//! A group has its first value at the end of a window. A gauge that is sent as it is and becomes part of one goes on until
//! then, and ends at that very moment: so a sum over both has no hole, and nothing twice.

use super::claim::SendDecision;
use super::context::{PolicyResult, SeriesContext, seconds};
use super::decider::{Decider, Work};
use super::scratch::EndMarker;
use crate::aggregate;
use crate::policy::MetricKind;
use crate::series::{Fingerprint, SentAs, edit, identity};
use crate::wire::v1::{self, FirstSample};

/// What a series was sent as until now.
pub(super) struct FormerOutput {
    pub(super) output: Fingerprint,
    /// The edit of its labels; `None`: as they come.
    script: Option<Box<[u8]>>,
    /// Its first sample in this request.
    pub(super) at: Option<FirstSample>,
}

impl Decider<'_> {
    /// What a series was sent as and is not any more; `None` where that is another's by now.
    pub(super) fn former_output(
        &self,
        context: &SeriesContext<'_>,
        send_decision: &SendDecision,
        work: &mut Work<'_, '_>,
    ) -> Option<FormerOutput> {
        let (before, generation) = context.before?;
        // it has ended already
        if context.probe.follow_up.has_returned() && !self.policies.shares() {
            return None;
        }
        let (output, script) = match before {
            sent_as if sent_as.is_itself() && send_decision.sent_as.is_itself() => return None,
            sent_as if sent_as.is_itself() => (context.series, None),
            SentAs::Rewritten(edit) => {
                let edits = self.policies.edits_of(generation)?;
                let script = edits.get(edit)?;
                let scratch = &mut *work.scratch;
                // of one series, the same edit makes the same labels, and another makes others
                if matches!(send_decision.sent_as, SentAs::Rewritten(_)) && *script == *scratch.script {
                    return None;
                }
                identity::encode_canonical(context.pairs, &mut scratch.canonical);
                scratch.former.clear();
                edit::apply(script, &scratch.canonical, &mut scratch.starts, &mut scratch.former)?;
                (self.prints.fingerprint(&scratch.former, self.tenant), Some(Box::from(script)))
            }
            _ => return None,
        };
        if !self.index.owns(output, context.series) {
            return None;
        }
        let mut at = v1::first_sample(context.body, context.slot.data());
        if let (SentAs::ItselfUntil(end), SentAs::Aggregated(_), Some(at)) =
            (before, send_decision.sent_as, &mut at)
        {
            // all that was sent is older, and what is withheld of before is in the group's value of this moment
            at.ms = i64::from(end) * 1000;
        }
        Some(FormerOutput { output, script, at })
    }

    /// Notes that a series may be part of a group that it is not to be part of any more; returns whether it did.
    pub(super) fn departs(
        &self,
        context: &SeriesContext<'_>,
        result: &PolicyResult,
        work: &mut Work<'_, '_>,
    ) -> bool {
        let elsewhere = result.group_key.is_some();
        if elsewhere && !self.policies.has_several_groupings() {
            return false;
        }
        let group_key = match context.before {
            // it is what the same policies made of it, where they ask for nothing that changes
            Some((_, generation))
                if elsewhere
                    && generation == self.policies.generation
                    && !self.policies.set.asks_for_workloads() =>
            {
                return false;
            }
            Some((SentAs::Aggregated(group_key), _)) => Some(group_key),
            Some((SentAs::ItselfUntil(_), _)) => None,
            Some((_, generation))
                if generation != self.policies.generation && self.policies.keeps_input() =>
            {
                None
            }
            // the index is empty after a start, the groups are not
            None if self.engine.is_searching() => None,
            _ => return false,
        };
        let first = v1::first_sample(context.body, context.slot.data());
        let ms = first.map_or(i64::MAX, |first| first.ms);
        work.outcome.effects.aggregated.departures.push(aggregate::Departure {
            series: context.series,
            group_key,
            joins: result.group_key,
            ms,
        });
        true
    }

    /// Until when a series goes on as it is although it is part of a group already, Unix seconds of sample time; `None`:
    /// no longer.
    pub(super) fn forward_until(
        &self,
        context: &SeriesContext<'_>,
        result: &PolicyResult,
        work: &Work<'_, '_>,
    ) -> Option<u32> {
        let (before, _) = context.before.filter(|_| self.stale_markers && result.output.is_none())?;
        let end = match before {
            SentAs::ItselfUntil(end) => end,
            sent_as if sent_as.is_itself() && self.index.owns(context.series, context.series) => {
                let aggregation = self.policies.aggregator(result.group_key?.0)?.aggregation();
                let interval = u32::try_from(aggregation.interval_ms / 1000).ok()?;
                let whole = aggregation.interval_ms % 1000 == 0;
                // a counter begins at zero, so there is nothing to wait for
                let join = work.outcome.effects.aggregated.joins.last()?;
                let gauge = join.kind == MetricKind::Gauge && join.series == context.series;
                let first = v1::first_sample(context.body, context.slot.data()).filter(|_| whole && gauge)?;
                // the window that the first of its samples is in: from then on the group has them all
                seconds(first.ms.saturating_add(999)).checked_next_multiple_of(interval)?
            }
            _ => return None,
        };
        (context.probe.sample_seconds < end).then_some(end)
    }

    /// Has a stale marker put in the place of what is withheld. Returns what the slot is to hold of it.
    pub(super) fn add_stale_marker(&self, former: Option<&FormerOutput>, work: &mut Work<'_, '_>) -> u32 {
        let Some(FormerOutput { script, at: Some(at), .. }) = former.filter(|_| self.stale_markers) else {
            return 0;
        };
        work.end_markers.push(EndMarker { script: script.clone(), at: *at });
        work.end_markers.len() as u32
    }
}
