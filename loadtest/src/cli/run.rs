//! `seriesgate-loadtest run`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::load::LoadArgs;
use super::print;
use super::shown::Shown;
use crate::run::{self, Outcome};
use crate::sink::Episode;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// What the sink does to its senders during the measurement, ACT@AFTER+FOR[*SHARE]; see `sink --help`
    #[arg(long, value_name = "EPISODE", value_parser = crate::sink::parse_episode)]
    behave: Vec<Episode>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where results go.
#[derive(Clone, Debug, Args)]
pub(super) struct OutputArgs {
    /// Print the result as JSON instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// Also write the result to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Also write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let mut options = args.load.options(args.load.proxy.proxy()?)?;
    options.episodes.clone_from(&args.behave);
    let shown = Shown::new(args.load.proxy.quiet);
    let outcome = run::run(&options, |progress| shown.show(progress));
    shown.done();
    let outcome = outcome?;
    args.output
        .write(&outcome, &outcome.to_string(), || crate::page::of_runs(std::slice::from_ref(&outcome)))?;
    Ok(exit(&outcome))
}

/// 0 if all is well, 1 if not, 3 if the sender was the limit.
pub(super) fn exit(outcome: &Outcome) -> ExitCode {
    ExitCode::from(match (outcome.is_clean(), outcome.headroom.limit) {
        (false, _) => 1,
        (true, Some(_)) => 3,
        (true, None) => 0,
    })
}

impl OutputArgs {
    /// Prints a result, and writes the files that were asked for.
    pub(super) fn write(
        &self,
        result: &impl serde::Serialize,
        text: &str,
        page: impl FnOnce() -> String,
    ) -> Result<()> {
        if let Some(file) = &self.save {
            let json = serde_json::to_string_pretty(result)?;
            std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(file) = &self.html {
            std::fs::write(file, page()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if self.json { print(&format!("{}\n", serde_json::to_string(result)?)) } else { print(text) }
    }
}
