//! Delivers what waits in the queue: each lane in order, one request at a time, lanes side by side, again until the upstream has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ahash::AHashMap;
use tokio::sync::Semaphore;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::spool::Spool;
use super::turn::Turn;
use crate::clock::Jitter;

/// What is done is written down, and files are deleted, this often;
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// and this often so that it survives a kill.
const NOTE_EVERY: Duration = Duration::from_millis(100);
/// The longest wait after a first failure; it doubles with each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Lanes delivered at one time; each has one request on its way.
const MOST_AT_ONCE: usize = 32;

/// How a lane is gone on with whose requests failed, or were too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// How often it failed in a row.
    failures: u32,
    /// Bytes of what goes out as one: what fails may be too much for the upstream at once, or for its time limit.
    most: usize,
}

impl Pace {
    /// That of a lane of which nothing is known.
    fn full(most: usize) -> Self {
        Self { failures: 0, most }
    }

    /// So many bytes were too much.
    fn smaller(self, tried: usize) -> Self {
        // one request goes, however large
        Self { most: (self.most.min(tried) / 2).max(1), ..self }
    }

    fn failed(self, tried: usize) -> Self {
        Self { failures: self.failures.saturating_add(1), ..self.smaller(tried) }
    }

    fn went(self, most: usize) -> Self {
        Self { failures: 0, most: self.most.saturating_mul(2).min(most) }
    }
}

/// Delivers for all lanes.
pub(crate) struct Drain {
    gate: Arc<Gate>,
    sending: JoinSet<Turn>,
    /// Whose task it is.
    lanes: AHashMap<task::Id, u64>,
    /// Lanes that are not at their full pace.
    paces: AHashMap<u64, Pace>,
    /// Lanes that wait after a failure.
    paused: BTreeSet<(Instant, u64)>,
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
            paces: AHashMap::new(),
            paused: BTreeSet::new(),
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
            let next = self.paused.first().map(|(until, _)| *until);
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
        while let Some((until, lane)) = self.paused.pop_first() {
            if until > now {
                self.paused.insert((until, lane));
                break;
            }
            if !spool.queue.end_turn(lane) {
                self.paces.remove(&lane);
            }
        }
        while self.sending.len() < MOST_AT_ONCE
            && let Some(lane) = spool.queue.take_turn()
        {
            let (gate, room) = (Arc::clone(&self.gate), Arc::clone(&self.room));
            let most = spool.most_in_one.load(Ordering::Relaxed);
            let most = self.paces.get(&lane).map_or(most, |pace| pace.most.min(most));
            let sending = self.sending.spawn(async move { gate.deliver_of(lane, most, &room).await });
            self.lanes.insert(sending.id(), lane);
        }
    }

    fn end_turn(&mut self, spool: &Spool, turn: Result<(task::Id, Turn), JoinError>) {
        let (id, turn) = turn.unwrap_or_else(|error| {
            tracing::error!(%error, "delivering from the queue failed");
            (error.id(), Turn::Later(None, usize::MAX))
        });
        let Some(lane) = self.lanes.remove(&id) else { return };
        let full = Pace::full(spool.max_request_bytes);
        let pace = self.paces.remove(&lane).unwrap_or(full);
        let pace = match turn {
            Turn::Later(asked, tried) => {
                spool.metrics.retries.increment(1);
                let wait = wait(pace.failures, asked, spool.max_retry_wait, &self.jitter);
                self.paces.insert(lane, pace.failed(tried));
                self.paused.insert((Instant::now() + wait, lane));
                return;
            }
            Turn::Over => pace.went(full.most),
            Turn::TooLarge(tried) => {
                // for all lanes: it is the upstream that has this limit
                spool.most_in_one.fetch_min((tried / 2).max(1), Ordering::Relaxed);
                pace.smaller(tried)
            }
        };
        if spool.queue.end_turn(lane) && pace != full {
            self.paces.insert(lane, pace);
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
