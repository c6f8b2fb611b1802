//! A proxy between a load and a sink, from start to verdict.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Cost, Flow, Outcome, Point, Progress, RunOptions, prepare, restarts};
use crate::clock;
use crate::process::Usage;
use crate::proxy::Gates;
use crate::send::{Load, Pace, Phase, Second, SendOptions};
use crate::sink::{Backend, Level, OnThread, SinkOptions, Stats};
use crate::verify::{self, Verdict};

/// How long the proxy may take to come to rest.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// How long what was accepted may take to arrive.
const ARRIVE_LIMIT: Duration = Duration::from_secs(60);

/// What a phase brought, second by second, what it cost the proxy, and what went in and out.
type Measured = (Phase, Vec<Point>, Option<Cost>, Flow);

/// A proxy between a load and a sink.
pub struct Session<'a> {
    options: &'a RunOptions,
    asking: tokio::runtime::Runtime,
    backend: Backend,
    gates: Arc<Gates>,
    load: Load,
    send: SendOptions,
    /// Of the proxy, before it saw anything.
    empty: Option<Usage>,
    /// Samples that were refused or unknown while warming up.
    warm_lost: u64,
}

impl<'a> Session<'a> {
    /// Starts sink and proxy, prepares the load and warms up.
    pub fn open(options: &'a RunOptions, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Self> {
        let asking = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let backend = match &options.sink {
            Some(url) => Backend::There { url: url.clone(), reach: options.reach },
            None => Backend::Here(OnThread::start(
                options.sink_listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
                SinkOptions { level: options.level, ..SinkOptions::default() },
            )?),
        };
        let scenario = &options.scenario;
        asking.block_on(backend.reset(!scenario.scopes.is_empty())).context("cannot reach the sink")?;
        let gates = Gates::start(&options.proxy, scenario, &options.variant, &backend.write_url())?;
        let empty = gates.usage()?;
        progress(Progress::Doing("preparing the first scrape".into()));
        let (load, times) = prepare::load(options)?;
        let send = SendOptions {
            routes: Arc::new(prepare::routes(options, &gates.urls(), times)?),
            threads: options.threads,
            retry_on_429: options.scenario.retry_on_429,
            protocol: options.scenario.protocol,
            timeout: Duration::from_secs(30),
            drain: options.drain,
        };
        let gates = Arc::new(gates);
        let mut session = Self { options, asking, backend, gates, load, send, empty, warm_lost: 0 };
        if options.scenario.warm > 0 {
            progress(Progress::Doing(format!("warming up: {} scrapes", options.scenario.warm)));
            let warm = session.load.send(&session.send, options.scenario.warm, options.pace(), |_| {})?;
            ensure!(
                warm.send_counts.accepted > 0,
                "nothing was accepted while warming up ({})\n{}",
                warm.send_counts.last_error.as_deref().unwrap_or("no answer"),
                session.gates.log_tail()
            );
            session.warm_lost = warm.send_counts.refused + warm.send_counts.unknown;
        }
        Ok(session)
    }

    /// Measures, lets the proxy end, and compares.
    pub fn measure(mut self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Outcome> {
        let ((phase, points, cost, flow), ended) = self.restarting(progress)?;
        progress(Progress::Doing("waiting for the rest to arrive".into()));
        let rss_kib = self.usage()?.map(|usage| usage.rss_kib);
        let stopped = self.gates.stop()? && ended;
        let stats = self.settle()?;
        let flow = Flow { out_series: stats.distinct_series, ..flow };
        progress(Progress::Doing("comparing what was sent with what arrived".into()));
        let verdict = self.verdict()?;
        let mut outcome = Outcome::new(self.options, &phase, points, cost, flow, verdict);
        outcome.empty_rss_kib = self.empty.map(|usage| usage.rss_kib);
        outcome.end_rss_kib = rss_kib;
        outcome.warm_lost = self.warm_lost;
        outcome.stopped_by_itself = stopped;
        Ok(outcome)
    }

    /// Measures while gates end and come back. Also says whether they ended by themselves.
    fn restarting(&mut self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<(Measured, bool)> {
        let (scenario, pace) = (&self.options.scenario, self.options.pace());
        let cycles = restarts::of(scenario, pace.lasts(self.load.planner.series()));
        if cycles.is_empty() {
            return Ok((self.phase(scenario.scrapes, pace, progress)?, true));
        }
        let (gates, routes) = (Arc::clone(&self.gates), Arc::clone(&self.send.routes));
        let (begins, begun) = std::sync::mpsc::channel();
        let mut begins = Some(begins);
        std::thread::scope(|scope| {
            let cycling = scope.spawn(move || {
                let Ok(start) = begun.recv() else { return Ok(true) };
                restarts::perform(&cycles, start, &gates, &routes)
            });
            let measured = self.phase(scenario.scrapes, pace, &mut |step| {
                if matches!(step, Progress::Sending(_))
                    && let Some(begins) = begins.take()
                {
                    begins.send(clock::monotonic()).ok();
                }
                progress(step);
            });
            drop(begins);
            let ended = cycling.join().map_err(|_| anyhow::anyhow!("ending a gate panicked"))??;
            Ok((measured?, ended))
        })
    }

    /// Sends some scrapes at a pace, and measures what that costs.
    pub fn phase(
        &mut self,
        scrapes: u64,
        pace: Pace,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Measured> {
        progress(Progress::Doing("waiting for the proxy to come to rest".into()));
        let before = self.idle_usage()?;
        let came = self.settle()?;
        self.asking.block_on(self.backend.behave(self.options.episodes.clone()))?;
        let scheduled = pace.lasts(self.load.planner.series()) * u32::try_from(scrapes).unwrap_or(u32::MAX);
        let expected_s = self.load.ready_span().unwrap_or(scheduled).as_secs_f64();
        progress(Progress::Sending(expected_s));
        let gates = Arc::clone(&self.gates);
        let mut watch = Watch { gates, last: before, came: came.clone(), points: Vec::new() };
        let (backend, asking) = (&self.backend, &self.asking);
        let phase = self.load.send(&self.send, scrapes, pace, |second| {
            // a sink elsewhere that does not answer now is asked again in a second
            let stats = asking.block_on(backend.stats()).unwrap_or_else(|_| watch.came.clone());
            let point = watch.point(second, &stats);
            progress(Progress::Second(second.at_s, expected_s, point));
        })?;
        let mut points = std::mem::take(&mut watch.points);
        for (point, second) in points.iter_mut().zip(&phase.seconds) {
            point.second.offered = second.offered;
        }
        let after = self.idle_usage()?;
        let stats = self.settle()?;
        self.asking.block_on(self.backend.behave(Vec::new()))?;
        let cost =
            before.zip(after).map(|(before, after)| Cost::between(before, after, phase.send_counts.accepted));
        let flow = Flow::between(&phase, &came, &stats);
        Ok((phase, points, cost, flow))
    }

    /// What was sent so far compared with what arrived; nothing at lower levels.
    fn verdict(&self) -> Result<Option<Verdict>> {
        if self.options.level != Level::Verify {
            return Ok(None);
        }
        let setting = prepare::setting(self.options);
        let resent = self.load.resent;
        let compare =
            self.backend.ledger(|ledger| verify::compare(&self.load.lanes, resent, &setting, ledger));
        self.asking.block_on(compare).map(Some)
    }

    fn usage(&self) -> Result<Option<Usage>> {
        self.gates.usage()
    }

    fn idle_usage(&self) -> Result<Option<Usage>> {
        self.asking.block_on(self.gates.usage_when_idle(IDLE_LIMIT))
    }

    /// Waits until nothing more arrives.
    fn settle(&self) -> Result<Stats> {
        let start = clock::monotonic();
        let mut last = self.asking.block_on(self.backend.stats())?;
        let mut quiet = 0;
        while quiet < 3 && start.elapsed() < ARRIVE_LIMIT {
            std::thread::sleep(Duration::from_millis(150));
            let stats = self.asking.block_on(self.backend.stats())?;
            quiet = if stats.requests == last.requests { quiet + 1 } else { 0 };
            last = stats;
        }
        Ok(last)
    }

    /// Series of the last scrape that was planned.
    pub fn series(&self) -> usize {
        self.load.planner.series()
    }
}

/// Follows the proxy and the sink second by second.
struct Watch {
    gates: Arc<Gates>,
    last: Option<Usage>,
    came: Stats,
    points: Vec<Point>,
}

impl Watch {
    fn point(&mut self, second: &Second, stats: &Stats) -> Point {
        let usage = self.gates.usage().ok().flatten();
        let cpu = usage.zip(self.last).map(|(now, last)| now.cpu_seconds - last.cpu_seconds);
        let point = Point {
            second: second.clone(),
            cpu_share: cpu.unwrap_or(0.0),
            rss_kib: usage.map_or(0, |usage| usage.rss_kib),
            arrived: stats.samples.saturating_sub(self.came.samples),
            arrived_bytes: stats.wire_bytes.saturating_sub(self.came.wire_bytes),
            series: stats.distinct_series,
        };
        self.last = usage.or(self.last);
        self.came = stats.clone();
        self.points.push(point.clone());
        point
    }
}
