//! Reads a body into one piece, allocating for what has come rather than for what a header claims.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use super::budget::Hold;
use super::share::Share;

/// Room made ahead of what has arrived, at least.
const AHEAD_MIN_BYTES: usize = 64 << 10;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Declared or sent more than allowed.
    TooLarge,
    /// The budget does not have the bytes now.
    NoBudget,
    /// Other bodies on their way from the same address have its share.
    NoShare,
    /// It came at less than the lowest rate.
    TooSlow,
    /// Ended before its end: the sender is gone, or its framing is broken.
    CutOff,
}

/// The lowest rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes a second, 0: none.
    pub(super) min_rate: usize,
    /// How far a sender may be behind it.
    pub(super) patience: Duration,
}

impl Pace {
    /// How long after the beginning of a body more has to come than `received` bytes; `None`: there is no such time.
    fn allows(&self, received: usize) -> Option<Duration> {
        let at_rate = Duration::try_from_secs_f64(received as f64 / self.min_rate as f64).ok()?;
        at_rate.checked_add(self.patience)
    }
}

/// What a body on its way has to keep to.
pub(super) struct Arrival<'a> {
    /// The largest body, bytes.
    pub(super) max_bytes: usize,
    /// How fast it has to come.
    pub(super) pace: Pace,
    /// What it holds of the budget.
    pub(super) hold: &'a mut Hold,
    /// What it holds of the share of its address.
    pub(super) share: Share<'a>,
}

/// The body as one piece. One that came in one frame is not copied.
pub(super) async fn read<B>(body: &mut B, mut arrival: Arrival<'_>) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let declared = match body.size_hint().exact() {
        Some(bytes) => match usize::try_from(bytes) {
            Ok(bytes) if bytes <= arrival.max_bytes => Some(bytes),
            _ => return Err(Unread::TooLarge),
        },
        None => None,
    };
    if declared == Some(0) {
        return Ok(Bytes::new());
    }
    let since = Instant::now();
    let Some(first) = arrival.next(body, since, 0).await? else { return Ok(Bytes::new()) };
    if declared == Some(first.len()) {
        return Ok(first);
    }
    let most = declared.unwrap_or(arrival.max_bytes);
    let mut gathered = Vec::new();
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let total = gathered.len() + bytes.len();
        if total > most {
            return Err(Unread::TooLarge);
        }
        if total > gathered.capacity() {
            let room = room(total, most);
            arrival.make_room(room)?;
            gathered.reserve_exact(room - gathered.len());
        }
        gathered.extend_from_slice(&bytes);
        piece = arrival.next(body, since, total).await?;
    }
    // of a body without a length there may be room to spare, which nobody is charged for
    gathered.shrink_to_fit();
    Ok(gathered.into())
}

/// How much to have room for once `received` bytes are there.
fn room(received: usize, most: usize) -> usize {
    received.saturating_add(AHEAD_MIN_BYTES.max(received.saturating_mul(2))).min(most)
}

impl Arrival<'_> {
    fn make_room(&mut self, bytes: usize) -> Result<(), Unread> {
        if !self.share.grow_to(bytes) {
            return Err(Unread::NoShare);
        }
        if self.hold.resize(bytes) { Ok(()) } else { Err(Unread::NoBudget) }
    }

    /// The next data, passing over trailers. `received` bytes have come `since`.
    async fn next<B>(&self, body: &mut B, since: Instant, received: usize) -> Result<Option<Bytes>, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let next = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| Unread::CutOff)?;
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None)
        };
        match self.pace.allows(received).and_then(|allowed| since.checked_add(allowed)) {
            Some(due) => timeout_at(due, next).await.unwrap_or(Err(Unread::TooSlow)),
            None => next.await,
        }
    }
}

#[cfg(test)]
mod tests;
