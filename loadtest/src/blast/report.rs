//! What a blast found out, as lines for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BlastOptions;
use super::connection::Outcome;
use super::prepare::Prepared;
use crate::process::Usage;
use crate::protocol::Protocol;

/// The outcome of a blast. All counts are of the measured window, without warming up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Samples in bodies answered with 2xx.
    pub samples_accepted: u64,
    /// Samples in bodies refused for good, or given up after ten attempts.
    pub samples_refused: u64,
    /// Samples left when time was up.
    pub samples_unsent: u64,
    /// The same three for the scrapes before the measured window.
    pub warm_samples: [u64; 3],
    /// How requests were written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Series in one scrape.
    pub series: u64,
    /// Series over all scrapes, warming up and replaced pods included.
    pub distinct_series: u64,
    /// Length of the measured window, in seconds.
    pub wall_seconds: f64,
    /// Accepted samples by that length.
    pub samples_per_second: f64,
    /// Answered attempts by status.
    pub codes: BTreeMap<u16, u64>,
    /// Attempts that ended without an answer.
    pub broken_requests: u64,
    /// Attempts beyond the first of a body.
    pub retries: u64,
    /// From sending a request to the end of its answer.
    pub latency: Latency,
    /// Compressed bytes for one sample, over all bodies.
    pub wire_bytes_per_sample: f64,
    /// Decompressed bytes for one sample, over all bodies.
    pub raw_bytes_per_sample: f64,
    /// What it cost the receiver's process, if one was watched.
    pub process: Option<ProcessCost>,
    /// One failure in words, if there was any.
    pub last_error: Option<String>,
}

/// Percentiles of the answered attempts, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What the measured window cost a process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessCost {
    /// User and system time, in seconds; the kernel counts in steps of 10 ms.
    pub cpu_seconds: f64,
    /// The same for one accepted sample, in nanoseconds.
    pub cpu_ns_per_sample: f64,
    /// Resident memory before the window, in MiB.
    pub rss_before_mib: f64,
    /// Resident memory after it, in MiB.
    pub rss_mib: f64,
    /// The most that was ever resident, in MiB.
    pub peak_mib: f64,
}

impl Report {
    pub(super) fn new(
        options: &BlastOptions,
        prepared: &Prepared,
        warmed: &Outcome,
        outcome: Outcome,
        wall: Duration,
        usage: Option<(Usage, Usage)>,
    ) -> Self {
        let (wire, raw) = prepared.total_bytes();
        let total = prepared.total_samples().max(1) as f64;
        let wall_seconds = wall.as_secs_f64();
        Self {
            samples_accepted: outcome.accepted,
            samples_refused: outcome.refused,
            samples_unsent: outcome.unsent,
            warm_samples: [warmed.accepted, warmed.refused, warmed.unsent],
            protocol: options.protocol,
            series: options.series,
            distinct_series: prepared.distinct_series(),
            wall_seconds,
            samples_per_second: outcome.accepted as f64 / wall_seconds.max(1e-9),
            codes: outcome.codes,
            broken_requests: outcome.broken,
            retries: outcome.retries,
            latency: Latency::of(outcome.latencies_ns),
            wire_bytes_per_sample: wire as f64 / total,
            raw_bytes_per_sample: raw as f64 / total,
            process: usage.map(|(before, after)| ProcessCost::between(before, after, outcome.accepted)),
            last_error: outcome.last_error.or_else(|| warmed.last_error.clone()),
        }
    }

    /// Whether every sample was accepted.
    pub fn is_complete(&self) -> bool {
        self.samples_refused == 0 && self.samples_unsent == 0 && self.warm_samples[1..] == [0, 0]
    }
}

impl Latency {
    fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |share: f64| {
            let last = nanos.len().saturating_sub(1) as f64;
            nanos.get((last * share).round() as usize).map_or(0.0, |&found| found as f64 / 1e6)
        };
        Self { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

impl ProcessCost {
    fn between(before: Usage, after: Usage, samples: u64) -> Self {
        let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        Self {
            cpu_seconds,
            cpu_ns_per_sample: cpu_seconds * 1e9 / samples.max(1) as f64,
            rss_before_mib: before.rss_kib as f64 / 1024.0,
            rss_mib: after.rss_kib as f64 / 1024.0,
            peak_mib: after.peak_kib as f64 / 1024.0,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [warm_accepted, warm_refused, warm_unsent] = self.warm_samples;
        writeln!(
            f,
            "samples     {} accepted, {} refused, {} unsent",
            self.samples_accepted, self.samples_refused, self.samples_unsent
        )?;
        writeln!(f, "warming up  {warm_accepted} accepted, {warm_refused} refused, {warm_unsent} unsent")?;
        writeln!(f, "protocol    {}", self.protocol)?;
        writeln!(f, "series      {} a scrape, {} distinct in all", self.series, self.distinct_series)?;
        writeln!(f, "rate        {:.0} samples/s over {:.2} s", self.samples_per_second, self.wall_seconds)?;
        writeln!(
            f,
            "latency     p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            self.latency.p50_ms, self.latency.p99_ms, self.latency.max_ms
        )?;
        let codes: Vec<String> = self.codes.iter().map(|(code, count)| format!("{count} x {code}")).collect();
        writeln!(
            f,
            "answers     {}; {} broken, {} retries",
            if codes.is_empty() { "none".into() } else { codes.join(", ") },
            self.broken_requests,
            self.retries
        )?;
        writeln!(
            f,
            "bytes       {:.1} wire, {:.0} raw a sample",
            self.wire_bytes_per_sample, self.raw_bytes_per_sample
        )?;
        if let Some(cost) = &self.process {
            writeln!(
                f,
                "process     {:.0} ns CPU a sample ({:.2} s), RSS {:.0} -> {:.0} MiB, peak {:.0} MiB",
                cost.cpu_ns_per_sample, cost.cpu_seconds, cost.rss_before_mib, cost.rss_mib, cost.peak_mib
            )?;
        }
        match &self.last_error {
            Some(error) => writeln!(f, "last error  {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_and_of_none() {
        let latency = Latency::of((0..=100).rev().map(|ms| ms * 1_000_000).collect());
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.max_ms), (50.0, 99.0, 100.0));
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
