//! What becomes of a series: the policies are asked, its group is found, and no two series become one.

use super::claim::SendDecision;
use super::context::{PolicyResult, SeriesContext, seconds};
use super::decider::{Decider, Work};
use super::outcome::Release;
use super::places::Among;
use super::scratch::{PolicyHit, Slot, SlotState};
use super::withhold::FormerOutput;
use crate::aggregate::NotAggregated;
use crate::cardinality::TimedValue;
use crate::policy::{Decision, Disposition, VerdictId, WorkloadSource, borrowed};
use crate::series::identity::{self, Form};
use crate::series::{FollowUp, Found, Labels, Probe, Remembered, SentAs};
use crate::wire::v1::{self, STALE_MARKER};

/// A series that could not be aggregated for a reason that may go away is asked about again after so long, in sample
/// time.
const PASSED_SECONDS: u32 = 60;
/// A series whose identity another has asks for it again after so long, in sample time.
const CONTESTED_SECONDS: u32 = 30;

/// Why what was decided of a known series is remembered only once the upstream has it.
#[derive(Clone, Copy)]
struct Waits {
    /// It joins a group or leaves one.
    for_groups: bool,
    /// A place with a limit is held for it.
    for_place: bool,
}

impl Decider<'_> {
    /// Asks the policies, sees to it that no two series become one, and has the decision remembered.
    pub(super) fn decide_series<'b>(
        &self,
        pairs: &[(&'b str, &'b str)],
        body: &[u8],
        number: u32,
        slot: &mut Slot,
        probe: &Probe,
        work: &mut Work<'_, 'b>,
    ) -> SlotState {
        let asked_again;
        let probe = match slot.form {
            Form::Canonical => probe,
            Form::Other => {
                asked_again = self.true_identity(pairs, probe, work);
                &asked_again
            }
        };
        let series = probe.fingerprint;
        if slot.form == Form::Other
            && let Found::Known(verdict, sent_as) = probe.found
            && self.holds(sent_as, slot, probe)
        {
            return self.keep_decision(pairs, body, (slot, number), probe, (verdict, sent_as), work);
        }
        let (unknown, before) = match probe.found {
            Found::Known(_, sent_as) => (false, Some((sent_as, self.policies.generation))),
            Found::Stale(sent_as, generation) => (false, Some((sent_as, generation))),
            Found::Missing | Found::Skip | Found::Alias(_) => (true, None),
        };
        let started_ms = work.began_ms(number);
        let context = SeriesContext { series, pairs, body, slot: *slot, probe, unknown, started_ms, before };
        let among = Among::new(self, &context);
        let result = self.apply_policies(&among, &context, work);
        let send_decision = self.send_decision(&context, &result, work);
        if let Some(group_key) = result.group_key {
            self.add_to_group(body, slot, (series, number), group_key, work);
        }
        let departs = self.departs(&context, &result, work);
        let former = self.former_output(&context, &send_decision, work);
        slot.edit = send_decision.edit;
        slot.end_marker = self.add_stale_marker(former.as_ref(), work);
        let reserves = self.settle_places(&context, &among, send_decision.verdict, work);
        let decided = self.remembered(&context, &result, &send_decision);
        if send_decision.verdict != VerdictId::UNTOUCHED {
            let output =
                result.output.filter(|_| send_decision.verdict.disposition() == Disposition::Rewrite);
            work.scratch.policy_hits.push(PolicyHit { slot: number, verdict: send_decision.verdict, output });
        }
        let waits = Waits { for_groups: result.group_key.is_some() || departs, for_place: reserves };
        self.remember(&context, decided, (&send_decision, waits), former, work);
        let held = send_decision.verdict.disposition() == Disposition::Hold;
        self.observe_decided(pairs, &context, (decided, held), work);
        SlotState::Verdict(send_decision.verdict)
    }

    /// What was decided holds: only the bytes of the labels were not known.
    fn keep_decision<'b>(
        &self,
        pairs: &[(&'b str, &'b str)],
        body: &[u8],
        (slot, number): (&mut Slot, u32),
        probe: &Probe,
        (verdict, sent_as): (u16, SentAs),
        work: &mut Work<'_, 'b>,
    ) -> SlotState {
        let verdict = VerdictId::from_bits(verdict);
        slot.know(verdict, sent_as);
        if let SentAs::Aggregated(group_key) = sent_as
            && let Some(policy) = self.policies.set.row(verdict).ended_by
        {
            self.add_to_group(body, slot, (probe.fingerprint, number), (policy, group_key), work);
        }
        if probe.follow_up != FollowUp::NONE || probe.ends {
            self.observe_known(pairs, body, slot, probe, work);
        }
        slot.state
    }

    /// Asks the policies, and has long values cut.
    fn apply_policies(
        &self,
        among: &Among<'_>,
        context: &SeriesContext<'_>,
        work: &mut Work<'_, '_>,
    ) -> PolicyResult {
        let result = self.ask_policies(among, context, work);
        let (verdict, output) = self.policies.fit(context.pairs, result.verdict, result.output);
        PolicyResult { verdict, output, ..result }
    }

    /// Asks the policies, and finds the group of a series that one of them aggregates.
    fn ask_policies(
        &self,
        among: &Among<'_>,
        context: &SeriesContext<'_>,
        work: &mut Work<'_, '_>,
    ) -> PolicyResult {
        let labels = Labels::from_sorted(context.pairs);
        let (tenant, at) = (self.sender_context.tenant, context.probe.sample_seconds);
        let find = || self.tracker.workload_facts(tenant, labels, at, self.now);
        let changed = || self.last_change(context);
        let workload = WorkloadSource::new(at, &find).with_changes(&changed);
        let Decision { mut verdict, valid_until, output, aggregated_by } =
            self.policies.set.decide_among(labels, &workload, among, self.limits);
        let mut valid_until = valid_until.0.min(among.valid_until(verdict.disposition(), at));
        let Some(policy) = aggregated_by else {
            return PolicyResult { verdict, valid_until, output, group_key: None, untyped: false };
        };
        let seen = output.as_ref().map(borrowed);
        let now = Labels::from_sorted(seen.as_deref().unwrap_or(context.pairs));
        let aggregation = self.policies.set.aggregation(policy).filter(|_| seen.is_some());
        let joined = match aggregation.and_then(|aggregation| aggregation.lost(labels, now)) {
            Some(_) => Err(NotAggregated::Apart),
            None => self.join_group(context, now, policy, work),
        };
        let reason = match joined {
            Ok(group_key) => {
                return PolicyResult {
                    verdict,
                    valid_until,
                    output,
                    group_key: Some((policy, group_key)),
                    untyped: false,
                };
            }
            Err(reason) => reason,
        };
        if self.policies.set.limit(policy).is_some() {
            // what cannot be added up is not let in for that
            let verdict = self.policies.set.held_instead(verdict);
            let valid_until = valid_until.min(among.valid_until(verdict.disposition(), at));
            return PolicyResult { verdict, valid_until, output: None, group_key: None, untyped: false };
        }
        work.outcome.not_aggregated.push((policy, reason));
        verdict = self.policies.set.forwarded_instead(verdict, output.is_some());
        if reason == NotAggregated::Untyped {
            self.engine.types.untyped(labels.metric());
        }
        if matches!(reason, NotAggregated::Untyped | NotAggregated::Taken | NotAggregated::Full) {
            valid_until = valid_until.min(context.probe.sample_seconds.saturating_add(PASSED_SECONDS));
        }
        PolicyResult {
            verdict,
            valid_until,
            output,
            group_key: None,
            untyped: reason == NotAggregated::Untyped,
        }
    }

    /// When a series of the same run changed last, for policies that ask that.
    fn last_change(&self, context: &SeriesContext<'_>) -> Option<u32> {
        let SeriesContext { series, pairs, body, slot, probe, .. } = *context;
        let mut values: Vec<TimedValue> = Vec::new();
        v1::for_each_sample(body, slot.data(), |ms, bits| {
            // the end of a series is no change of its value
            if bits != STALE_MARKER {
                values.push((seconds(ms), bits));
            }
        });
        if slot.histograms > 0 {
            // what is in a native histogram is not compared: it changes all the time
            values.push((probe.sample_seconds, u64::from(probe.sample_seconds)));
        }
        values.sort_by_key(|(at, _)| *at);
        let labels = Labels::from_sorted(pairs);
        self.tracker.last_change(self.sender_context.tenant, labels, series, &values, self.now)
    }

    /// What is sent for a series of which the policies say this.
    fn send_decision(
        &self,
        context: &SeriesContext<'_>,
        result: &PolicyResult,
        work: &mut Work<'_, '_>,
    ) -> SendDecision {
        let Some((_, group_key)) =
            result.group_key.filter(|_| result.verdict.disposition() == Disposition::Aggregate)
        else {
            let send_decision = self.claim_output(context, result, work);
            let sent_as = match send_decision.sent_as {
                SentAs::Itself if result.untyped => SentAs::Provisional(self.engine.types.epoch()),
                sent_as => sent_as,
            };
            return SendDecision { sent_as, ..send_decision };
        };
        match self.forward_until(context, result, work) {
            Some(end) => {
                let verdict = self.policies.set.forwarded_instead(result.verdict, false);
                SendDecision {
                    verdict,
                    sent_as: SentAs::ItselfUntil(end),
                    edit: 0,
                    becomes: Some(context.series),
                }
            }
            None => SendDecision {
                verdict: result.verdict,
                sent_as: SentAs::Aggregated(group_key),
                edit: 0,
                becomes: None,
            },
        }
    }

    /// What the index is to keep of a decision.
    fn remembered(
        &self,
        context: &SeriesContext<'_>,
        result: &PolicyResult,
        send_decision: &SendDecision,
    ) -> Remembered {
        let newest = context.probe.sample_seconds;
        let mut valid_until = result.valid_until;
        if result.group_key.is_some() && send_decision.verdict.disposition() != Disposition::Aggregate {
            // the input is kept: what is known of a series holds one thing that is sent, and here there are two
            valid_until = 0;
        }
        if matches!(send_decision.sent_as, SentAs::Contested(_)) {
            valid_until = valid_until.min(newest.saturating_add(CONTESTED_SECONDS));
        }
        if context.slot.ends && (send_decision.becomes.is_some() || self.policies.set.asks_for_workloads()) {
            valid_until = valid_until.min(newest);
        }
        let generation = self.policies.generation;
        Remembered {
            verdict: send_decision.verdict.to_bits(),
            generation,
            valid_until,
            sent_as: send_decision.sent_as,
        }
    }

    /// Has a decision remembered, now or when the upstream has the request.
    fn remember(
        &self,
        context: &SeriesContext<'_>,
        decided: Remembered,
        (send_decision, waits): (&SendDecision, Waits),
        former: Option<FormerOutput>,
        work: &mut Work<'_, '_>,
    ) {
        let SeriesContext { series, slot, probe, unknown, .. } = *context;
        let moves = self.policies.shares() && (slot.ends || probe.follow_up.has_returned());
        let effects = &mut work.outcome.effects;
        if let Some(output) = send_decision.becomes.filter(|_| moves && slot.ends) {
            effects.released.push(Release { output, owner: series, last: probe.sample_seconds });
        }
        if let Some(former) = former {
            // without a sample there is nothing to end it with: it goes on until one comes
            if let Some(at) = former.at {
                effects.released.push(Release { output: former.output, owner: series, last: seconds(at.ms) });
                effects.changes.push((series, decided));
            }
        } else if !unknown && (waits.for_place || moves && send_decision.becomes.is_some()) {
            effects.changes.push((series, decided));
        } else if !unknown && waits.for_groups {
            // what is known to be part of a group must be part of it, and what is not must not
            effects.redecided.push((series, decided));
        } else if !unknown {
            // idempotent, and says nothing about the data, so it need not wait for the commit
            self.index.refresh(series, decided, self.now);
        }
    }

    /// What is known of the series whose labels are not canonical; to be remembered where the bytes are one run.
    pub(super) fn true_identity(
        &self,
        pairs: &[(&str, &str)],
        probe: &Probe,
        work: &mut Work<'_, '_>,
    ) -> Probe {
        identity::encode_canonical(pairs, &mut work.scratch.canonical);
        let series = self.prints.fingerprint(&work.scratch.canonical, self.tenant);
        if let Found::Known(..) | Found::Stale(..) = probe.found {
            // asked again already, see `follow_aliases`
            return Probe { fingerprint: series, ..*probe };
        }
        if probe.found == Found::Missing {
            work.outcome.effects.aliases.push((probe.fingerprint, series));
        }
        let mut again = [Probe { fingerprint: series, found: Found::Missing, ..*probe }];
        self.index.touch(&mut again, &mut work.scratch.order, self.now, self.policies.generation);
        again[0]
    }
}
