//! Delivery by way of a queue: a request is put into it, and its sender is told that it is safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use md5::{Digest as _, Md5};

use super::Gate;
use super::exchange::Exchange;
use super::kept::Kept;
use super::split::Sent;
use crate::clock::LogInterval;
use crate::egress::{Outbound, Reply};
use crate::intake::Inbound;
use crate::pipeline::{Counts, Outcome, Scratch};
use crate::queue::{AppendError, DeadLetters, Item, Queue};
use crate::telemetry::QueueMetrics;
use crate::wire::{Form, Message};

/// When to come again where the queue takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The queue of an upstream, and what it is used with.
pub struct Spool {
    /// It.
    pub queue: Queue,
    /// What the upstream refused for good; `None`: it is not kept.
    pub letters: Option<DeadLetters>,
    /// Whether requests go into it; else what an earlier run left is delivered, and that is all.
    pub takes: bool,
    /// Compressed bytes at most of requests that go out as one.
    pub max_request_bytes: usize,
    /// The same as it is now: less where the upstream once found what went out as one too large.
    pub most_in_one: AtomicUsize,
    /// Bytes at most that are read from it at one time, on their way to the upstream.
    pub max_read_bytes: usize,
    /// The longest wait between two tries.
    pub max_retry_wait: Duration,
    /// Labels that tell the replicas of one agent apart: receivers that keep one of them look at the first series of a request, so
    /// none may hold series of two.
    pub replica_labels: Arc<[String]>,
    /// Counts.
    pub metrics: QueueMetrics,
    /// How often the log says what is refused for good: a backend may refuse all of an outage.
    pub refusals: LogInterval,
}

/// What a request is sent under, as the queue keeps it.
pub(super) struct Address {
    scope: String,
    joins: Option<u64>,
}

impl Spool {
    /// KiB at most that are read at one time; one request that is larger is read alone.
    pub(super) fn max_read_kib(&self) -> u32 {
        u32::try_from(self.max_read_bytes / 1024).unwrap_or(u32::MAX).max(1)
    }

    /// Another upstream may take more in one.
    pub(super) fn forget_limit(&self) {
        self.most_in_one.store(self.max_request_bytes, Ordering::Relaxed);
    }

    /// What a request is kept under that was decided just now. It may go out in one with what came from the same sender, of the same
    /// replica.
    pub(super) fn address(
        &self,
        inbound: &Inbound,
        scope: &str,
        scratch: &Scratch,
        outcome: &Outcome,
    ) -> Address {
        let joins = (inbound.message == Message::V1).then(|| {
            let decoded = usize::try_from(outcome.decoded_bytes).unwrap_or(0);
            let replica = scratch.first_values(decoded, &self.replica_labels, stable);
            let peer = inbound.peer.map(|peer| peer.to_string()).unwrap_or_default();
            stable(&[peer.as_bytes(), &replica.to_le_bytes()])
        });
        Address { scope: scope.to_owned(), joins }
    }

    /// Puts a request into the queue, under the lane of its scope. Returns once it is on disk.
    pub(super) async fn append(
        &self,
        outbound: Outbound,
        plain_bytes: u64,
        address: Address,
        now: u32,
    ) -> Result<(), AppendError> {
        let Outbound { body, form, counts, query, mut headers } = outbound;
        // a config that forwards it has no queue: senders' credentials are not written to disk
        headers.remove(AUTHORIZATION);
        let Address { scope, joins } = address;
        let lane = stable(&[scope.as_bytes()]);
        let joins = joins.filter(|_| form == Form::PLAIN);
        let samples = u32::try_from(counts.samples + counts.histograms).unwrap_or(u32::MAX);
        let reason = String::new();
        let head = Kept { counts, plain_bytes, reason, form, joins, scope, query, headers }.encode();
        self.queue.append(Item { lane, at: now, samples, head, body }).await
    }
}

impl Gate {
    /// Puts a request that was decided into the queue. What becomes of it there is the queue's business.
    pub(super) async fn enqueue(
        &self,
        spool: &Spool,
        exchange: &Exchange<'_>,
        outbound: Outbound,
        address: Address,
    ) -> Sent {
        let Outcome { plain_bytes, ref metadata, .. } = *exchange.outcome();
        let now = self.pipeline.clock().unix_seconds();
        let head =
            (!metadata.entries.is_empty()).then(|| Outbound { body: Bytes::new(), ..outbound.clone() });
        let (form, counts) = (outbound.form, outbound.counts);
        let scope = address.scope.clone();
        if let Err(error) = spool.append(outbound, plain_bytes as u64, address, now).await {
            return not_taken(&error);
        }
        if let Some((head, told)) = head.zip(self.told.due_now(metadata)) {
            let outbound = Outbound { body: told.body, form: Form::PLAIN, counts: Counts::default(), ..head };
            // the samples are there: this is for people, and comes again
            if spool.append(outbound, 0, Address { scope, joins: None }, now).await.is_ok() {
                self.told.note_as_said(&told.entries);
            }
        }
        Sent { form, ..Sent::whole(Reply::Accepted, counts) }
    }

    /// Puts what aggregations made for a scope into the queue.
    pub(super) async fn enqueue_points(
        &self,
        spool: &Spool,
        outbound: Outbound,
        scope: &str,
    ) -> Result<(), AppendError> {
        let address = Address { scope: scope.to_owned(), joins: Some(0) };
        spool.append(outbound, 0, address, self.pipeline.clock().unix_seconds()).await
    }
}

fn not_taken(error: &AppendError) -> Sent {
    let reply = Reply::Unavailable {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after: Some(RETRY_AFTER),
        cause: error.to_string(),
    };
    Sent::whole(reply, Counts::default())
}

/// A hash that is the same in every run.
pub(super) fn stable(parts: &[&[u8]]) -> u64 {
    let mut hash = Md5::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
