//! Where the series of a scenario come from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{ClusterFile, Scenario};
use crate::cluster::Visit;
use crate::fleet::Source;
use crate::law::Law;
use crate::names::Seed;
use crate::shape::{Population, Shape};
use crate::source::{
    Clusters, Plain, Template, TemplateSeries, parse_exposition, read_recording, recording_as_template,
};

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

fn own_labels() -> Vec<String> {
    ["pod", "instance"].map(str::to_owned).to_vec()
}

impl Scenario {
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
        impl Visit for Count {
            fn series(&mut self, _: &[(&str, &str)], _: &Law) {
                self.0 += 1;
            }
        }
        let mut count = Count(0);
        // any time will do: a cluster begins with all that is not started by the clock
        self.source(1_700_000_000_000)?.objects(1_700_000_000_000, &mut count);
        Ok(count.0)
    }
}

fn clusters(file: &ClusterFile, seed: u64, start_ms: i64) -> Result<Clusters> {
    let spec = file.spec(seed, start_ms.div_euclid(1000))?;
    let clusters = Clusters::new(&spec, file.copies, start_ms);
    let flood = file.flood.as_ref().map(|flood| flood.flood(start_ms.div_euclid(1000)));
    Ok(clusters.with_flood(flood).with_rich(file.exemplars, file.native_histograms))
}

/// A page of text, or a recording.
fn template(file: &Path) -> Result<Vec<TemplateSeries>> {
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
