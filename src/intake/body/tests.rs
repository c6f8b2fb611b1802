//! Bodies that come in one piece, in many, too slowly, or not at all.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::Frame;

use super::*;
use crate::clock::Jitter;
use crate::intake::budget::Budget;
use crate::intake::share::Shares;
use crate::telemetry::{IntakeMetrics, Registry};

/// No lowest rate.
const ANY: Pace = Pace { min_rate: 0, patience: Duration::from_secs(5) };

fn budget(max: usize) -> Arc<Budget> {
    let metrics = IntakeMetrics::new(&Arc::new(Registry::default()));
    Budget::new(max, Arc::default(), Arc::new(metrics), Arc::new(Jitter::new(1)))
}

/// Reads with a budget and a share that have room for it.
async fn read_within<B>(body: &mut B, max_bytes: usize) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut hold, shares) = (budget(1 << 20).hold(), Shares::new(1 << 20));
    read(body, Arrival { max_bytes, pace: ANY, hold: &mut hold, share: shares.of(None) }).await
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

/// A body that begins and does not go on.
struct Stuck(bool);

impl Body for Stuck {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::replace(&mut self.0, true) {
            false => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"b"))))),
            true => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn one_frame_is_not_copied() {
    let sent = Bytes::from(vec![7; 100_000]);
    let read = read_within(&mut Full::new(sent.clone()), 200_000).await.unwrap();
    assert_eq!(read.as_ptr(), sent.as_ptr());
}

#[tokio::test]
async fn pieces_are_joined_in_order() {
    let pieces: VecDeque<_> = (0..200u8).map(|n| Bytes::from(vec![n; 1000])).collect();
    let whole: Vec<u8> = pieces.iter().flatten().copied().collect();
    assert_eq!(read_within(&mut Pieces(pieces), 200_000).await.unwrap(), whole);
}

#[tokio::test]
async fn too_much_is_noticed_declared_or_not() {
    let mut declared = Full::new(Bytes::from(vec![0; 11]));
    assert_eq!(read_within(&mut declared, 10).await, Err(Unread::TooLarge));
    let mut chunked = Pieces([Bytes::from(vec![0; 6]), Bytes::from(vec![0; 6])].into());
    assert_eq!(read_within(&mut chunked, 10).await, Err(Unread::TooLarge));
}

#[tokio::test]
async fn where_there_is_no_room_nothing_more_is_read() {
    let (budget, shares) = (budget(1000), Shares::new(4000));
    let (mut other, mut hold) = (budget.hold(), budget.hold());
    let peer = Some(IpAddr::from([10, 0, 0, 1]));
    for (others_hold, others_share, why) in [(950, 0, Unread::NoBudget), (0, 950, Unread::NoShare)] {
        assert!(other.resize(others_hold));
        let mut share = shares.of(peer);
        assert!(share.grow_to(others_share));
        let mut pieces = Pieces((0..3).map(|_| Bytes::from(vec![0; 6])).collect());
        let arrival = Arrival { max_bytes: 100, pace: ANY, hold: &mut hold, share: shares.of(peer) };
        assert_eq!(read(&mut pieces, arrival).await, Err(why));
        assert_eq!(pieces.0.len(), 2);
    }
}

#[test]
fn a_body_may_be_five_seconds_behind_the_lowest_rate() {
    let pace = Pace { min_rate: 1024, patience: Duration::from_secs(5) };
    let seconds = [0, 1024, 30 << 10].map(|received| pace.allows(received).unwrap().as_secs());
    assert_eq!(seconds, [5, 6, 35]);
    assert_eq!(ANY.allows(1), None, "no rate, no end");
    assert_eq!(ANY.allows(0), None);
}

#[tokio::test]
async fn who_is_behind_the_lowest_rate_is_not_waited_for() {
    let (budget, shares) = (budget(1 << 20), Shares::new(1 << 20));
    for body in [Stuck(false), Stuck(true)] {
        let (mut body, mut hold) = (body, budget.hold());
        let pace = Pace { min_rate: 1 << 20, patience: Duration::from_millis(20) };
        let arrival = Arrival { max_bytes: 100, pace, hold: &mut hold, share: shares.of(None) };
        assert_eq!(read(&mut body, arrival).await, Err(Unread::TooSlow));
    }
}

#[test]
fn room_follows_what_arrived() {
    assert_eq!(room(1, 32 << 20), 1 + AHEAD_MIN_BYTES);
    assert_eq!(room(30_000, 130_000), 95_536);
    assert_eq!(room(1 << 20, 32 << 20), 3 << 20);
    assert_eq!(room(70_000, 130_000), 130_000);
}
