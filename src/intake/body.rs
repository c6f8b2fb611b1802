//! Reads a body into one piece, allocating for what has come rather than for what a header claims.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;

use super::budget::Hold;

/// Room made ahead of what has arrived, at least.
const AHEAD_MIN_BYTES: usize = 64 << 10;

/// Budget taken for a declared body before it arrives. Most bodies lie below, so that what is begun can be finished;
/// more would let a few senders that declare much and send nothing lock everybody out until their deadline.
const RESERVE_MAX_BYTES: usize = 1 << 20;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Declared or sent more than allowed.
    TooLarge,
    /// The budget does not have the bytes now.
    NoBudget,
    /// Ended before its end: the sender is gone, or its framing is broken.
    CutOff,
}

/// The body as one piece of at most `max_bytes`. One that came in one frame is not copied.
pub(super) async fn read<B>(body: &mut B, max_bytes: usize, hold: &mut Hold) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let declared = match body.size_hint().exact() {
        Some(bytes) => match usize::try_from(bytes) {
            Ok(bytes) if bytes <= max_bytes => Some(bytes),
            _ => return Err(Unread::TooLarge),
        },
        None => None,
    };
    if declared == Some(0) {
        return Ok(Bytes::new());
    }
    if !hold.grow_to(declared.unwrap_or(AHEAD_MIN_BYTES.min(max_bytes)).min(RESERVE_MAX_BYTES)) {
        return Err(Unread::NoBudget);
    }
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    if declared == Some(first.len()) {
        return Ok(first);
    }
    gather(first, body, declared.unwrap_or(max_bytes), hold).await
}

async fn gather<B>(first: Bytes, body: &mut B, most: usize, hold: &mut Hold) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut gathered = Vec::new();
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let total = gathered.len() + bytes.len();
        if total > most {
            return Err(Unread::TooLarge);
        }
        if total > gathered.capacity() {
            let room = room(total, most);
            if !hold.grow_to(room) {
                return Err(Unread::NoBudget);
            }
            gathered.reserve_exact(room - gathered.len());
        }
        gathered.extend_from_slice(&bytes);
        piece = next(body).await?;
    }
    Ok(gathered.into())
}

/// How much to have room for once `received` bytes are there.
fn room(received: usize, most: usize) -> usize {
    received.saturating_add(AHEAD_MIN_BYTES.max(received.saturating_mul(2))).min(most)
}

/// The next data, passing over trailers.
async fn next<B>(body: &mut B) -> Result<Option<Bytes>, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::CutOff)?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::budget::Budget;
    use crate::telemetry::{IntakeMetrics, Registry};
    use http_body_util::Full;
    use hyper::body::Frame;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    fn hold(max: usize) -> Hold {
        Budget::new(Some(max), Arc::new(IntakeMetrics::new(&Arc::new(Registry::default())))).hold()
    }

    /// A chunked body: length unknown, one frame a piece.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[tokio::test]
    async fn one_frame_is_not_copied() {
        let sent = Bytes::from(vec![7; 100_000]);
        let read = read(&mut Full::new(sent.clone()), 200_000, &mut hold(1 << 20)).await.unwrap();
        assert_eq!(read.as_ptr(), sent.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order() {
        let pieces: VecDeque<_> = (0..200u8).map(|n| Bytes::from(vec![n; 1000])).collect();
        let whole: Vec<u8> = pieces.iter().flatten().copied().collect();
        assert_eq!(read(&mut Pieces(pieces), 200_000, &mut hold(1 << 20)).await.unwrap(), whole);
    }

    #[tokio::test]
    async fn too_much_is_noticed_declared_or_not() {
        let mut declared = Full::new(Bytes::from(vec![0; 11]));
        assert_eq!(read(&mut declared, 10, &mut hold(100)).await, Err(Unread::TooLarge));
        let mut chunked = Pieces([Bytes::from(vec![0; 6]), Bytes::from(vec![0; 6])].into());
        assert_eq!(read(&mut chunked, 10, &mut hold(100)).await, Err(Unread::TooLarge));
    }

    #[tokio::test]
    async fn without_budget_nothing_is_polled() {
        let mut pieces = Pieces([Bytes::from(vec![0; 6])].into());
        assert_eq!(read(&mut pieces, 1000, &mut hold(10)).await, Err(Unread::NoBudget));
        assert_eq!(pieces.0.len(), 1);
    }

    #[test]
    fn room_follows_what_arrived() {
        assert_eq!(room(1, 32 << 20), 1 + AHEAD_MIN_BYTES);
        assert_eq!(room(30_000, 130_000), 95_536);
        assert_eq!(room(1 << 20, 32 << 20), 3 << 20);
        assert_eq!(room(70_000, 130_000), 130_000);
    }
}
