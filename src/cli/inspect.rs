//! `inspect`: what is in a file of a queue, or of what an upstream refused for good.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use prost::Message as _;
use serde::Serialize;
use seriesgate_proto::{TimeSeries, WriteRequest};

use super::output::{say, tell};
use super::simulate::body;
use crate::gate::Kept;
use crate::queue::{Record, records_of};
use crate::series::{Scope, quote};

/// A body that decodes to more is not looked into.
const MOST_DECODED: usize = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Files ending in .queue below data_dir, or a directory of such: `queue/NAME` has what waits for an upstream, `refused/NAME`
    /// what it refused.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a request.
    #[arg(long)]
    json: bool,
    /// Also write the body of each request to this directory, as it would be sent: `simulate` reads such files.
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
}

/// A request, for a person or a program.
#[derive(Debug, Serialize)]
struct Shown {
    id: u64,
    at: String,
    tenant: String,
    scope: String,
    form: String,
    bytes: usize,
    samples: u64,
    histograms: u64,
    exemplars: u64,
    series: Option<usize>,
    first_series: Option<String>,
    reason: Option<String>,
}

pub(super) fn inspect(options: &Options) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let files = match files(&options.files) {
        Ok(files) => files,
        Err(why) => {
            tell!("{why}");
            return ExitCode::FAILURE;
        }
    };
    for file in &files {
        match show(file, options) {
            Ok(0) => {}
            Ok(damaged) => {
                tell!("{}: {damaged} places are damaged and were skipped", file.display());
                code = ExitCode::FAILURE;
            }
            Err(error) => {
                tell!("{}: {error}", file.display());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// The files meant: of a directory those that a queue has in it, oldest first.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|ending| ending == "queue") {
                found.push(file);
            }
        }
        if found.is_empty() {
            return Err(format!("{}: no file in it ends in .queue", path.display()));
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

/// Shows the requests of a file; how many places of it are damaged.
fn show(file: &Path, options: &Options) -> io::Result<u64> {
    if let Some(dir) = &options.extract {
        fs::create_dir_all(dir)?;
    }
    let mut damaged = 0;
    let mut failed = Ok(());
    records_of(file, |record, _| match record.and_then(|record| Some((record, shown(record)?))) {
        Some((record, shown)) => {
            say(if options.json { json(&shown) } else { text(&shown) });
            if let Some(dir) = &options.extract
                && failed.is_ok()
            {
                failed = fs::write(dir.join(format!("{:020}.body", shown.id)), &record.body);
            }
        }
        None => damaged += 1,
    })?;
    failed.map(|()| damaged)
}

fn shown(record: &Record) -> Option<Shown> {
    let (kept, _) = Kept::decode(&record.head).ok()?;
    let request = body::read(&record.body, MOST_DECODED).ok();
    let request = request.and_then(|body| WriteRequest::decode(body.as_slice()).ok());
    let first = request.as_ref().and_then(|request| request.timeseries.first());
    let first_series = first.map(named);
    Some(Shown {
        id: record.header.id,
        at: Timestamp::from_second(i64::from(record.header.at)).map(|at| at.to_string()).unwrap_or_default(),
        tenant: Scope::of(&kept.scope).tenant.to_owned(),
        form: kept.form.to_string(),
        bytes: record.body.len(),
        samples: kept.counts.samples,
        histograms: kept.counts.histograms,
        exemplars: kept.counts.exemplars,
        series: request.as_ref().map(|request| request.timeseries.len()),
        first_series,
        reason: Some(kept.reason).filter(|reason| !reason.is_empty()),
        scope: kept.scope,
    })
}

/// A series as PromQL has it.
fn named(series: &TimeSeries) -> String {
    let is_name = |label: &&seriesgate_proto::Label| label.name == "__name__";
    let name = series.labels.iter().find(is_name).map_or("", |label| &label.value);
    let others = series.labels.iter().filter(|label| !is_name(label));
    let labels: Vec<String> = others
        .map(|label| format!("{}={}", quote::label(&label.name), quote::promql(&label.value)))
        .collect();
    format!("{}{{{}}}", quote::shown(name), labels.join(","))
}

fn json(shown: &Shown) -> String {
    quote::json(serde_json::to_string(shown).unwrap_or_default())
}

fn text(shown: &Shown) -> String {
    let Shown { id, at, tenant, form, bytes, samples, histograms, series, first_series, reason, .. } = shown;
    let tenant = if tenant.is_empty() { String::new() } else { format!(", tenant {}", quote::shown(tenant)) };
    let histograms = if *histograms == 0 { String::new() } else { format!(", {histograms} histograms") };
    let mut text = format!("{id}  {at}{tenant}: {samples} samples{histograms}, {form}, {bytes} bytes");
    if let Some(reason) = reason {
        text.push_str(&format!("\n    refused: {}", quote::shown(reason)));
    }
    if let (Some(first), Some(series)) = (first_series, series) {
        let more = if *series > 1 { format!(" and {} more series", series - 1) } else { String::new() };
        text.push_str(&format!("\n    {first}{more}"));
    }
    text
}
