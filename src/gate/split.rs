//! What an upstream does not take in one piece (413) goes in smaller ones, in order.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use super::Upstream;
use super::apart::{Apart, Piece};
use crate::codec;
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;
use crate::wire::Form;

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
    /// The form in which it was sent.
    pub(super) form: Form,
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

    pub(super) fn not_now(cause: &str, retry_after: Option<Duration>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reply = Reply::Unavailable { status, retry_after, cause: cause.to_owned() };
        Self::whole(reply, Counts::default())
    }

    /// One request, one reply.
    pub(super) fn whole(reply: Reply, sent: Counts) -> Self {
        let (stored, refused) = match &reply {
            Reply::Accepted => (true, Counts::default()),
            Reply::Invalid { written, .. } => {
                let written = written.unwrap_or_default().min(sent);
                (!written.is_zero(), sent - written)
            }
            _ => (false, Counts::default()),
        };
        Self { reply, refused, too_large: Counts::default(), stored, form: Form::PLAIN }
    }
}

/// Bytes that [`send_in_parts`] holds beside a compressed body of so many series: what it decodes to, where its fields
/// are, and a part, which of remote write 2.0 is made anew with a table of its own.
pub(super) fn holds(body: &[u8], series: u64) -> usize {
    let decoded = codec::decoded_len(body, u32::MAX as usize).unwrap_or(0);
    let pieces = usize::try_from(series).unwrap_or(usize::MAX).saturating_mul(size_of::<Piece>());
    decoded.saturating_mul(3).saturating_add(pieces).saturating_add(body.len())
}

/// Sends a body that was answered 413 in halves, and those in halves, down to single series.
pub(super) async fn send_in_parts(
    upstream: &Upstream,
    whole: Outbound,
    excerpt: String,
    deadline: Instant,
) -> Sent {
    let Some(mut apart) = Apart::of(&whole.body, whole.form) else {
        // we made or checked this body, so it can be taken apart; if not, the sender keeps its data
        return Sent::not_now("the upstream answered 413 and the request cannot be split", None);
    };
    // until the upstream takes a part
    let mut sent = Sent { stored: false, form: whole.form, ..Sent::nothing() };
    // Parts still to be sent, the first on top: order within a series is kept.
    let mut open = Vec::new();
    halve(&mut open, 0..apart.pieces.len(), upstream, &mut sent, &apart, &excerpt);
    while let Some(part) = open.pop() {
        let Some(body) = apart.pack(part.clone()) else { continue };
        let outbound = Outbound { body, ..whole.clone() };
        match upstream.client.send_by(outbound, deadline).await {
            Reply::Accepted => sent.stored = true,
            Reply::TooLarge { excerpt } => halve(&mut open, part, upstream, &mut sent, &apart, &excerpt),
            reply @ Reply::Invalid { .. } => {
                let part = Sent::whole(reply, apart.counts(part));
                sent.stored |= part.stored;
                sent.refused += part.refused;
                sent.reply = part.reply;
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
    apart: &Apart,
    excerpt: &str,
) {
    if part.len() < 2 {
        sent.too_large += apart.counts(part);
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
