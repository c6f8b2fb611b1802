//! `seriesgate simulate`: recorded data through the policies, in the time of its samples, before anything is applied.

pub(super) mod body;
mod drive;
mod input;
mod print;
mod summary;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use self::drive::Drive;
use self::input::Scrapes;
use super::explain::timestamp;
use super::output::tell;
use super::{load, output, usage};
use crate::config::Secrets;
use crate::policy::{PolicySet, Run};
use crate::series::quote;

/// Options of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = usage::SIMULATE, override_usage = usage::SIMULATE_USAGE)]
pub(super) struct Options {
    /// The config file whose policies are tried; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print every sample that would go upstream: series, value, timestamp in milliseconds.
    #[arg(long)]
    print: bool,
    /// The summary as one JSON object.
    #[arg(long, conflicts_with = "print")]
    json: bool,
    /// For text without timestamps: each file is one scrape, and this long after the one before (such as 30s).
    #[arg(long, value_name = "DURATION", value_parser = super::span)]
    interval: Option<Duration>,
    /// For text without timestamps: the time of the first scrape, RFC 3339 or Unix seconds.
    #[arg(long, value_name = "T", default_value = "0", value_parser = timestamp)]
    start: Timestamp,
    /// The config file, unless `--config` names it, and then files or directories: Prometheus text with timestamps in
    /// milliseconds, or recorded remote-write bodies (1.0 or 2.0, snappy or plain); `-` is standard input.
    #[arg(value_name = "INPUT", required = true)]
    given: Vec<PathBuf>,
}

impl Options {
    /// The config and the inputs, or what to type instead.
    fn parts(&self) -> Result<(&Path, &[PathBuf]), String> {
        let (config, inputs) = match (&self.config, self.given.as_slice()) {
            (Some(config), inputs) => (config, inputs),
            (None, [config, inputs @ ..]) if !inputs.is_empty() => (config, inputs),
            (None, _) => {
                return Err("simulate needs a config file and what to put through it: type `seriesgate simulate gate.yaml \
                            recorded/`"
                    .into());
            }
        };
        let from_stdin = inputs.iter().filter(|input| load::is_stdin(input)).count();
        let parts = [
            ("the config", load::is_stdin(config)),
            ("the input", from_stdin > 0),
            ("a second input", from_stdin > 1),
        ];
        load::read_twice(&parts).map_or(Ok((config, inputs)), Err)
    }
}

pub(super) fn simulate(options: &Options) -> ExitCode {
    let (config, inputs) = match options.parts() {
        Ok(parts) => parts,
        Err(why) => return load::refuse(&why),
    };
    let loaded = match load::once(config, Secrets::NotAsked) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let told = PolicySet::compile(&loaded.config.policies, Run::AsConfigured)
        .map_err(|error| error.to_string())
        .and_then(|set| {
            let policies = set.policies().to_vec();
            let mut drive = Drive::new(&loaded.config, set, options.print);
            run(options, inputs, loaded.config.listen.max_decoded_bytes, &mut drive)?;
            output::as_far_as_read(tell(options, &mut drive, &policies))
                .map_err(|error| output::unwritten(&error))
        });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Times below this were meant as seconds, Unix milliseconds: nobody has samples of 1973.
const SECONDS_UNTIL: i64 = 100_000_000_000;

/// Shows every request of a recording to `each`, a plain remote-write 1.0 message. When text without timestamps was
/// scraped does not matter here.
///
/// # Errors
/// With the file's name: if it cannot be read, or `each` refuses it.
pub(super) fn recording(
    inputs: &[PathBuf],
    limit: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut scrapes = Scrapes { next_ms: 0, interval_ms: Some(1000) };
    for file in input::files(inputs)? {
        for body in input::requests(&file, limit, &mut scrapes)? {
            each(&body).map_err(|why| format!("{}: {why}", load::name(&file)))?;
        }
    }
    Ok(())
}

fn run(options: &Options, inputs: &[PathBuf], limit: usize, drive: &mut Drive) -> Result<(), String> {
    let interval_ms = options.interval.map(|interval| interval.as_millis() as i64);
    let mut scrapes = Scrapes { next_ms: options.start.as_millisecond(), interval_ms };
    let files = input::files(inputs)?;
    if files.is_empty() {
        return Err("there is no file in what was given".into());
    }
    let progress = progress(files.len() as u64);
    for file in files {
        progress.set_message(load::name(&file).into_owned());
        for body in input::requests(&file, limit, &mut scrapes)? {
            drive.request(&body).map_err(|why| format!("{}: {why}", load::name(&file)))?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    drive.end()?;
    if drive.is_idle() {
        tell!(
            "warning: there were no requests: nothing in what was given holds a series, or says what one is"
        );
    }
    if let Some((_, last)) = drive.span_ms().filter(|(_, last)| (1..SECONDS_UNTIL).contains(last)) {
        tell!(
            "warning: the last sample is of {}: timestamps are Unix milliseconds, and these look like seconds",
            jiff::Timestamp::from_millisecond(last).map(|at| at.to_string()).unwrap_or_default()
        );
    }
    Ok(())
}

fn tell(options: &Options, drive: &mut Drive, policies: &[crate::policy::Summary]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(collected) = &mut drive.collected {
        collected.print(&mut out)?;
    } else {
        let account = drive.finish();
        if options.json {
            writeln!(out, "{}", quote::json(summary::as_json(account, policies).to_string()))?;
        } else {
            summary::as_text(account, policies, &mut out)?;
        }
    }
    out.flush()
}

/// Shown only to a person who waits.
fn progress(files: u64) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(files), target);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} files {wide_bar} {eta} {msg}") {
        bar.set_style(style);
    }
    bar
}
