//! The command line: what was typed, and which part does it.

mod check;
mod completions;
mod demo;
mod explain;
mod fetch;
mod health;
mod inspect;
mod load;
mod log;
mod man;
mod output;
mod report;
mod run;
mod simulate;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Nothing that is asked for takes longer: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A streaming Prometheus remote-write proxy that keeps metric cardinality under control.
///
/// It stands between agents (Prometheus, arms-prom, vmagent, Alloy) and a remote-write backend, sees every
/// series that passes, and drops, relabels or aggregates by policy those that grow without bound.
///
/// Try it without a config:  seriesgate demo
#[derive(Debug, Parser)]
#[command(name = "seriesgate", version = crate::version::FULL, max_term_width = 100, after_help = usage::START, after_long_help = usage::in_full())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gate.
    ///
    /// Listens on `listen.address` for remote write and on `admin.address` for metrics, health and reload.
    /// SIGHUP, POST /-/reload and a change of the file's content reload the config; a bad file never replaces a
    /// good one. SIGTERM and Ctrl-C finish the requests in hand, then exit 0.
    /// Exits 2 if the config is refused, 1 if the gate cannot start for another reason: a port or its data_dir is taken.
    Run(run::Options),
    /// Check a config file.
    ///
    /// Exits 0 if it is good, and 2 if it is refused: each mistake is shown as file:line:column, the line and a caret.
    /// Of a good one it also warns of settings that are probably not what you want; with --strict a warning makes it exit 1.
    /// With --rules it warns where a policy drops, renames or relabels what an alert or a recording rule reads; a
    /// rule file that cannot be read makes it exit 1.
    Check(check::Options),
    /// Say what the policies do with a series, step by step.
    ///
    /// SERIES is name{label="value",...} or a JSON object of labels; without SERIES they are read from standard
    /// input, one a line. Exits 1 if a series could not be read, and says on standard error what is wrong with it; 2 if the
    /// config is refused. It needs no secrets: what the config takes from the environment and from files may be missing.
    Explain(explain::Options),
    /// Try policies on recorded data, in the time of its samples, before they are applied.
    ///
    /// Says what would go in and come out, policy by policy; with --print, every sample that would go upstream. Exits 1 if an
    /// input cannot be read, 2 if the config is refused. It needs no secrets: what the config takes from the
    /// environment and from files may be missing.
    Simulate(simulate::Options),
    /// Say which workloads and labels multiply series in a running gate, worst first, and what to paste against it.
    ///
    /// Asks the gate's admin port. The first sentence names the worst offender; the table below counts active and new
    /// series by metric, label, workload, policy or sender.
    Report(report::Options),
    /// Show in half a minute what seriesgate is for: no config, no other program.
    ///
    /// A simulated cluster, whose agent goes on reporting every cronjob run there ever was, writes through a gate
    /// without a policy and through one with a policy, to a backend that counts.
    Demo(demo::Options),
    /// Say whether a running gate is well: exit 0, or 1 and why not.
    ///
    /// Asks the gate's admin port for /-/healthy, which is bad when one of its loops hangs; with --ready for /-/ready, which
    /// is bad while it starts and while it finishes requests before its end.
    #[command(after_help = usage::HEALTH)]
    Health(health::Options),
    /// Show the requests in a file of a queue, or of what an upstream refused for good, with the reason.
    ///
    /// With `delivery: queue` they are below data_dir, in queue/NAME and refused/NAME. It only reads, also while a gate runs. Exits 1 if a
    /// file cannot be read or is damaged.
    #[command(after_help = usage::INSPECT)]
    Inspect(inspect::Options),
    /// Print what a shell needs to complete this command line.
    #[command(after_help = usage::COMPLETIONS)]
    Completions(completions::Options),
    /// Print the manual page, or write the pages of all commands to a directory.
    #[command(after_help = usage::MAN)]
    Man(man::Options),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ConfigFile {
    /// The same, as an option.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The config file (YAML); docs/config.md lists every key. `check` reads standard input for `-`.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ConfigFile {
    /// Given in one way or the other; the command line is refused without.
    fn path(&self) -> &Path {
        self.config.as_deref().or(self.file.as_deref()).unwrap_or(Path::new(""))
    }
}

/// A time that something takes.
fn span(text: &str) -> Result<Duration, String> {
    let span = crate::config::parse_duration(text)?;
    if span.is_zero() || span > LONGEST {
        return Err(format!("`{text}` is out of range; expected `1ms` to `1y`"));
    }
    Ok(span)
}

/// The command line as clap knows it: manual pages and completions are made of it, and documents are held to it.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    output::end(match usage::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => check::check(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Simulate(options) => simulate::simulate(&options),
        Command::Report(options) => report::report(&options),
        Command::Demo(options) => demo::demo(&options),
        Command::Health(options) => health::health(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Completions(options) => completions::completions(&options),
        Command::Man(options) => man::man(&options),
    })
}
