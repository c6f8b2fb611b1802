//! Where all lanes count what they do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::send_counts::{Delays, Fate, Second, SendCounts};
use crate::client::WriteResponse;
use crate::clock;
use crate::fleet::Loaded;

/// Where lanes say what they do.
#[derive(Default)]
pub(super) struct Meter {
    inner: Mutex<Inner>,
    finished: Mutex<bool>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    send_counts: SendCounts,
    latency: Delays,
    second: Second,
    seconds: Vec<Second>,
    /// Samples, when they begin to be due, and for how long.
    offers: Vec<(u64, Instant, Duration)>,
}

impl Meter {
    pub(super) fn offer(&self, samples: u64, due: Instant, lasts: Duration) {
        self.inner.lock().offers.push((samples, due, lasts));
    }

    /// A lane had nothing to do and got a scrape so much after it was due.
    pub(super) fn planned_late(&self, late: Duration) {
        let send_counts = &mut self.inner.lock().send_counts;
        send_counts.planned_late = send_counts.planned_late.max(late);
    }

    pub(super) fn sent(&self, body: &Bytes, loaded: &Loaded, attempt: u32) {
        let send_counts = &mut self.inner.lock().send_counts;
        send_counts.wire_bytes += body.len() as u64;
        send_counts.raw_bytes += loaded.raw_bytes;
        if attempt > 0 {
            send_counts.retries += 1;
            send_counts.resent += loaded.samples;
        }
    }

    pub(super) fn status(&self, answer: &WriteResponse) {
        let mut inner = self.inner.lock();
        *inner.send_counts.codes.entry(answer.status.as_u16()).or_default() += 1;
        if !answer.status.is_success() {
            inner.second.failed += 1;
            inner.send_counts.last_error = Some(format!("{}: {}", answer.status, answer.excerpt()));
        }
    }

    /// An answer was no error, and said that something was not taken.
    pub(super) fn lost(&self, taken: Result<(), String>) {
        let Err(why) = taken else { return };
        let mut inner = self.inner.lock();
        inner.second.failed += 1;
        inner.send_counts.last_error = Some(why);
    }

    pub(super) fn broken(&self, error: &anyhow::Error) {
        let mut inner = self.inner.lock();
        inner.send_counts.broken += 1;
        inner.second.failed += 1;
        inner.send_counts.last_error = Some(format!("{error:#}"));
    }

    pub(super) fn answered(&self, due: Instant, late: Option<Duration>, loaded: &Loaded, fate: &Fate) {
        let now = clock::monotonic();
        let latency = now.saturating_duration_since(due);
        let mut inner = self.inner.lock();
        inner.latency.add(latency);
        let send_counts = &mut inner.send_counts;
        send_counts.bodies += 1;
        send_counts.latency.add(latency);
        if let Some(late) = late {
            send_counts.late.add(late);
        }
        send_counts.last_answer = Some(now);
        match fate {
            Fate::Accepted => {
                send_counts.accepted += loaded.samples;
                send_counts.rich += loaded.rich;
                inner.second.accepted += loaded.samples;
            }
            Fate::Refused => send_counts.refused += loaded.samples,
            Fate::Unknown => send_counts.unknown += loaded.samples,
        }
    }

    /// Closes a second each second, until [`Self::finish`].
    pub(super) fn watch(&self, start: Instant, each: &mut dyn FnMut(&Second)) {
        for number in 1u32.. {
            let until = start + Duration::from_secs(1) * number;
            let mut finished = self.finished.lock();
            while !*finished && !self.wake.wait_until(&mut finished, until).timed_out() {}
            let done = *finished;
            drop(finished);
            each(&self.close(start, until));
            if done {
                return;
            }
        }
    }

    fn close(&self, start: Instant, until: Instant) -> Second {
        let mut inner = self.inner.lock();
        let mut second = std::mem::take(&mut inner.second);
        let from = until - Duration::from_secs(1);
        second.at_s = (until - start).as_secs_f64();
        second.offered = inner.offered(from, until);
        second.latency = std::mem::take(&mut inner.latency).percentiles();
        inner.seconds.push(second.clone());
        second
    }

    pub(super) fn finish(&self) {
        *self.finished.lock() = true;
        self.wake.notify_all();
    }

    /// All of it, for a phase that began at `start`.
    pub(super) fn take(&self, start: Instant) -> (SendCounts, Vec<Second>) {
        let mut inner = self.inner.lock();
        // while lanes are stuck, scrapes are planned after they were due: only now is known what was
        for number in 0..inner.seconds.len() {
            let from = start + Duration::from_secs(number as u64);
            inner.seconds[number].offered = inner.offered(from, from + Duration::from_secs(1));
        }
        (std::mem::take(&mut inner.send_counts), std::mem::take(&mut inner.seconds))
    }
}

impl Inner {
    /// Samples that are due between two times, of scrapes that are planned.
    fn offered(&self, from: Instant, until: Instant) -> u64 {
        self.offers.iter().map(|&(samples, due, lasts)| overlap(samples, due, lasts, from, until)).sum()
    }
}

/// Samples of a scrape that are due between two times.
fn overlap(samples: u64, due: Instant, lasts: Duration, from: Instant, until: Instant) -> u64 {
    let both = (due + lasts).min(until).saturating_duration_since(due.max(from));
    (samples as f64 * both.as_secs_f64() / lasts.as_secs_f64().max(1e-9)).round() as u64
}
