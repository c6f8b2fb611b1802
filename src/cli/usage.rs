//! What to type: examples of each command, shown by `--help` and where something else was typed.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Error, Parser as _};

use super::output::tell;
use super::{Cli, output};
use crate::config::shown_url;
use crate::series::quote;

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
Examples:
  seriesgate run --config /etc/seriesgate/seriesgate.yaml
  seriesgate run gate.yaml --log-format json --log-level warn";

pub(super) const INSPECT: &str = "\
Examples:
  seriesgate inspect /var/lib/seriesgate/refused/primary/*.queue
  seriesgate inspect --extract bodies/ FILE && seriesgate simulate gate.yaml bodies/";

pub(super) const CHECK: &str = "\
Examples:
  seriesgate check gate.yaml
  seriesgate check --strict --no-secrets gate.yaml        as a step of CI
  seriesgate check gate.yaml --rules 'rules/*.yaml'       which alerts would break
  envsubst < gate.yaml | seriesgate check -               from standard input";

pub(super) const CHECK_USAGE: &str = "\
seriesgate check FILE [OPTIONS]
       seriesgate check --config FILE [OPTIONS]";

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
    Cli::try_parse().unwrap_or_else(|error| end(&without_credentials(error)))
}

/// The same error. It repeats what was typed, and URLs are typed with passwords in them.
fn without_credentials(mut error: Error) -> Error {
    let is_admin =
        error.get(ContextKind::InvalidArg).is_some_and(|arg| arg.to_string().starts_with("--admin"));
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        let Some(ContextValue::String(typed)) = error.get(kind) else { continue };
        let may_be_url = typed.contains("://") || typed.contains('@');
        if may_be_url || is_admin && kind == ContextKind::InvalidValue {
            let shown = ContextValue::String(shown_url(typed));
            error.insert(kind, shown);
        }
    }
    error
}

fn end(error: &Error) -> ! {
    let args: Vec<_> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let said = taken_by_rules(error, &args);
    let error = said.as_ref().unwrap_or(error);
    // whoever is shown help sees examples there
    let shows_help = matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    let printed = error.print();
    if !error.use_stderr()
        && let Err(unwritten) = output::all_of(printed)
    {
        output::failed(&unwritten);
        std::process::exit(1)
    }
    if error.use_stderr()
        && !shows_help
        && said.is_none()
        && let Some(example) = example_of(args.first().map_or("", String::as_str))
    {
        tell!("\nfor example:  {example}");
    }
    std::process::exit(error.exit_code())
}

/// `check` misses its config where that stands behind `--rules`, which takes all files: says so.
fn taken_by_rules(error: &Error, args: &[String]) -> Option<Error> {
    let (command, options) = args.split_first()?;
    if error.kind() != ErrorKind::MissingRequiredArgument || command != "check" {
        return None;
    }
    let lists = options.split(|arg| arg == "--rules").skip(1);
    let lists = lists.map(|list| list.iter().take_while(|arg| !arg.starts_with('-')).collect::<Vec<_>>());
    let rules = lists.filter(|list| list.len() > 1).last()?;
    let (config, rules) = rules.split_last()?;
    let typed = |file: &String| match file.contains(char::is_whitespace) {
        true => format!("'{file}'"),
        false => file.clone(),
    };
    let message = format!(
        "the config is missing: `--rules` takes all files behind it, `{config}`, too; write the config in front:\n  \
         seriesgate check {} --rules {}",
        typed(config),
        rules.iter().map(|rule| typed(rule)).collect::<Vec<_>>().join(" ")
    );
    let mut all = super::command();
    all.build();
    Some(all.find_subcommand_mut("check")?.error(error.kind(), quote::shown_lines(&message)))
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
