//! `seriesgate completions`: what a shell needs to complete our command line, made from the command line itself.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::output;
use super::output::tell;

/// Options of `completions`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn completions(options: &Options) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), "seriesgate", &mut script);
    match output::put(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("completions: {}", output::unwritten(&error));
            ExitCode::FAILURE
        }
    }
}
