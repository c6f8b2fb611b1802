//! Third stage: what the index did not know. Only here are labels parsed and policies asked.

use super::Policies;
use super::compose::InV2;
use super::edits::NO_EDIT;
use super::expand::Frame;
use super::outcome::Outcome;
use super::scratch::{DecideScratch, EndMarker, Request, Slot, SlotState};
use super::sender_history::sender_history;
use crate::aggregate::Engine;
use crate::cardinality::{Observer, SenderContext, Tracker};
use crate::policy::{PolicyIndex, VerdictId};
use crate::series::identity::{Form, Reader};
use crate::series::{Fingerprinter, FollowUp, Found, Index, Limits, Probe, SentAs, TenantKey};
use crate::wire::WireError;

/// What is needed to decide about a series.
pub(super) struct Decider<'a> {
    pub(super) index: &'a Index,
    pub(super) prints: &'a Fingerprinter,
    /// The scope of the request as text.
    pub(super) scope: &'a str,
    pub(super) tenant: TenantKey,
    pub(super) tracker: &'a Tracker,
    pub(super) sender_context: SenderContext,
    pub(super) policies: &'a Policies,
    pub(super) limits: &'a Limits,
    pub(super) now: u32,
    pub(super) engine: &'a Engine,
    /// Whether what is sent no more ends with a stale marker.
    pub(super) stale_markers: bool,
}

/// What deciding leaves behind, of a body `'b`.
pub(super) struct Work<'w, 'b> {
    /// What the series say of themselves, of remote write 2.0.
    pub(super) frames: &'w [Frame],
    pub(super) loose: &'w mut Vec<Vec<u8>>,
    pub(super) end_markers: &'w mut Vec<EndMarker>,
    pub(super) scratch: &'w mut DecideScratch,
    pub(super) observer: Observer<'w, 'b>,
    pub(super) outcome: &'w mut Outcome,
}

impl Work<'_, '_> {
    /// When what a series counts began, where it says so, Unix milliseconds.
    pub(super) fn began_ms(&self, number: u32) -> Option<i64> {
        self.frames.get(number as usize)?.said.started_ms()
    }
}

impl Decider<'_> {
    /// Gives every open slot its fate.
    pub(super) fn decide_all(
        &self,
        (body, in_v2): (&[u8], Option<InV2<'_>>),
        request: &mut Request,
        scratch: &mut DecideScratch,
        outcome: &mut Outcome,
    ) -> Result<(), WireError> {
        self.follow_aliases(request, scratch);
        scratch.policy_hits.clear();
        // Borrowed from the body, so made anew for each request; they allocate only when something is unknown.
        let mut reader = Reader::new(body);
        let mut look = std::mem::take(&mut scratch.look);
        let observer = self.tracker.observer(self.sender_context, &mut look, self.now);
        let Request { slots, probes, loose, end_markers, metadata, .. } = request;
        let frames = in_v2.map_or(&[][..], |in_v2| in_v2.expansion.frames());
        let mut work = Work { frames, loose, end_markers, scratch, observer, outcome };
        in_v2.into_iter().for_each(|in_v2| self.learn_said(body, slots, in_v2));
        self.learn_metadata(body, *metadata);
        let news = self.policies.aggregates() && {
            self.learn_types(body, slots, probes);
            self.look_for_news(probes, &mut work)
        };
        let series = (&mut slots[..], &probes[..]);
        let decided = self.decide_each(body, series, &mut reader, &mut work);
        if news && decided.is_ok() {
            self.learn_starts(body, slots, probes, &mut reader);
        }
        drop(work);
        scratch.look = look;
        decided
    }

    fn decide_each<'b>(
        &self,
        body: &'b [u8],
        (slots, probes): (&mut [Slot], &[Probe]),
        reader: &mut Reader<'b>,
        work: &mut Work<'_, 'b>,
    ) -> Result<(), WireError> {
        let mut last = (VerdictId::UNTOUCHED, PolicyIndex(0));
        for ((number, slot), probe) in (0..).zip(slots.iter_mut()).zip(probes.iter()) {
            if slot.state != SlotState::Open {
                continue;
            }
            if let Found::Known(verdict, sent_as) = probe.found
                && self.holds(sent_as, slot, probe)
            {
                let verdict = VerdictId::from_bits(verdict);
                slot.know(verdict, sent_as);
                if let SentAs::Aggregated(group_key) = sent_as {
                    // neighbours nearly always have the same verdict
                    if last.0 != verdict {
                        last = (verdict, self.policies.set.row(verdict).ended_by.unwrap_or(PolicyIndex(0)));
                    }
                    let series = (probe.fingerprint, number);
                    self.add_to_group(body, slot, series, (last.1, group_key), work);
                }
                if (probe.follow_up != FollowUp::NONE || probe.ends)
                    && let Ok(form) = reader.read(slot.labels(), self.limits)?
                {
                    slot.form = form;
                    self.observe_known(reader.pairs(), body, slot, probe, work);
                }
                continue;
            }
            slot.state = match reader.read(slot.labels(), self.limits)? {
                Ok(form) => {
                    slot.form = form;
                    self.decide_series(reader.pairs(), body, number, slot, probe, work)
                }
                Err(invalid) => SlotState::Rejected(invalid),
            };
        }
        Ok(())
    }

    /// Whether there is anything to be decided: a request that is known whole has nothing. Of the others it notes what is known
    /// of their sender.
    fn look_for_news(&self, probes: &[Probe], work: &mut Work<'_, '_>) -> bool {
        let batch = &mut work.outcome.effects.aggregated;
        batch.types = self.engine.types.declarations();
        let news = probes.iter().any(|probe| matches!(probe.found, Found::Missing | Found::Stale(..)));
        if news {
            batch.sender_history = sender_history(self.index, probes, self.now);
        }
        news
    }

    /// Whether what is known of a series still is all there is to say.
    #[inline]
    pub(super) fn holds(&self, sent_as: SentAs, slot: &Slot, probe: &Probe) -> bool {
        // what it has upstream ends with it, and is its own again when it comes back
        let stays = || !(probe.ends || probe.follow_up.has_returned()) || !self.policies.watches_ends();
        match sent_as {
            SentAs::Itself => stays(),
            SentAs::ItselfUntil(_) => false,
            SentAs::Provisional(epoch) => stays() && epoch == self.engine.types.epoch(),
            SentAs::Rewritten(edit) => edit != NO_EDIT && stays(),
            SentAs::Contested(wanted) => !self.index.was_released(wanted, self.now),
            // its group may have ended with it
            SentAs::Aggregated(_) => slot.histograms == 0 && !probe.follow_up.has_returned(),
            SentAs::Nothing => true,
        }
    }

    /// Asks a second time for bytes that are known to stand for another identity; one more pass over the shards.
    fn follow_aliases(&self, request: &mut Request, scratch: &mut DecideScratch) {
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
            if let Found::Known(..) | Found::Stale(..) = probe.found {
                let asked = &mut request.probes[*i as usize];
                (asked.found, asked.follow_up, asked.fingerprint) =
                    (probe.found, probe.follow_up, probe.fingerprint);
            }
        }
    }
}

impl Slot {
    /// Where the labels stand.
    pub(super) fn labels(&self) -> std::ops::Range<usize> {
        self.labels_start as usize..self.labels_end as usize
    }

    /// Where the samples stand and what comes with them; the labels too where they are scattered.
    pub(super) fn data(&self) -> std::ops::Range<usize> {
        let start = if self.scattered { self.labels_start } else { self.labels_end };
        start as usize..self.end as usize
    }

    /// The labels and all that comes with them.
    pub(super) fn content(&self) -> std::ops::Range<usize> {
        self.labels_start as usize..self.end as usize
    }

    #[inline]
    pub(super) fn know(&mut self, verdict: VerdictId, sent_as: SentAs) {
        self.state = SlotState::Verdict(verdict);
        if let SentAs::Rewritten(edit) = sent_as {
            self.edit = edit;
        }
    }
}
