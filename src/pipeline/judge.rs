//! Third stage: what the index did not know. Only here are labels parsed and policies asked.

use super::Policies;
use super::outcome::{Birth, Outcome};
use super::scratch::{Fate, JudgeScratch, Request};
use crate::policy::VerdictId;
use crate::series::identity::{self, Form};
use crate::series::{Fingerprint, Fingerprinter, Found, Index, Labels, Limits, Probe, Remembered, TenantKey};
use crate::wire::WireError;

/// What is needed to decide about a series.
pub(super) struct Judgement<'a> {
    pub(super) index: &'a Index,
    pub(super) prints: &'a Fingerprinter,
    pub(super) tenant: TenantKey,
    pub(super) group: u32,
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) now: u32,
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
        // Borrowed from the body, so made anew for each request; it allocates only when something is unknown.
        let mut pairs = Vec::new();
        for (slot, probe) in request.slots.iter_mut().zip(&request.probes) {
            if slot.fate != Fate::Open {
                continue;
            }
            if let Found::Known(verdict) = probe.found {
                slot.fate = Fate::Verdict(VerdictId::from_bits(verdict));
                continue;
            }
            let run = slot.labels_start as usize..slot.labels_end as usize;
            slot.fate = match identity::read(body, run, self.limits, &mut pairs)? {
                Ok(form) => self.decide(&pairs, form, probe, &mut scratch.canonical, outcome),
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
            }
        }
        if scratch.probes.is_empty() {
            return;
        }
        self.index.touch(&mut scratch.probes, &mut scratch.order, self.now, self.policies.generation);
        for (probe, i) in scratch.probes.iter().zip(&scratch.slots) {
            if let Found::Known(_) = probe.found {
                request.probes[*i as usize].found = probe.found;
            }
        }
    }

    fn decide(
        &self,
        pairs: &[(&str, &str)],
        form: Form,
        probe: &Probe,
        canonical: &mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Fate {
        let series = match form {
            Form::Canonical => probe.fingerprint,
            Form::Other => self.true_identity(pairs, probe, canonical, outcome),
        };
        let decision = self.policies.set.decide(Labels::from_sorted(pairs));
        let decided = Remembered {
            verdict: decision.verdict.to_bits(),
            generation: self.policies.generation,
            valid_until: decision.valid_until.0,
            group: self.group,
        };
        // Refreshing is idempotent and says nothing about the data, so it need not wait for the commit.
        match (form, probe.found) {
            (Form::Canonical, Found::Missing) => outcome.effects.births.push(Birth { series, decided }),
            (Form::Canonical, _) => self.index.refresh(series, decided, self.now),
            (Form::Other, _) => {
                self.index.refresh(series, decided, self.now);
                outcome.effects.births.push(Birth { series, decided });
            }
        }
        Fate::Verdict(decision.verdict)
    }

    /// The identity of labels whose bytes are not canonical; to be remembered where the bytes are one run.
    fn true_identity(
        &self,
        pairs: &[(&str, &str)],
        probe: &Probe,
        canonical: &mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Fingerprint {
        identity::encode_canonical(pairs, canonical);
        let series = self.prints.fingerprint(canonical, self.tenant);
        if probe.found == Found::Missing {
            outcome.effects.aliases.push((probe.fingerprint, series));
        }
        series
    }
}
