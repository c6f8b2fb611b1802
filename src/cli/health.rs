//! `seriesgate health`: whether a gate is well, as an exit status. For containers and scripts that have no `curl`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use super::fetch::{self, Admin};
use super::output::{say, tell};
use crate::series::quote;

/// Options of `health`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    admin: Admin,
    /// Ask whether it wants traffic (/-/ready) instead of whether its loops run (/-/healthy).
    #[arg(long)]
    ready: bool,
    /// How long the answer may take, such as 500ms or 2s.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = super::span)]
    timeout: Duration,
}

/// What `/-/healthy` answers; what is not needed here is left out.
#[derive(Deserialize)]
struct Answer {
    status: String,
    loops: Vec<Loop>,
}

#[derive(Deserialize)]
struct Loop {
    name: String,
    last_active_seconds: f64,
    threshold_seconds: f64,
}

/// Exit 0 and how it is, or 1 and why not.
pub(super) fn health(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked =
        runtime.context("cannot start the async runtime").and_then(|tokio| tokio.block_on(ask(options)));
    match asked {
        Ok(how) => {
            say(how);
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell!("health: {}", quote::shown_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

async fn ask(options: &Options) -> Result<String> {
    if options.ready {
        let answer = fetch::get(&options.admin, "/-/ready", options.timeout).await?;
        return Ok(quote::shown(answer.trim()).into_owned());
    }
    let (url, status, text) = fetch::answer(&options.admin, "/-/healthy", options.timeout).await?;
    let answer: Answer = serde_json::from_str(&text).with_context(|| {
        format!("{url} answered {status} and not as a gate does; is this the gate's admin.address?")
    })?;
    if !status.is_success() {
        bail!("{}: {}", answer.status, late(&answer.loops));
    }
    Ok(quote::shown(&answer.status).into_owned())
}

/// Which loops have not shown themselves.
fn late(loops: &[Loop]) -> String {
    let late = loops.iter().filter(|each| each.last_active_seconds > each.threshold_seconds);
    let told: Vec<String> = late
        .map(|each| {
            let Loop { name, last_active_seconds, threshold_seconds } = each;
            format!(
                "loop `{name}` has not shown itself for {last_active_seconds:.0} s, {threshold_seconds:.0} s are allowed"
            )
        })
        .collect();
    told.join("; ")
}
