//! Scenarios: which series there are, how they change, who sends them, and what is expected to arrive.

mod agents;
mod builtin;
mod cluster;
mod series;
mod span;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use agents::{Join, Restart};
pub use builtin::NAMES;
pub use cluster::{ClusterFile, EventFile, FloodFile, GroupFile, RunFile};
pub use series::SourceFile;
pub use span::Span;

use crate::expect::Expectation;
use crate::protocol::Protocol;
use crate::scope::Scope;

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
    /// Addresses that agents come from, in turn: 127.0.0.1 and on.
    #[serde(default = "one_agent")]
    pub addresses: usize,
    /// What decides where data lands, dealt out to agents in turn: each scope has all series of the source, with values of
    /// its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// Agents that begin later than the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// Gates for one backend. The connections of all agents are dealt out to them.
    #[serde(default = "one_agent")]
    pub gates: usize,
    /// From one deal to the next, in the time of the data, as connections that are aged out behind a Service are dealt out
    /// anew; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal_every: Option<Span>,
    /// Gates that end and come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<Restart>,
    /// Samples in a request.
    #[serde(default = "prometheus_batch")]
    pub batch: usize,
    /// How requests are written.
    #[serde(default)]
    pub protocol: Protocol,
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
    /// How long its policies may keep a sample to themselves: the longest interval and its delay. Two minutes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Span>,
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
        self.check_agents()?;
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

    /// Milliseconds from one scrape to the next, in the data.
    pub fn interval_ms(&self) -> i64 {
        i64::try_from(self.interval.0.as_millis()).unwrap_or(i64::MAX)
    }
}
