//! `seriesgate demo`: the incident this program exists for, in half a minute, on one machine, with nothing else.
//!
//! A simulated cluster lives through a day. Its agent goes on reporting every cronjob run there ever was. The
//! same pushes go through two gates, one without a policy and one with, each to a backend that counts.

mod table;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use seriesgate_loadtest::body::{Body, BodyBuilder};
use seriesgate_loadtest::client::{Client, Reach, Target};
use seriesgate_loadtest::cluster::{Cluster, ClusterSpec};
use seriesgate_loadtest::sink::{Sink, SinkHandle, SinkOptions, Stats};

use super::output::{say, tell};
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::runtime::{self, Running, Source};

/// When the simulated day begins, in Unix milliseconds: 2026-01-01T00:00:00Z. Always the same, so that the figures are, too.
const BEGIN_MS: i64 = 1_767_225_600_000;
/// Simulated time between two pushes.
const PUSH_EVERY_MINUTES: i64 = 10;
/// No request of the demo takes this long.
const LIMIT: Duration = Duration::from_secs(20);
/// The demo gives up after this long: a machine that slow shows nothing.
const LONGEST: Duration = Duration::from_secs(300);

/// What the second gate runs with: series of cronjob runs, by the names Kubernetes gives their jobs and pods.
pub(super) const POLICY: &str = r#"policies:
  - name: cronjob-runs
    match:
      - '{__name__=~"kube_pod_.+", pod=~".+-[0-9]{8}-[a-z0-9]{5}"}'
      - '{__name__=~"kube_job_.+", job_name=~".+-[0-9]{8}"}'
    action: drop
"#;

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = super::usage::DEMO)]
pub(super) struct Options {
    /// Simulated hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=72))]
    hours: u32,
    /// Seed of the simulated cluster: the same seed, the same cluster.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// What was sent, to each gate alike.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offered {
    pub(super) pushes: u64,
    pub(super) samples: u64,
    pub(super) wire_bytes: u64,
}

/// One gate and its backend.
struct Lane {
    gate: Running,
    sink: SinkHandle,
    sender: Client,
}

pub(super) fn demo(options: &Options) -> ExitCode {
    let tokio = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            tell!("cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match tokio.block_on(show(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn show(options: &Options) -> Result<()> {
    say(format_args!(
        "A simulated cluster lives through {} hours. Its agent reports every cronjob run that ever was.\n\
         The same pushes go through two gates: one without a policy, one with this:\n\n{POLICY}",
        options.hours
    ));
    let mut without = Lane::start("").await?;
    let mut with = Lane::start(POLICY).await?;
    let offered = push_all(options, &mut without, &mut with).await?;
    let (before, after) = (without.stop().await, with.stop().await);
    say(table::render(&offered, &before, &after));
    Ok(())
}

async fn push_all(options: &Options, without: &mut Lane, with: &mut Lane) -> Result<Offered> {
    let pushes = i64::from(options.hours) * 60 / PUSH_EVERY_MINUTES;
    let mut cluster = Cluster::new(ClusterSpec::incident(options.seed), BEGIN_MS);
    let bar = progress(pushes as u64);
    let began = clock::monotonic();
    let mut offered = Offered::default();
    for push in 1..=pushes {
        ensure!(began.elapsed() < LONGEST, "stopped after {LONGEST:?}: try fewer --hours");
        let now_ms = BEGIN_MS + push * PUSH_EVERY_MINUTES * 60_000;
        let bodies = scrape(&mut cluster, now_ms);
        offered.pushes += 1;
        for body in bodies {
            offered.samples += body.series;
            offered.wire_bytes += body.bytes.len() as u64;
            without.send(&body).await?;
            with.send(&body).await?;
        }
        bar.set_message(format!("{} series reported", with_commas(without.sink.stats().distinct_series)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(offered)
}

/// One push of the agent: everything it knows, in bodies of 2000 series.
fn scrape(cluster: &mut Cluster, now_ms: i64) -> Vec<Body> {
    let mut builder = BodyBuilder::default();
    let mut bodies = Vec::new();
    cluster.scrape(now_ms, |labels, value, _| bodies.extend(builder.push(labels, value, now_ms)));
    bodies.extend(builder.finish());
    bodies
}

fn progress(pushes: u64) -> ProgressBar {
    let bar = ProgressBar::new(pushes);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} pushes, {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar
}

impl Lane {
    async fn start(policies: &str) -> Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = SinkOptions { group_by: Some("pod".into()), ..SinkOptions::default() };
        let sink = Sink::start(any_port, options).await.context("cannot start the counting backend")?;
        let text = format!(
            "listen: {{ address: 127.0.0.1:0 }}\nadmin: {{ address: 127.0.0.1:0 }}\n\
             upstreams: [ {{ name: demo, url: '{}' }} ]\n{policies}",
            sink.write_url()
        );
        let loaded = Config::parse(&text, "demo.yaml", Path::new("."), &|_| None)?;
        let gate = runtime::start(loaded, Source::Fixed, Clock::system()).await?;
        let url = format!("http://{}/api/v1/write", gate.write_address);
        let sender = Client::new(Target::parse(&url, Reach::Loopback)?);
        Ok(Self { gate, sink, sender })
    }

    async fn send(&mut self, body: &Body) -> Result<()> {
        let answer = self.sender.post(body.bytes.clone(), LIMIT).await.context("the gate did not answer")?;
        if !answer.status.is_success() {
            bail!("the gate answered {}: {}", answer.status, answer.excerpt());
        }
        Ok(())
    }

    async fn stop(self) -> Stats {
        drop(self.sender);
        self.gate.shutdown().await;
        self.sink.shutdown().await
    }
}

/// A number a person can read.
pub(super) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
