//! What becomes of a series: the policies are asked, its group is found, and no two series become one.

use super::judge::{Judgement, Work};
use super::leave::Left;
use super::outcome::Release;
use super::own::Judged;
use super::scratch::{Slot, SlotState, Told};
use super::subject::{Asked, Subject, seconds};
use crate::aggregate::Passed;
use crate::policy::{Decision, Disposition, VerdictId, borrowed};
use crate::series::identity::{self, Form};
use crate::series::{Emits, Found, Labels, Notice, Probe, Remembered};

/// A series that could not be aggregated for a reason that may go away is asked about again after so long, in sample
/// time.
const PASSED_SECONDS: u32 = 60;
/// A series whose identity another has asks for it again after so long, in sample time.
const CONTESTED_SECONDS: u32 = 30;

impl Judgement<'_> {
    /// Asks the policies, sees to it that no two series become one, and has the decision remembered.
    pub(super) fn decide(
        &self,
        pairs: &[(&str, &str)],
        body: &[u8],
        number: u32,
        slot: &mut Slot,
        probe: &Probe,
        work: &mut Work<'_>,
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
            && let Found::Known(verdict, emits) = probe.found
            && self.holds(emits, slot, probe)
        {
            return self.go_on(pairs, body, slot, probe, (verdict, emits), work);
        }
        let (unknown, before) = match probe.found {
            Found::Known(_, emits) => (false, Some((emits, self.policies.generation))),
            Found::Stale(emits, generation) => (false, Some((emits, generation))),
            Found::Missing | Found::Skip | Found::Alias(_) => (true, None),
        };
        let subject = Subject { series, pairs, body, slot: *slot, probe, unknown, before };
        let asked = self.ask(&subject, work);
        let judged = self.judged(&subject, &asked, work);
        if let Some(home) = asked.home {
            self.gather(body, slot, series, home, work);
        }
        let departs = self.departs(&subject, &asked, work);
        let left = self.left(&subject, &judged, work);
        slot.edit = judged.edit;
        slot.leaves = self.mark(left.as_ref(), work);
        let decided = self.remembered(&subject, &asked, &judged);
        if judged.verdict != VerdictId::UNTOUCHED {
            let output = asked.output.filter(|_| judged.verdict.disposition() == Disposition::Rewrite);
            work.scratch.told.push(Told { slot: number, verdict: judged.verdict, output });
        }
        self.remember(&subject, decided, (&judged, asked.home.is_some() || departs), left, work);
        SlotState::Verdict(judged.verdict)
    }

    /// What was decided holds: only the bytes of the labels were not known.
    fn go_on(
        &self,
        pairs: &[(&str, &str)],
        body: &[u8],
        slot: &mut Slot,
        probe: &Probe,
        (verdict, emits): (u16, Emits),
        work: &mut Work<'_>,
    ) -> SlotState {
        let verdict = VerdictId::from_bits(verdict);
        slot.know(verdict, emits);
        if let Emits::Aggregated(home) = emits
            && let Some(policy) = self.policies.set.row(verdict).ended_by
        {
            self.gather(body, slot, probe.fingerprint, (policy, home), work);
        }
        if probe.notice != Notice::NONE || probe.ends {
            self.attend(pairs, body, slot, probe, work);
        }
        slot.fate
    }

    /// Asks the policies, and finds the group of a series that one of them aggregates.
    fn ask(&self, subject: &Subject<'_>, work: &mut Work<'_>) -> Asked {
        let labels = Labels::from_sorted(subject.pairs);
        let Decision { mut verdict, valid_until, output, aggregated_by } =
            self.policies.set.decide(labels, self.limits);
        let mut valid_until = valid_until.0;
        let Some(policy) = aggregated_by else {
            return Asked { verdict, valid_until, output, home: None, untyped: false };
        };
        let seen = output.as_ref().map(borrowed);
        let now = Labels::from_sorted(seen.as_deref().unwrap_or(subject.pairs));
        let aggregation = self.policies.set.aggregation(policy).filter(|_| seen.is_some());
        let enlisted = match aggregation.and_then(|aggregation| aggregation.lost(labels, now)) {
            Some(_) => Err(Passed::Apart),
            None => self.enlist(subject, now, policy, work),
        };
        let reason = match enlisted {
            Ok(home) => {
                return Asked { verdict, valid_until, output, home: Some((policy, home)), untyped: false };
            }
            Err(reason) => reason,
        };
        work.outcome.passed.push((policy, reason));
        verdict = self.policies.set.passed(verdict, output.is_some());
        if reason == Passed::Untyped {
            self.engine.types.untyped(labels.metric());
        }
        if matches!(reason, Passed::Untyped | Passed::Taken | Passed::Full) {
            valid_until = subject.probe.sample_seconds.saturating_add(PASSED_SECONDS);
        }
        Asked { verdict, valid_until, output, home: None, untyped: reason == Passed::Untyped }
    }

    /// What is sent for a series of which the policies say this.
    fn judged(&self, subject: &Subject<'_>, asked: &Asked, work: &mut Work<'_>) -> Judged {
        let Some((_, home)) = asked.home.filter(|_| asked.verdict.disposition() == Disposition::Aggregate)
        else {
            let judged = self.own(subject, asked, work);
            let emits = match judged.emits {
                Emits::Itself if asked.untyped => Emits::Provisional(self.engine.types.epoch()),
                emits => emits,
            };
            return Judged { emits, ..judged };
        };
        match self.leaves_at(subject, asked, work) {
            Some(end) => {
                let verdict = self.policies.set.passed(asked.verdict, false);
                Judged { verdict, emits: Emits::Leaving(end), edit: 0, becomes: Some(subject.series) }
            }
            None => Judged { verdict: asked.verdict, emits: Emits::Aggregated(home), edit: 0, becomes: None },
        }
    }

    /// What the index is to keep of a decision.
    fn remembered(&self, subject: &Subject<'_>, asked: &Asked, judged: &Judged) -> Remembered {
        let newest = subject.probe.sample_seconds;
        let mut valid_until = asked.valid_until;
        if asked.home.is_some() && judged.verdict.disposition() != Disposition::Aggregate {
            // the input is kept: what is known of a series holds one thing that is sent, and here there are two
            valid_until = 0;
        }
        if matches!(judged.emits, Emits::Contested(_)) {
            valid_until = valid_until.min(newest.saturating_add(CONTESTED_SECONDS));
        }
        if subject.slot.ends && judged.becomes.is_some() {
            valid_until = valid_until.min(newest);
        }
        let generation = self.policies.generation;
        Remembered { verdict: judged.verdict.to_bits(), generation, valid_until, emits: judged.emits }
    }

    /// Has a decision remembered, now or when the upstream has the request.
    fn remember(
        &self,
        subject: &Subject<'_>,
        decided: Remembered,
        (judged, moves_groups): (&Judged, bool),
        left: Option<Left>,
        work: &mut Work<'_>,
    ) {
        let Subject { series, pairs, body, slot, probe, unknown, .. } = *subject;
        let moves = self.policies.shares() && (slot.ends || probe.notice.has_returned());
        let effects = &mut work.outcome.effects;
        if let Some(output) = judged.becomes.filter(|_| moves && slot.ends) {
            effects.released.push(Release { output, owner: series, last: probe.sample_seconds });
        }
        if let Some(left) = left {
            // without a sample there is nothing to end it with: it goes on until one comes
            if let Some(at) = left.at {
                effects.released.push(Release { output: left.output, owner: series, last: seconds(at.ms) });
                effects.changes.push((series, decided));
            }
        } else if !unknown && moves && judged.becomes.is_some() {
            effects.changes.push((series, decided));
        } else if !unknown && moves_groups {
            // what is known to be part of a group must be part of it, and what is not must not
            effects.redecided.push((series, decided));
        } else if !unknown {
            // idempotent, and says nothing about the data, so it need not wait for the commit
            self.index.refresh(series, decided, self.now);
        }
        if !unknown && (probe.notice != Notice::NONE || probe.ends) {
            self.attend(pairs, body, &slot, probe, work);
        }
        if unknown {
            let birth = self.birth((series, decided), pairs, body, &slot, probe, work);
            work.outcome.effects.births.push(birth);
        }
    }

    /// What is known of the series whose labels are not canonical; to be remembered where the bytes are one run.
    pub(super) fn true_identity(&self, pairs: &[(&str, &str)], probe: &Probe, work: &mut Work<'_>) -> Probe {
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
