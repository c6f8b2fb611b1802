//! The rest of a request of remote write 2.0 as 2.0: what stays keeps its bytes, or at least all that 1.0 has no place for.

use super::expand::{Expansion, Frame};
use super::scratch::{Piece, Request, Slot, SlotState};
use crate::policy::Disposition;
use crate::wire::WireError;
use crate::wire::labels::LabelRun;
use crate::wire::v1;
use crate::wire::v2::{Came, Composer, Part};

/// A request of 2.0.
#[derive(Clone, Copy)]
pub(super) struct InV2<'a> {
    /// Its body, decoded.
    pub(super) body: &'a [u8],
    pub(super) expansion: &'a Expansion,
    /// What is later was taken out, Unix milliseconds; `None`: nothing was.
    pub(super) latest_ms: Option<i64>,
}

/// How many of the series that go upstream say when what they count began, which 1.0 has no place for.
pub(super) fn started(expansion: &Expansion, request: &Request) -> u64 {
    if expansion.starts().is_empty() {
        return 0;
    }
    let goes_on =
        |slot: &Slot| matches!(slot.state, SlotState::Verdict(verdict) if verdict.disposition().forwards());
    let series = request.slots.iter().zip(left(expansion, request));
    series.filter(|(slot, frame)| frame.said.start_ms != 0 && goes_on(slot)).count() as u64
}

/// The series that have a slot.
pub(super) fn left<'a>(expansion: &'a Expansion, request: &'a Request) -> impl Iterator<Item = &'a Frame> {
    let mut gone = request.gone.iter().peekable();
    let frames = (0..).zip(expansion.frames());
    frames.filter(move |(number, _)| gone.next_if_eq(&number).is_none()).map(|(_, frame)| frame)
}

/// Makes what is left of a request. `plain` holds the series that go under other labels and the ends of others, in 1.0, and
/// `pieces` says where.
pub(super) fn compose<'c>(
    came: InV2<'_>,
    request: &Request,
    (plain, pieces): (&[u8], &[Piece]),
    composer: &'c mut Composer,
) -> Result<&'c [u8], WireError> {
    let InV2 { body, expansion, latest_ms } = came;
    let came = Came { body, symbols: expansion.symbols() };
    // where most of it is gone, so are the series that need most of the table
    if 2 * request.kept_series >= expansion.frames().len() {
        composer.start_with(came);
    } else {
        composer.start();
    }
    let keeps = |part: Part| match part {
        Part::Sample(ms) | Part::Histogram(ms) => latest_ms.is_none_or(|latest_ms| ms <= latest_ms),
        Part::Exemplar => true,
    };
    let mut pieces = pieces.iter().peekable();
    for ((number, slot), frame) in (0..).zip(&request.slots).zip(left(expansion, request)) {
        let mut replaced = false;
        while let Some(piece) = pieces.next_if(|piece| piece.slot == number) {
            let series = &plain[piece.start as usize..piece.end as usize];
            let Some(inner) = v1::Fields::new(series).next().transpose()? else { continue };
            replaced |= !piece.ends;
            if piece.ends {
                composer.add_v1(&series[inner.content..inner.end])?;
            } else {
                let labels = LabelRun::new(series, inner.content, inner.end);
                composer.copy_parts(came, &frame.field, Some(labels), keeps)?;
            }
        }
        match slot.state {
            SlotState::Verdict(verdict) if verdict.disposition() == Disposition::Forward && !replaced => {
                if latest_ms.is_none() {
                    composer.copy(came, &frame.field)?;
                } else {
                    composer.copy_parts(came, &frame.field, None, keeps)?;
                }
            }
            _ => {}
        }
    }
    Ok(composer.finish())
}
