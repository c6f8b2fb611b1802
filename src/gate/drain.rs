//! Delivers what waits in the queue: each lane in order, one request at a time, lanes side by side, again until the upstream has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::deliver::{Delivered, Parcel, deliver};
use super::kept::Kept;
use super::split::{self, Sent};
use super::spool::Spool;
use crate::clock::Jitter;
use crate::codec::{self, snappy};
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;
use crate::queue::{Entry, Record};
use crate::wire::Form;

/// What is done is written down, and files are deleted, this often;
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// and this often so that it survives a kill.
const NOTE_EVERY: Duration = Duration::from_millis(100);
/// The longest wait after a first failure; it doubles with each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Lanes delivered at one time; each has one request on its way.
const MOST_AT_ONCE: usize = 32;
/// What requests that go out as one decode to, bytes: receivers have a limit for that.
const MOST_DECODED: usize = 8 << 20;

/// What became of a lane's turn.
enum Turn {
    Over,
    /// To be gone on with, after the upstream's own wait where it names one.
    Later(Option<Duration>),
}

/// A request of the queue that can be sent.
struct Letter {
    entry: Entry,
    kept: Kept,
    /// Where in the head that stands in which requests have to be alike.
    common: Bytes,
    record: Record,
}

/// Delivers for all lanes.
pub(crate) struct Drain {
    gate: Arc<Gate>,
    sending: JoinSet<Turn>,
    /// Whose task it is.
    lanes: AHashMap<task::Id, u64>,
    /// How often each lane failed in a row.
    failures: AHashMap<u64, u32>,
    /// Lanes that wait after a failure.
    paused: BTreeMap<(Instant, u64), ()>,
    jitter: Jitter,
    room: Arc<Semaphore>,
}

impl Drain {
    pub(crate) fn new(gate: Arc<Gate>, seed: u64) -> Self {
        let kib = gate.spool().map_or(1, Spool::max_read_kib);
        let room = Arc::new(Semaphore::new(kib as usize));
        Self {
            gate,
            sending: JoinSet::new(),
            lanes: AHashMap::new(),
            failures: AHashMap::new(),
            paused: BTreeMap::new(),
            jitter: Jitter::new(seed),
            room,
        }
    }

    /// Delivers until it is stopped. `beat` is called as long as this loop runs, `written` as long as the queue can be written to.
    pub(crate) async fn run(mut self, beat: impl Fn(), written: impl Fn(), stop: CancellationToken) -> Self {
        let mut commits = 0;
        let [mut settle, mut note] = [SETTLE_EVERY, NOTE_EVERY].map(ticks);
        let gate = Arc::clone(&self.gate);
        let Some(spool) = gate.spool() else { return self };
        loop {
            beat();
            let (now, is_writing) = spool.queue.progress();
            if now != std::mem::replace(&mut commits, now) || !is_writing {
                written();
            }
            self.begin(spool);
            let next = self.paused.first_key_value().map(|((until, _), ())| *until);
            let wake = next.unwrap_or_else(|| Instant::now() + SETTLE_EVERY);
            tokio::select! {
                () = stop.cancelled() => return self,
                Some(turn) = self.sending.join_next_with_id() => self.end_turn(spool, turn),
                () = spool.queue.ready(), if self.sending.len() < MOST_AT_ONCE => {}
                () = tokio::time::sleep_until(wake) => {}
                _ = settle.tick() => self.settle().await,
                _ = note.tick() => self.note().await,
            }
        }
    }

    /// Waits until what is on its way has arrived, or until `deadline`, and writes down what is done.
    pub(crate) async fn finish(mut self, deadline: Instant) {
        let gate = Arc::clone(&self.gate);
        let Some(spool) = gate.spool() else { return };
        while let Ok(Some(turn)) = timeout_at(deadline, self.sending.join_next_with_id()).await {
            self.end_turn(spool, turn);
        }
        self.sending.shutdown().await;
        let closing = Arc::clone(&gate);
        let closed = task::spawn_blocking(move || closing.spool().map(|spool| spool.queue.close()));
        if let Err(error) = closed.await {
            tracing::error!(%error, "the queue could not be closed");
        }
        let left = spool.queue.len();
        if left > 0 {
            tracing::info!(requests = left, "the queue keeps what the upstream does not have yet");
        }
    }

    async fn note(&self) {
        let gate = Arc::clone(&self.gate);
        let noted = task::spawn_blocking(move || gate.spool().map(|spool| spool.queue.note()));
        if let Err(error) = noted.await {
            tracing::error!(%error, "what is delivered could not be written down");
        }
    }

    async fn settle(&self) {
        let gate = Arc::clone(&self.gate);
        let settled = task::spawn_blocking(move || {
            let Some(spool) = gate.spool() else { return };
            spool.queue.settle();
            let letters = spool.letters.as_ref().map_or(0, crate::queue::DeadLetters::bytes);
            spool.metrics.dead_letter_bytes.set(letters as f64);
        });
        if let Err(error) = settled.await {
            tracing::error!(%error, "the queue could not be looked after");
        }
    }

    /// Begins with the lanes that have something to send and no reason to wait.
    fn begin(&mut self, spool: &Spool) {
        let now = Instant::now();
        while let Some(((until, lane), ())) = self.paused.pop_first() {
            if until > now {
                self.paused.insert((until, lane), ());
                break;
            }
            if !spool.queue.end_turn(lane) {
                self.failures.remove(&lane);
            }
        }
        while self.sending.len() < MOST_AT_ONCE
            && let Some(lane) = spool.queue.take_turn()
        {
            let (gate, room) = (Arc::clone(&self.gate), Arc::clone(&self.room));
            let sending = self.sending.spawn(async move { gate.deliver_of(lane, &room).await });
            self.lanes.insert(sending.id(), lane);
        }
    }

    fn end_turn(&mut self, spool: &Spool, turn: Result<(task::Id, Turn), JoinError>) {
        let (id, turn) = turn.unwrap_or_else(|error| {
            tracing::error!(%error, "delivering from the queue failed");
            (error.id(), Turn::Later(None))
        });
        let Some(lane) = self.lanes.remove(&id) else { return };
        match turn {
            Turn::Over => {
                self.failures.remove(&lane);
                spool.queue.end_turn(lane);
            }
            Turn::Later(asked) => {
                spool.metrics.retries.increment(1);
                let failures = self.failures.entry(lane).or_default();
                let wait = wait(*failures, asked, spool.max_retry_wait, &self.jitter);
                *failures = failures.saturating_add(1);
                self.paused.insert((Instant::now() + wait, lane), ());
            }
        }
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// How long to wait after that many failures: anything up to a time that doubles ("full jitter"), and as long as the upstream asks for.
fn wait(failures: u32, asked: Option<Duration>, most: Duration, jitter: &Jitter) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << failures.min(20)).min(most);
    longest.mul_f64(jitter.unit()).max(asked.unwrap_or_default().min(most))
}

impl Gate {
    /// Delivers the oldest of a lane.
    async fn deliver_of(self: &Arc<Self>, lane: u64, room: &Arc<Semaphore>) -> Turn {
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
            entries.iter().zip(records).map(|(entry, record)| letter(*entry, record)).collect();
        let mut rest = &letters[..];
        while let Some((first, behind)) = rest.split_first() {
            let Some(first) = first else {
                // what is damaged was counted; what is gone was let go of
                spool.queue.done(lane, entries[letters.len() - rest.len()].header.id);
                rest = behind;
                continue;
            };
            let like =
                rest.iter().map_while(|letter| letter.as_ref().filter(|letter| goes_with(first, letter)));
            let run: Vec<&Letter> = within(like, spool.max_request_bytes);
            if let Err(asked) = self.deliver_run(spool, lane, &run).await {
                return Turn::Later(asked);
            }
            rest = &rest[run.len()..];
        }
        Turn::Over
    }

    /// Delivers requests that may go out as one, as one, and if that is refused one by one. Fails where it is to be tried again.
    async fn deliver_run(&self, spool: &Spool, lane: u64, run: &[&Letter]) -> Result<(), Option<Duration>> {
        if let [_, _, ..] = run
            && let Some(whole) = joined(run)
        {
            let sent = self.send_letter(whole, run[0]).await;
            match &sent.reply {
                // what of it is refused is found out piece by piece
                Reply::Invalid { .. } | Reply::TooLarge { .. } => {}
                Reply::Accepted if !sent.refused.is_zero() => {}
                reply => {
                    put_off(reply)?;
                    let samples =
                        run.iter().map(|letter| u64::from(letter.entry.header.samples)).sum::<u64>();
                    spool.metrics.delivered.increment(samples);
                    spool.queue.done(lane, run.last().map_or(0, |last| last.entry.header.id));
                    return Ok(());
                }
            }
        }
        for letter in run {
            let sent = self.send_letter(outbound(letter), letter).await;
            put_off(&sent.reply)?;
            self.conclude_letter(spool, letter, &sent).await;
            spool.queue.done(lane, letter.entry.header.id);
        }
        Ok(())
    }

    async fn send_letter(&self, outbound: Outbound, letter: &Letter) -> Sent {
        let upstream = self.upstream.load_full();
        let deadline = upstream.client.deadline();
        let plain_bytes = usize::try_from(letter.kept.plain_bytes).unwrap_or(0);
        let mut attach = self.metadata.attach(self.metadata.scope(&letter.kept.scope));
        let parcel = Parcel { outbound, plain_bytes };
        // what is read at one time is bounded by who reads it
        let sent = match deliver(&upstream, parcel, deadline, &mut |_| true, &mut attach).await {
            Delivered::Sent(sent) => sent,
            Delivered::InParts(outbound, why) => match timeout_at(deadline, self.splits.acquire()).await {
                Ok(_turn) => split::send_in_parts(&upstream, outbound, why, deadline).await,
                Err(_) => Sent::busy(),
            },
        };
        if sent.stored {
            attach.told();
        }
        sent
    }

    /// Counts what became of a request, and keeps it where something of it was refused for good.
    async fn conclude_letter(&self, spool: &Spool, letter: &Letter, sent: &Sent) {
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

fn letter(entry: Entry, record: Option<Record>) -> Option<Letter> {
    let record = record?;
    match Kept::decode(&record.head) {
        Ok((kept, common)) => {
            let common = record.head.slice(common);
            Some(Letter { entry, kept, common, record })
        }
        Err(error) => {
            tracing::error!(%error, id = entry.header.id, "a request of the queue cannot be read and is lost");
            None
        }
    }
}

/// Whether two requests may go out as one.
fn goes_with(first: &Letter, other: &Letter) -> bool {
    first.entry.header.id == other.entry.header.id
        || (first.kept.joins.is_some() && first.common == other.common)
}

/// The first, and as many more as have room in one request.
fn within<'l>(letters: impl Iterator<Item = &'l Letter>, most: usize) -> Vec<&'l Letter> {
    let (mut bytes, mut decoded) = (0_usize, 0_usize);
    let mut fits = |at: usize, letter: &Letter| {
        let body = &letter.record.body;
        bytes += body.len();
        decoded += codec::decoded_len(body, usize::MAX).unwrap_or(MOST_DECODED);
        at == 0 || (bytes <= most && decoded <= MOST_DECODED)
    };
    letters.enumerate().take_while(|(at, letter)| fits(*at, letter)).map(|(_, letter)| letter).collect()
}

fn outbound(letter: &Letter) -> Outbound {
    let Kept { counts, form, query, headers, .. } = letter.kept.clone();
    Outbound { body: letter.record.body.clone(), form, counts, query, headers }
}

/// Several requests of remote write 1.0 as one: of two messages, one behind the other, a reader makes one that has the fields of both.
fn joined(run: &[&Letter]) -> Option<Outbound> {
    let bodies: Vec<&[u8]> = run.iter().map(|letter| &letter.record.body[..]).collect();
    let body = Bytes::from(snappy::concat(&bodies)?);
    let mut counts = Counts::default();
    for letter in run {
        counts += letter.kept.counts;
    }
    Some(Outbound { body, form: Form::PLAIN, counts, ..outbound(run[0]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_vary_and_honour_the_upstream() {
        let jitter = Jitter::new(1);
        let most = Duration::from_secs(30);
        for failures in 0..100 {
            let longest = (FIRST_WAIT * 2_u32.pow(failures.min(10))).min(most);
            let waits: Vec<_> = (0..200).map(|_| wait(failures, None, most, &jitter)).collect();
            assert!(waits.iter().all(|wait| *wait <= longest));
            assert!(
                waits.iter().any(|wait| *wait > longest / 2) && waits.iter().any(|wait| *wait < longest / 2)
            );
            let asked = wait(failures, Some(Duration::from_secs(7)), most, &jitter);
            assert!(asked >= Duration::from_secs(7) && asked <= most);
        }
        let asked = wait(0, Some(Duration::from_secs(3600)), most, &jitter);
        assert_eq!(asked, most);
    }
}
