//! The command line of `seriesgate-loadtest`.

mod blast;
mod load;
mod measure;
mod plan;
mod replay;
mod run;
mod show;
mod shown;
mod sink;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Measures remote-write receivers, and checks what comes out of them.
#[derive(Debug, Parser)]
#[command(name = "seriesgate-loadtest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one of it
enum Command {
    /// Send a scenario at a fixed schedule through a proxy, measure it, and compare what arrived with what was sent.
    ///
    /// Starts a sink and the gate that was built beside this program; or what stands behind `--`; or uses what runs at
    /// --target. Exit status: 0 if all is well, 1 if samples were refused or did not arrive as they had to, 2 if it could
    /// not be done, 3 if the sender or the machine was the limit, so that the result says nothing about the proxy.
    Run(run::RunArgs),
    /// Run the same scenario through the gate and through another proxy, in turns, and print ratios.
    Compare(measure::CompareArgs),
    /// Find the highest rate that a proxy sustains with its 99th percentile of latency below a bound and without errors.
    Capacity(measure::CapacityArgs),
    /// Take the backend away for a while, and see what senders and proxy do meanwhile and afterwards.
    Outage(measure::OutageArgs),
    /// Measure what each policy costs and what it saves.
    Policies(measure::PoliciesArgs),
    /// Measure what the gate costs on this machine: some four minutes, into a file that plan reads.
    Calibrate(plan::CalibrateArgs),
    /// Say how many cores, how much memory, disk and network a scenario needs, and what the backend will see, without policies
    /// and with each; from coefficients that calibrate measured.
    Plan(plan::PlanArgs),
    /// Send recorded write requests again: faster, several times, as if from several clusters.
    Replay(replay::ReplayArgs),
    /// Show results that were saved, side by side.
    Show(show::ShowArgs),
    /// Send prepared bodies to a receiver as fast as it answers, and say what that cost it.
    ///
    /// All bodies are built before the clock starts. Exit status: 0 if every sample was accepted,
    /// 1 if some were not, 2 if the blast could not be done.
    Blast(blast::BlastArgs),
    /// Accept remote write on any path and count what arrives; GET /stats answers with JSON.
    ///
    /// Prints the totals as JSON when it gets Ctrl-C or SIGTERM, or when its standard input ends
    /// (--keep-running is for where it has none, as in the background).
    Sink(sink::SinkArgs),
}

/// The command line as clap knows it: what documents show is held to it.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return told(&error),
    };
    // these two end by themselves what they have begun
    if !matches!(command, Command::Sink(_) | Command::Blast(_)) {
        end_with_children();
    }
    let done = match command {
        Command::Run(args) => run::run(&args),
        Command::Compare(args) => measure::compare(&args),
        Command::Capacity(args) => measure::capacity(&args),
        Command::Outage(args) => measure::outage(&args),
        Command::Policies(args) => measure::policies(&args),
        Command::Calibrate(args) => plan::calibrate(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Show(args) => show::show(&args),
        Command::Blast(args) => wait_for(blast::run(args)),
        Command::Sink(args) => wait_for(sink::run(args)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("seriesgate-loadtest: {error:#}");
        ExitCode::from(2)
    })
}

/// Says what is wrong with the command line, or what it asks for: that has to be out for it to be well.
fn told(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error_of_output)
            if !error.use_stderr() && error_of_output.kind() != std::io::ErrorKind::BrokenPipe =>
        {
            // there may be nowhere left to say it
            writeln!(
                std::io::stderr(),
                "seriesgate-loadtest: cannot write to standard output: {error_of_output}"
            )
            .ok();
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
    }
}

/// Has a signal that ends this process end the proxies first that it started.
fn end_with_children() {
    std::thread::spawn(|| {
        let waited = wait_for(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminated = signal(SignalKind::terminate())?;
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => interrupted?,
                _ = terminated.recv() => {}
            }
            Ok(())
        });
        if waited.is_ok() {
            crate::proxy::end_all();
            std::process::exit(130);
        }
    });
}

/// Runs something that waits for many things.
fn wait_for<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let done = runtime.block_on(command);
    // a thread may still be waiting for standard input
    runtime.shutdown_background();
    done
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("not between 0 and 1".to_owned()) }
}
