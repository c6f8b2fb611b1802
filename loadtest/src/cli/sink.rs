//! `seriesgate-loadtest sink`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::print;
use crate::sink::{Level, Sink, SinkOptions};

#[derive(Debug, Args)]
pub(super) struct SinkArgs {
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
    /// Distinct series that are told apart at most: about 100 bytes of memory each
    #[arg(long, default_value_t = 20_000_000, value_name = "N")]
    max_series: usize,
    /// What it does to its senders, ACT@AFTER+FOR[*SHARE] with times in seconds from its start; may be given more than
    /// once. Acts: a status (503, or 429:5 with Retry-After), latency:MS, stall, reset, gone, taken:STATUS; of some requests
    /// only, v2:STATUS and zstd:STATUS refuse 2.0 and zstd, lose-v2 answers 2.0 with 204 and takes nothing of it
    #[arg(long, value_name = "EPISODE", value_parser = crate::sink::parse_episode)]
    behave: Vec<crate::sink::Episode>,
    /// Do not stop when standard input ends
    #[arg(long)]
    keep_running: bool,
}

/// Counts until it is stopped.
pub(super) async fn run(args: SinkArgs) -> Result<ExitCode> {
    let options = SinkOptions {
        level: args.count,
        group_by: args.group_by,
        delay: Duration::from_millis(args.delay_ms),
        max_series: args.max_series,
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
