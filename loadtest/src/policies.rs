//! What each policy costs, and what it saves: the same scenario with none of them, with each alone, and with all.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::compare::Spread;
use crate::page;
use crate::run::{self, Outcome, Progress, RunOptions, bytes, count};
use crate::scenario::Variant;

/// A policy, or none, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name; `none` and `all` for those.
    pub name: String,
    /// CPU for a sample that came in, in nanoseconds.
    pub cpu_ns: Spread,
    /// The same less what it is without a policy.
    pub more_ns: f64,
    /// Samples sent on for each that came in.
    pub samples_share: f64,
    /// Bytes sent on for each byte sent on without a policy.
    pub bytes_share: f64,
    /// Series that arrived.
    pub series: u64,
    /// Compressed bytes sent on for each sample that came in.
    pub bytes_a_sample: f64,
    /// What was wrong in its runs.
    pub faults: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policies {
    /// The scenario.
    pub scenario: String,
    /// None first, each alone, all last if there are several.
    pub measured: Vec<Measured>,
}

/// The ways to run: none, each policy of a gate's configuration alone, all.
pub fn variants_of(config: &Map<String, Value>) -> Result<Vec<Variant>> {
    let rest: Map<String, Value> = config
        .iter()
        // the harness says where to listen and where to write
        .filter(|(key, _)| !["policies", "listen", "admin", "upstreams", "data_dir"].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let Some(Value::Array(policies)) = config.get("policies") else { bail!("no policies in it") };
    ensure!(!policies.is_empty(), "no policies in it");
    let with = |name: &str, policies: Vec<Value>| {
        let mut gate = rest.clone();
        gate.insert("policies".into(), policies.into());
        Variant { name: name.into(), gate, expect: Vec::new(), holds: None }
    };
    let mut variants = vec![with("none", Vec::new())];
    for policy in policies {
        let name = policy.get("name").and_then(Value::as_str).context("a policy without a name")?;
        variants.push(with(name, vec![policy.clone()]));
    }
    if policies.len() > 1 {
        variants.push(with("all", policies.clone()));
    }
    Ok(variants)
}

/// Measures each in turn, `rounds` times.
pub fn measure(
    options: &RunOptions,
    variants: &[Variant],
    rounds: u32,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Policies> {
    let mut runs: Vec<Vec<Outcome>> = variants.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds.max(1) {
        for (variant, runs) in variants.iter().zip(&mut runs) {
            progress(Progress::Doing(format!("round {round} of {rounds}: {}", variant.name)));
            let options = RunOptions { variant: variant.clone(), ..options.clone() };
            runs.push(run::run(&options, &mut progress)?);
        }
    }
    let mut measured: Vec<Measured> =
        variants.iter().zip(&runs).map(|(variant, runs)| Measured::of(&variant.name, runs)).collect();
    if let Some(none) = measured.first().cloned() {
        for policy in &mut measured {
            policy.more_ns = policy.cpu_ns.mean - none.cpu_ns.mean;
            policy.bytes_share = policy.bytes_a_sample / none.bytes_a_sample.max(1e-9);
        }
    }
    Ok(Policies { scenario: options.scenario.name.clone(), measured })
}

impl Measured {
    fn of(name: &str, runs: &[Outcome]) -> Self {
        let cpu: Vec<f64> =
            runs.iter().filter_map(|run| run.cost).map(|cost| cost.cpu_per_million * 1e3).collect();
        let mean =
            |figure: fn(&Outcome) -> f64| runs.iter().map(figure).sum::<f64>() / runs.len().max(1) as f64;
        let faults = runs.iter().flat_map(|run| {
            let refused = (run.refused + run.unknown > 0).then(|| format!("{} samples refused", run.refused));
            let verdict = run.verdict.iter().flat_map(|verdict| verdict.faults.clone());
            let limit = run.headroom.limit.map(|limit| format!("not valid: {limit}"));
            refused.into_iter().chain(verdict).chain(limit)
        });
        Self {
            name: name.into(),
            cpu_ns: Spread::of(&cpu),
            more_ns: 0.0,
            samples_share: mean(|run| run.flow.out_samples as f64 / run.flow.in_samples.max(1) as f64),
            bytes_share: 0.0,
            series: mean(|run| run.flow.out_series as f64) as u64,
            bytes_a_sample: mean(|run| run.flow.out_wire_bytes as f64 / run.flow.in_samples.max(1) as f64),
            faults: faults.collect(),
        }
    }
}

impl Policies {
    /// Rows of a table.
    pub fn table(&self) -> Vec<Vec<String>> {
        let row = |policy: &Measured| {
            let cpu = &policy.cpu_ns;
            vec![
                policy.name.clone(),
                format!("{:.0} ({:.0} to {:.0})", cpu.mean, cpu.least, cpu.most),
                format!("{:+.0}", policy.more_ns),
                count(policy.series),
                format!("{:.1}%", policy.samples_share * 100.0),
                format!("{:.1}%", policy.bytes_share * 100.0),
                bytes(policy.bytes_a_sample),
            ]
        };
        self.measured.iter().map(row).collect()
    }

    /// The head of that table.
    pub const HEAD: [&'static str; 7] = [
        "policy",
        "CPU, ns a sample",
        "against none",
        "series out",
        "samples out",
        "bytes out, of none's",
        "bytes out for a sample in",
    ];
}

impl fmt::Display for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, each in turn\n", self.scenario)?;
        f.write_str(&page::markdown(&Self::HEAD, &self.table()))?;
        for policy in &self.measured {
            for fault in &policy.faults {
                writeln!(f, "{}: {fault}", policy.name)?;
            }
        }
        Ok(())
    }
}
