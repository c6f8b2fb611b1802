//! Scenarios: which series there are, how they change, who sends them, and what is expected to arrive.

mod builtin;
mod cluster;
mod span;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use builtin::NAMES;
pub use cluster::{ClusterFile, EventFile, FloodFile, GroupFile, RunFile};
pub use span::Span;

use crate::expect::Expectation;
use crate::fleet::Source;
use crate::names::Seed;
use crate::shape::{Population, Shape};
use crate::source::{Clusters, Plain, Template, parse_exposition, read_recording, recording_as_template};

/// A scenario as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What it shows, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Where all names and values come from.
    #[serde(default = "one")]
    pub seed: u64,
    /// From one scrape to the next, in the time of the data.
    #[serde(default = "fifteen_seconds")]
    pub interval: Span,
    /// From one scrape to the next on the clock; the interval if absent. A shorter one makes time pass faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Scrapes before the measurement.
    #[serde(default = "two")]
    pub warm: u64,
    /// Scrapes measured.
    #[serde(default = "twenty")]
    pub scrapes: u64,
    /// Senders.
    #[serde(default = "one_agent")]
    pub agents: usize,
    /// Connections of each, with one request in flight each.
    #[serde(default = "four")]
    pub shards: usize,
    /// Samples in a request.
    #[serde(default = "prometheus_batch")]
    pub batch: usize,
    /// Whether what is gone ends with a stale marker.
    #[serde(default = "yes")]
    pub stale_markers: bool,
    /// Whether metadata is sent once a minute.
    #[serde(default = "yes")]
    pub metadata: bool,
    /// Whether 429 is tried again. Prometheus' default is no: the data is lost.
    #[serde(default)]
    pub retry_on_429: bool,
    /// Where the series come from.
    pub source: SourceFile,
    /// Ways to run it, by name: policies of the gate, and what they are expected to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

/// Where series come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceFile {
    /// Simulated Kubernetes clusters.
    Cluster(Box<ClusterFile>),
    /// Pods of forty series each, in any number.
    Plain {
        /// Series in a scrape.
        series: u64,
        /// Their labels.
        #[serde(default)]
        shape: Shape,
        /// The share of pods replaced before each scrape, 0 to 1.
        #[serde(default)]
        churn: f64,
        /// Labels that each series has beyond those of its shape.
        #[serde(default)]
        more_labels: u32,
    },
    /// A `/metrics` page, or a recording (a body, or a directory of them), multiplied.
    Template {
        /// The file, seen from the scenario's.
        file: PathBuf,
        /// How many of it.
        copies: u32,
        /// The share of copies replaced before each scrape, 0 to 1.
        #[serde(default)]
        churn: f64,
        /// Labels of which each copy has values of its own.
        #[serde(default = "own_labels")]
        renamed: Vec<String>,
    },
}

/// A way to run a scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// More of the gate's configuration, as its file has it: `policies`, `series` and so on.
    #[serde(default)]
    pub gate: serde_json::Map<String, serde_json::Value>,
    /// What is expected to arrive.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

fn one() -> u64 {
    1
}
fn two() -> u64 {
    2
}
fn twenty() -> u64 {
    20
}
fn one_agent() -> usize {
    1
}
fn four() -> usize {
    4
}
fn prometheus_batch() -> usize {
    crate::body::DEFAULT_BATCH_SERIES
}
fn yes() -> bool {
    true
}
fn fifteen_seconds() -> Span {
    Span(Duration::from_secs(15))
}
fn own_labels() -> Vec<String> {
    ["pod", "instance"].map(str::to_owned).to_vec()
}

impl Scenario {
    /// Reads a scenario: one of [`NAMES`], or a file.
    pub fn load(name: &str) -> Result<Self> {
        if let Some(text) = builtin::text(name) {
            return Self::parse(text, Path::new(".")).with_context(|| format!("scenario {name}"));
        }
        let file = Path::new(name);
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("{name:?} is neither a file that can be read nor one of {}", NAMES.join(", "))
        })?;
        Self::parse(&text, file.parent().unwrap_or(Path::new("."))).with_context(|| name.to_owned())
    }

    /// Reads the text of a scenario whose files lie in a directory.
    pub fn parse(text: &str, directory: &Path) -> Result<Self> {
        let mut scenario: Self = serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
        if let SourceFile::Template { file, .. } = &mut scenario.source {
            *file = directory.join(&*file);
        }
        scenario.check()?;
        Ok(scenario)
    }

    /// Whether it can be run.
    pub fn check(&self) -> Result<()> {
        ensure!(self.agents > 0 && self.shards > 0, "there must be at least one agent and one shard");
        ensure!(
            self.agents * self.shards <= 10_000,
            "{} connections are too many",
            self.agents * self.shards
        );
        ensure!(
            self.batch > 0 && self.scrapes > 0,
            "there must be at least one scrape, and a sample in a batch"
        );
        ensure!(self.interval.0 >= Duration::from_secs(1), "an interval has at least a second");
        let churn = match &self.source {
            SourceFile::Plain { series, churn, more_labels, .. } => {
                ensure!(*series > 0, "plain needs at least one series");
                ensure!(*more_labels <= 100, "100 labels more are the most");
                *churn
            }
            SourceFile::Template { churn, .. } => *churn,
            SourceFile::Cluster(_) => 0.0,
        };
        ensure!((0.0..=1.0).contains(&churn), "churn is a share between 0 and 1");
        for variant in &self.variants {
            crate::expect::Expectations::new(&variant.expect)
                .with_context(|| format!("variant {}", variant.name))?;
        }
        Ok(())
    }

    /// The variant of this name; without one, nothing is done to the series.
    pub fn variant(&self, name: Option<&str>) -> Result<Variant> {
        let Some(name) = name else { return Ok(Variant { name: "forward".into(), ..Variant::default() }) };
        if let Some(found) = self.variants.iter().find(|variant| variant.name == name) {
            return Ok(found.clone());
        }
        let names: Vec<&str> = self.variants.iter().map(|variant| variant.name.as_str()).collect();
        bail!("{} has no variant {name:?}; it has {names:?}", self.name)
    }

    /// The series at a start (Unix milliseconds).
    pub fn source(&self, start_ms: i64) -> Result<Box<dyn Source>> {
        Ok(match &self.source {
            SourceFile::Cluster(file) => Box::new(clusters(file, self.seed, start_ms)?),
            SourceFile::Plain { series, shape, churn, more_labels } => {
                let seed = Seed::new(self.seed);
                let population = Population { series: *series, shape: *shape, churn: *churn, seed };
                Box::new(Plain::new(population, *more_labels))
            }
            SourceFile::Template { file, copies, churn, renamed } => {
                let series = template(file).with_context(|| format!("template {}", file.display()))?;
                ensure!(!series.is_empty(), "{} has no series", file.display());
                Box::new(Template::new(series, *copies, *churn, renamed.clone(), self.seed))
            }
        })
    }

    /// Series of the first scrape.
    pub fn series_at_start(&self) -> Result<usize> {
        struct Count(usize);
        impl crate::cluster::Visit for Count {
            fn series(&mut self, _: &[(&str, &str)], _: &crate::law::Law) {
                self.0 += 1;
            }
        }
        let mut count = Count(0);
        // any time will do: a cluster begins with all that is not started by the clock
        self.source(1_700_000_000_000)?.objects(1_700_000_000_000, &mut count);
        Ok(count.0)
    }

    /// Milliseconds from one scrape to the next, in the data.
    pub fn interval_ms(&self) -> i64 {
        i64::try_from(self.interval.0.as_millis()).unwrap_or(i64::MAX)
    }
}

fn clusters(file: &ClusterFile, seed: u64, start_ms: i64) -> Result<Clusters> {
    let spec = file.spec(seed, start_ms.div_euclid(1000))?;
    let clusters = Clusters::new(&spec, file.copies, start_ms);
    let flood = file.flood.as_ref().map(|flood| flood.flood(start_ms.div_euclid(1000)));
    Ok(clusters.with_flood(flood).with_rich(file.exemplars, file.native_histograms))
}

/// A page of text, or a recording.
fn template(file: &Path) -> Result<Vec<crate::source::TemplateSeries>> {
    if !file.is_dir() {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        if let Ok(text) = std::str::from_utf8(&bytes)
            && !text.contains('\0')
        {
            return parse_exposition(text);
        }
    }
    Ok(recording_as_template(&read_recording(file)?))
}
