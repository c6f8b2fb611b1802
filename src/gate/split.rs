//! What an upstream does not take in one piece (413) goes in smaller ones, in order.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use super::Upstream;
use super::apart::{Apart, Part, Piece};
use crate::codec;
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;
use crate::wire::Form;

/// When to come again with what could not be split, or put into another form, for now.
pub(super) const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

/// When to come again with what goes in plain then.
const PLAIN_RETRY_AFTER: Duration = Duration::from_secs(1);

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
            Reply::AcceptedInPart { written } => (true, sent - written.min(sent)),
            Reply::Invalid { written, .. } => {
                let written = written.unwrap_or_default().min(sent);
                (!written.is_zero(), sent - written)
            }
            _ => (false, Counts::default()),
        };
        // its sender is told the same: 2xx, and what was counted
        let reply = if matches!(reply, Reply::AcceptedInPart { .. }) { Reply::Accepted } else { reply };
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

/// Why a body is sent in parts.
pub(super) enum Why {
    /// It is too large: what was said of that.
    TooLarge(String),
    /// Something in it is refused, and the upstream keeps nothing of a body in which that is so: its reply.
    Refused(Reply),
}

/// Sends a body in halves, and those in halves, down to single samples.
pub(super) async fn send_in_parts(upstream: &Upstream, whole: Outbound, why: Why, deadline: Instant) -> Sent {
    let Some(apart) = Apart::of(&whole.body, whole.form) else {
        // we made or checked this body, so it can be taken apart; if not, the sender keeps its data
        return Sent::not_now("the upstream does not take the request in one and it cannot be split", None);
    };
    // until the upstream takes a part
    let sent = Sent { stored: false, form: whole.form, ..Sent::nothing() };
    let part = apart.whole();
    let tries = bisections(apart.len());
    let mut splitting = Splitting { upstream, apart, open: Vec::new(), sent, tries };
    splitting.halve(part, why);
    while let Some(part) = splitting.open.pop() {
        let Some(body) = splitting.apart.pack(&part) else { continue };
        if let Some(said) = upstream.is_over(body.len()) {
            splitting.halve(part, Why::TooLarge(said));
            continue;
        }
        let counts = splitting.apart.counts(&part);
        let reply = upstream.client.send_by(Outbound { body, counts, ..whole.clone() }, deadline).await;
        if upstream.client.tries_plain(whole.form, &reply) {
            // only now it is known; when the sender comes again, all of it goes in plain
            upstream.client.takes_only_plain(whole.form);
            return Sent::not_now("the upstream does not take this form of request", Some(PLAIN_RETRY_AFTER));
        }
        match reply {
            reply @ (Reply::Accepted | Reply::AcceptedInPart { .. }) => {
                splitting.sent.stored = true;
                splitting.sent.refused += Sent::whole(reply, counts).refused;
            }
            Reply::TooLarge { excerpt } => splitting.halve(part, Why::TooLarge(excerpt)),
            reply @ Reply::Invalid { .. } if upstream.bisects(&reply) => {
                splitting.halve(part, Why::Refused(reply));
            }
            reply @ Reply::Invalid { .. } => splitting.refuse(&part, reply),
            // The sender comes again with all of it; what is stored already is stored again, with the same values.
            reply => return Sent::whole(reply, Counts::default()),
        }
    }
    splitting.sent
}

/// Requests at most that look for what is refused in a body of so many series: enough for one that is alone, and for a few more.
/// What is not found by then is refused with its neighbours.
fn bisections(series: usize) -> usize {
    2 * series.max(2).ilog2() as usize + MORE_TRIES
}

/// See [`bisections`].
const MORE_TRIES: usize = 32;

/// A body on its way in parts.
struct Splitting<'u> {
    upstream: &'u Upstream,
    apart: Apart,
    /// Parts still to be sent, the first on top: order within a series is kept.
    open: Vec<Part>,
    sent: Sent,
    /// Halves that may still be made to find what is refused.
    tries: usize,
}

impl Splitting<'_> {
    /// Puts both halves of a part on the stack; what cannot be halved is at its end.
    fn halve(&mut self, part: Part, why: Why) {
        let may_try = !matches!(why, Why::Refused(_)) || self.tries >= 2;
        let Some([first, second]) = self.apart.halves(&part).filter(|_| may_try) else {
            match why {
                Why::Refused(reply) => self.refuse(&part, reply),
                Why::TooLarge(excerpt) => {
                    self.sent.too_large += self.apart.counts(&part);
                    if !matches!(self.sent.reply, Reply::Invalid { .. }) {
                        self.sent.reply = Reply::TooLarge { excerpt };
                    }
                }
            }
            return;
        };
        match why {
            Why::Refused(_) => {
                self.tries -= 2;
                self.upstream.metrics.bisections.increment(1);
            }
            Why::TooLarge(_) => self.upstream.metrics.splits.increment(1),
        }
        self.open.extend([second, first]);
    }

    /// A part is refused for good.
    fn refuse(&mut self, part: &Part, reply: Reply) {
        let part = Sent::whole(reply, self.apart.counts(part));
        self.sent.stored |= part.stored;
        self.sent.refused += part.refused;
        self.sent.reply = part.reply;
    }
}
