//! Reads a request of remote write 2.0 that goes on as 2.0. Its series are known by the hashes of their texts, which lead to
//! their identities; only what the index does not know so, and what has to be looked at, is put together as 1.0.

use super::context::seconds;
use super::expand::{Expansion, Held};
use super::outcome::{Outcome, Undecodable};
use super::read::Rules;
use super::scan::{self, FEW_FIELDS, FieldRoom};
use super::scratch::{Request, Slot, SlotState};
use super::texts::{Recognised, Texts};
use super::validate::{self, Validator};
use crate::config::Validation;
use crate::series::identity::Form;
use crate::series::{Fingerprint, Fingerprinter, FollowUp, Found, Index, Probe, SentAs, Speller, TenantKey};
use crate::wire::v2::{Field, FieldKind, Fields, Walked};

/// What a request of a scope is read with.
pub(super) struct Recogniser<'a> {
    pub(super) index: &'a Index,
    pub(super) prints: &'a Fingerprinter,
    pub(super) speller: &'a Speller,
    pub(super) tenant: TenantKey,
    pub(super) now: u32,
    /// Of the policies.
    pub(super) generation: u32,
    pub(super) rules: Rules,
}

/// The room that a request holds while it is recognised.
struct Room<'r> {
    held: Held,
    /// Series of the request.
    series: usize,
    more: FieldRoom<'r>,
}

impl Room<'_> {
    /// Asks for room where there has to be more for what is expanded by now. It is asked for with each series: a text can be used any number
    /// of times, so a short body may be long as 1.0.
    fn ask(&mut self, expansion: &Expansion) -> Result<(), Undecodable> {
        expansion.ask(self.series, &mut self.held, &mut *self.more)
    }
}

impl Recogniser<'_> {
    /// Fills slots and probes, and has the index answer; says how many fields of room are held. `None`: there is something in the
    /// request that makes it necessary to read it in full, and nothing was done.
    pub(super) fn run(
        &self,
        came: &[u8],
        (expansion, texts, validation): (&mut Expansion, &mut Texts, &mut validate::Buffers),
        request: &mut Request,
        room: FieldRoom<'_>,
    ) -> Result<Option<usize>, Undecodable> {
        let mut held = Held::default();
        let series = expansion.start(came, &mut held, &mut *room)?;
        let many = if series > FEW_FIELDS { series } else { 0 };
        let room: FieldRoom<'_> = &mut |fields| room(fields + many);
        if many > 0 && !room(held.fields) {
            return Err(Undecodable::NoRoom);
        }
        texts.start(came, expansion.symbols(), self.speller);
        request.clear();
        request.gone.clear();
        let room = &mut Room { held, series, more: room };
        let is_usual = self.walk(came, (&mut *expansion, texts), request, room)?;
        // whether that is too much as 1.0 is seen by making it
        if !is_usual || expansion.plain_bytes > self.rules.most {
            return Ok(None);
        }
        self.index.follow(&mut request.probes, &mut request.order, self.now);
        if !self.identify(came, expansion, request, room)?
            || !self.is_valid(came, expansion, validation, request, room)?
        {
            return Ok(None);
        }
        self.index.touch(&mut request.probes, &mut request.order, self.now, self.generation);
        self.expand_wanted(came, expansion, request, room)?;
        Ok(Some(room.held.fields + many))
    }

    /// Reads all series without their texts, where they are of the usual form; returns whether that is all there is to know.
    fn walk(
        &self,
        came: &[u8],
        (expansion, texts): (&mut Expansion, &mut Texts),
        request: &mut Request,
        room: &mut Room<'_>,
    ) -> Result<bool, Undecodable> {
        let with = (self.speller, self.speller.scope(self.tenant));
        for field in Fields::new(came) {
            let field = field.map_err(Undecodable::WireV2)?;
            if field.kind != FieldKind::Series {
                continue;
            }
            match texts.read((came, expansion.symbols()), &field, with) {
                Some(Recognised { walked, spelling, plain_bytes }) => {
                    request.note_times(walked.newest_ms, walked.samples);
                    request.probes.push(probe(spelling, &walked));
                    request.slots.push(unread(&walked));
                    expansion.push(field, walked.said);
                    expansion.plain_bytes += plain_bytes;
                }
                None if !self.read(came, &field, expansion, request, room)? => return Ok(false),
                None => {}
            }
        }
        Ok(self.rules.latest_ms.is_none_or(|latest_ms| request.newest_ms <= latest_ms))
    }

    /// Expands a series that is of another form, and reads it; returns whether it can be accepted.
    #[cold]
    fn read(
        &self,
        came: &[u8],
        field: &Field,
        expansion: &mut Expansion,
        request: &mut Request,
        room: &mut Room<'_>,
    ) -> Result<bool, Undecodable> {
        let (said, start) = expansion.add(came, field, self.rules.most)?;
        room.ask(expansion)?;
        if said.broken || said.unsorted || said.emptied {
            return Ok(false);
        }
        let Some((plain, frame)) = expansion.series(start)? else { return Ok(false) };
        let walked = Walked { samples: frame.samples, newest_ms: frame.newest_ms, ends: frame.ends, said };
        let labels = &expansion.body()[frame.labels.clone()];
        let series = self.prints.fingerprint(labels, self.tenant);
        request.note_times(frame.newest_ms, frame.samples);
        // not to be asked by its texts
        request.probes.push(Probe { found: Found::Skip, ..probe(series, &walked) });
        request.slots.push(scan::slot(&plain, &frame));
        expansion.plain_bytes += plain.end - plain.start;
        expansion.push(*field, said);
        Ok(true)
    }

    /// Sees to it that all series have their identities: those that were not known by their texts are expanded for that. Returns
    /// whether their labels may stay as they are.
    fn identify(
        &self,
        came: &[u8],
        expansion: &mut Expansion,
        request: &mut Request,
        room: &mut Room<'_>,
    ) -> Result<bool, Undecodable> {
        let Request { slots, probes, spelled, .. } = request;
        for ((number, slot), probe) in (0..).zip(slots.iter_mut()).zip(probes.iter_mut()) {
            match probe.found {
                Found::Alias(series) => probe.fingerprint = series,
                Found::Missing => {
                    let spelling = probe.fingerprint;
                    self.expand(came, number, expansion, slot, room)?;
                    let said = expansion.frames[number].said;
                    if said.unsorted || said.emptied {
                        return Ok(false);
                    }
                    let labels = &expansion.body()[slot.labels()];
                    probe.fingerprint = self.prints.fingerprint(labels, self.tenant);
                    spelled.push((number as u32, spelling));
                }
                _ => {}
            }
            if slot.state == SlotState::Open {
                probe.found = Found::Missing;
            }
        }
        Ok(true)
    }

    /// Whether nothing of the request has to be mended. What has to be looked into for that is expanded, and rejected where it
    /// contradicts itself.
    fn is_valid(
        &self,
        came: &[u8],
        expansion: &mut Expansion,
        validate::Buffers { sifted, mending }: &mut validate::Buffers,
        request: &mut Request,
        room: &mut Room<'_>,
    ) -> Result<bool, Undecodable> {
        if self.rules.validation == Validation::Off {
            return Ok(true);
        }
        sifted.sift(expansion.body(), request);
        for number in sifted.numbers() {
            let slot = &mut request.slots[number as usize];
            if !is_read(slot) {
                self.expand(came, number as usize, expansion, slot, room)?;
            }
        }
        let Rules { validation: level, message, .. } = self.rules;
        let mut validator = Validator { level, message, came, expansion, sifted };
        Ok(!validator.judge(expansion.body(), request, mending, &mut *room.more)?)
    }

    /// Expands the series whose labels or samples somebody will look at.
    fn expand_wanted(
        &self,
        came: &[u8],
        expansion: &mut Expansion,
        request: &mut Request,
        room: &mut Room<'_>,
    ) -> Result<(), Undecodable> {
        for ((number, slot), probe) in (0..).zip(&mut request.slots).zip(&request.probes) {
            let goes_its_way = matches!(probe.found, Found::Known(_, SentAs::Itself | SentAs::Nothing))
                && probe.follow_up == FollowUp::NONE
                && !probe.ends;
            if !goes_its_way && !is_read(slot) {
                self.expand(came, number, expansion, slot, room)?;
            }
        }
        Ok(())
    }

    /// Expands a series that was walked.
    fn expand(
        &self,
        came: &[u8],
        number: usize,
        expansion: &mut Expansion,
        slot: &mut Slot,
        room: &mut Room<'_>,
    ) -> Result<(), Undecodable> {
        let (said, start) = expansion.add(came, &{ expansion.frames[number].field }, self.rules.most)?;
        room.ask(expansion)?;
        if let Some((plain, frame)) = expansion.series(start)? {
            *slot = scan::slot(&plain, &frame);
        }
        expansion.frames[number].said = said;
        Ok(())
    }
}

/// Has the series remembered by their texts that were not known so, and that can be accepted.
pub(super) fn remember(request: &Request, outcome: &mut Outcome) {
    for (number, spelling) in &request.spelled {
        let at = *number as usize;
        if let SlotState::Verdict(_) = request.slots[at].state {
            outcome.effects.aliases.push((*spelling, request.probes[at].fingerprint));
        }
    }
}

fn probe(fingerprint: Fingerprint, walked: &Walked) -> Probe {
    Probe {
        fingerprint,
        sample_seconds: seconds(walked.newest_ms),
        samples: walked.samples.min(u32::from(u16::MAX)) as u16,
        ends: walked.ends,
        follow_up: FollowUp::NONE,
        found: Found::Missing,
    }
}

/// A series that stands nowhere in the body of 1.0.
fn unread(walked: &Walked) -> Slot {
    Slot {
        start: 0,
        end: 0,
        labels_start: 0,
        labels_end: 0,
        samples: walked.samples,
        histograms: 0,
        exemplars: 0,
        edit: 0,
        end_marker: 0,
        form: Form::Canonical,
        scattered: false,
        ends: walked.ends,
        state: SlotState::Open,
    }
}

fn is_read(slot: &Slot) -> bool {
    slot.end > 0
}
