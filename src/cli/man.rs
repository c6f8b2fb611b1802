//! `seriesgate man`: the manual pages, made from the command line itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap_mangen::Man;

use super::output;
use super::output::tell;
use crate::series::quote;

/// Options of `man`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where the pages of all commands go, one file each (seriesgate.1, seriesgate-run.1, …); it is made if it is not
    /// there. Absent: the page of seriesgate goes to standard output.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn man(options: &Options) -> ExitCode {
    let done = match &options.dir {
        Some(dir) => all(dir),
        None => main_page(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("man: {}", quote::shown_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn main_page() -> Result<()> {
    let mut page = Vec::new();
    Man::new(super::command().disable_help_subcommand(true)).render(&mut page)?;
    output::put(&page).context("cannot write to standard output")
}

fn all(dir: &Path) -> Result<()> {
    let shown = || format!("cannot write to {}", dir.display());
    if dir.exists() && !dir.is_dir() {
        bail!("{} is a file; expected a directory, into which all pages go", dir.display());
    }
    std::fs::create_dir_all(dir).with_context(shown)?;
    clap_mangen::generate_to(super::command(), dir).with_context(shown)
}
