//! How much gate a cluster needs: what its series are, counted; what they cost, from coefficients measured on this machine.

mod calibrate;
mod demand;
mod experiment;
mod fit;
mod live;
mod values;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use calibrate::{Calibration, Coefficients, Experiment};
pub use demand::{Demand, Disposed};
pub use experiment::calibrate;
pub use live::observe;

use crate::page;
use crate::protocol::Protocol;
use crate::run::{bytes, count};

/// How a plan is made of figures.
#[derive(Clone, Copy, Debug)]
pub struct Sizing {
    /// Cores of one replica.
    pub replica_cores: f64,
    /// The share of them that is to be used on an ordinary day.
    pub utilisation: f64,
    /// Replicas at least.
    pub least_replicas: u32,
}

impl Default for Sizing {
    fn default() -> Self {
        Self { replica_cores: 2.0, utilisation: 0.5, least_replicas: 2 }
    }
}

/// What a gate needs under one set of policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// The variant; `forward` without policies.
    pub variant: String,
    /// Cores in all.
    pub cores: f64,
    /// Resident memory of one gate that does all of it, in MiB.
    pub memory_mib: f64,
    /// Replicas of the size that was asked for.
    pub replicas: u32,
    /// Memory of each of them in MiB: series spread over them, what each has anyway.
    pub replica_memory_mib: f64,
    /// Bytes on disk of one gate, for snapshots of aggregations; 0 without.
    pub disk_bytes: f64,
    /// Compressed bytes that come in each second.
    pub in_bytes_per_second: f64,
    /// Compressed bytes that go on to the backend each second.
    pub out_bytes_per_second: f64,
    /// Samples that come in each second.
    pub in_samples_per_second: f64,
    /// Samples that go on each second.
    pub out_samples_per_second: f64,
    /// Series that the backend has active.
    pub backend_series: f64,
    /// Series that are new to the backend each hour.
    pub backend_born_per_hour: f64,
}

/// Needs without policies and with each set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is for.
    pub of: String,
    /// How requests are written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Without policies first.
    pub needs: Vec<Need>,
    /// The error of the coefficients on runs that they were not fitted to: median and most, as shares, of cores and of
    /// memory.
    pub errors: [(f64, f64); 2],
}

/// Bytes of a snapshot for each aggregated series (docs/performance.md).
const SNAPSHOT_BYTES: f64 = 36.0;

impl Need {
    /// What a demand needs.
    pub fn of(demand: &Demand, calibration: &Calibration, sizing: &Sizing) -> Self {
        let seconds = demand.seconds.max(1e-9);
        let cores = calibration.cpu_seconds(demand) / seconds;
        let memory = calibration.memory_bytes(demand);
        let share = sizing.replica_cores * sizing.utilisation;
        let replicas = ((cores / share).ceil() as u32).max(sizing.least_replicas);
        let base = calibration.memory.base.max(0.0);
        Self {
            variant: demand.variant.clone(),
            cores,
            memory_mib: memory / 1048576.0,
            replicas,
            replica_memory_mib: (base + (memory - base) / f64::from(replicas)) / 1048576.0,
            disk_bytes: demand.disposed.aggregated_series * SNAPSHOT_BYTES,
            in_bytes_per_second: demand.wire_bytes / seconds,
            out_bytes_per_second: demand.out_wire_bytes() / seconds,
            in_samples_per_second: demand.samples / seconds,
            out_samples_per_second: demand.out_samples() / seconds,
            backend_series: demand.out_series(),
            backend_born_per_hour: demand.out_born() / (demand.scrapes * demand.step_s).max(1e-9) * 3600.0,
        }
    }
}

impl Plan {
    /// A plan from demands.
    pub fn new(of: &str, demands: &[Demand], calibration: &Calibration, sizing: &Sizing) -> Self {
        let needs = demands.iter().map(|demand| Need::of(demand, calibration, sizing)).collect();
        let protocol = demands.first().map(|demand| demand.protocol).unwrap_or_default();
        Self { of: of.into(), protocol, needs, errors: [calibration.cpu_error, calibration.memory_error] }
    }

    /// The head of the table.
    pub const HEAD: [&'static str; 11] = [
        "policies",
        "cores",
        "memory, MiB",
        "replicas",
        "memory each, MiB",
        "disk",
        "in/s",
        "out/s",
        "samples/s in",
        "samples/s out",
        "backend series (new an hour)",
    ];

    /// Rows of the table.
    pub fn table(&self) -> Vec<Vec<String>> {
        let row = |need: &Need| {
            vec![
                need.variant.clone(),
                format!("{:.3}", need.cores),
                format!("{:.0}", need.memory_mib),
                need.replicas.to_string(),
                format!("{:.0}", need.replica_memory_mib),
                bytes(need.disk_bytes),
                bytes(need.in_bytes_per_second),
                bytes(need.out_bytes_per_second),
                count(need.in_samples_per_second as u64),
                count(need.out_samples_per_second as u64),
                format!(
                    "{} ({})",
                    count(need.backend_series as u64),
                    count(need.backend_born_per_hour as u64)
                ),
            ]
        };
        self.needs.iter().map(row).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.of)?;
        f.write_str(&page::markdown(&Self::HEAD, &self.table()))?;
        let percent = |share: f64| (share * 100.0).round();
        let [cpu, memory] = self.errors;
        writeln!(
            f,
            "\nError on runs that the coefficients were not fitted to: cores {}% (at most {}%), memory {}% (at most {}%).",
            percent(cpu.0),
            percent(cpu.1),
            percent(memory.0),
            percent(memory.1)
        )?;
        if self.protocol == Protocol::V1 {
            return Ok(());
        }
        writeln!(
            f,
            "\nThe coefficients are of 1.0 in snappy. What comes in {} is priced as 1.0 that is compressed anew: what it costs to read \
             {} itself is not in the figures.",
            self.protocol, self.protocol
        )
    }
}

/// A time as seconds.
pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
