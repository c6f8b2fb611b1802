//! Fifth stage: what is taken out of the body and what takes its place.

use super::Policies;
use super::edits::LOOSE;
use super::outcome::Undecodable;
use super::scratch::{Cut, Fate, Request, RewriteScratch, Slot};
use crate::policy::Disposition;
use crate::series::edit;
use crate::series::identity::{self, Form};
use crate::wire::WireError;
use crate::wire::labels::varint_len;
use crate::wire::v1;

/// Tag of `WriteRequest.timeseries`.
const SERIES_TAG: u8 = 0x0a;

/// Lists the cuts of a request, and writes the series that go under other labels; all of them together take no
/// more than `room` bytes.
pub(super) fn rewrite(
    body: &[u8],
    request: &mut Request,
    policies: &Policies,
    room: usize,
    scratch: &mut RewriteScratch,
) -> Result<(), Undecodable> {
    request.cuts.clear();
    scratch.plain.clear();
    for slot in &request.slots {
        let rewritten = match slot.fate {
            Fate::Verdict(verdict) if verdict.disposition() == Disposition::Forward => continue,
            Fate::Verdict(verdict) => verdict.disposition() == Disposition::Rewrite,
            Fate::Rejected(_) | Fate::Open => false,
        };
        if rewritten {
            let script = if slot.edit & LOOSE == 0 {
                policies.edits.get(slot.edit)
            } else {
                request.loose.get((slot.edit & !LOOSE) as usize).map(Vec::as_slice)
            };
            let script = script.expect("an edit that is remembered is in the table of its generation");
            series(body, slot, script, scratch)?;
            if scratch.plain.len() > room {
                return Err(Undecodable::Outgrown(room));
            }
        }
        cut(&mut request.cuts, slot, scratch.plain.len());
    }
    Ok(())
}

/// Adds a cut; neighbours become one, so that a body rewritten from end to end is compressed in one go.
fn cut(cuts: &mut Vec<Cut>, slot: &Slot, plain_end: usize) {
    let plain_end = plain_end as u32;
    match cuts.last_mut() {
        Some(last) if last.end == slot.start => {
            last.end = slot.end;
            last.plain_end = plain_end;
        }
        last => {
            let plain_start = last.map_or(0, |last| last.plain_end);
            cuts.push(Cut { start: slot.start, end: slot.end, plain_start, plain_end });
        }
    }
}

/// Appends one series with edited labels; everything else in it keeps its bytes.
#[inline]
fn series(body: &[u8], slot: &Slot, script: &[u8], scratch: &mut RewriteScratch) -> Result<(), WireError> {
    let RewriteScratch { plain, starts, places, block } = scratch;
    let run = slot.labels_start as usize..slot.labels_end as usize;
    let field = plain.len();
    plain.push(SERIES_TAG);
    // room for the length that it had; nearly always it fits
    let guessed = varint_len(slot.end as usize - slot.labels_start as usize);
    plain.resize(field + 1 + guessed, 0);
    let labels: &[u8] = if slot.form == Form::Canonical {
        &body[run.clone()]
    } else {
        identity::canonicalise(body, run.clone(), places, block)?;
        block
    };
    edit::apply(script, labels, starts, plain).expect("an edit fits the labels that it was made for");
    if slot.scattered {
        v1::for_each_other_field(body, run, |bytes| plain.extend_from_slice(bytes))?;
    } else {
        plain.extend_from_slice(&body[slot.labels_end as usize..slot.end as usize]);
    }
    put_length(plain, field + 1, guessed);
    Ok(())
}

/// Writes the length of what follows the room left for it.
fn put_length(plain: &mut Vec<u8>, at: usize, room: usize) {
    let length = plain.len() - at - room;
    let needed = varint_len(length);
    if needed != room {
        let content = at + room;
        plain.resize(plain.len() + needed.saturating_sub(room), 0);
        plain.copy_within(content..content + length, at + needed);
        plain.truncate(at + needed + length);
    }
    let mut value = length;
    for byte in &mut plain[at..at + needed] {
        *byte = (value as u8) | 0x80;
        value >>= 7;
    }
    plain[at + needed - 1] &= 0x7f;
}
