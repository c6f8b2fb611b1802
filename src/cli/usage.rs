//! What to type: examples of each command, shown by `--help` and where something else was typed.

use clap::error::ErrorKind;
use clap::{Error, Parser as _};

use super::Cli;

/// Behind the list of commands.
pub(super) const START: &str = "\
Start here:
  seriesgate demo                                   see what it is for
  seriesgate check gate.yaml                        check a config
  seriesgate explain gate.yaml 'up{job=\"api\"}'      what the policies do with a series
  seriesgate run --config gate.yaml                 run the gate
  seriesgate report                                 what multiplies series there";

/// Behind that, with `--help`.
const STATUS: &str = "\
Exit status:
  0  all is well
  1  it failed, or found something: a port is taken, an input cannot be read,
     a warning with check --strict
  2  nothing was begun: the command line is wrong, or the config is refused";

pub(super) const RUN: &str = "\
Example:
  seriesgate run --config /etc/seriesgate/seriesgate.yaml";

pub(super) const CHECK: &str = "\
Examples:
  seriesgate check gate.yaml
  seriesgate check --strict --no-secrets gate.yaml        as a step of CI
  seriesgate check gate.yaml --rules 'rules/*.yaml'       which alerts would break
  envsubst < gate.yaml | seriesgate check -               from standard input";

pub(super) const EXPLAIN: &str = "\
Examples:
  seriesgate explain gate.yaml 'up{job=\"api\"}'
  curl -s localhost:8080/metrics | seriesgate explain --config gate.yaml --json";

pub(super) const EXPLAIN_USAGE: &str = "\
seriesgate explain [OPTIONS] FILE [SERIES]...
       seriesgate explain [OPTIONS] --config FILE [SERIES]...";

pub(super) const SIMULATE_USAGE: &str = "\
seriesgate simulate [OPTIONS] FILE INPUT...
       seriesgate simulate [OPTIONS] --config FILE INPUT...";

pub(super) const SIMULATE: &str = "\
Examples:
  seriesgate simulate gate.yaml recorded/
  curl -s localhost:8080/metrics | seriesgate simulate --config gate.yaml --interval 30s --print -";

pub(super) const REPORT: &str = "\
Examples:
  seriesgate report
  seriesgate report --admin http://10.0.0.7:9202 --by workload --top 20
  kubectl exec deploy/seriesgate -- seriesgate report";

pub(super) const DEMO: &str = "\
Examples:
  seriesgate demo
  seriesgate demo --hours 6 --seed 3";

pub(super) const HEALTH: &str = "\
Examples:
  seriesgate health --timeout 2s
  seriesgate health --ready --admin http://10.0.0.7:9202";

pub(super) const COMPLETIONS: &str = "\
Example:
  seriesgate completions bash > /usr/share/bash-completion/completions/seriesgate";

pub(super) const MAN: &str = "\
Examples:
  seriesgate man | man -l -
  seriesgate man target/man";

/// What stands behind the list of commands with `--help`.
pub(super) fn in_full() -> String {
    format!("{START}\n\n{STATUS}")
}

/// The command line; ends the program where it asks for help, or is wrong.
pub(super) fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| end(&error))
}

fn end(error: &Error) -> ! {
    // whoever is shown help sees examples there
    let shows_help = matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    error.print().ok();
    if error.use_stderr() && !shows_help {
        let command = std::env::args_os().nth(1).unwrap_or_default();
        if let Some(example) = example_of(&command.to_string_lossy()) {
            eprintln!("\nfor example:  {example}");
        }
    }
    std::process::exit(error.exit_code())
}

/// The first example of a command; of one that there is not, that of `check`.
fn example_of(command: &str) -> Option<String> {
    let all = super::command();
    let known = all.find_subcommand(command).or_else(|| all.find_subcommand("check"))?;
    let help = known.get_after_help()?.to_string();
    let example = help.lines().find_map(|line| line.strip_prefix("  "))?;
    // what stands further right says what it does
    example.split("   ").next().map(str::to_owned)
}
