//! Whose an identity upstream is: who wants one that another has, sends nothing.

use super::context::{PolicyResult, SeriesContext, seconds};
use super::decider::{Decider, Work};
use super::edits::LOOSE;
use super::edits::NO_EDIT;
use crate::policy::{Disposition, VerdictId, borrowed};
use crate::series::{Claimant, Claimed, Fingerprint, SentAs, edit, identity};
use crate::wire::v1;

/// What a series was decided to be.
pub(super) struct SendDecision {
    pub(super) verdict: VerdictId,
    pub(super) sent_as: SentAs,
    /// Number of the edit to apply now; may be loose.
    pub(super) edit: u32,
    /// What it is sent as, if it is.
    pub(super) becomes: Option<Fingerprint>,
}

impl Decider<'_> {
    /// What is sent for a series of this verdict.
    pub(super) fn claim_output(
        &self,
        context: &SeriesContext<'_>,
        result: &PolicyResult,
        work: &mut Work<'_, '_>,
    ) -> SendDecision {
        let verdict = result.verdict;
        let nothing = SendDecision { verdict, sent_as: SentAs::Nothing, edit: 0, becomes: None };
        let becomes = match (verdict.disposition(), &result.output) {
            (Disposition::Rewrite, Some(output)) => {
                let output = borrowed(output);
                edit::derive(context.pairs, &output, &mut work.scratch.script);
                identity::encode_canonical(&output, &mut work.scratch.canonical);
                self.prints.fingerprint(&work.scratch.canonical, self.tenant)
            }
            (Disposition::Forward, _) => context.series,
            _ => return nothing,
        };
        // Where no policy rewrites or aggregates, every series is itself, and no two can meet.
        if self.policies.shares() {
            match self.index.claim(becomes, &self.claimant(context.series, context)) {
                Claimed::Granted | Claimed::Inherited => {}
                Claimed::Full => work.outcome.unguarded += 1,
                Claimed::Taken => {
                    let verdict = self.policies.set.collided(verdict);
                    return SendDecision { verdict, sent_as: SentAs::Contested(becomes.short()), ..nothing };
                }
            }
        }
        let becomes = Some(becomes);
        if verdict.disposition() == Disposition::Forward {
            return SendDecision { sent_as: SentAs::Itself, becomes, ..nothing };
        }
        // what finds no room in the index is decided anew at each sample, and leaves no edit behind
        let may_add = !context.unknown || !self.index.is_full();
        match self.policies.edits.number(&work.scratch.script, may_add) {
            Some(edit) => SendDecision { verdict, sent_as: SentAs::Rewritten(edit), edit, becomes },
            None => {
                work.loose.push(work.scratch.script.clone());
                let edit = LOOSE | (work.loose.len() - 1) as u32;
                SendDecision { verdict, sent_as: SentAs::Rewritten(NO_EDIT), edit, becomes }
            }
        }
    }

    /// Who asks for an identity on behalf of a series.
    pub(super) fn claimant(&self, owner: Fingerprint, context: &SeriesContext<'_>) -> Claimant {
        let first = v1::first_sample(context.body, context.slot.data());
        Claimant {
            owner,
            series: context.series,
            generation: self.policies.generation,
            now: self.now,
            begins: first.map_or(0, |first| seconds(first.ms)),
            ends: context.slot.ends,
        }
    }
}
