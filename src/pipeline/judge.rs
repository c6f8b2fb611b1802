//! Third stage: what the index did not know. Only here are labels parsed and policies asked.

use super::Policies;
use super::company::company;
use super::edits::{LOOSE, NO_EDIT};
use super::outcome::Outcome;
use super::scratch::{Fate, JudgeScratch, Request, Slot, Told};
use crate::aggregate::{Engine, Passed};
use crate::cardinality::{Party, Tracker};
use crate::policy::{Decision, Disposition, OwnedLabels, PolicyIndex, VerdictId, borrowed};
use crate::series::identity::{self, Form};
use crate::series::{
    Claimed, Emits, Fingerprint, Fingerprinter, Found, Index, Labels, Limits, Notice, Probe, Remembered,
    TenantKey, edit,
};
use crate::wire::WireError;

/// A series that could not be aggregated for a reason that may go away is asked about again after so long, in sample
/// time.
const PASSED_SECONDS: u32 = 60;

/// What is needed to decide about a series.
pub(super) struct Judgement<'a> {
    pub(super) index: &'a Index,
    pub(super) prints: &'a Fingerprinter,
    pub(super) tenant: TenantKey,
    pub(super) tracker: &'a Tracker,
    pub(super) party: Party,
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) now: u32,
    pub(super) engine: &'a Engine,
}

/// What deciding leaves behind.
pub(super) struct Work<'w> {
    loose: &'w mut Vec<Vec<u8>>,
    pub(super) scratch: &'w mut JudgeScratch,
    pub(super) outcome: &'w mut Outcome,
}

/// What a series was decided to be.
struct Judged {
    verdict: VerdictId,
    emits: Emits,
    /// Number of the edit to apply now; may be loose.
    edit: u32,
}

impl Judgement<'_> {
    /// Gives every open slot its fate.
    pub(super) fn run(
        &self,
        body: &[u8],
        request: &mut Request,
        scratch: &mut JudgeScratch,
        outcome: &mut Outcome,
    ) -> Result<(), WireError> {
        self.follow_aliases(request, scratch);
        scratch.told.clear();
        // Borrowed from the body, so made anew for each request; it allocates only when something is unknown.
        let mut pairs = Vec::new();
        let Request { slots, probes, loose, .. } = request;
        let mut work = Work { loose, scratch, outcome };
        if self.policies.aggregates() {
            self.learn_types(body, slots, probes, request.metadata);
            self.learn_starts(body, slots, probes, &mut pairs);
            work.outcome.effects.aggregated.company = company(self.index, probes, self.now);
        }
        let mut last = (VerdictId::UNTOUCHED, PolicyIndex(0));
        for ((number, slot), probe) in (0..).zip(slots.iter_mut()).zip(probes.iter()) {
            if slot.fate != Fate::Open {
                continue;
            }
            if let Found::Known(verdict, emits) = probe.found
                && emits != Emits::Rewritten(NO_EDIT)
                && !(matches!(emits, Emits::Aggregated(_)) && slot.histograms > 0)
            {
                let verdict = VerdictId::from_bits(verdict);
                slot.know(verdict, emits);
                if let Emits::Aggregated(home) = emits {
                    // neighbours nearly always have the same verdict
                    if last.0 != verdict {
                        last = (verdict, self.policies.set.row(verdict).ended_by.unwrap_or(PolicyIndex(0)));
                    }
                    self.gather(body, slot, probe.fingerprint, (last.1, home), &mut work);
                }
                if (probe.notice != Notice::NONE || probe.ends)
                    && let Ok(form) = identity::read(body, slot.labels(), self.limits, &mut pairs)?
                {
                    slot.form = form;
                    self.attend(&pairs, body, slot, probe, &mut work);
                }
                continue;
            }
            slot.fate = match identity::read(body, slot.labels(), self.limits, &mut pairs)? {
                Ok(form) => {
                    slot.form = form;
                    self.decide(&pairs, body, number, slot, probe, &mut work)
                }
                Err(invalid) => Fate::Rejected(invalid),
            };
        }
        Ok(())
    }

    /// Asks a second time for bytes that are known to stand for another identity; one more pass over the shards.
    fn follow_aliases(&self, request: &mut Request, scratch: &mut JudgeScratch) {
        scratch.probes.clear();
        scratch.slots.clear();
        for (i, probe) in request.probes.iter().enumerate() {
            if let Found::Alias(series) = probe.found {
                scratch.probes.push(Probe { fingerprint: series, found: Found::Missing, ..*probe });
                scratch.slots.push(i as u32);
                request.slots[i].form = Form::Other;
            }
        }
        if scratch.probes.is_empty() {
            return;
        }
        self.index.touch(&mut scratch.probes, &mut scratch.order, self.now, self.policies.generation);
        for (probe, i) in scratch.probes.iter().zip(&scratch.slots) {
            if let Found::Known(..) = probe.found {
                let asked = &mut request.probes[*i as usize];
                (asked.found, asked.notice, asked.fingerprint) =
                    (probe.found, probe.notice, probe.fingerprint);
            }
        }
    }

    /// Asks the policies, sees to it that no two series become one, and has the decision remembered.
    fn decide(
        &self,
        pairs: &[(&str, &str)],
        body: &[u8],
        number: u32,
        slot: &mut Slot,
        probe: &Probe,
        work: &mut Work<'_>,
    ) -> Fate {
        let series = match slot.form {
            Form::Canonical => probe.fingerprint,
            Form::Other => self.true_identity(pairs, probe, work),
        };
        let Decision { verdict, valid_until, output, aggregated_by } =
            self.policies.set.decide(Labels::from_sorted(pairs), self.limits);
        let unknown = probe.found == Found::Missing;
        let mut valid_until = valid_until.0;
        let enlisted = aggregated_by.map(|policy| {
            let seen = output.as_ref().map(borrowed);
            let now = Labels::from_sorted(seen.as_deref().unwrap_or(pairs));
            let aggregation = self.policies.set.aggregation(policy).filter(|_| seen.is_some());
            if aggregation.is_some_and(|a| a.lost(Labels::from_sorted(pairs), now).is_some()) {
                return (policy, Err(Passed::Apart));
            }
            (policy, self.enlist((series, unknown), now, policy, slot, body, work))
        });
        let mut verdict = verdict;
        if let Some((policy, Err(reason))) = enlisted {
            work.outcome.passed.push((policy, reason));
            verdict = self.policies.set.passed(verdict, output.is_some());
            if reason == Passed::Untyped {
                self.engine.types.untyped(Labels::from_sorted(pairs).metric());
            }
            if matches!(reason, Passed::Untyped | Passed::Taken | Passed::Full) {
                valid_until = probe.sample_seconds.saturating_add(PASSED_SECONDS);
            }
        }
        let home = enlisted.and_then(|(policy, home)| Some((policy, home.ok()?)));
        let judged = match home {
            Some((_, home)) if verdict.disposition() == Disposition::Aggregate => {
                Judged { verdict, emits: Emits::Aggregated(home), edit: 0 }
            }
            _ => self.judge(series, pairs, verdict, output.as_ref(), work),
        };
        if let Some(home) = home {
            self.gather(body, slot, series, home, work);
            if judged.verdict.disposition() != Disposition::Aggregate {
                // the input is kept: what is known of a series holds one thing that is sent, and here there are two
                valid_until = 0;
            }
        }
        slot.edit = judged.edit;
        if judged.verdict != VerdictId::UNTOUCHED {
            let output = output.filter(|_| judged.verdict.disposition() == Disposition::Rewrite);
            work.scratch.told.push(Told { slot: number, verdict: judged.verdict, output });
        }
        let decided = Remembered {
            verdict: judged.verdict.to_bits(),
            generation: self.policies.generation,
            valid_until,
            emits: judged.emits,
        };
        // Refreshing is idempotent and says nothing about the data, so it need not wait for the commit.
        if slot.form == Form::Other || !unknown {
            if home.is_some() {
                // what is known to be part of a group must be part of it
                work.outcome.effects.redecided.push((series, decided));
            } else {
                self.index.refresh(series, decided, self.now);
            }
        }
        if !unknown && (probe.notice != Notice::NONE || probe.ends) {
            self.attend(pairs, body, slot, probe, work);
        }
        if slot.form == Form::Other || unknown {
            let birth = self.birth((series, decided), pairs, body, slot, probe, work);
            work.outcome.effects.births.push(birth);
        }
        Fate::Verdict(judged.verdict)
    }

    /// What is sent for a series of this verdict; who wants an identity that another has, sends nothing.
    fn judge(
        &self,
        series: Fingerprint,
        pairs: &[(&str, &str)],
        verdict: VerdictId,
        output: Option<&OwnedLabels>,
        work: &mut Work<'_>,
    ) -> Judged {
        let becomes = match (verdict.disposition(), output) {
            (Disposition::Rewrite, Some(output)) => {
                let output = borrowed(output);
                edit::derive(pairs, &output, &mut work.scratch.script);
                identity::encode_canonical(&output, &mut work.scratch.canonical);
                self.prints.fingerprint(&work.scratch.canonical, self.tenant)
            }
            (Disposition::Forward, _) => series,
            _ => return Judged { verdict, emits: Emits::Nothing, edit: 0 },
        };
        // Where no policy rewrites, every series is itself, and no two can meet.
        if self.policies.set.rewrites() {
            match self.index.claim(becomes, series, self.policies.generation, self.now) {
                Claimed::Granted => {}
                Claimed::Full => work.outcome.unguarded += 1,
                Claimed::Taken => {
                    let verdict = self.policies.set.collided(verdict);
                    return Judged { verdict, emits: Emits::Contested(becomes.short()), edit: 0 };
                }
            }
        }
        if output.is_none() {
            return Judged { verdict, emits: Emits::Itself, edit: 0 };
        }
        match self.policies.edits.number(&work.scratch.script) {
            Some(edit) => Judged { verdict, emits: Emits::Rewritten(edit), edit },
            None => {
                work.loose.push(work.scratch.script.clone());
                let edit = LOOSE | (work.loose.len() - 1) as u32;
                Judged { verdict, emits: Emits::Rewritten(NO_EDIT), edit }
            }
        }
    }

    /// The identity of labels whose bytes are not canonical; to be remembered where the bytes are one run.
    pub(super) fn true_identity(
        &self,
        pairs: &[(&str, &str)],
        probe: &Probe,
        work: &mut Work<'_>,
    ) -> Fingerprint {
        let canonical = &mut work.scratch.canonical;
        identity::encode_canonical(pairs, canonical);
        let series = self.prints.fingerprint(canonical, self.tenant);
        if probe.found == Found::Missing {
            work.outcome.effects.aliases.push((probe.fingerprint, series));
        }
        series
    }
}

impl Slot {
    /// Where the labels stand.
    pub(super) fn labels(&self) -> std::ops::Range<usize> {
        self.labels_start as usize..self.labels_end as usize
    }

    #[inline]
    fn know(&mut self, verdict: VerdictId, emits: Emits) {
        self.fate = Fate::Verdict(verdict);
        if let Emits::Rewritten(edit) = emits {
            self.edit = edit;
        }
    }
}
