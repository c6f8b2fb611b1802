//! What there is to send, planned a little ahead and handed to the lanes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc;

use super::headroom::{Headroom, ThreadTime};
use super::meter::Meter;
use super::send_counts::{Second, SendCounts};
use super::shard::Shard;
use super::work::{Ready, Work};
use super::{Pace, SendOptions};
use crate::clock;
use crate::fleet::{Lane, LaneStep, Planner};

/// Scrapes that are planned before they are due. A lane that is stuck holds up no other: what it is to send waits for it.
const AHEAD: u32 = 2;

/// Times of the scrapes of a run in the data, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The first.
    pub start_ms: i64,
    /// From one to the next.
    pub step_ms: i64,
}

/// What there is to send, between two phases.
pub struct Load {
    /// Who is born and who is gone.
    pub planner: Planner,
    /// What is sent.
    pub lanes: Vec<Lane>,
    /// The scrape that was planned but not sent yet.
    planned: Option<Vec<LaneStep>>,
    /// Scrapes planned.
    scrapes: u64,
    times: Times,
    /// Bodies by lane that are sent instead of scrapes.
    ready: Option<Vec<Vec<Ready>>>,
    /// Samples that were sent more than once so far.
    pub resent: u64,
}

/// What a phase of sending brought.
pub struct Phase {
    /// What became of the bodies.
    pub send_counts: SendCounts,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// Whether the sender could have sent more.
    pub headroom: Headroom,
    /// When the first body was due, and when the last answer came.
    pub window: (Instant, Instant),
    /// From the first body due to the end of the schedule.
    pub scheduled: Duration,
    /// Series born in it, and series of its last scrape.
    pub born: u64,
    /// Series of the last scrape.
    pub series: usize,
}

impl Load {
    /// A load of which nothing was sent; plans the first scrape.
    pub fn new(mut planner: Planner, lanes: Vec<Lane>, times: Times) -> Self {
        let planned = planner.scrape(times.start_ms);
        Self { planner, lanes, planned: Some(planned), scrapes: 1, times, ready: None, resent: 0 }
    }

    /// The same with bodies that are sent instead of scrapes, by lane and in order.
    #[must_use]
    pub fn with_ready(mut self, bodies: Vec<Vec<Ready>>) -> Self {
        self.ready = Some(bodies);
        self
    }

    /// How long the bodies that are ready take, if there are such.
    pub fn ready_span(&self) -> Option<Duration> {
        self.ready.as_ref()?.iter().flatten().map(|body| body.after).max()
    }

    /// Sends so many scrapes. `each_second` is called while it goes on, with what was answered so far.
    pub fn send(
        &mut self,
        options: &SendOptions,
        scrapes: u64,
        pace: Pace,
        mut each_second: impl FnMut(&Second) + Send,
    ) -> Result<Phase> {
        let count = self.lanes.len();
        let before = born(&self.lanes);
        // the first is ready before the clock starts
        if self.planned.is_none() && self.ready.is_none() {
            self.planned = Some(self.next_scrape());
        }
        let mut senders = Vec::new();
        let mut shards: Vec<Vec<Shard>> = (0..options.threads.max(1)).map(|_| Vec::new()).collect();
        for (number, lane) in self.lanes.drain(..).enumerate() {
            let (sender, receiver) = mpsc::unbounded_channel();
            senders.push(sender);
            shards[number % options.threads.max(1)].push(Shard::new(number, count, lane, receiver));
        }
        let meter = Arc::new(Meter::default());
        let start = clock::monotonic() + Duration::from_millis(20);
        let (mut schedule, mut headroom) = (None, Headroom::default());
        let lanes = std::thread::scope(|scope| {
            let threads: Vec<_> =
                shards.into_iter().map(|shards| scope.spawn(|| send_all(shards, options, &meter))).collect();
            let watch = scope.spawn(|| meter.watch(start, &mut each_second));
            schedule = Some(self.plan(scrapes, pace, start, senders, &meter));
            let sent: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            meter.finish();
            watch.join().ok();
            sent
        });
        let schedule = schedule.context("nothing was planned")?;
        for sent in lanes {
            let (lanes, time) = sent.map_err(|_| anyhow::anyhow!("a sending thread panicked"))??;
            headroom.threads.push(time.share());
            self.lanes.extend(lanes);
        }
        // as they were before
        self.lanes.sort_by_key(Lane::number);
        let (send_counts, seconds) = meter.take(start);
        headroom.judge(&send_counts);
        self.resent += send_counts.resent;
        Ok(Phase {
            window: (start, send_counts.last_answer.unwrap_or(start)),
            send_counts,
            seconds,
            headroom,
            scheduled: schedule.end - start,
            born: born(&self.lanes) - before,
            series: schedule.series,
        })
    }

    /// What every lane has to do for the next scrape.
    fn next_scrape(&mut self) -> Vec<LaneStep> {
        let at_ms = self.times.start_ms + self.scrapes.cast_signed() * self.times.step_ms;
        self.scrapes += 1;
        self.planner.scrape(at_ms)
    }

    /// Plans scrape by scrape, a little ahead of the lanes, and tells each lane when its part is due.
    fn plan(
        &mut self,
        scrapes: u64,
        pace: Pace,
        start: Instant,
        senders: Vec<mpsc::UnboundedSender<Work>>,
        meter: &Meter,
    ) -> Schedule {
        let mut schedule = Schedule { end: start, series: 0 };
        if let Some(ready) = self.ready.take() {
            return hand_out(ready, schedule, &senders, meter);
        }
        let mut lasts = Duration::ZERO;
        for _ in 0..scrapes {
            let ahead = schedule.end.saturating_duration_since(clock::monotonic());
            std::thread::sleep(ahead.saturating_sub(lasts * AHEAD));
            let steps = self.planned.take().unwrap_or_else(|| self.next_scrape());
            schedule.series = self.planner.series();
            lasts = pace.lasts(schedule.series);
            meter.offer(schedule.series as u64, schedule.end, lasts);
            for (sender, step) in senders.iter().zip(steps) {
                // a lane that is gone has said why
                sender.send(Work::Scrape(step, schedule.end, lasts)).ok();
            }
            schedule.end += lasts;
        }
        schedule
    }
}

/// Series there ever were in some lanes.
fn born(lanes: &[Lane]) -> u64 {
    lanes.iter().map(Lane::born).sum()
}

/// Gives each lane the bodies that are ready.
fn hand_out(
    ready: Vec<Vec<Ready>>,
    mut schedule: Schedule,
    senders: &[mpsc::UnboundedSender<Work>],
    meter: &Meter,
) -> Schedule {
    let start = schedule.end;
    let mut series: Vec<u64> = Vec::new();
    for (sender, bodies) in senders.iter().zip(ready) {
        for body in &bodies {
            meter.offer(body.loaded.samples, start + body.after, Duration::from_millis(1));
            schedule.end = schedule.end.max(start + body.after);
            series.extend(body.samples.iter().map(|sample| sample.0));
        }
        sender.send(Work::Ready(bodies, start)).ok();
    }
    series.sort_unstable();
    series.dedup();
    schedule.series = series.len();
    schedule
}

struct Schedule {
    end: Instant,
    series: usize,
}

/// Sends the scrapes of some lanes on this thread, and returns them with the CPU time it took.
fn send_all(
    shards: Vec<Shard>,
    options: &SendOptions,
    meter: &Arc<Meter>,
) -> Result<(Vec<Lane>, ThreadTime)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut time = ThreadTime::start();
    let lanes = runtime.block_on(async {
        let tasks: Vec<_> = shards
            .into_iter()
            .map(|shard| tokio::spawn(shard.run(options.clone(), Arc::clone(meter))))
            .collect();
        let mut lanes = Vec::new();
        for task in tasks {
            lanes.push(task.await.context("a lane ended early")?);
        }
        anyhow::Ok(lanes)
    })?;
    time.stop();
    Ok((lanes, time))
}
