//! What a gate costs on this machine: some runs that differ in one thing each, and the coefficients that explain them.

use std::fmt;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::demand::Demand;
use super::fit;
use crate::expect::Expectation;
use crate::proxy::ProxySpec;
use crate::run::{self, Progress, RunOptions};
use crate::scenario::{Scenario, SourceFile, Span, Variant};
use crate::shape::Shape;
use crate::sink::Level;

/// CPU seconds for one of each, and bytes of memory for one of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coefficients {
    /// For a second in which nothing happens; bytes of a gate that knows no series.
    pub base: f64,
    /// For a request; bytes for a connection.
    pub request: f64,
    /// For a sample; bytes for a series.
    pub sample: f64,
    /// For a byte before compression; unused for memory.
    pub byte: f64,
    /// For a series that is new; bytes for one that is gone and not forgotten yet.
    pub birth: f64,
    /// For a byte that has to be compressed anew; bytes for a connection on which that happens.
    pub rewritten_byte: f64,
    /// For a sample under other labels; bytes for such a series.
    pub relabeled: f64,
    /// For a sample that is aggregated; bytes for such a series.
    pub aggregated: f64,
}

/// Coefficients with where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The machine, as it describes itself.
    pub machine: String,
    /// The gate that was measured.
    pub gate: String,
    /// Of CPU.
    pub cpu: Coefficients,
    /// Of memory.
    pub memory: Coefficients,
    /// Median and most of the error on runs that were left out of the fit, as shares.
    pub cpu_error: (f64, f64),
    /// The same of memory.
    pub memory_error: (f64, f64),
    /// The runs.
    pub experiments: Vec<Experiment>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// What it differs in.
    pub name: String,
    /// What was asked.
    pub demand: Demand,
    /// CPU seconds that it took.
    pub cpu_seconds: f64,
    /// Resident memory at its end, in bytes.
    pub memory_bytes: f64,
}

/// Columns of a fit, for CPU and for memory.
fn columns(demand: &Demand) -> [Vec<f64>; 2] {
    let disposed = &demand.disposed;
    let cpu = vec![
        demand.seconds,
        demand.requests,
        demand.samples,
        demand.raw_bytes,
        demand.born,
        demand.rewritten_bytes(),
        disposed.relabeled,
        disposed.aggregated,
    ];
    let memory = vec![
        1.0,
        demand.connections,
        demand.series,
        0.0,
        demand.gone,
        if demand.rewritten_bytes() > 0.0 { demand.connections } else { 0.0 },
        disposed.relabeled_series,
        disposed.aggregated_series,
    ];
    [cpu, memory]
}

impl Coefficients {
    fn from(list: &[f64]) -> Self {
        let at = |index: usize| list.get(index).copied().unwrap_or(0.0);
        Self {
            base: at(0),
            request: at(1),
            sample: at(2),
            byte: at(3),
            birth: at(4),
            rewritten_byte: at(5),
            relabeled: at(6),
            aggregated: at(7),
        }
    }

    fn times(&self, columns: &[f64]) -> f64 {
        let all = [
            self.base,
            self.request,
            self.sample,
            self.byte,
            self.birth,
            self.rewritten_byte,
            self.relabeled,
            self.aggregated,
        ];
        all.iter().zip(columns).map(|(coefficient, column)| coefficient * column).sum()
    }
}

impl Calibration {
    /// CPU seconds that a demand takes.
    pub fn cpu_seconds(&self, demand: &Demand) -> f64 {
        self.cpu.times(&columns(demand)[0])
    }

    /// Bytes of memory that a demand takes.
    pub fn memory_bytes(&self, demand: &Demand) -> f64 {
        self.memory.times(&columns(demand)[1])
    }

    /// The coefficients that explain some runs.
    pub fn of(machine: String, gate: String, experiments: Vec<Experiment>) -> Result<Self> {
        ensure!(experiments.len() >= 8, "{} runs are too few for eight coefficients", experiments.len());
        let table =
            |which: usize| experiments.iter().map(|e| columns(&e.demand)[which].clone()).collect::<Vec<_>>();
        let (cpu_rows, memory_rows) = (table(0), table(1));
        let names: Vec<&str> = experiments.iter().map(|experiment| experiment.name.as_str()).collect();
        let cpu: Vec<f64> = experiments.iter().map(|experiment| experiment.cpu_seconds).collect();
        let memory: Vec<f64> = experiments.iter().map(|experiment| experiment.memory_bytes).collect();
        Ok(Self {
            machine,
            gate,
            cpu: Coefficients::from(&fit::fit(&cpu_rows, &cpu)),
            memory: Coefficients::from(&fit::fit(&memory_rows, &memory)),
            cpu_error: median_and_most(fit::left_out(&cpu_rows, &cpu, &names)),
            memory_error: median_and_most(fit::left_out(&memory_rows, &memory, &names)),
            experiments,
        })
    }
}

fn median_and_most(mut errors: Vec<f64>) -> (f64, f64) {
    errors.sort_by(f64::total_cmp);
    let at = |index: usize| errors.get(index).copied().unwrap_or(0.0);
    (at(errors.len() / 2), at(errors.len().saturating_sub(1)))
}

/// One setting: name, series, shape, churn, batch, shards, seconds from scrape to scrape, policy.
type Setting = (&'static str, u64, Shape, f64, usize, usize, f64, Option<&'static str>);

/// Each differs from another in one thing or two. None is a scenario that comes with the program.
const SETTINGS: [Setting; 14] = [
    ("14 labels", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, None),
    ("6 labels", 100_000, Shape::Short6, 0.0, 2000, 4, 1.0, None),
    ("14 labels, small requests", 100_000, Shape::K8s14, 0.0, 300, 4, 1.0, None),
    ("6 labels, small requests", 60_000, Shape::Short6, 0.0, 500, 8, 1.0, None),
    ("14 labels, 10% churn", 100_000, Shape::K8s14, 0.1, 2000, 4, 1.0, None),
    ("6 labels, 5% churn", 100_000, Shape::Short6, 0.05, 2000, 4, 1.0, None),
    ("400,000 series a second", 400_000, Shape::K8s14, 0.0, 2000, 8, 1.0, None),
    ("400,000 series, slow, 2% churn", 400_000, Shape::K8s14, 0.02, 2000, 8, 3.0, None),
    ("few series", 10_000, Shape::K8s14, 0.0, 2000, 2, 1.0, None),
    ("half a million series", 500_000, Shape::Short6, 0.01, 2000, 4, 2.0, None),
    ("a third dropped", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("drop")),
    ("all relabeled", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("relabel")),
    ("counters aggregated", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("aggregate")),
    ("counters aggregated, 5% churn", 200_000, Shape::K8s14, 0.05, 2000, 4, 1.0, Some("aggregate")),
];

/// The policies that are measured, and what they do.
fn variant(name: Option<&str>) -> Variant {
    let (policy, expect) = match name {
        Some("drop") => {
            let third = r#"{__name__=~"container_(cpu|memory|fs_reads).+"}"#;
            (json!({ "match": third, "action": "drop" }), Expectation::Removed(third.into()))
        }
        Some("relabel") => (
            json!({ "action": "relabel", "relabel_configs": [{ "action": "labeldrop", "regex": "metrics_path|endpoint" }] }),
            Expectation::Relabeled(r#"{__name__=~".+"}"#.into()),
        ),
        Some(_) => {
            let counters = r#"{__name__=~".+_total"}"#;
            let without = ["id", "instance", "node", "pod", "job_name"].map(str::to_owned).to_vec();
            (
                json!({ "match": counters, "action": "aggregate", "without": without, "interval": "60s" }),
                Expectation::Aggregated { select: counters.into(), without },
            )
        }
        None => return Variant { name: "forward".into(), ..Variant::default() },
    };
    let mut policy = policy.as_object().cloned().unwrap_or_default();
    policy.insert("name".into(), json!("calibrated"));
    let gate = [("policies".to_owned(), json!([policy]))].into_iter().collect();
    Variant { name: name.unwrap_or_default().into(), gate, expect: vec![expect] }
}

/// Runs them all, `rounds` times in turns, each for about `hold` seconds, and fits.
pub fn calibrate(
    proxy: &ProxySpec,
    rounds: u32,
    hold_s: f64,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Calibration> {
    let mut experiments = Vec::new();
    for round in 1..=rounds.max(1) {
        for (number, setting) in (1..).zip(&SETTINGS) {
            let what =
                format!("round {round} of {rounds}, run {number} of {}: {}", SETTINGS.len(), setting.0);
            progress(Progress::Doing(what));
            experiments.push(experiment(setting, proxy, hold_s, &mut progress)?);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Calibration::of(format!("{}, {cores} cores", processor()), proxy.name(), experiments)
}

fn experiment(
    &(name, series, shape, churn, batch, shards, every_s, policy): &Setting,
    proxy: &ProxySpec,
    hold_s: f64,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Experiment> {
    let text = "{ name: calibrate, warm: 2, source: { plain: { series: 1 } } }";
    let mut scenario = Scenario::parse(text, std::path::Path::new("."))?;
    scenario.source = SourceFile::Plain { series, shape, churn, more_labels: 0 };
    (scenario.batch, scenario.shards) = (batch, shards);
    scenario.every = Some(Span(std::time::Duration::from_secs_f64(every_s)));
    scenario.scrapes = (hold_s / every_s).round().max(2.0) as u64;
    let variant = variant(policy);
    let options =
        RunOptions { level: Level::Bytes, ..RunOptions::new(scenario, variant.clone(), proxy.clone()) };
    let outcome = run::run(&options, progress)?;
    ensure!(
        outcome.refused + outcome.unknown == 0,
        "{name}: {} samples were not accepted",
        outcome.refused + outcome.unknown
    );
    let cost = outcome.cost.context("the gate's CPU time cannot be read here")?;
    Ok(Experiment {
        name: name.into(),
        demand: Demand::of(&options, &variant)?,
        cpu_seconds: cost.cpu_seconds,
        memory_bytes: outcome.end_rss_kib.unwrap_or(0) as f64 * 1024.0,
    })
}

/// The processor as Linux calls it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    model
        .and_then(|line| line.split_once(':'))
        .map_or_else(|| "unknown".into(), |(_, name)| name.trim().into())
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpu, memory) = (&self.cpu, &self.memory);
        writeln!(f, "{} on {}, {} runs\n", self.gate, self.machine, self.experiments.len())?;
        writeln!(f, "cpu      {:.1} ms a second, whatever happens", cpu.base * 1e3)?;
        writeln!(
            f,
            "         {:.1} µs a request, {:.0} ns a sample, {:.3} ns a byte",
            cpu.request * 1e6,
            cpu.sample * 1e9,
            cpu.byte * 1e9
        )?;
        writeln!(f, "         {:.1} µs a new series", cpu.birth * 1e6)?;
        writeln!(
            f,
            "         {:.3} ns a byte compressed anew, {:.0} ns more a relabeled sample, {:.0} ns an aggregated one",
            cpu.rewritten_byte * 1e9,
            cpu.relabeled * 1e9,
            cpu.aggregated * 1e9
        )?;
        writeln!(
            f,
            "memory   {:.1} MiB, {:.0} KiB a connection, {:.0} bytes a series, {:.0} one that is gone",
            memory.base / 1048576.0,
            memory.request / 1024.0,
            memory.sample,
            memory.birth
        )?;
        writeln!(
            f,
            "         {:.0} more a relabeled series, {:.0} an aggregated one\n",
            memory.relabeled, memory.aggregated
        )?;
        writeln!(f, "| run | CPU s | fitted | memory MiB | fitted |\n|---|---|---|---|---|")?;
        for run in &self.experiments {
            let (cpu, memory) = (self.cpu_seconds(&run.demand), self.memory_bytes(&run.demand) / 1048576.0);
            let measured = run.memory_bytes / 1048576.0;
            writeln!(
                f,
                "| {} | {:.2} | {cpu:.2} | {measured:.0} | {memory:.0} |",
                run.name, run.cpu_seconds
            )?;
        }
        let percent = |share: f64| (share * 100.0).round();
        let ((cpu, most_cpu), (memory, most_memory)) = (self.cpu_error, self.memory_error);
        let (cpu, most_cpu, memory, most_memory) =
            (percent(cpu), percent(most_cpu), percent(memory), percent(most_memory));
        writeln!(
            f,
            "\nerror on runs left out: CPU {cpu}% (at most {most_cpu}%), memory {memory}% (at most {most_memory}%)"
        )
    }
}
