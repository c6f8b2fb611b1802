//! What a run found out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunOptions;
use crate::process::Usage;
use crate::protocol::Protocol;
use crate::send::{Headroom, Percentiles, Phase, Second};
use crate::sink::Stats;
use crate::verify::Verdict;

/// A run, as JSON has it. Counts are of the measured window, without warming up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The variant's name.
    pub variant: String,
    /// The proxy's name.
    pub proxy: String,
    /// How requests were written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Series of the last scrape.
    pub series: u64,
    /// Series born in the window.
    pub born: u64,
    /// Samples that were due in a second.
    pub offered_per_second: f64,
    /// Samples accepted in a second, up to the last answer.
    pub accepted_per_second: f64,
    /// Samples accepted.
    pub accepted: u64,
    /// Samples refused for good.
    pub refused: u64,
    /// Samples of which nobody knows.
    pub unknown: u64,
    /// Samples refused for good, or unknown, while warming up.
    #[serde(default)]
    pub warm_lost: u64,
    /// From when a body was due to its last answer.
    pub latency: Percentiles,
    /// Attempts by status.
    pub codes: BTreeMap<u16, u64>,
    /// Attempts without an answer.
    pub broken: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// One failure in words.
    pub last_error: Option<String>,
    /// What it cost the proxy.
    pub cost: Option<Cost>,
    /// Resident memory of the proxy before it saw anything, in KiB.
    pub empty_rss_kib: Option<u64>,
    /// Resident memory of the proxy at the end, in KiB.
    pub end_rss_kib: Option<u64>,
    /// What went in and came out.
    pub flow: Flow,
    /// Whether the sender could have sent more.
    pub headroom: Headroom,
    /// What had to arrive compared with what did; absent if nobody looked.
    pub verdict: Option<Verdict>,
    /// Whether the proxy ended by itself when it was asked to.
    pub stopped_by_itself: bool,
    /// Second by second.
    pub points: Vec<Point>,
}

/// What the window cost the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// CPU seconds for a million accepted samples.
    pub cpu_per_million: f64,
    /// The most that was ever resident, in KiB.
    pub peak_rss_kib: u64,
}

/// What went in and what came out in the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Samples accepted.
    pub in_samples: u64,
    /// Compressed bytes sent, retries included.
    pub in_wire_bytes: u64,
    /// The same before compression.
    pub in_raw_bytes: u64,
    /// Requests sent, retries included.
    pub in_requests: u64,
    /// Samples that arrived.
    pub out_samples: u64,
    /// Compressed bytes that arrived.
    pub out_wire_bytes: u64,
    /// Requests that arrived.
    pub out_requests: u64,
    /// The same by version and encoding.
    #[serde(default)]
    pub out_forms: BTreeMap<String, u64>,
    /// Distinct series that arrived, warming up included.
    pub out_series: u64,
}

/// One second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What the sender saw.
    #[serde(flatten)]
    pub second: Second,
    /// Cores that the proxy used.
    pub cpu_share: f64,
    /// Its resident memory in KiB.
    pub rss_kib: u64,
    /// Samples that arrived.
    pub arrived: u64,
    /// Compressed bytes that arrived.
    pub arrived_bytes: u64,
    /// Distinct series that have arrived so far.
    pub series: u64,
}

impl Cost {
    pub(super) fn between(before: Usage, after: Usage, samples: u64) -> Self {
        let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        Self {
            cpu_seconds,
            cpu_per_million: cpu_seconds * 1e6 / samples.max(1) as f64,
            peak_rss_kib: after.peak_kib,
        }
    }
}

impl Flow {
    pub(super) fn between(phase: &Phase, before: &Stats, after: &Stats) -> Self {
        let send_counts = &phase.send_counts;
        Self {
            in_samples: send_counts.accepted,
            in_wire_bytes: send_counts.wire_bytes,
            in_raw_bytes: send_counts.raw_bytes,
            in_requests: send_counts.codes.values().sum::<u64>() + send_counts.broken,
            out_samples: after.samples.saturating_sub(before.samples),
            out_wire_bytes: after.wire_bytes.saturating_sub(before.wire_bytes),
            out_requests: after.requests.saturating_sub(before.requests),
            out_forms: forms(before, after),
            out_series: after.distinct_series,
        }
    }
}

/// Requests that arrived in between, by version and encoding.
fn forms(before: &Stats, after: &Stats) -> BTreeMap<String, u64> {
    let came = |form: &String| before.forms.get(form).copied().unwrap_or(0);
    let gained = after.forms.iter().map(|(form, count)| (form.clone(), count.saturating_sub(came(form))));
    gained.filter(|(_, count)| *count > 0).collect()
}

impl Outcome {
    pub(super) fn new(
        options: &RunOptions,
        phase: &Phase,
        points: Vec<Point>,
        cost: Option<Cost>,
        flow: Flow,
        verdict: Option<Verdict>,
    ) -> Self {
        let send_counts = &phase.send_counts;
        let offered = send_counts.accepted + send_counts.refused + send_counts.unknown;
        let wall = phase.window.1.saturating_duration_since(phase.window.0).max(phase.scheduled);
        Self {
            scenario: options.scenario.name.clone(),
            variant: options.variant.name.clone(),
            proxy: options.proxy.name(),
            protocol: options.scenario.protocol,
            series: phase.series as u64,
            born: phase.born,
            offered_per_second: offered as f64 / phase.scheduled.as_secs_f64().max(1e-9),
            accepted_per_second: send_counts.accepted as f64 / wall.as_secs_f64().max(1e-9),
            accepted: send_counts.accepted,
            refused: send_counts.refused,
            unknown: send_counts.unknown,
            warm_lost: 0,
            latency: send_counts.latency.percentiles(),
            codes: send_counts.codes.clone(),
            broken: send_counts.broken,
            retries: send_counts.retries,
            last_error: send_counts.last_error.clone(),
            cost,
            empty_rss_kib: None,
            end_rss_kib: None,
            flow,
            headroom: phase.headroom.clone(),
            verdict,
            stopped_by_itself: true,
            points,
        }
    }

    /// Bytes of memory that the proxy has for each series of the last scrape.
    pub fn rss_per_series(&self) -> Option<f64> {
        let grown = self.end_rss_kib?.saturating_sub(self.empty_rss_kib?);
        Some(grown as f64 * 1024.0 / self.series.max(1) as f64)
    }

    /// Whether every sample was accepted and arrived as it had to.
    pub fn is_clean(&self) -> bool {
        self.refused + self.unknown + self.warm_lost == 0
            && self.verdict.as_ref().is_none_or(Verdict::is_clean)
    }
}
