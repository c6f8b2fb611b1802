//! What an upstream does not take in one piece (413) goes in smaller ones, in order.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::time::Instant;

use super::Upstream;
use crate::codec::snappy;
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;
use crate::wire::v1::{self, Field, FieldKind, Fields};

/// When to come again with what could not be split for now.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What became of what was sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// What decides the answer to the sender.
    pub(super) reply: Reply,
    /// What the upstream refused for good.
    pub(super) refused: Counts,
    /// What it does not take even alone.
    pub(super) too_large: Counts,
    /// Whether the upstream has what it did not refuse, so that effects may be committed.
    pub(super) stored: bool,
}

impl Sent {
    /// There was nothing to send.
    pub(super) fn nothing() -> Self {
        Self::whole(Reply::Accepted, Counts::default())
    }

    /// It has to be split, and too many others are being split.
    pub(super) fn busy() -> Self {
        let cause = "the upstream answered 413 and too many requests are being split for it already";
        Self::not_now(cause, Some(BUSY_RETRY_AFTER))
    }

    fn not_now(cause: &str, retry_after: Option<Duration>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reply = Reply::Unavailable { status, retry_after, cause: cause.to_owned() };
        Self::whole(reply, Counts::default())
    }

    /// One request, one reply.
    pub(super) fn whole(reply: Reply, sent: Counts) -> Self {
        let refused = if matches!(reply, Reply::Invalid { .. }) { sent } else { Counts::default() };
        let stored = reply == Reply::Accepted;
        Self { reply, refused, too_large: Counts::default(), stored }
    }
}

/// Bytes that [`send_in_parts`] holds beside a compressed body of so many series: what it decodes to, where its fields
/// are, and a part.
pub(super) fn holds(body: &[u8], series: u64) -> usize {
    let decoded = snappy::decoded_len(body, u32::MAX as usize).unwrap_or(0);
    let pieces = usize::try_from(series).unwrap_or(usize::MAX).saturating_mul(size_of::<Piece>());
    decoded.saturating_add(pieces).saturating_add(body.len())
}

/// A top-level field and what it carries.
struct Piece {
    field: Field,
    counts: Counts,
}

/// Sends a body that was answered 413 in halves, and those in halves, down to single series.
pub(super) async fn send_in_parts(
    upstream: &Upstream,
    whole: Outbound,
    excerpt: String,
    deadline: Instant,
) -> Sent {
    let mut raw = Vec::new();
    let Some(pieces) = take_apart(&whole.body, &mut raw) else {
        // we made or checked this body, so it can be taken apart; if not, the sender keeps its data
        return Sent::not_now("the upstream answered 413 and the request cannot be split", None);
    };
    // until the upstream takes a part
    let mut sent = Sent { stored: false, ..Sent::nothing() };
    let mut encoder = snappy::Gatherer::default();
    // Parts still to be sent, the first on top: order within a series is kept.
    let mut open = Vec::new();
    halve(&mut open, 0..pieces.len(), upstream, &mut sent, &pieces, &excerpt);
    while let Some(part) = open.pop() {
        let Some(body) = compress(&raw, &pieces[part.clone()], &mut encoder) else { continue };
        let outbound = Outbound { body, ..whole.clone() };
        match upstream.client.send_by(outbound, deadline).await {
            Reply::Accepted => sent.stored = true,
            Reply::TooLarge { excerpt } => halve(&mut open, part, upstream, &mut sent, &pieces, &excerpt),
            reply @ Reply::Invalid { .. } => {
                sent.refused += total(&pieces[part]);
                sent.reply = reply;
            }
            // The sender comes again with all of it; what is stored already is stored again, with the same values.
            reply => return Sent::whole(reply, Counts::default()),
        }
    }
    sent
}

/// Puts both halves of a part on the stack; a part that cannot be halved is too large for good.
fn halve(
    open: &mut Vec<std::ops::Range<usize>>,
    part: std::ops::Range<usize>,
    upstream: &Upstream,
    sent: &mut Sent,
    pieces: &[Piece],
    excerpt: &str,
) {
    if part.len() < 2 {
        sent.too_large += total(&pieces[part]);
        if !matches!(sent.reply, Reply::Invalid { .. }) {
            sent.reply = Reply::TooLarge { excerpt: excerpt.to_owned() };
        }
        return;
    }
    upstream.metrics.splits.increment(1);
    let middle = part.start + part.len() / 2;
    open.push(middle..part.end);
    open.push(part.start..middle);
}

fn total(pieces: &[Piece]) -> Counts {
    let mut all = Counts::default();
    for piece in pieces {
        all += piece.counts;
    }
    all
}

fn take_apart(body: &[u8], raw: &mut Vec<u8>) -> Option<Vec<Piece>> {
    let length = snappy::decode(body, u32::MAX as usize, raw).ok()?.len();
    raw.truncate(length);
    let mut pieces = Vec::new();
    for field in Fields::new(raw) {
        let field = field.ok()?;
        let mut counts = Counts::default();
        if field.kind == FieldKind::Series {
            let frame = v1::series(raw, &field).ok()?;
            counts.samples = u64::from(frame.samples);
            counts.histograms = u64::from(frame.histograms);
            counts.exemplars = u64::from(frame.exemplars);
        }
        pieces.push(Piece { field, counts });
    }
    Some(pieces)
}

fn compress(raw: &[u8], pieces: &[Piece], encoder: &mut snappy::Gatherer) -> Option<Bytes> {
    let (first, last) = (pieces.first()?, pieces.last()?);
    let part = raw.get(first.field.start..last.field.end)?;
    encoder.start(part.len());
    encoder.push(part).ok()?;
    encoder.finish().ok().map(Bytes::copy_from_slice)
}
