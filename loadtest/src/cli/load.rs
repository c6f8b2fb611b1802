//! What all commands that send a scenario have in common.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::client::Reach;
use crate::protocol::Protocol;
use crate::proxy::ProxySpec;
use crate::run::RunOptions;
use crate::scenario::{Scenario, SourceFile, Span};
use crate::send::Pace;
use crate::shape::Shape;
use crate::sink::Level;

/// Through what the load is sent, and to where.
#[derive(Clone, Debug, Args)]
pub(super) struct ProxyArgs {
    /// Another proxy to start, behind `--`: {listen} and {upstream} in its arguments are filled in, {dir} is a directory for
    /// it, {admin} another free address
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
    /// The gate to start; the one beside this program if absent
    #[arg(long, value_name = "PROGRAM")]
    gate: Option<PathBuf>,
    /// A receiver that runs already, with the sink as its upstream
    #[arg(long, value_name = "URL", conflicts_with_all = ["gate", "command"])]
    target: Option<String>,
    /// Its process, to measure CPU and memory
    #[arg(long, requires = "target")]
    pid: Option<u32>,
    /// Send to the sink itself, to see what sender and sink can do
    #[arg(long, conflicts_with_all = ["gate", "command", "target"])]
    no_proxy: bool,
    /// Path that a proxy behind `--` takes writes at
    #[arg(long, default_value = "/api/v1/write", value_name = "PATH")]
    write_path: String,
    /// A sink that runs somewhere else (seriesgate-loadtest sink --count verify)
    #[arg(long, value_name = "URL")]
    sink: Option<String>,
    /// Where the sink here listens; any free port of this machine if absent
    #[arg(long, value_name = "ADDRESS", conflicts_with = "sink")]
    sink_listen: Option<SocketAddr>,
    /// Write to other machines too
    #[arg(long)]
    pub(super) allow_remote: bool,
    /// How closely the sink looks: verify compares every sample, bytes costs next to nothing
    #[arg(long, value_enum, default_value_t = Level::Verify, value_name = "LEVEL")]
    count: Level,
    /// Threads that send
    #[arg(long, default_value_t = 1, value_name = "N")]
    sender_threads: usize,
    /// How long what is left is tried after the schedule's end
    #[arg(long, default_value = "60s")]
    drain: Span,
    /// Header of every request; may be given more than once
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Say nothing on stderr while it runs
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Which load, and through what.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArgs {
    /// small, sidecar, gateway-1m, incident, rollout-storm, cardinality-bomb, gates-behind-a-service, gate-restarts,
    /// shared-address, scopes, or the file of a scenario
    #[arg(default_value = "small")]
    pub(super) scenario: String,
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// Way of the scenario to run: its policies, and what they are expected to do
    #[arg(long)]
    pub(super) variant: Option<String>,
    /// Samples that are due in a second, instead of the scenario's pace
    #[arg(long, conflicts_with = "every")]
    rate: Option<f64>,
    /// Time on the clock from one scrape to the next, instead of the scenario's
    #[arg(long)]
    every: Option<Span>,
    /// Scrapes to measure
    #[arg(long)]
    scrapes: Option<u64>,
    /// Scrapes before the measurement
    #[arg(long)]
    warm: Option<u64>,
    /// Senders
    #[arg(long)]
    agents: Option<usize>,
    /// Connections of each sender
    #[arg(long)]
    shards: Option<usize>,
    /// Samples in a request
    #[arg(long)]
    batch: Option<usize>,
    /// How requests are written, instead of as the scenario says
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Where names and values come from
    #[arg(long)]
    seed: Option<u64>,
    /// Series in a scrape (plain scenarios)
    #[arg(long)]
    pub(super) series: Option<u64>,
    /// Share of pods or copies replaced before each scrape, 0 to 1 (plain scenarios and templates)
    #[arg(long)]
    churn: Option<f64>,
    /// Labels of each series, at least 6 (plain scenarios)
    #[arg(long)]
    labels: Option<u32>,
}

impl LoadArgs {
    /// The scenario with what the arguments change in it.
    pub(super) fn scenario(&self) -> Result<Scenario> {
        let mut scenario = Scenario::load(&self.scenario)?;
        let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
        set(&mut scenario.scrapes, self.scrapes);
        set(&mut scenario.warm, self.warm);
        set(&mut scenario.seed, self.seed);
        scenario.agents = self.agents.unwrap_or(scenario.agents);
        scenario.shards = self.shards.unwrap_or(scenario.shards);
        scenario.batch = self.batch.unwrap_or(scenario.batch);
        scenario.protocol = self.protocol.unwrap_or(scenario.protocol);
        scenario.every = self.every.or(scenario.every);
        match &mut scenario.source {
            SourceFile::Plain { series, shape, churn, more_labels } => {
                *series = self.series.unwrap_or(*series);
                *churn = self.churn.unwrap_or(*churn);
                if let Some(labels) = self.labels {
                    ensure!(labels >= 6, "a series has at least 6 labels here");
                    *shape = if labels < 14 { Shape::Short6 } else { Shape::K8s14 };
                    *more_labels = if labels < 14 { labels - 6 } else { labels - 14 };
                }
            }
            SourceFile::Template { churn, .. } => *churn = self.churn.unwrap_or(*churn),
            SourceFile::Cluster(_) if self.churn.is_some() => {
                bail!("{} has the churn of its cluster", scenario.name)
            }
            SourceFile::Cluster(_) => {}
        }
        let plain = matches!(scenario.source, SourceFile::Plain { .. });
        ensure!(
            plain || (self.series.is_none() && self.labels.is_none()),
            "{} has the series of its source; --series and --labels are for plain ones",
            scenario.name
        );
        scenario.check()?;
        Ok(scenario)
    }

    /// A run through a proxy.
    pub(super) fn options(&self, proxy: ProxySpec) -> Result<RunOptions> {
        let scenario = self.scenario()?;
        let variant = scenario.variant(self.variant.as_deref())?;
        ensure!(self.rate.is_none_or(|rate| rate > 0.0), "--rate is above 0");
        let mut options = RunOptions::new(scenario, variant, proxy);
        options.pace = self.rate.map(Pace::Rate);
        self.proxy.set(&mut options)?;
        Ok(options)
    }
}

impl ProxyArgs {
    /// The proxy that the arguments name.
    pub(super) fn proxy(&self) -> Result<ProxySpec> {
        if self.no_proxy {
            return Ok(ProxySpec::Nothing);
        }
        if let Some(url) = &self.target {
            ensure!(
                self.sink.is_some() || self.sink_listen.is_some(),
                "what runs at --target has to write to the sink: say where that is, with --sink-listen 127.0.0.1:9090 \
                 for one here, or with --sink http://HOST:PORT for one that runs already"
            );
            return Ok(ProxySpec::Running { url: url.clone(), pid: self.pid });
        }
        match &self.command[..] {
            [] => ProxySpec::gate(self.gate.clone()),
            argv => Ok(ProxySpec::Command { argv: argv.to_vec(), path: self.write_path.clone() }),
        }
    }

    /// The gate, whatever stands behind `--`.
    pub(super) fn gate(&self) -> Result<ProxySpec> {
        ProxySpec::gate(self.gate.clone())
    }

    /// Puts into a run what these arguments say of it.
    pub(super) fn set(&self, options: &mut RunOptions) -> Result<()> {
        let header = |text: &String| {
            let (name, value) = text.split_once(':').with_context(|| format!("{text:?} has no colon"))?;
            anyhow::Ok((name.to_owned(), value.to_owned()))
        };
        options.sink.clone_from(&self.sink);
        options.sink_listen = self.sink_listen;
        options.reach = self.reach();
        options.level = self.count;
        options.threads = self.sender_threads;
        options.drain = self.drain.0;
        options.headers = self.headers.iter().map(header).collect::<Result<_>>()?;
        Ok(())
    }

    /// Which machines may be written to.
    pub(super) fn reach(&self) -> Reach {
        if self.allow_remote { Reach::Anywhere } else { Reach::Loopback }
    }
}
