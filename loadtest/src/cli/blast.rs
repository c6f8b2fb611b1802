//! `seriesgate-loadtest blast`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::{print, share};
use crate::blast::{self, BlastOptions, Progress};
use crate::client::{Reach, Target};
use crate::protocol::Protocol;
use crate::shape::Shape;

#[derive(Debug, Args)]
pub(super) struct BlastArgs {
    /// Where to write, for example http://127.0.0.1:9201/api/v1/write
    url: String,
    /// Series in one scrape
    #[arg(long, default_value_t = 100_000)]
    series: u64,
    /// Scrapes to measure
    #[arg(long, default_value_t = 5)]
    scrapes: u32,
    /// Scrapes to send before the measurement
    #[arg(long, default_value_t = 1)]
    warm: u32,
    /// Keep-alive connections; each sends its own share of the series
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Share of pods replaced between two scrapes, 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    churn: f64,
    /// Series in one request
    #[arg(long, default_value_t = crate::body::DEFAULT_BATCH_SERIES)]
    batch: usize,
    /// How requests are written
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Labels of the series
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// Where names and values come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Process whose CPU time and memory to measure (Linux)
    #[arg(long)]
    pid: Option<u32>,
    /// Header to add to every request; may be given more than once
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Milliseconds from the start of one scrape to the next; 0 sends back to back
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pace_ms: u64,
    /// Stop sending after so many seconds
    #[arg(long, default_value_t = 600)]
    max_seconds: u64,
    /// The most MiB that prepared bodies may take
    #[arg(long, default_value_t = 8192, value_name = "MIB")]
    max_prepared_mib: u64,
    /// Send to other machines too
    #[arg(long)]
    allow_remote: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr while it runs
    #[arg(long)]
    quiet: bool,
}

/// Blasts.
pub(super) async fn run(args: BlastArgs) -> Result<ExitCode> {
    let reach = if args.allow_remote { Reach::Anywhere } else { Reach::Loopback };
    let mut target = Target::parse(&args.url, reach)?;
    for header in &args.headers {
        let (name, value) = header.split_once(':').with_context(|| format!("{header:?} has no colon"))?;
        target = target.with_header(name, value)?;
    }
    let json = args.json;
    let report = blast::run(target, args.options()).await?;
    if json {
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print(&report.to_string())?;
    }
    Ok(ExitCode::from(u8::from(!report.is_complete())))
}

impl BlastArgs {
    fn options(self) -> BlastOptions {
        BlastOptions {
            series: self.series,
            scrapes: self.scrapes,
            warm: self.warm,
            connections: self.connections,
            churn: self.churn,
            batch_series: self.batch,
            protocol: self.protocol,
            shape: self.shape,
            seed: self.seed,
            pid: self.pid,
            pace: Duration::from_millis(self.pace_ms),
            limit: Duration::from_secs(self.max_seconds),
            max_prepared_bytes: self.max_prepared_mib << 20,
            progress: if self.quiet { Progress::Hidden } else { Progress::Shown },
        }
    }
}
