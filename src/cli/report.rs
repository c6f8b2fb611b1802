//! `seriesgate report`: what multiplies series, in a terminal, worst first, and what to paste against it.

mod render;
mod table;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::fetch::{self, Admin};
use super::output::tell;
use crate::series::quote;

/// Time between two reports of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// For one answer, which may be long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the counts are by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Metrics.
    Metric,
    /// Label names, with their values.
    Label,
    /// Workloads.
    Workload,
    /// Policies, with what they save.
    Policy,
    /// Senders.
    Sender,
}

/// Options of `report`.
#[derive(Debug, Args)]
#[command(after_help = super::usage::REPORT)]
pub(super) struct Options {
    #[command(flatten)]
    admin: Admin,
    /// Print the gate's answer as it came.
    #[arg(long)]
    json: bool,
    /// Go on every ten seconds, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Rows of the table.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    top: u32,
    /// What the table is by.
    #[arg(long, value_enum, default_value_t = By::Metric)]
    by: By,
}

pub(super) fn report(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("cannot start the async runtime").and_then(|tokio| {
        tokio.block_on(async {
            tokio::select! {
                done = show(options) => done,
                _ = tokio::signal::ctrl_c() => Ok(()),
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref().is_some_and(super::output::is_closed) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("report: {}", quote::shown_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// What was refused lately. A gate of an older version does not say.
async fn rejected(options: &Options) -> Value {
    let answer = fetch::get(&options.admin, "/api/v1/rejected?limit=3", TIMEOUT).await.unwrap_or_default();
    serde_json::from_str(&answer).unwrap_or_default()
}

async fn show(options: &Options) -> Result<()> {
    let path = match options.by {
        By::Policy => "/api/v1/policies".to_owned(),
        by => {
            let by = by.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            format!("/api/v1/churn?by={by}&limit={}", options.top)
        }
    };
    let terminal = std::io::stdout().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    loop {
        let answer = fetch::get(&options.admin, &path, TIMEOUT).await?;
        let text = if options.json {
            format!("{}\n", quote::json(answer))
        } else {
            let value: Value = serde_json::from_str(&answer)
                .context("the answer is not JSON: is this a gate's admin port?")?;
            match options.by {
                By::Policy => render::policies(&value, options.top as usize),
                _ => {
                    let style = render::Style { colour };
                    render::churn(&value, style) + &render::rejected(&rejected(options).await, style)
                }
            }
        };
        // home, and clear to the end
        let clear = if options.watch && terminal { "\x1b[H\x1b[2J" } else { "" };
        let mut out = std::io::stdout().lock();
        let put = out.write_all(clear.as_bytes()).and_then(|()| out.write_all(text.as_bytes()));
        put.and_then(|()| out.flush()).context("cannot write to standard output")?;
        drop(out);
        if !options.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}
