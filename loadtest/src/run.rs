//! One scenario through one proxy, measured.

mod outcome;
mod prepare;
mod restarts;
mod session;
mod text;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

pub use outcome::{Cost, Flow, Outcome, Point};
pub(crate) use prepare::fleet_of;
pub use session::Session;
pub(crate) use text::{bytes, count};

use crate::client::Reach;
use crate::proxy::ProxySpec;
use crate::replay::Replay;
use crate::scenario::{Scenario, Variant};
use crate::send::Pace;
use crate::sink::{Episode, Level};

/// How to run a scenario.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Which series, from how many senders.
    pub scenario: Scenario,
    /// What the proxy does with them.
    pub variant: Variant,
    /// The proxy.
    pub proxy: ProxySpec,
    /// A sink elsewhere; without it one is started here.
    pub sink: Option<String>,
    /// Where a sink here listens; on any free port of this machine if absent.
    pub sink_listen: Option<SocketAddr>,
    /// Whether other machines may be written to.
    pub reach: Reach,
    /// How closely the sink looks.
    pub level: Level,
    /// When scrapes are due; without it as the scenario says.
    pub pace: Option<Pace>,
    /// Threads that send.
    pub threads: usize,
    /// How long after the end what is left is still tried.
    pub drain: Duration,
    /// What the backend does during the measurement.
    pub episodes: Vec<Episode>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// A recording that is sent instead of the scenario's series.
    pub replay: Option<Replay>,
}

impl RunOptions {
    /// A run of a scenario through a proxy, on this machine, verified.
    pub fn new(scenario: Scenario, variant: Variant, proxy: ProxySpec) -> Self {
        Self {
            scenario,
            variant,
            proxy,
            sink: None,
            sink_listen: None,
            reach: Reach::Loopback,
            level: Level::Verify,
            pace: None,
            threads: 1,
            drain: Duration::from_secs(60),
            episodes: Vec::new(),
            headers: Vec::new(),
            replay: None,
        }
    }

    /// When scrapes are due.
    pub fn pace(&self) -> Pace {
        self.pace.unwrap_or(Pace::Every(self.scenario.every.unwrap_or(self.scenario.interval).0))
    }
}

/// How far a run is.
#[derive(Clone, Debug)]
pub enum Progress {
    /// What it does.
    Doing(String),
    /// It begins to send, for about so many seconds.
    Sending(f64),
    /// A second of the measurement is over: seconds so far, seconds in all, and what it brought.
    Second(f64, f64, Point),
}

/// Runs a scenario from its start to the comparison of what arrived.
pub fn run(options: &RunOptions, mut progress: impl FnMut(Progress) + Send) -> Result<Outcome> {
    Session::open(options, &mut progress)?.measure(&mut progress)
}
