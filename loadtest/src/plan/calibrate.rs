//! What a gate costs on this machine: the coefficients that explain some runs.

use std::fmt;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::demand::Demand;
use super::fit;

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

/// One run that coefficients are fitted to.
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
    /// How wrong a fit to all other settings is about its CPU and its memory, as shares.
    #[serde(default)]
    pub left_out: (f64, f64),
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
    pub fn of(machine: String, gate: String, mut experiments: Vec<Experiment>) -> Result<Self> {
        ensure!(experiments.len() >= 8, "{} runs are too few for eight coefficients", experiments.len());
        let table =
            |which: usize| experiments.iter().map(|e| columns(&e.demand)[which].clone()).collect::<Vec<_>>();
        let (cpu_rows, memory_rows) = (table(0), table(1));
        let names: Vec<&str> = experiments.iter().map(|experiment| experiment.name.as_str()).collect();
        let cpu: Vec<f64> = experiments.iter().map(|experiment| experiment.cpu_seconds).collect();
        let memory: Vec<f64> = experiments.iter().map(|experiment| experiment.memory_bytes).collect();
        let cpu_errors = fit::left_out(&cpu_rows, &cpu, &names);
        let memory_errors = fit::left_out(&memory_rows, &memory, &names);
        for ((experiment, cpu), memory) in experiments.iter_mut().zip(&cpu_errors).zip(&memory_errors) {
            experiment.left_out = (*cpu, *memory);
        }
        Ok(Self {
            machine,
            gate,
            cpu: Coefficients::from(&fit::fit(&cpu_rows, &cpu)),
            memory: Coefficients::from(&fit::fit(&memory_rows, &memory)),
            cpu_error: median_and_most(cpu_errors),
            memory_error: median_and_most(memory_errors),
            experiments,
        })
    }
}

fn median_and_most(mut errors: Vec<f64>) -> (f64, f64) {
    errors.sort_by(f64::total_cmp);
    let at = |index: usize| errors.get(index).copied().unwrap_or(0.0);
    (at(errors.len() / 2), at(errors.len().saturating_sub(1)))
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
        let percent = |share: f64| (share * 100.0).round();
        writeln!(
            f,
            "| run | CPU s | fitted | left out | memory MiB | fitted | left out |\n|---|---|---|---|---|---|---|"
        )?;
        for run in &self.experiments {
            let (cpu, memory) = (self.cpu_seconds(&run.demand), self.memory_bytes(&run.demand) / 1048576.0);
            let (measured, (cpu_error, memory_error)) = (run.memory_bytes / 1048576.0, run.left_out);
            writeln!(
                f,
                "| {} | {:.2} | {cpu:.2} | {}% | {measured:.0} | {memory:.0} | {}% |",
                run.name,
                run.cpu_seconds,
                percent(cpu_error),
                percent(memory_error)
            )?;
        }
        let ((cpu, most_cpu), (memory, most_memory)) = (self.cpu_error, self.memory_error);
        let (cpu, most_cpu, memory, most_memory) =
            (percent(cpu), percent(most_cpu), percent(memory), percent(most_memory));
        writeln!(
            f,
            "\nerror on runs left out: CPU {cpu}% (at most {most_cpu}%), memory {memory}% (at most {most_memory}%)"
        )
    }
}
