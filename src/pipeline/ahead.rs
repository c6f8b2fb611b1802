//! Takes out of a body what is too far in the future, before anything looks at it: one such sample is enough for some
//! backends to refuse all that comes after.

use std::ops::Range;

use super::Counts;
use super::count_fates::mark;
use super::outcome::{Outcome, Undecodable};
use super::rejected::describe_rejected;
use super::scan::FieldRoom;
use super::scratch::Request;
use crate::codec::varint;
use crate::series::{Fingerprint, Invalid};
use crate::wire::WireError;
use crate::wire::v1::{self, Field, FieldKind, Fields, Part};

/// Reads what of a body is not later than a time.
pub(super) struct Reader<'b, 'r> {
    /// Unix milliseconds; `None`: nothing is too late.
    pub(super) latest_ms: Option<i64>,
    /// Room for what is left of the body.
    pub(super) timely: &'b mut Vec<u8>,
    pub(super) request: &'r mut Request,
    pub(super) outcome: &'r mut Outcome,
    pub(super) room: FieldRoom<'r>,
}

impl<'b> Reader<'b, '_> {
    /// Scans what is left of a body that was scanned; returns it, and whether that is all of it.
    #[inline]
    pub(super) fn rest(
        self,
        body: &'b [u8],
        fingerprint: &dyn Fn(&[u8]) -> Fingerprint,
    ) -> Result<(&'b [u8], bool), Undecodable> {
        match self.latest_ms.filter(|latest_ms| self.request.newest_ms > *latest_ms) {
            None => Ok((body, true)),
            Some(latest_ms) => Ok((self.scan_rest(body, latest_ms, fingerprint)?, false)),
        }
    }

    /// As `dyn`, so that the walk of nearly all bodies is compiled for one caller, into it.
    #[cold]
    fn scan_rest(
        self,
        body: &[u8],
        latest_ms: i64,
        fingerprint: &dyn Fn(&[u8]) -> Fingerprint,
    ) -> Result<&'b [u8], Undecodable> {
        take_out(body, latest_ms, self.timely, (&mut self.request.gone, self.outcome))?;
        self.request.scan(self.timely, fingerprint, self.room)?;
        Ok(self.timely)
    }
}

/// Writes the body without what is later than `latest_ms` into `rest`, and counts it as rejected. A series of which no
/// sample is left goes with its exemplars.
fn take_out(
    body: &[u8],
    latest_ms: i64,
    rest: &mut Vec<u8>,
    (gone, outcome): (&mut Vec<u32>, &mut Outcome),
) -> Result<(), WireError> {
    rest.clear();
    let mut number = 0;
    for field in Fields::new(body) {
        let field = field?;
        let is_series = field.kind == FieldKind::Series;
        if is_series && v1::series(body, &field)?.newest_ms > latest_ms {
            let before = rest.len();
            series(body, &field, latest_ms, rest, outcome)?;
            gone.extend((rest.len() == before).then_some(number));
        } else {
            rest.extend_from_slice(&body[field.start..field.end]);
        }
        number += u32::from(is_series);
    }
    Ok(())
}

/// One series that has such a sample.
fn series(
    body: &[u8],
    field: &Field,
    latest_ms: i64,
    rest: &mut Vec<u8>,
    outcome: &mut Outcome,
) -> Result<(), WireError> {
    let content = field.content..field.end;
    let (mut taken, mut left) = (Counts::default(), Counts::default());
    let mut bytes_left = 0;
    v1::for_each_part(body, content.clone(), |bytes, part| {
        let counts = if is_ahead(part, latest_ms) { &mut taken } else { &mut left };
        if !is_ahead(part, latest_ms) {
            bytes_left += bytes.len();
        }
        match part {
            Part::Sample(_) => counts.samples += 1,
            Part::Histogram(_) => counts.histograms += 1,
            Part::Exemplar => counts.exemplars += 1,
            Part::Label | Part::Other => {}
        }
    })?;
    let nothing_left = left.samples + left.histograms == 0;
    if nothing_left {
        taken.exemplars += left.exemplars;
        outcome.series += 1;
    } else {
        rest.push(v1::SERIES_TAG);
        varint::put(rest, bytes_left);
        v1::for_each_part(body, content.clone(), |bytes, part| {
            if !is_ahead(part, latest_ms) {
                rest.extend_from_slice(bytes);
            }
        })?;
    }
    reject(body, content, field.start..field.end, taken, outcome);
    Ok(())
}

fn is_ahead(part: Part, latest_ms: i64) -> bool {
    matches!(part, Part::Sample(ms) | Part::Histogram(ms) if ms > latest_ms)
}

fn reject(body: &[u8], labels: Range<usize>, whole: Range<usize>, taken: Counts, outcome: &mut Outcome) {
    const REASON: Invalid = Invalid::TooFarInFuture;
    outcome.reject(REASON, taken, mark(&body[whole]), || describe_rejected(body, labels, REASON));
}
