//! Last stage: the body with what was cut out and put in, compressed; or a word that it can go as it came.

use super::outcome::{Body, Outcome};
use super::scratch::{Cut, Request};
use crate::codec::snappy::{Gatherer, SnappyError};

/// Decides what goes upstream and makes it where the body cannot go as it came, or is not what came.
pub(super) fn splice(
    (body, as_it_came): (&[u8], bool),
    request: &mut Request,
    plain: &[u8],
    gatherer: &mut Gatherer,
    outcome: &mut Outcome,
) -> Result<(), SnappyError> {
    if request.kept_series == 0 && request.end_markers.is_empty() && request.metadata == 0 {
        outcome.body = Body::Nothing;
        return Ok(());
    }
    if !request.bad_metadata.is_empty() {
        let end = plain.len() as u32;
        let cuts = request.bad_metadata.drain(..);
        request.cuts.extend(cuts.map(|(start, end_of)| Cut {
            start,
            end: end_of,
            plain_start: end,
            plain_end: end,
        }));
        request.cuts.sort_unstable_by_key(|cut| cut.start);
    }
    if request.cuts.is_empty() && as_it_came {
        outcome.body = Body::Untouched;
        return Ok(());
    }
    let removed: usize = request.cuts.iter().map(|cut| (cut.end - cut.start) as usize).sum();
    gatherer.start(body.len() - removed + plain.len());
    let mut kept_from = 0;
    for cut in &request.cuts {
        gatherer.push(&body[kept_from..cut.start as usize])?;
        gatherer.push(&plain[cut.plain_start as usize..cut.plain_end as usize])?;
        kept_from = cut.end as usize;
    }
    gatherer.push(&body[kept_from..])?;
    outcome.spliced.extend_from_slice(gatherer.finish()?);
    outcome.body = Body::Spliced;
    Ok(())
}
