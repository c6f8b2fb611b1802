//! The highest rate that a proxy sustains: up in steps until it fails, then by bisection, and all of it again.

mod sweep;

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

pub use sweep::{Axis, parse as parse_axis};

use crate::run::{Progress, RunOptions, Session, count};
use crate::send::Pace;

/// What a rate must fulfil, and how it is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Samples per second to begin with.
    pub from: f64,
    /// Samples per second beyond which nothing is tried.
    pub most: f64,
    /// The most that the 99th percentile of latency may be.
    pub p99: Duration,
    /// How long each rate is held.
    pub hold: Duration,
    /// The search ends when it is known to this share.
    pub precision: f64,
    /// How often it is searched.
    pub repeat: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            from: 100_000.0,
            most: 20e6,
            p99: Duration::from_millis(250),
            hold: Duration::from_secs(8),
            precision: 0.05,
            repeat: 3,
        }
    }
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Samples per second that were due.
    pub rate: f64,
    /// Samples per second that were accepted.
    pub accepted: f64,
    /// Milliseconds.
    pub p99_ms: f64,
    /// Cores that the proxy used.
    pub cores: f64,
    /// Why it is too high, if it is.
    pub failed: Option<String>,
    /// Whether the sender or the machine was why.
    pub not_the_proxy: bool,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// What was changed in the scenario, as `churn=0.1`; empty for nothing.
    pub setting: String,
    /// The highest sustained rate of each search, in samples per second.
    pub found: Vec<f64>,
    /// Whether what stopped a search was the sender or the machine: the proxy may be capable of more.
    pub at_least: bool,
    /// All rates tried.
    pub steps: Vec<Step>,
}

impl Capacity {
    /// The middle of what the searches found.
    pub fn middle(&self) -> f64 {
        let mut found = self.found.clone();
        found.sort_by(f64::total_cmp);
        found.get(found.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Searches.
pub fn search(
    options: &RunOptions,
    setting: &str,
    search: &Search,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Capacity> {
    ensure!(search.from > 0.0 && search.from <= search.most, "the search begins above 0 and below its most");
    ensure!((0.005..=0.5).contains(&search.precision), "the precision is a share between 0.005 and 0.5");
    let mut found =
        Capacity { setting: setting.into(), found: Vec::new(), at_least: false, steps: Vec::new() };
    for _ in 0..search.repeat.max(1) {
        // what was found before is where to begin
        let from = if found.found.is_empty() { search.from } else { found.middle() * 0.8 };
        // a proxy of its own: what one search left behind is not the next one's
        let mut session = Session::open(options, &mut progress)?;
        let rate = once(&mut session, from, search, &mut found, &mut progress)?;
        found.found.push(rate);
    }
    Ok(found)
}

fn once(
    session: &mut Session<'_>,
    from: f64,
    search: &Search,
    found: &mut Capacity,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<f64> {
    let (mut good, mut bad, mut rate) = (0.0, None, from);
    loop {
        let step = hold(session, rate, search, progress)?;
        let failed = step.failed.is_some();
        found.at_least |= step.not_the_proxy;
        progress(Progress::Doing(step.to_string()));
        found.steps.push(step);
        if failed {
            bad = Some(rate)
        } else {
            good = rate
        }
        match bad {
            None if rate >= search.most => return Ok(good),
            None => rate = (rate * 1.5).min(search.most),
            // not even the first: look below it
            Some(bad) if good == 0.0 && bad > search.from / 64.0 => rate = bad / 2.0,
            Some(_) if good == 0.0 => return Ok(0.0),
            Some(bad) if bad / good - 1.0 <= search.precision => return Ok(good),
            Some(bad) => rate = f64::midpoint(good, bad),
        }
    }
}

/// Holds a rate, and says whether it is sustained.
fn hold(
    session: &mut Session<'_>,
    rate: f64,
    search: &Search,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Step> {
    let scrape_s = Pace::Rate(rate).lasts(session.series()).as_secs_f64();
    let scrapes = (search.hold.as_secs_f64() / scrape_s).round().max(1.0) as u64;
    let (phase, _, cost, _) = session.phase(scrapes, Pace::Rate(rate), &mut |told| {
        // a bar for each step would only flicker
        if matches!(told, Progress::Second(..)) {
            progress(told);
        }
    })?;
    let send_counts = &phase.send_counts;
    let wall = phase.window.1.saturating_duration_since(phase.window.0).max(phase.scheduled).as_secs_f64();
    let accepted = send_counts.accepted as f64 / wall.max(1e-9);
    let p99_ms = send_counts.latency.percentiles().p99_ms;
    let errors = send_counts.broken
        + send_counts.codes.iter().filter(|(code, _)| **code >= 300).map(|(_, n)| n).sum::<u64>();
    let limit = phase.headroom.limit;
    let failed = if errors > 0 {
        Some(format!("{errors} requests failed: {}", send_counts.last_error.as_deref().unwrap_or("?")))
    } else if limit.is_some() {
        limit.map(|limit| limit.to_string())
    } else if p99_ms > search.p99.as_secs_f64() * 1000.0 {
        Some(format!("p99 {p99_ms:.0} ms"))
    } else if accepted < 0.97 * rate && phase.scheduled.as_secs_f64() >= 0.5 {
        Some(format!("only {} samples/s were accepted", count(accepted as u64)))
    } else {
        None
    };
    let cores = cost.map_or(0.0, |cost| cost.cpu_seconds / wall.max(1e-9));
    Ok(Step { rate, accepted, p99_ms, cores, not_the_proxy: errors == 0 && limit.is_some(), failed })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = count(self.rate as u64);
        write!(f, "{rate} samples/s: p99 {:.1} ms, {:.2} cores", self.p99_ms, self.cores)?;
        match &self.failed {
            Some(why) => write!(f, ", too much: {why}"),
            None => write!(f, ", sustained"),
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = if self.setting.is_empty() { "capacity" } else { &self.setting };
        let all: Vec<String> = self.found.iter().map(|rate| count(*rate as u64)).collect();
        let least = if self.at_least { "at least " } else { "" };
        writeln!(
            f,
            "{setting}: {least}{} samples/s (searches found {})",
            count(self.middle() as u64),
            all.join(", ")
        )?;
        if self.at_least {
            writeln!(
                f,
                "  the sender or the machine gave out first; on hosts of its own the proxy may do more"
            )?;
        }
        Ok(())
    }
}
