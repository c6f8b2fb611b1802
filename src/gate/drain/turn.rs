//! A lane's turn: its oldest requests are read, sent, and done with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::timeout_at;

use super::letter::{self, Letter};
use crate::egress::{Outbound, Reply};
use crate::gate::Gate;
use crate::gate::deliver::{Delivered, Parcel, deliver};
use crate::gate::kept::Kept;
use crate::gate::split::{self, Sent, Why};
use crate::gate::spool::Spool;
use crate::pipeline::Counts;

/// What became of it.
pub(super) enum Turn {
    Over,
    /// To be gone on with, after the upstream's own wait where it names one.
    Later(Option<Duration>),
}

impl Gate {
    /// Delivers the oldest of a lane.
    pub(super) async fn deliver_of(self: &Arc<Self>, lane: u64, room: &Arc<Semaphore>) -> Turn {
        let Some(spool) = self.spool() else { return Turn::Over };
        let now = self.pipeline.clock().unix_seconds();
        let entries = spool.queue.oldest(lane, spool.max_request_bytes, now);
        let bytes: u64 = entries.iter().map(|entry| u64::from(entry.header.bytes)).sum();
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(spool.max_read_kib());
        let Ok(_room) = room.acquire_many(kib).await else { return Turn::Over };
        let gate = Arc::clone(self);
        let reading = entries.clone();
        let read = task::spawn_blocking(move || gate.spool().map(|spool| spool.queue.read(&reading)));
        let Ok(Some(records)) = read.await else { return Turn::Later(None) };
        let letters: Vec<_> =
            entries.iter().zip(records).map(|(entry, record)| letter::letter(*entry, record)).collect();
        let mut rest = &letters[..];
        while let Some((first, behind)) = rest.split_first() {
            let Some(first) = first else {
                // what is damaged was counted; what is gone was let go of
                spool.queue.done(lane, entries[letters.len() - rest.len()].header.id);
                rest = behind;
                continue;
            };
            let run = letter::run(first, behind, self.most_in_one(spool));
            if let Err(asked) = self.deliver_run(spool, lane, &run).await {
                return Turn::Later(asked);
            }
            rest = &rest[run.len()..];
        }
        Turn::Over
    }

    /// Compressed bytes at most of requests that go out as one.
    fn most_in_one(&self, spool: &Spool) -> usize {
        let taken = self.upstream.load().client.max_body_bytes().unwrap_or(usize::MAX);
        spool.most_in_one.load(Ordering::Relaxed).min(taken)
    }

    /// Delivers requests that may go out as one, as one, and if that is refused one by one. Fails where it is to be tried again.
    async fn deliver_run(&self, spool: &Spool, lane: u64, run: &[&Letter]) -> Result<(), Option<Duration>> {
        if run.len() > 1
            && let Some(whole) = letter::joined(run)
            && self.deliver_joined(spool, run[0], whole).await?
        {
            let samples = run.iter().map(|letter| u64::from(letter.entry.header.samples)).sum::<u64>();
            spool.metrics.delivered.increment(samples);
            spool.queue.done(lane, run.last().map_or(0, |last| last.entry.header.id));
            return Ok(());
        }
        for letter in run {
            let outbound = letter::outbound(letter);
            let sent = match self.post(letter, outbound).await {
                Ok(sent) => sent,
                Err((outbound, why)) => self.post_in_parts(outbound, why).await,
            };
            put_off(&sent.reply)?;
            self.conclude_letter(spool, letter, &sent);
            spool.queue.done(lane, letter.entry.header.id);
        }
        Ok(())
    }

    /// Whether the upstream took all of several requests as one. What of it is refused is found out one by one; and what is too large for it
    /// once is not made so large again.
    async fn deliver_joined(
        &self,
        spool: &Spool,
        first: &Letter,
        whole: Outbound,
    ) -> Result<bool, Option<Duration>> {
        let bytes = whole.body.len();
        match self.post(first, whole).await {
            Ok(sent) => {
                put_off(&sent.reply)?;
                Ok(sent.reply == Reply::Accepted && sent.refused.is_zero())
            }
            Err((_, why)) => {
                if matches!(why, Why::TooLarge(_)) {
                    spool.most_in_one.fetch_min(bytes / 2, Ordering::Relaxed);
                }
                Ok(false)
            }
        }
    }

    /// Sends a request in one, in a form that the upstream takes; or says that it does not go in one, and why.
    async fn post(&self, letter: &Letter, outbound: Outbound) -> Result<Sent, (Outbound, Why)> {
        let upstream = self.upstream.load_full();
        let deadline = upstream.client.deadline();
        let plain_bytes = usize::try_from(letter.kept.plain_bytes).unwrap_or(0);
        let mut attach = self.metadata.attach(self.metadata.scope(&letter.kept.scope));
        let parcel = Parcel { outbound, plain_bytes };
        // what is read at one time is bounded by who reads it
        match deliver(&upstream, parcel, deadline, &mut |_| true, &mut attach).await {
            Delivered::Sent(sent) => {
                if sent.stored {
                    attach.told();
                }
                Ok(sent)
            }
            Delivered::InParts(outbound, why) => Err((outbound, why)),
        }
    }

    async fn post_in_parts(&self, outbound: Outbound, why: Why) -> Sent {
        let upstream = self.upstream.load_full();
        let deadline = upstream.client.deadline();
        match timeout_at(deadline, self.splits.acquire()).await {
            Ok(_turn) => split::send_in_parts(&upstream, outbound, why, deadline).await,
            Err(_) => Sent::busy(),
        }
    }

    /// Counts what became of a request, and keeps it where something of it was refused for good.
    fn conclude_letter(&self, spool: &Spool, letter: &Letter, sent: &Sent) {
        let number = |counts: Counts| counts.samples + counts.histograms;
        let (refused, too_large) = (number(sent.refused), number(sent.too_large));
        let all = number(letter.kept.counts);
        spool.metrics.dropped_as_refused.increment(refused);
        spool.metrics.dropped_as_too_large.increment(too_large);
        spool.metrics.delivered.increment(all.saturating_sub(refused + too_large));
        let why = match &sent.reply {
            Reply::Invalid { status, excerpt, .. } => format!("{}: {excerpt}", status.as_u16()),
            Reply::TooLarge { excerpt } => format!("too large even alone: {excerpt}"),
            _ if refused + too_large > 0 => "the upstream counts less than was sent as written".to_owned(),
            _ => return,
        };
        let reason = format!("{} of {all} samples: {why}", refused + too_large);
        tracing::warn!(
            id = letter.entry.header.id,
            "the upstream refused for good what waited in the queue: {reason}"
        );
        let Some(letters) = &spool.letters else { return };
        let head = Kept { reason, ..letter.kept.clone() }.encode();
        // rarely, and a few KiB: not worth a thread
        if let Err(error) =
            letters.put(letter.entry.header.at, letter.entry.header.samples, &head, &letter.record.body)
        {
            spool.metrics.failures.increment(1);
            tracing::error!(%error, "what the upstream refused could not be kept");
        }
    }
}

/// Fails where the upstream does not have it and may have it later.
fn put_off(reply: &Reply) -> Result<(), Option<Duration>> {
    match reply {
        Reply::Throttled { retry_after, .. } | Reply::Unavailable { retry_after, .. } => Err(*retry_after),
        Reply::Unsupported { .. } => Err(None),
        Reply::Accepted | Reply::AcceptedInPart { .. } | Reply::Invalid { .. } | Reply::TooLarge { .. } => {
            Ok(())
        }
    }
}
