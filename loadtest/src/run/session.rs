//! A proxy between a load and a sink, from start to verdict.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Cost, Flow, Outcome, Point, Progress, RunOptions};
use crate::blast::Target;
use crate::clock;
use crate::expect::Expectations;
use crate::fleet::{Expect, Lane, Planner, Spread};
use crate::process::{self, Usage};
use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::send::{Load, Pace, Phase, Second, SendOptions, Times};
use crate::sink::{Backend, Level, OnThread, SinkOptions, Stats};
use crate::verify::{self, Verdict};

/// How long the proxy may take to come to rest.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
/// How long what was accepted may take to arrive.
const ARRIVE_LIMIT: Duration = Duration::from_secs(60);

/// A proxy between a load and a sink.
pub struct Session<'a> {
    options: &'a RunOptions,
    asking: tokio::runtime::Runtime,
    backend: Backend,
    proxy: Proxy,
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
        asking.block_on(backend.reset()).context("cannot reach the sink")?;
        let proxy = options.proxy.start(&options.variant, &backend.write_url())?;
        let empty = proxy.pid.map(Usage::of).transpose()?;
        let mut target = Target::parse(&proxy.url, options.reach)?;
        for (name, value) in &options.headers {
            target = target.with_header(name, value)?;
        }
        let send = SendOptions {
            target,
            threads: options.threads,
            retry_on_429: options.scenario.retry_on_429,
            timeout: Duration::from_secs(30),
            drain: options.drain,
        };
        progress(Progress::Doing("preparing the first scrape".into()));
        let load = load(options)?;
        let mut session = Self { options, asking, backend, proxy, load, send, empty, warm_lost: 0 };
        if options.scenario.warm > 0 {
            progress(Progress::Doing(format!("warming up: {} scrapes", options.scenario.warm)));
            let warm = session.load.send(&session.send, options.scenario.warm, options.pace(), |_| {})?;
            ensure!(
                warm.tally.accepted > 0,
                "nothing was accepted while warming up ({})\n{}",
                warm.tally.last_error.as_deref().unwrap_or("no answer"),
                session.proxy.log_tail()
            );
            session.warm_lost = warm.tally.refused + warm.tally.unknown;
        }
        Ok(session)
    }

    /// Measures, lets the proxy end, and compares.
    pub fn measure(mut self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Outcome> {
        let (phase, points, cost, flow) =
            self.phase(self.options.scenario.scrapes, self.options.pace(), progress)?;
        progress(Progress::Doing("waiting for the rest to arrive".into()));
        let rss_kib = self.usage()?.map(|usage| usage.rss_kib);
        let stopped = self.proxy.stop()?;
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

    /// Sends some scrapes at a pace, and measures what that costs.
    pub fn phase(
        &mut self,
        scrapes: u64,
        pace: Pace,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(Phase, Vec<Point>, Option<Cost>, Flow)> {
        progress(Progress::Doing("waiting for the proxy to come to rest".into()));
        let before = self.idle_usage()?;
        let came = self.settle()?;
        self.asking.block_on(self.backend.behave(self.options.episodes.clone()))?;
        let scheduled = pace.lasts(self.load.planner.series()) * u32::try_from(scrapes).unwrap_or(u32::MAX);
        let expected_s = self.load.ready_span().unwrap_or(scheduled).as_secs_f64();
        progress(Progress::Doing(format!("sending for about {expected_s:.0} s")));
        let mut watch = Watch { pid: self.proxy.pid, last: before, came: came.clone(), points: Vec::new() };
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
            before.zip(after).map(|(before, after)| Cost::between(before, after, phase.tally.accepted));
        let flow = Flow::between(&phase, &came, &stats);
        Ok((phase, points, cost, flow))
    }

    /// What was sent so far compared with what arrived; nothing at lower levels.
    fn verdict(&self) -> Result<Option<Verdict>> {
        if self.options.level != Level::Verify {
            return Ok(None);
        }
        let resent = self.load.resent;
        let step_ms = self.options.scenario.interval_ms();
        let compare =
            self.backend.ledger(|ledger| verify::compare(&self.load.lanes, resent, step_ms, ledger));
        self.asking.block_on(compare).map(Some)
    }

    fn usage(&self) -> Result<Option<Usage>> {
        self.proxy.pid.map(Usage::of).transpose()
    }

    fn idle_usage(&self) -> Result<Option<Usage>> {
        let pid = self.proxy.pid;
        pid.map(|pid| self.asking.block_on(process::when_idle(pid, IDLE_LIMIT))).transpose()
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

/// The load of a scenario, or of a recording.
fn load(options: &RunOptions) -> Result<Load> {
    let scenario = &options.scenario;
    let expect = Arc::new(Expectations::new(&options.variant.expect)?);
    let (planner, lanes, times) = fleet_of(scenario, Arc::<Expectations>::clone(&expect))?;
    let Some(replay) = &options.replay else { return Ok(Load::new(planner, lanes, times)) };
    let bodies = replay.bodies(lanes.len(), scenario.batch, clock::unix_ms(), &*expect)?;
    Ok(Load::new(planner, lanes, times).with_ready(bodies))
}

/// The series of a scenario and its lanes, with data that ends about now.
pub(crate) fn fleet_of(scenario: &Scenario, expect: Arc<dyn Expect>) -> Result<(Planner, Vec<Lane>, Times)> {
    let step_ms = scenario.interval_ms();
    let scrapes = (scenario.warm + scenario.scrapes + 1).cast_signed();
    // whole seconds: values follow seconds, and so do windows
    let start_ms = (clock::unix_ms() - scrapes * step_ms).div_euclid(1000) * 1000;
    let lanes = scenario.agents * scenario.shards;
    let spread = Spread {
        lanes,
        batch: scenario.batch,
        within_ms: step_ms,
        stale_markers: scenario.stale_markers,
        metadata: scenario.metadata,
        shards: scenario.shards,
    };
    let planner = Planner::new(scenario.source(start_ms)?, expect, spread);
    let lanes = (0..lanes).map(|_| Lane::new(scenario.batch)).collect();
    Ok((planner, lanes, Times { start_ms, step_ms }))
}

/// Follows the proxy and the sink second by second.
struct Watch {
    pid: Option<u32>,
    last: Option<Usage>,
    came: Stats,
    points: Vec<Point>,
}

impl Watch {
    fn point(&mut self, second: &Second, stats: &Stats) -> Point {
        let usage = self.pid.and_then(|pid| Usage::of(pid).ok());
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
