//! A request that has been decoded: whatever happens to it, its samples get exactly one fate.

use std::time::Duration;

use hyper::StatusCode;

use super::Gate;
use super::rejected::Sender;
use super::split::Sent;
use super::spool::Address;
use crate::admin::Rejected;
use crate::egress::Reply;
use crate::intake::SenderReply;
use crate::pipeline::{Blamed, Body, Counts, Outcome, Returned};
use crate::series::Invalid;

/// When to come again where the upstream said 429 and not when.
const THROTTLED_RETRY_AFTER: Duration = Duration::from_secs(5);

/// When to come again where what aggregations made waits to be sent.
const BACKLOG_RETRY_AFTER: Duration = Duration::from_secs(5);

/// From the decision to the answer. Dropped before it is concluded, the sender has hung up.
pub(super) struct Exchange<'g> {
    gate: &'g Gate,
    outcome: Box<Outcome>,
    /// What stands for the scope of the request.
    scope: u64,
    /// What it is kept under, where it goes into a queue.
    address: Option<Address>,
    open: bool,
}

impl<'g> Exchange<'g> {
    pub(super) fn new(gate: &'g Gate, outcome: Box<Outcome>, scope: u64, address: Option<Address>) -> Self {
        Self { gate, outcome, scope, address, open: true }
    }

    pub(super) fn take_address(&mut self) -> Option<Address> {
        self.address.take()
    }

    pub(super) fn scope(&self) -> u64 {
        self.scope
    }

    pub(super) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Bytes held until there is an answer, if the body that came has `came` bytes.
    pub(super) fn holds(&self, came: usize) -> usize {
        let kept = if self.outcome.body == Body::Untouched { came } else { 0 };
        self.outcome.capacity() + kept
    }

    pub(super) fn take_spliced(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outcome.spliced)
    }

    /// Counts the fates, commits, and says what the sender is told: retryable wins over 400 over 2xx.
    pub(super) fn conclude(mut self, sent: Option<Sent>, sender: &Sender) -> SenderReply {
        self.open = false;
        let sent = sent.unwrap_or_else(Sent::nothing);
        match &sent.reply {
            Reply::Throttled { .. } => self.returned(Returned::Throttled, &sent.reply),
            Reply::Unavailable { .. } | Reply::Unsupported { .. } => {
                self.returned(Returned::Upstream, &sent.reply)
            }
            Reply::Accepted
            | Reply::AcceptedInPart { .. }
            | Reply::Invalid { .. }
            | Reply::TooLarge { .. } => {
                self.gate.settle(&self.outcome, &sent);
                self.settled(&sent, sender)
            }
        }
    }

    /// Too much that aggregations made waits to be sent: what would feed them has to wait too.
    pub(super) fn wait(mut self) -> SenderReply {
        self.open = false;
        self.gate.give_back(&self.outcome, Returned::Backlog);
        SenderReply::nothing_written(
            StatusCode::SERVICE_UNAVAILABLE,
            Some(BACKLOG_RETRY_AFTER),
            "aggregated samples wait for the upstream, aggregation.max_pending_samples of them",
        )
    }

    /// There is no room for what was decided; `answer` says so.
    pub(super) fn no_room(mut self, answer: SenderReply) -> SenderReply {
        self.open = false;
        self.gate.give_back(&self.outcome, Returned::Overload);
        answer
    }

    fn returned(&self, cause: Returned, reply: &Reply) -> SenderReply {
        self.gate.give_back(&self.outcome, cause);
        match reply {
            Reply::Throttled { retry_after, excerpt } => SenderReply::nothing_written(
                StatusCode::TOO_MANY_REQUESTS,
                Some(retry_after.unwrap_or(THROTTLED_RETRY_AFTER)),
                said(excerpt, "the upstream answered 429"),
            ),
            Reply::Unavailable { status, retry_after, cause } => {
                SenderReply::nothing_written(*status, *retry_after, cause.as_str())
            }
            Reply::Unsupported { cause } => {
                SenderReply::nothing_written(StatusCode::SERVICE_UNAVAILABLE, None, cause.as_str())
            }
            // the other replies are settled
            _ => SenderReply::nothing_written(StatusCode::SERVICE_UNAVAILABLE, None, ""),
        }
    }

    fn settled(&self, sent: &Sent, sender: &Sender) -> SenderReply {
        let mut messages: Vec<String> = Vec::new();
        let mut status = StatusCode::NO_CONTENT;
        if let Some(complaint) = self.outcome.complaint(sent.reply == Reply::Accepted) {
            status = self.complain(&complaint, sender);
            if status == StatusCode::BAD_REQUEST {
                messages.push(complaint);
            }
        }
        let refused = match &sent.reply {
            Reply::Invalid { status, excerpt, .. } => {
                let message = said(excerpt, "the upstream refused the data without saying why");
                Some((*status, "upstream", message))
            }
            Reply::TooLarge { excerpt } => {
                let samples = sent.too_large.samples + sent.too_large.histograms;
                let what =
                    if samples == 1 { "1 sample does".to_owned() } else { format!("{samples} samples do") };
                let message = format!("{what} not fit the upstream even alone (it says: {excerpt})");
                Some((StatusCode::BAD_REQUEST, "too_large", message))
            }
            _ => None,
        };
        if let Some((theirs, reason, message)) = refused {
            status = theirs;
            self.gate.rejected.note(sender.rejected(reason, &message, status.as_u16(), self.now()));
            messages.push(message);
        }
        SenderReply { status, retry_after: None, message: messages.join("; "), written: self.written(sent) }
    }

    /// All that came but what was rejected, here or by the upstream. What policies dropped or added up was accepted: a sender that
    /// is told otherwise counts it as lost.
    fn written(&self, sent: &Sent) -> Counts {
        let Outcome { received, forwarded, .. } = &*self.outcome;
        let accepted = *received - self.outcome.all_rejected();
        // of what was sent under other labels, so much of what came
        let mut missing = sent.refused;
        missing += sent.too_large;
        accepted - missing.min(*forwarded).min(accepted)
    }

    /// What the sender is answered about what was rejected here. The log says it too, and what was rejected lately.
    fn complain(&self, complaint: &str, sender: &Sender) -> StatusCode {
        let (gate, now) = (self.gate, crate::clock::monotonic());
        let no_use = gate.complaints.are_of_no_use(sender.address, self.outcome.rejected_mark, now);
        let status = if no_use { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
        if no_use {
            gate.data.accepted_in_part();
            gate.complaints.of_data(sender, &format!("{complaint}; the sender was told 204"), now);
        } else {
            gate.complaints.of_data(sender, complaint, now);
        }
        let rejected =
            |reason: Invalid| sender.rejected(reason.as_str(), complaint, status.as_u16(), self.now());
        // so that the first stands first
        for Blamed { metric, labels, label, reason } in self.outcome.blamed.iter().rev().cloned() {
            let labels = labels.lines().map(str::to_owned).collect();
            gate.rejected.note(Rejected { metric, labels, label, ..rejected(reason) });
        }
        if self.outcome.blamed.is_empty() {
            gate.rejected.note(rejected(Invalid::InvalidUtf8));
        }
        status
    }

    fn now(&self) -> u32 {
        self.gate.pipeline.clock().unix_seconds()
    }
}

fn said(excerpt: &str, otherwise: &str) -> String {
    if excerpt.is_empty() { otherwise.to_owned() } else { excerpt.to_owned() }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.open {
            self.gate.give_back(&self.outcome, Returned::HungUp);
        }
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.policies = None;
        outcome.effects.reserved.clear();
        self.gate.outcomes.give(outcome, Outcome::capacity);
    }
}
