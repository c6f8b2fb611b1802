//! Last stage: the body without what was taken out, compressed; or a word that it can go as it came.

use super::outcome::{Body, Outcome};
use super::scratch::Request;
use crate::codec::snappy::{Gatherer, SnappyError};

/// Decides what goes upstream and makes it where the body cannot go as it came.
pub(super) fn splice(
    body: &[u8],
    request: &mut Request,
    gatherer: &mut Gatherer,
    outcome: &mut Outcome,
) -> Result<(), SnappyError> {
    outcome.decoded_bytes = body.len() as u64;
    let kept_series = request.slots.len() - request.removed.len();
    if kept_series == 0 && request.metadata == 0 {
        outcome.body = Body::Nothing;
        return Ok(());
    }
    if !request.bad_metadata.is_empty() {
        request.removed.append(&mut request.bad_metadata);
        request.removed.sort_unstable();
    }
    if request.removed.is_empty() {
        outcome.body = Body::Untouched;
        return Ok(());
    }
    let removed: usize = request.removed.iter().map(|(start, end)| (end - start) as usize).sum();
    gatherer.start(body.len() - removed);
    let mut kept_from = 0;
    for &(start, end) in &request.removed {
        gatherer.push(&body[kept_from..start as usize])?;
        kept_from = end as usize;
    }
    gatherer.push(&body[kept_from..])?;
    outcome.spliced.extend_from_slice(gatherer.finish()?);
    outcome.body = Body::Spliced;
    Ok(())
}
