//! The same scenario through two proxies, in turns, so that what the machine does meanwhile happens to both.

use std::fmt;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::page;
use crate::protocol::Protocol;
use crate::run::{self, Outcome, Progress, RunOptions};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The scenario.
    pub scenario: String,
    /// What the first proxy did with the series.
    pub variant: String,
    /// How requests were written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Names of both.
    pub names: [String; 2],
    /// What was measured.
    pub rows: Vec<Row>,
    /// All runs, in turns.
    pub runs: Vec<[Outcome; 2]>,
}

/// One figure of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is, with its unit.
    pub what: String,
    /// Mean, least and most of each.
    pub figures: [Spread; 2],
    /// The second's mean by the first's.
    pub ratio: Option<f64>,
}

/// A figure over some runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of some figures; zero of none.
    pub fn of(figures: &[f64]) -> Self {
        Self {
            mean: figures.iter().sum::<f64>() / figures.len().max(1) as f64,
            least: figures.iter().copied().reduce(f64::min).unwrap_or(0.0),
            most: figures.iter().copied().reduce(f64::max).unwrap_or(0.0),
        }
    }
}

/// Runs both, `rounds` times in turns.
pub fn compare(
    options: &[RunOptions; 2],
    rounds: u32,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Comparison> {
    let mut runs = Vec::new();
    for round in 1..=rounds.max(1) {
        let mut one = |options: &RunOptions| {
            progress(Progress::Doing(format!("round {round} of {rounds}: {}", options.proxy.name())));
            run::run(options, &mut progress)
        };
        runs.push([one(&options[0])?, one(&options[1])?]);
    }
    Ok(Comparison {
        scenario: options[0].scenario.name.clone(),
        variant: options[0].variant.name.clone(),
        protocol: options[0].scenario.protocol,
        names: [options[0].proxy.name(), options[1].proxy.name()],
        rows: rows(&runs),
        runs,
    })
}

type Figure = (&'static str, fn(&Outcome) -> f64);

const FIGURES: [Figure; 8] = [
    ("CPU, ns a sample", |run| run.cost.map_or(0.0, |cost| cost.cpu_per_million * 1000.0)),
    ("memory, peak MiB", |run| run.cost.map_or(0.0, |cost| cost.peak_rss_kib as f64 / 1024.0)),
    ("memory, bytes a series", |run| run.rss_per_series().unwrap_or(0.0)),
    ("latency p50, ms", |run| run.latency.p50_ms),
    ("latency p99, ms", |run| run.latency.p99_ms),
    ("latency max, ms", |run| run.latency.max_ms),
    ("accepted, samples/s", |run| run.accepted_per_second),
    ("bytes a sample sent on", |run| run.flow.out_wire_bytes as f64 / run.flow.out_samples.max(1) as f64),
];

fn rows(runs: &[[Outcome; 2]]) -> Vec<Row> {
    let row = |(what, figure): Figure| {
        let spread = |side: usize| {
            let figures: Vec<f64> = runs.iter().map(|pair| figure(&pair[side])).collect();
            Spread::of(&figures)
        };
        let figures = [spread(0), spread(1)];
        let ratio = (figures[0].mean > 0.0).then(|| figures[1].mean / figures[0].mean);
        Row { what: what.into(), figures, ratio }
    };
    let all_count = runs.iter().flatten().all(|run| run.flow.out_samples > 0);
    // where nobody decodes what arrives, nobody knows how many samples it is
    FIGURES.into_iter().filter(|(what, _)| all_count || !what.ends_with("sent on")).map(row).collect()
}

impl Comparison {
    /// Whether every run of both is to be trusted, and everything arrived.
    pub fn is_clean(&self) -> bool {
        self.runs.iter().flatten().all(Outcome::is_clean)
    }

    /// What is wrong with runs, one line each.
    pub fn complaints(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (round, outcome) in
            (1..).zip(&self.runs).flat_map(|(n, pair)| pair.iter().map(move |run| (n, run)))
        {
            let name = &outcome.proxy;
            if outcome.refused + outcome.unknown > 0 {
                let (refused, unknown) = (outcome.refused, outcome.unknown);
                out.push(format!("round {round}, {name}: {refused} samples refused, {unknown} unknown"));
            }
            let faults = outcome.verdict.iter().flat_map(|verdict| &verdict.faults);
            out.extend(faults.map(|fault| format!("round {round}, {name}: {fault}")));
            out.extend(
                outcome.headroom.limit.map(|limit| format!("round {round}, {name}, not valid: {limit}")),
            );
        }
        out
    }

    /// Whether all is well, in words, or what is not.
    pub fn conclusion(&self) -> String {
        let verified = self.runs.iter().flatten().all(|run| run.verdict.is_some());
        match &self.complaints()[..] {
            [] if verified => "Every sample of every run arrived as it had to.\n".into(),
            [] => "Every sample was accepted; what arrived was not compared.\n".into(),
            complaints => complaints.join("\n") + "\n",
        }
    }

    /// The figures as rows of a table.
    pub fn table(&self) -> Vec<Vec<String>> {
        let spread = |spread: &Spread| {
            let digits = if spread.mean >= 100.0 { 0 } else { 1 };
            format!("{:.digits$} ({:.digits$} to {:.digits$})", spread.mean, spread.least, spread.most)
        };
        let row = |row: &Row| {
            let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            vec![row.what.clone(), spread(&row.figures[0]), spread(&row.figures[1]), ratio]
        };
        self.rows.iter().map(row).collect()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.names;
        writeln!(
            f,
            "{}, {}, sent as {}: mean (least to most) of {} runs each, in turns",
            self.scenario,
            self.variant,
            self.protocol,
            self.runs.len()
        )?;
        writeln!(f)?;
        writeln!(f, "{}", page::markdown(&["", first, second, "ratio"], &self.table()))?;
        f.write_str(&self.conclusion())
    }
}
