//! Recorded write requests: bodies in files, compressed or not, in the order of their names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::template::TemplateSeries;
use crate::law::Kind;
use crate::protocol::Version;
use crate::sink::read_body;

/// One recorded body.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its series.
    pub series: Vec<RecordedSeries>,
}

/// One series of a recorded body.
#[derive(Clone, Debug)]
pub struct RecordedSeries {
    /// As they came.
    pub labels: Vec<(String, String)>,
    /// Times (Unix milliseconds) and values, in order.
    pub samples: Vec<(i64, f64)>,
}

/// Reads a body, or all bodies in a directory. Exemplars, native histograms and metadata are left out.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let mut files: Vec<PathBuf> = if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?
    } else {
        vec![path.to_owned()]
    };
    files.retain(|file| file.is_file());
    files.sort();
    ensure!(!files.is_empty(), "{} holds no recorded bodies", path.display());
    files.iter().map(|file| read_file(file).with_context(|| file.display().to_string())).collect()
}

fn read_file(file: &Path) -> Result<Record> {
    let bytes = std::fs::read(file)?;
    let mut series = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    read_body(&bytes, Version::One, |labels, samples| {
        let labels = labels.iter().map(|(name, value)| (text(name), text(value))).collect();
        series.push(RecordedSeries { labels, samples: samples.to_vec() });
    })
    .map_err(|error| anyhow::anyhow!("not a remote-write 1.0 body, compressed or not: {error}"))?;
    if series.is_empty() {
        bail!("no series in it");
    }
    Ok(Record { series })
}

/// The newest value of every series of a recording, as a template.
pub(crate) fn as_template(records: &[Record]) -> Vec<TemplateSeries> {
    let mut newest = std::collections::BTreeMap::new();
    for series in records.iter().flat_map(|record| &record.series) {
        if let Some(&(_, value)) = series.samples.last() {
            let mut labels = series.labels.clone();
            labels.sort();
            newest.insert(labels, value);
        }
    }
    let template = |(labels, value): (Vec<(String, String)>, f64)| {
        let name = labels.iter().find(|label| label.0 == "__name__").map_or("", |label| &label.1);
        let kind = if super::is_counter_name(name) { Kind::Counter } else { Kind::Gauge };
        TemplateSeries { labels, value, kind }
    };
    newest.into_iter().map(template).collect()
}
