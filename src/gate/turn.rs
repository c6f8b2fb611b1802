//! A lane's turn: its oldest requests go to the upstream, as one where they may, and what becomes of each is concluded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::timeout_at;

use super::Gate;
use super::deliver::{Delivered, Parcel, deliver};
use super::kept::Kept;
use super::letter::{self, Letter};
use super::split::{self, Sent, Why};
use super::spool::Spool;
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;

/// What became of a lane's turn.
pub(super) enum Turn {
    /// It is over.
    Over,
    /// Several requests of so many bytes in all went out as one and are too large so.
    TooLarge(usize),
    /// To be gone on with, after the upstream's own wait where it names one; how many bytes it did not take.
    Later(Option<Duration>, usize),
}

/// What became of several requests that were sent as one.
enum Whole {
    /// It is over.
    Done,
    /// What of it is refused is found out piece by piece.
    Apart,
    /// The upstream does not take so much at once.
    TooLarge,
}

impl Gate {
    /// Delivers the oldest of a lane, in requests of `most` bytes.
    pub(super) async fn deliver_of(self: &Arc<Self>, lane: u64, most: usize, room: &Arc<Semaphore>) -> Turn {
        let Some(spool) = self.spool() else { return Turn::Over };
        // more would only be split again
        let most = self.upstream.load().client.max_body_bytes().map_or(most, |takes| takes.min(most));
        let now = self.pipeline.clock().unix_seconds();
        let entries = spool.queue.oldest(lane, most, now);
        let bytes: u64 = entries.iter().map(|entry| u64::from(entry.header.bytes)).sum();
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(spool.max_read_kib());
        let Ok(_room) = room.acquire_many(kib).await else { return Turn::Over };
        let gate = Arc::clone(self);
        let reading = entries.clone();
        let read = task::spawn_blocking(move || gate.spool().map(|spool| spool.queue.read(&reading)));
        let Ok(Some(records)) = read.await else { return Turn::Later(None, usize::MAX) };
        let letters: Vec<_> =
            entries.iter().zip(records).map(|(entry, record)| Letter::of(*entry, record)).collect();
        let mut rest = &letters[..];
        while let Some((first, behind)) = rest.split_first() {
            let first = match first {
                Ok(first) => first,
                Err(lost) => {
                    spool.queue.lose(&entries[letters.len() - rest.len()], lost);
                    rest = behind;
                    continue;
                }
            };
            let run = letter::run(first, rest, most);
            match self.deliver_run(spool, lane, &run).await {
                Turn::Over => rest = &rest[run.len()..],
                turn => return turn,
            }
        }
        Turn::Over
    }

    /// Delivers requests that may go out as one, as one, and if that is refused one by one.
    async fn deliver_run(&self, spool: &Spool, lane: u64, run: &[&Letter]) -> Turn {
        let size = |letter: &Letter| letter.entry.header.bytes as usize;
        let whole_size = run.iter().map(|letter| size(letter)).sum();
        if let [first, _, ..] = run
            && let Some(whole) = letter::joined(run)
        {
            match self.send_whole(whole, first).await {
                Ok(Whole::Done) => {
                    let samples =
                        run.iter().map(|letter| u64::from(letter.entry.header.samples)).sum::<u64>();
                    spool.metrics.delivered.increment(samples);
                    spool.queue.done(lane, run.last().map_or(0, |last| last.entry.header.id));
                    return Turn::Over;
                }
                Ok(Whole::Apart) => {}
                Ok(Whole::TooLarge) => return Turn::TooLarge(whole_size),
                Err(asked) => return Turn::Later(asked, whole_size),
            }
        }
        for letter in run {
            let sent = self.send_letter(letter).await;
            if let Err(asked) = put_off(&sent.reply) {
                return Turn::Later(asked, size(letter));
            }
            self.conclude_letter(spool, letter, &sent);
            spool.queue.done(lane, letter.entry.header.id);
        }
        Turn::Over
    }

    /// Sends several requests as one. It is not split: what the upstream would have of it then, the requests of which it is made would
    /// bring once more.
    async fn send_whole(&self, whole: Outbound, first: &Letter) -> Result<Whole, Option<Duration>> {
        match self.post(whole, first).await {
            Delivered::InParts(_, Why::TooLarge(_)) => Ok(Whole::TooLarge),
            Delivered::InParts(_, Why::Refused(_)) => Ok(Whole::Apart),
            Delivered::Sent(sent) => match &sent.reply {
                Reply::TooLarge { .. } => Ok(Whole::TooLarge),
                Reply::Invalid { .. } => Ok(Whole::Apart),
                Reply::Accepted if !sent.refused.is_zero() => Ok(Whole::Apart),
                reply => put_off(reply).map(|()| Whole::Done),
            },
        }
    }

    async fn send_letter(&self, letter: &Letter) -> Sent {
        match self.post(letter.outbound(), letter).await {
            Delivered::Sent(sent) => sent,
            Delivered::InParts(outbound, why) => {
                let upstream = self.upstream.load_full();
                let deadline = upstream.client.deadline();
                match timeout_at(deadline, self.splits.acquire()).await {
                    Ok(_turn) => split::send_in_parts(&upstream, outbound, why, deadline).await,
                    Err(_) => Sent::busy(),
                }
            }
        }
    }

    /// Sends what a letter, or what begins with it, holds.
    async fn post(&self, outbound: Outbound, letter: &Letter) -> Delivered {
        let upstream = self.upstream.load_full();
        let deadline = upstream.client.deadline();
        let plain_bytes = usize::try_from(letter.kept.plain_bytes).unwrap_or(0);
        let mut attach = self.metadata.attach(self.metadata.scope(&letter.kept.scope));
        let parcel = Parcel { outbound, plain_bytes };
        // what is read at one time is bounded by who reads it
        let delivered = deliver(&upstream, parcel, deadline, &mut |_| true, &mut attach).await;
        if matches!(&delivered, Delivered::Sent(sent) if sent.stored) {
            attach.told();
        }
        delivered
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
        if let Some(others) = spool.refusals.turn(crate::clock::monotonic()) {
            tracing::warn!(
                id = letter.entry.header.id,
                others,
                "the upstream refused for good what waited in the queue: {reason}"
            );
        }
        let Some(letters) = &spool.letters else { return };
        let head = Kept { reason, ..letter.kept.clone() }.encode();
        let header = letter.entry.header;
        let kept = super::aside(|| letters.put(header.at, header.samples, &head, &letter.record.body));
        if let Err(error) = kept {
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
