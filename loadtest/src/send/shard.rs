//! One lane being sent: what a shard of Prometheus' queue does (`storage/remote/queue_manager.go`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use super::SendOptions;
use super::meter::Meter;
use super::send_counts::Fate;
use super::work::{Ready, Work};
use crate::client::{Client, WriteResponse};
use crate::clock;
use crate::fleet::{Lane, LaneStep, Loaded};

/// Prometheus' defaults: `min_backoff` and `max_backoff`.
const MIN_BACKOFF: Duration = Duration::from_millis(30);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A lane with what it is told to send.
pub(super) struct Shard {
    number: usize,
    /// Of how many.
    count: usize,
    lane: Lane,
    work: mpsc::UnboundedReceiver<Work>,
}

impl Shard {
    pub(super) fn new(
        number: usize,
        count: usize,
        mut lane: Lane,
        work: mpsc::UnboundedReceiver<Work>,
    ) -> Self {
        lane.set_number(number);
        Self { number, count, lane, work }
    }

    /// Sends until there is nothing more to come, and gives the lane back.
    pub(super) async fn run(mut self, options: SendOptions, meter: Arc<Meter>) -> Lane {
        let mut post = Post { lane: self.number, client: None, options, meter };
        let mut buffer = Vec::new();
        loop {
            let idle = self.work.is_empty();
            let Some(work) = self.work.recv().await else { return self.lane };
            match work {
                Work::Scrape(step, due, lasts) => {
                    if idle {
                        post.meter.planned_late(clock::monotonic().saturating_duration_since(due));
                    }
                    self.scrape(step, (due, lasts), &mut post, &mut buffer).await
                }
                Work::Ready(bodies, start) => self.ready(bodies, start, &mut post).await,
            }
        }
    }

    /// Sends a scrape that is due from a time on, for so long.
    async fn scrape(
        &mut self,
        step: LaneStep,
        (due, lasts): (Instant, Duration),
        post: &mut Post,
        buffer: &mut Vec<u8>,
    ) {
        let deadline = due + lasts + post.options.drain;
        let metadata = step.metadata.clone();
        self.lane.begin(step);
        let at_ms = self.lane.at_ms();
        if let Some(metadata) = metadata {
            post.deliver(metadata, &Loaded::default(), at_ms, deadline).await;
        }
        // the lanes begin one after the other, as targets are scraped one after the other
        let bodies = self.lane.series().div_ceil(self.lane.batch()).max(1);
        let shift = lasts.mul_f64(self.number as f64 / self.count as f64 / bodies as f64);
        while let Some(loaded) = self.lane.next_body(buffer) {
            let due = due + shift + lasts.mul_f64(loaded.position * (1.0 - 1.0 / (bodies + 1) as f64));
            let late = wait_for(due).await;
            let body = Bytes::from(std::mem::take(buffer));
            let (fate, receiver) = post.deliver(body.clone(), &loaded, at_ms, deadline).await;
            post.meter.answered(due, late, &loaded, &fate);
            self.lane.went_to(receiver.0, receiver.1);
            match fate {
                Fate::Accepted => {}
                Fate::Refused => self.lane.refused(),
                Fate::Unknown => self.lane.unknown(),
            }
            // the next body is written where this one was
            *buffer = if body.is_unique() { body.into() } else { Vec::with_capacity(body.len()) };
        }
    }

    /// Sends bodies that were made elsewhere.
    async fn ready(&mut self, bodies: Vec<Ready>, start: Instant, post: &mut Post) {
        let last = bodies.last().map_or(start, |body| start + body.after);
        let deadline = last + post.options.drain;
        for Ready { body, loaded, after, samples } in bodies {
            let due = start + after;
            let late = wait_for(due).await;
            let (fate, _) = post.deliver(body, &loaded, 0, deadline).await;
            post.meter.answered(due, late, &loaded, &fate);
            match fate {
                Fate::Refused => {}
                Fate::Accepted => self.lane.note(&samples, false),
                Fate::Unknown => self.lane.note(&samples, true),
            }
        }
    }
}

/// Waits for a time; returns by how much it was missed where nothing else was in the way.
async fn wait_for(due: Instant) -> Option<Duration> {
    if clock::monotonic() >= due {
        return None;
    }
    sleep_until(due.into()).await;
    Some(clock::monotonic().saturating_duration_since(due))
}

/// One connection, and how bodies go over it.
struct Post {
    lane: usize,
    /// The connection, and which receiver it goes to, in which of its lives.
    client: Option<((usize, u32), Client)>,
    options: SendOptions,
    meter: Arc<Meter>,
}

impl Post {
    /// Sends a body of a scrape until it is taken, refused for good, or time is up; says what became of it, and which receiver
    /// said so last, in which of its lives.
    async fn deliver(
        &mut self,
        body: Bytes,
        loaded: &Loaded,
        at_ms: i64,
        deadline: Instant,
    ) -> (Fate, (usize, u32)) {
        let mut backoff = MIN_BACKOFF;
        for attempt in 0u32.. {
            let receiver = self.options.routes.choose(self.lane, at_ms);
            let left = deadline.saturating_duration_since(clock::monotonic());
            if left.is_zero() {
                return (Fate::Unknown, receiver);
            }
            self.meter.sent(&body, loaded, attempt);
            let timeout = self.options.timeout.min(left);
            let answer = self.client_of(receiver).post(body.clone(), timeout).await;
            let mut pause = backoff;
            match &answer {
                Ok(answer) => {
                    self.meter.status(answer);
                    if answer.status.is_success() {
                        let taken = answer.takes(loaded.samples, self.options.protocol);
                        let fate = if taken.is_ok() { Fate::Accepted } else { Fate::Refused };
                        self.meter.lost(taken);
                        return (fate, receiver);
                    }
                    if !self.is_temporary(answer.status) {
                        return (Fate::Refused, receiver);
                    }
                    pause = retry_after(answer).unwrap_or(backoff);
                }
                Err(error) => self.meter.broken(error),
            }
            sleep(pause.min(deadline.saturating_duration_since(clock::monotonic()))).await;
            backoff = (pause * 2).clamp(MIN_BACKOFF, MAX_BACKOFF);
        }
        unreachable!("attempts without an end")
    }

    /// The connection to a receiver; a new one where the last went elsewhere.
    fn client_of(&mut self, receiver: (usize, u32)) -> &mut Client {
        let connected = self.client.take().filter(|(to, _)| *to == receiver);
        let fresh = || (receiver, Client::new(self.options.routes.target(receiver.0, self.lane)));
        &mut self.client.insert(connected.unwrap_or_else(fresh)).1
    }

    fn is_temporary(&self, status: StatusCode) -> bool {
        status.is_server_error() || (status == StatusCode::TOO_MANY_REQUESTS && self.options.retry_on_429)
    }
}

fn retry_after(answer: &WriteResponse) -> Option<Duration> {
    let seconds: u64 = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
