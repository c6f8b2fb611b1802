//! `seriesgate-loadtest replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;

use super::load::ProxyArgs;
use super::run::{OutputArgs, exit};
use super::shown::Shown;
use crate::page;
use crate::protocol::Protocol;
use crate::replay::Replay;
use crate::run::{self, RunOptions};
use crate::scenario::{Scenario, Variant};
use crate::source::read_recording;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A recorded remote-write 1.0 body, compressed or not, or a directory of them in order of their names
    recording: PathBuf,
    /// How much faster than it was recorded
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// As if so many clusters had sent it; each but the first with pods and instances of its own
    #[arg(long, default_value_t = 1)]
    copies: u32,
    /// How often it is sent, one after the other
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Labels of which each copy but the first has values of its own
    #[arg(long, value_delimiter = ',', default_value = "pod,instance")]
    renamed: Vec<String>,
    /// Connections
    #[arg(long, default_value_t = 4)]
    shards: usize,
    /// Samples in a request
    #[arg(long, default_value_t = crate::body::DEFAULT_BATCH_SERIES)]
    batch: usize,
    /// How requests are written, whatever was recorded
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// The most MiB that prepared bodies may take
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    max_prepared_mib: usize,
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    ensure!(args.copies > 0 && args.times > 0, "there is at least one copy, sent once");
    let text = "{ name: replay, warm: 0, scrapes: 1, metadata: false, source: { plain: { series: 1 } } }";
    let mut scenario = Scenario::parse(text, std::path::Path::new("."))?;
    scenario.name =
        format!("{} at {} times the speed, {} copies", args.recording.display(), args.speed, args.copies);
    (scenario.shards, scenario.batch) = (args.shards, args.batch);
    scenario.protocol = args.protocol;
    scenario.check()?;
    let variant = Variant { name: "forward".into(), ..Variant::default() };
    let mut options = RunOptions::new(scenario, variant, args.proxy.proxy()?);
    args.proxy.set(&mut options)?;
    options.replay = Some(Replay {
        records: read_recording(&args.recording)?,
        speed: args.speed,
        copies: args.copies,
        times: args.times,
        renamed: args.renamed.clone(),
        max_bytes: args.max_prepared_mib << 20,
    });
    let shown = Shown::new(args.proxy.quiet);
    let outcome = run::run(&options, |progress| shown.show(progress));
    shown.done();
    let outcome = outcome?;
    args.output.write(&outcome, &outcome.to_string(), || page::of_runs(std::slice::from_ref(&outcome)))?;
    Ok(exit(&outcome))
}
