//! The backend is gone for a while and comes back: what senders see, what piles up where, and how long it takes to be over.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::run::{self, Outcome, Point, Progress, RunOptions, bytes, count};
use crate::sink::{Act, Episode};

/// An outage to rehearse.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long all is well before it.
    pub before: Duration,
    /// How long it lasts.
    pub down: Duration,
    /// How long it is watched afterwards.
    pub after: Duration,
    /// What the backend does meanwhile.
    pub act: Act,
}

/// What an outage did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// Seconds that the backend was gone.
    pub down_s: f64,
    /// Attempts that failed meanwhile, in a second.
    pub failed_per_second: f64,
    /// Samples that were due and not accepted when the backend came back.
    pub backlog_samples: u64,
    /// Seconds from its return until samples were accepted as they came due; absent if that did not happen in time.
    pub drained_after_s: Option<f64>,
    /// Samples accepted in the best second afterwards.
    pub best_second: u64,
    /// Resident memory of the proxy in KiB: before, at most during the outage, at most afterwards.
    pub rss_kib: [u64; 3],
    /// Cores that the proxy used: before, during, afterwards until it was over.
    pub cores: [f64; 3],
    /// The whole run.
    pub run: Outcome,
}

/// Rehearses it.
pub fn rehearse(options: &RunOptions, plan: &Plan, progress: impl FnMut(Progress) + Send) -> Result<Outage> {
    let mut options = options.clone();
    let Plan { before, down, after, act } = plan;
    options.episodes = vec![Episode {
        after_s: before.as_secs_f64(),
        for_s: down.as_secs_f64(),
        act: act.clone(),
        share: 1.0,
    }];
    let pace = options.pace();
    let series = options.scenario.series_at_start()?;
    let scrape_s = pace.lasts(series).as_secs_f64();
    options.scenario.scrapes = ((*before + *down + *after).as_secs_f64() / scrape_s).ceil().max(1.0) as u64;
    options.drain = options.drain.max(*down + *after);
    let run = run::run(&options, progress)?;
    Ok(Outage::of(run, before.as_secs_f64(), down.as_secs_f64()))
}

impl Outage {
    fn of(run: Outcome, before_s: f64, down_s: f64) -> Self {
        let back_s = before_s + down_s;
        let during: Vec<&Point> = run.points.iter().filter(|p| within(p, before_s + 1.0, back_s)).collect();
        let ahead: Vec<&Point> = run.points.iter().filter(|p| within(p, 0.0, before_s)).collect();
        let behind: Vec<&Point> = run.points.iter().filter(|p| p.second.at_s > back_s).collect();
        let due = |until_s: f64| total(&run.points, until_s, |point| point.second.offered);
        let accepted = |until_s: f64| total(&run.points, until_s, |point| point.second.accepted);
        let offered = due(f64::INFINITY) / run.points.len().max(1) as u64;
        // a quarter of a second's worth is always on its way
        let drained = behind.iter().find(|point| {
            let at_s = point.second.at_s;
            due(at_s).saturating_sub(accepted(at_s)) <= offered / 4
        });
        let drained_after_s = drained.map(|point| point.second.at_s - back_s);
        let catching_up = behind.iter().filter(|p| drained.is_none_or(|d| p.second.at_s <= d.second.at_s));
        let cores = |points: &[&Point]| {
            points.iter().map(|point| point.cpu_share).sum::<f64>() / points.len().max(1) as f64
        };
        let rss = |points: &[&Point]| points.iter().map(|point| point.rss_kib).max().unwrap_or(0);
        Self {
            down_s,
            failed_per_second: during.iter().map(|p| p.second.failed).sum::<u64>() as f64
                / during.len().max(1) as f64,
            backlog_samples: due(back_s).saturating_sub(accepted(back_s)),
            drained_after_s,
            best_second: behind.iter().map(|point| point.second.accepted).max().unwrap_or(0),
            rss_kib: [rss(&ahead), rss(&during), rss(&behind)],
            cores: [cores(&ahead), cores(&during), cores(&catching_up.copied().collect::<Vec<_>>())],
            run,
        }
    }
}

fn within(point: &Point, from_s: f64, to_s: f64) -> bool {
    point.second.at_s > from_s && point.second.at_s <= to_s
}

fn total(points: &[Point], until_s: f64, value: fn(&Point) -> u64) -> u64 {
    points.iter().filter(|point| point.second.at_s <= until_s).map(value).sum()
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the backend was gone for {:.0} s", self.down_s)?;
        let per_second = count(self.run.offered_per_second.max(1.0) as u64);
        writeln!(
            f,
            "senders     {:.1} attempts a second failed; {} samples waited when it came back ({per_second}/s were due)",
            self.failed_per_second,
            count(self.backlog_samples)
        )?;
        match self.drained_after_s {
            Some(seconds) => {
                writeln!(
                    f,
                    "recovery    {seconds:.0} s until nothing waited; at best {} samples/s",
                    count(self.best_second)
                )?;
            }
            None => writeln!(f, "recovery    something still waited at the end; watch longer with --after")?,
        }
        let mib = self.rss_kib.map(|kib| bytes(kib as f64 * 1024.0));
        let [before, during, after] = &mib;
        writeln!(f, "memory      {before} before, {during} at most during it, {after} at most afterwards")?;
        let [before, during, after] = self.cores;
        writeln!(f, "cores       {before:.2} before, {during:.2} during it, {after:.2} while catching up\n")?;
        self.run.fmt(f)
    }
}
