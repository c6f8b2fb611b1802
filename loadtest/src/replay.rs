//! A recording sent again: faster, several times over, and as if it came from several clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::body::BodyBuilder;
use crate::fleet::{Expect, Loaded};
use crate::identity;
use crate::names::Seed;
use crate::protocol::Protocol;
use crate::send::Ready;
use crate::source::{Record, RecordedSeries, renamed_value};

/// From one time through a recording to the next where the recording does not tell, in milliseconds.
const STEP_MS: i64 = 15_000;

/// How a recording is sent again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What was recorded.
    pub records: Vec<Record>,
    /// How much faster than it was recorded.
    pub speed: f64,
    /// As if so many had sent it.
    pub copies: u32,
    /// One after the other.
    pub times: u32,
    /// Labels of which each copy but the first has values of its own.
    pub renamed: Vec<String>,
    /// The most memory that bodies may take, in bytes.
    pub max_bytes: usize,
}

/// One sample on its way: its series, time and value.
type Sample<'a> = (&'a [(String, String)], i64, f64);

impl Replay {
    /// The bodies for so many lanes, of a batch and in a protocol, which end at a time (Unix milliseconds), with what is expected of them.
    pub fn bodies(
        &self,
        lanes: usize,
        (batch, protocol): (usize, Protocol),
        end_ms: i64,
        expect: &dyn Expect,
    ) -> Result<Vec<Vec<Ready>>> {
        ensure!(self.speed > 0.0 && self.speed.is_finite(), "the speed is above 0");
        let all = || self.records.iter().flat_map(|record| &record.series).flat_map(|series| &series.samples);
        let first_ms = all().map(|sample| sample.0).min().unwrap_or(0);
        let span_ms = all().map(|sample| sample.0).max().unwrap_or(0) - first_ms;
        let loop_ms = span_ms + if span_ms > 0 { span_ms / self.scrapes().max(1) } else { STEP_MS };
        let shift_ms = end_ms - first_ms - loop_ms * i64::from(self.times);
        let mut out: Vec<Vec<Ready>> = (0..lanes).map(|_| Vec::new()).collect();
        let mut bytes = 0;
        for time in 0..i64::from(self.times.max(1)) {
            for copy in 0..self.copies.max(1) {
                for record in &self.records {
                    let renamed = self.renamed(record, copy);
                    let shift_ms = shift_ms + time * loop_ms;
                    let at_ms = start_of(record) - first_ms + time * loop_ms;
                    let after = Duration::from_secs_f64(at_ms as f64 / 1000.0 / self.speed);
                    for (lane, ready) in split(&renamed, (lanes, batch, protocol), shift_ms, after, expect) {
                        bytes += ready.body.len() + ready.samples.len() * 40;
                        out[lane].push(ready);
                    }
                    ensure!(bytes <= self.max_bytes, "the bodies take more than {} bytes", self.max_bytes);
                }
            }
        }
        for lane in &mut out {
            lane.sort_by_key(|ready| ready.after);
        }
        Ok(out)
    }

    /// Distinct times of samples of the series that has most: scrapes, about.
    fn scrapes(&self) -> i64 {
        let mut counts: BTreeMap<&[(String, String)], i64> = BTreeMap::new();
        for series in self.records.iter().flat_map(|record| &record.series) {
            *counts.entry(&series.labels).or_default() += series.samples.len() as i64;
        }
        counts.into_values().max().unwrap_or(1) - 1
    }

    /// The record as another cluster would have sent it; the first copy is the recording itself.
    fn renamed(&self, record: &Record, copy: u32) -> Vec<RecordedSeries> {
        let mut series = record.series.clone();
        if copy == 0 {
            return series;
        }
        for series in &mut series {
            let mut renamed = false;
            for (name, value) in &mut series.labels {
                if self.renamed.contains(name) {
                    *value = renamed_value(value, Seed::new(u64::from(copy)));
                    renamed = true;
                }
            }
            if !renamed {
                series.labels.push(("replay_copy".into(), copy.to_string()));
                series.labels.sort();
            }
        }
        series
    }
}

fn start_of(record: &Record) -> i64 {
    let samples = record.series.iter().flat_map(|series| &series.samples);
    samples.map(|sample| sample.0).min().unwrap_or(0)
}

/// Bodies of a record, each series in the lane that is its own.
fn split(
    series: &[RecordedSeries],
    (lanes, batch, protocol): (usize, usize, Protocol),
    shift_ms: i64,
    after: Duration,
    expect: &dyn Expect,
) -> Vec<(usize, Ready)> {
    let mut by_lane: BTreeMap<usize, Vec<(u64, Sample<'_>)>> = BTreeMap::new();
    for series in series {
        let labels = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let identity = identity::of_labels(labels);
        let lane = by_lane.entry((identity % lanes as u64) as usize).or_default();
        let samples = series.samples.iter();
        lane.extend(
            samples.map(|&(at_ms, value)| (identity, (series.labels.as_slice(), at_ms + shift_ms, value))),
        );
    }
    let mut out = Vec::new();
    for (lane, samples) in by_lane {
        for samples in samples.chunks(batch) {
            out.push((lane, ready(samples, protocol, after, expect)));
        }
    }
    out
}

/// One body, every sample in a series of its own, as Prometheus sends them.
fn ready(samples: &[(u64, Sample<'_>)], protocol: Protocol, after: Duration, expect: &dyn Expect) -> Ready {
    let mut builder = BodyBuilder::new(usize::MAX).with_protocol(protocol);
    let mut told = Vec::with_capacity(samples.len());
    for &(identity, (labels, timestamp_ms, value)) in samples {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        builder.push(&labels, value, timestamp_ms);
        told.push((identity, timestamp_ms, value.to_bits(), expect.fate(&labels)));
    }
    let body = builder.finish().expect("chunks are not empty");
    let loaded = Loaded { samples: body.series, raw_bytes: body.raw_bytes, ..Loaded::default() };
    Ready { body: body.bytes, loaded, after, samples: told }
}
