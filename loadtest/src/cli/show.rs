//! `seriesgate-loadtest show`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::print;
use crate::page;
use crate::plot::Plot;
use crate::run::Outcome;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Results of `run` that were written with --save
    #[arg(required = true, value_name = "FILE")]
    results: Vec<PathBuf>,
    /// Write a page with all of them side by side, in the same scale
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write each plot to this directory
    #[arg(long, value_name = "DIRECTORY")]
    svg: Option<PathBuf>,
}

pub(super) fn show(args: &ShowArgs) -> Result<ExitCode> {
    let read = |file: &PathBuf| {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let outcome = serde_json::from_str(&text);
        outcome.with_context(|| format!("{} is not a result of run --save", file.display()))
    };
    let outcomes: Vec<Outcome> = args.results.iter().map(read).collect::<Result<_>>()?;
    for outcome in &outcomes {
        print(&format!("{outcome}\n"))?;
    }
    if let Some(file) = &args.html {
        std::fs::write(file, page::of_runs(&outcomes))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(directory) = &args.svg {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        for plot in page::plots_in_one_scale(&outcomes).iter().flatten() {
            let file = directory.join(format!("{}.svg", file_name(plot)));
            std::fs::write(&file, plot.svg()).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A plot's title as the name of a file.
fn file_name(plot: &Plot) -> String {
    let letters =
        plot.title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: String = letters.collect();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
}
