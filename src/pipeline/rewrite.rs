//! Fifth stage: what is taken out of the body and what takes its place.

use std::ops::Range;

use super::Policies;
use super::edits::LOOSE;
use super::outcome::Undecodable;
use super::scan::{FIELD_BYTES, FieldRoom};
use super::scratch::{Cut, EndMarker, Piece, Request, RewriteScratch, Slot, SlotState};
use super::validate::{self, Repair};
use crate::codec::varint;
use crate::policy::Disposition;
use crate::series::edit;
use crate::series::identity::{self, Form, Place};
use crate::wire::WireError;
use crate::wire::v1::{self, Part};

/// What series under other labels take without a room of their own, bytes.
const FREE_BYTES: usize = 1 << 20;

/// What was mended in series, by what it was; `None`: labels go on as they came.
pub(super) type Repairs<'r> = Option<&'r mut [u64; Repair::ALL.len()]>;

/// Lists the cuts of a request, and writes the series that go under other labels, or under theirs in order; all of them together take
/// no more than `most` bytes, and no more than there is room for: they may be many times what came.
pub(super) fn rewrite(
    body: &[u8],
    request: &mut Request,
    policies: &Policies,
    mut repairs: Repairs<'_>,
    (most, room): (usize, FieldRoom<'_>),
    scratch: &mut RewriteScratch,
) -> Result<(), Undecodable> {
    request.cuts.clear();
    scratch.plain.clear();
    scratch.pieces.clear();
    let mut free = FREE_BYTES;
    for (number, slot) in (0..).zip(&request.slots) {
        let fate = match slot.state {
            SlotState::Verdict(verdict) => Some(verdict.disposition()),
            SlotState::Rejected(_) | SlotState::Open => None,
        };
        if slot.end_marker > 0
            && let Some(end) = request.end_markers.get(slot.end_marker as usize - 1)
        {
            let start = scratch.plain.len() as u32;
            marker(body, slot, end, scratch)?;
            let end = scratch.plain.len() as u32;
            scratch.pieces.push(Piece { slot: number, ends: true, start, end });
        }
        let goes_on = fate.is_some_and(Disposition::forwards);
        let mended = goes_on && slot.form == Form::Other && mends(body, slot, &mut repairs)?;
        let script = (fate == Some(Disposition::Rewrite)).then(|| script(slot, policies, &request.loose));
        if script.is_some() || mended {
            let start = scratch.plain.len() as u32;
            series(body, slot, script, scratch)?;
            let end = scratch.plain.len() as u32;
            scratch.pieces.push(Piece { slot: number, ends: false, start, end });
        }
        if scratch.plain.len() > most {
            return Err(Undecodable::Outgrown(most));
        }
        if scratch.plain.len() > free {
            free = 2 * scratch.plain.len();
            // it is compressed beside that
            if !room(request.slots.len() + 2 * free / FIELD_BYTES) {
                return Err(Undecodable::NoRoom);
            }
        }
        match fate {
            Some(Disposition::Forward) if slot.end_marker == 0 && !mended => {}
            // the series itself stays; what it was until now ends before it
            Some(Disposition::Forward) if !mended => {
                cut(&mut request.cuts, slot.start..slot.start, scratch.plain.len());
            }
            _ => cut(&mut request.cuts, slot.start..slot.end, scratch.plain.len()),
        }
    }
    Ok(())
}

/// The edit of a series.
fn script<'e>(slot: &Slot, policies: &'e Policies, loose: &'e [Vec<u8>]) -> &'e [u8] {
    let script = if slot.edit & LOOSE == 0 {
        policies.edits.get(slot.edit)
    } else {
        loose.get((slot.edit & !LOOSE) as usize).map(Vec::as_slice)
    };
    script.expect("an edit that is remembered is in the table of its generation")
}

/// Whether the labels of a series are to be put in order; counts it.
fn mends(body: &[u8], slot: &Slot, repairs: &mut Repairs<'_>) -> Result<bool, WireError> {
    let Some(repairs) = repairs else { return Ok(false) };
    let disorder = validate::disorder(body, slot.labels())?;
    repairs[Repair::UnsortedLabels as usize] += u64::from(disorder.unsorted);
    repairs[Repair::EmptyLabelValue as usize] += u64::from(disorder.emptied);
    Ok(disorder.unsorted || disorder.emptied)
}

/// Adds a cut; neighbours become one, so that a body rewritten from end to end is compressed in one go.
fn cut(cuts: &mut Vec<Cut>, taken: Range<u32>, plain_end: usize) {
    let plain_end = plain_end as u32;
    match cuts.last_mut() {
        Some(last) if last.end == taken.start => {
            last.end = taken.end;
            last.plain_end = plain_end;
        }
        last => {
            let plain_start = last.map_or(0, |last| last.plain_end);
            cuts.push(Cut { start: taken.start, end: taken.end, plain_start, plain_end });
        }
    }
}

/// Appends one series with edited labels, or with its own in order; everything else in it keeps its bytes.
#[inline]
fn series(
    body: &[u8],
    slot: &Slot,
    script: Option<&[u8]>,
    scratch: &mut RewriteScratch,
) -> Result<(), WireError> {
    let RewriteScratch { plain, starts, places, block, .. } = scratch;
    // room for the length that it had; nearly always it fits
    let (field, room) = open(plain, slot.end as usize - slot.labels_start as usize);
    let labels = canonical(body, slot, places, block)?;
    match script {
        Some(script) => {
            edit::apply(script, labels, starts, plain).expect("an edit fits the labels that it was made for");
        }
        None => plain.extend_from_slice(labels),
    }
    if slot.scattered {
        v1::for_each_part(body, slot.labels(), |bytes, part| {
            if part != Part::Label {
                plain.extend_from_slice(bytes);
            }
        })?;
    } else {
        plain.extend_from_slice(&body[slot.labels_end as usize..slot.end as usize]);
    }
    varint::fill(plain, field, room);
    Ok(())
}

/// Appends the end of what a series was sent as until now.
fn marker(body: &[u8], slot: &Slot, end: &EndMarker, scratch: &mut RewriteScratch) -> Result<(), WireError> {
    let RewriteScratch { plain, starts, places, block, .. } = scratch;
    let (field, room) = open(plain, slot.labels_end as usize - slot.labels_start as usize);
    let labels = canonical(body, slot, places, block)?;
    match &end.script {
        Some(script) => {
            edit::apply(script, labels, starts, plain).expect("an edit fits the labels that it was made for");
        }
        None => plain.extend_from_slice(labels),
    }
    v1::put_stale_marker(plain, end.at);
    varint::fill(plain, field, room);
    Ok(())
}

/// Begins a series, with room for a length like this one.
fn open(plain: &mut Vec<u8>, length: usize) -> (usize, usize) {
    plain.push(v1::SERIES_TAG);
    let (field, room) = (plain.len(), varint::len(length));
    plain.resize(field + room, 0);
    (field, room)
}

/// The canonical labels of a series.
#[inline]
fn canonical<'l>(
    body: &'l [u8],
    slot: &Slot,
    places: &mut Vec<Place>,
    block: &'l mut Vec<u8>,
) -> Result<&'l [u8], WireError> {
    if slot.form == Form::Canonical {
        return Ok(&body[slot.labels()]);
    }
    identity::canonicalise(body, slot.labels(), places, block)?;
    Ok(block)
}
