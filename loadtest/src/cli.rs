//! The command line of `seriesgate-loadtest`.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::blast::{self, BlastOptions, Progress, Reach, Target};
use crate::shape::Shape;
use crate::sink::{Level, Sink, SinkOptions};

/// Measures remote-write receivers: a sender, and a backend that counts.
#[derive(Debug, Parser)]
#[command(name = "seriesgate-loadtest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send prepared bodies to a receiver as fast as it answers, and say what that cost it.
    ///
    /// All bodies are built before the clock starts. Exit status: 0 if every sample was accepted,
    /// 1 if some were not, 2 if the blast could not be done.
    Blast(BlastArgs),
    /// Accept remote write on any path and count what arrives; GET /stats answers with JSON.
    ///
    /// Prints the totals as JSON when it gets Ctrl-C or SIGTERM, or when its standard input ends
    /// (--keep-running is for where it has none, as in the background).
    Sink(SinkArgs),
}

#[derive(Debug, Args)]
struct BlastArgs {
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

#[derive(Debug, Args)]
struct SinkArgs {
    /// Where to listen; port 0 takes any free one
    #[arg(default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// How closely to look at bodies; bytes costs next to nothing
    #[arg(long, value_enum, default_value_t)]
    count: Level,
    /// Also count distinct series by the values of this label (with --count series)
    #[arg(long, value_name = "LABEL")]
    group_by: Option<String>,
    /// Milliseconds to wait before each answer
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u64,
    /// What it does to its senders, ACT@AFTER+FOR[*SHARE] with times in seconds from its start; may be given more than
    /// once. Acts: a status (503, or 429:5 with Retry-After), latency:MS, stall, reset, gone, taken:STATUS
    #[arg(long, value_name = "EPISODE", value_parser = crate::sink::parse_episode)]
    behave: Vec<crate::sink::Episode>,
    /// Do not stop when standard input ends
    #[arg(long)]
    keep_running: bool,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("cannot start the runtime").and_then(|runtime| {
        let done = runtime.block_on(async {
            match cli.command {
                Command::Blast(args) => run_blast(args).await,
                Command::Sink(args) => run_sink(args).await,
            }
        });
        // a thread may still be waiting for standard input
        runtime.shutdown_background();
        done
    });
    done.unwrap_or_else(|error| {
        eprintln!("seriesgate-loadtest: {error:#}");
        ExitCode::from(2)
    })
}

async fn run_blast(args: BlastArgs) -> Result<ExitCode> {
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

async fn run_sink(args: SinkArgs) -> Result<ExitCode> {
    let options = SinkOptions {
        level: args.count,
        group_by: args.group_by,
        delay: Duration::from_millis(args.delay_ms),
        episodes: args.behave,
    };
    let sink = Sink::start(args.listen, options)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    eprintln!("sink: listening on {}", sink.addr());
    until_stopped(args.keep_running).await?;
    let stats = sink.shutdown().await;
    print(&format!("{}\n", serde_json::to_string(&stats)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns on Ctrl-C, SIGTERM, or the end of standard input unless that is to be ignored.
async fn until_stopped(keep_running: bool) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let input_ended = async {
        if keep_running {
            std::future::pending::<()>().await;
        }
        let read = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        // an unreadable input has ended as well
        read.await.ok();
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
        () = input_ended => {}
    }
    Ok(())
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("not between 0 and 1".to_owned()) }
}
