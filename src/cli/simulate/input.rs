//! The files of the command line, in order, as requests with a time.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use prost::Message;
use seriesgate_proto::metric_metadata::MetricType;
use seriesgate_proto::{Label, MetricMetadata, Sample, TimeSeries, WriteRequest};

use super::{body, text};
use crate::cli::load;

/// Series of one request made from text, as Prometheus sends them.
const BATCH: usize = 2000;

/// What the text of a run without timestamps gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scrapes {
    /// The time of the next file, Unix milliseconds.
    pub(super) next_ms: i64,
    /// From one file to the next, if the user said.
    pub(super) interval_ms: Option<i64>,
}

/// Files as given, standard input among them; a directory is its files by name, those below it too; hidden ones, pipes and links to
/// directories (which may go round in circles) not.
pub(super) fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(input, &mut files)?;
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    if load::is_stdin(path) {
        files.push(path.to_owned());
        return Ok(());
    }
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let mut below = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    below.sort();
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let plain = |path: &Path| path.is_file() || (path.is_dir() && !path.is_symlink());
    below.iter().filter(|path| !hidden(path) && plain(path)).try_for_each(|path| collect(path, files))
}

/// The requests of one file, each a plain remote-write 1.0 message. Text is sent as an agent would: by time, and
/// in requests of at most 2000 series.
///
/// # Errors
/// With the file's name, and the line where there is one.
pub(super) fn requests(path: &Path, limit: usize, scrapes: &mut Scrapes) -> Result<Vec<Vec<u8>>, String> {
    let file = read(path).map_err(|error| format!("{}: {error}", load::name(path)))?;
    match std::str::from_utf8(&file) {
        // what a `curl` that failed leaves behind; a message of no bytes has no series, either
        Ok(text) if text.trim().is_empty() => Ok(Vec::new()),
        Ok(text) if is_text(text) => from_text(path, text, scrapes),
        _ => Ok(vec![body::read(&file, limit).map_err(|error| format!("{}: {error}", load::name(path)))?]),
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !load::is_stdin(path) {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Nothing but text has a line of text first; a protobuf message may be UTF-8 by chance.
fn is_text(text: &str) -> bool {
    let printable = |line: &&str| !line.contains(|c: char| c.is_control() && c != '\t' && c != '\r');
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|first| printable(&first))
}

fn from_text(path: &Path, text: &str, scrapes: &mut Scrapes) -> Result<Vec<Vec<u8>>, String> {
    let mut samples = Vec::new();
    let mut metadata = Vec::new();
    let mut scraped = false;
    for (number, line) in (1..).zip(text.lines()) {
        let place = |message: &str, at: usize| {
            format!("{}:{number}:{}: {message}\n  {line}", load::name(path), line[..at].chars().count() + 1)
        };
        let Some(found) = text::line(line).map_err(|fault| place(fault.message, fault.at))? else {
            metadata.extend(text::declared_type(line).map(|(family, kind)| metadata_of(family, kind)));
            continue;
        };
        let timestamp = match (found.timestamp_ms, scrapes.interval_ms) {
            (Some(timestamp), _) => timestamp,
            (None, Some(_)) => {
                scraped = true;
                scrapes.next_ms
            }
            (None, None) => {
                let message =
                    "the sample has no timestamp; say with --interval 30s how far apart the files are";
                return Err(place(message, 0));
            }
        };
        let labels = found.labels.into_iter().map(|(name, value)| Label { name, value }).collect();
        let sample = Sample { value: found.value, timestamp };
        samples.push(TimeSeries { labels, samples: vec![sample], ..TimeSeries::default() });
    }
    if let (true, Some(interval)) = (scraped, scrapes.interval_ms) {
        scrapes.next_ms += interval;
    }
    // stable: what has the same time stays in the order of the file
    samples.sort_by_key(|series| series.samples[0].timestamp);
    let by_time = samples.chunk_by(|a, b| a.samples[0].timestamp == b.samples[0].timestamp);
    let requests =
        by_time.flat_map(|moment| moment.chunks(BATCH)).map(|batch| WriteRequest::of(batch.to_vec()));
    // what the metrics are is known before their samples come
    let declared = (!metadata.is_empty()).then_some(WriteRequest { metadata, ..WriteRequest::default() });
    Ok(declared.into_iter().chain(requests).map(|request| request.encode_to_vec()).collect())
}

fn metadata_of(family: &str, kind: &str) -> MetricMetadata {
    let kind = match kind {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::Gaugehistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::Stateset,
        _ => MetricType::Unknown,
    };
    MetricMetadata { r#type: kind.into(), metric_family_name: family.to_owned(), ..MetricMetadata::default() }
}
