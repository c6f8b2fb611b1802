//! What a scenario asks of a gate, counted by going through it without sending anything.

use std::sync::Arc;

use ahash::{HashMap, HashSet};
use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::body::BodyBuilder;
use crate::expect::Expectations;
use crate::fleet::{Expect, Fate, Lane};
use crate::protocol::Protocol;
use crate::run::{RunOptions, fleet_of};
use crate::scenario::{Scenario, Variant};
use crate::sink::read_body;

/// What comes in during a window, and what is to become of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// The variant.
    pub variant: String,
    /// How requests are written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Length of the window on the clock, in seconds.
    pub seconds: f64,
    /// Scrapes in it.
    pub scrapes: f64,
    /// From one to the next in the data, in seconds.
    pub step_s: f64,
    /// Series of its last scrape.
    pub series: f64,
    /// Series born in it.
    pub born: f64,
    /// Series that came and ended before its end and are still known: those of the last twenty minutes of the data.
    pub gone: f64,
    /// Connections.
    pub connections: f64,
    /// Requests.
    pub requests: f64,
    /// Samples.
    pub samples: f64,
    /// Bytes before compression, of what is written in 2.0 those that 1.0 has.
    pub raw_bytes: f64,
    /// Compressed bytes.
    pub wire_bytes: f64,
    /// Compressed bytes of what is sent on of it.
    #[serde(default)]
    pub sent_on_bytes: f64,
    /// What policies take out or change.
    pub disposed: Disposed,
}

/// What policies take out or change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disposed {
    /// Samples that are dropped.
    pub removed: f64,
    /// Samples that go on under other labels.
    pub relabeled: f64,
    /// Samples that become part of a group.
    pub aggregated: f64,
    /// Series that are dropped, all there ever were.
    pub removed_series: f64,
    /// Series under other labels, all there ever were.
    pub relabeled_series: f64,
    /// Series that are part of a group, all there ever were.
    pub aggregated_series: f64,
    /// Groups.
    pub groups: f64,
    /// Points of groups that are generated.
    pub points: f64,
}

/// About six scrapes, spread over the window: looking at each series of all of them would take long.
fn looked_at(scrape: u64, scenario: &Scenario) -> bool {
    let every = (scenario.scrapes / 6).max(1);
    scrape >= scenario.warm && (scrape - scenario.warm) % every == every / 2
}

/// What a gate would send on: bodies of 1.0 in snappy of which nothing is taken out as they came, all else made such a body.
#[derive(Default)]
struct SentOn {
    samples: u64,
    bytes: usize,
    /// What came in, as 1.0 has it, before compression.
    raw_bytes: u64,
}

impl SentOn {
    fn add(&mut self, body: &[u8], protocol: Protocol, expect: &Expectations) {
        let (mut whole, mut kept) = (BodyBuilder::new(usize::MAX), BodyBuilder::new(usize::MAX));
        let (mut all, mut changed) = (0, 0);
        read_body(body, protocol.form().version, |labels, samples| {
            let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|&(name, value)| (text(name), text(value))).collect();
            for &(at_ms, value) in samples {
                all += 1;
                whole.push(&labels, value, at_ms);
                let fate = expect.fate(&labels);
                changed += u64::from(fate != Fate::Exact);
                if matches!(fate, Fate::Exact | Fate::Relabeled) {
                    kept.push(&labels, value, at_ms);
                }
            }
        })
        .expect("our own bodies can be read");
        self.samples += all;
        let anew = kept.finish().map_or(0, |body| body.bytes.len());
        self.bytes += if changed == 0 && protocol == Protocol::V1 { body.len() } else { anew };
        self.raw_bytes += whole.finish().map_or(0, |body| body.raw_bytes);
    }

    /// Bytes sent on for each sample that came in.
    fn bytes_a_sample(&self) -> f64 {
        self.bytes as f64 / self.samples.max(1) as f64
    }

    fn raw_bytes_a_sample(&self) -> f64 {
        self.raw_bytes as f64 / self.samples.max(1) as f64
    }
}

impl Disposed {
    /// Adds what another policy does.
    pub(super) fn add(&mut self, other: &Self) {
        self.removed += other.removed;
        self.relabeled += other.relabeled;
        self.aggregated += other.aggregated;
        self.removed_series += other.removed_series;
        self.relabeled_series += other.relabeled_series;
        self.aggregated_series += other.aggregated_series;
        self.groups += other.groups;
        self.points += other.points;
    }
}

/// A gate forgets a series that was not heard of for so long (`series.idle_after`), in seconds of the data.
const IDLE_AFTER_S: f64 = 1200.0;
/// An aggregation makes a point for each group so often unless told otherwise, in seconds of the data.
pub(super) const WINDOW_S: f64 = 60.0;

impl Demand {
    /// Goes through a run without sending anything.
    pub fn of(options: &RunOptions, variant: &Variant) -> Result<Self> {
        let scenario = &options.scenario;
        let expect = Arc::new(Expectations::new(&variant.expect)?);
        let (mut planner, mut lanes, times) = fleet_of(scenario, Arc::<Expectations>::clone(&expect))?;
        let mut demand = Self {
            variant: variant.name.clone(),
            protocol: scenario.protocol,
            scrapes: scenario.scrapes as f64,
            step_s: super::seconds(scenario.interval.0),
            connections: lanes.len() as f64,
            ..Self::default()
        };
        let mut body = Vec::new();
        let mut sent_on = SentOn::default();
        let (mut warm, mut born_before) = (Disposed::default(), 0.0);
        for scrape in 0..scenario.warm + scenario.scrapes {
            if scrape == scenario.warm {
                warm = disposed(&lanes);
                born_before = born(&lanes);
            }
            let steps = planner.scrape(times.start_ms + scrape.cast_signed() * times.step_ms);
            let measured = scrape >= scenario.warm;
            demand.series = planner.series() as f64;
            if measured {
                demand.seconds += super::seconds(options.pace().lasts(planner.series()));
            }
            for (lane, step) in lanes.iter_mut().zip(steps) {
                lane.begin(step);
                while let Some(loaded) = lane.next_body(&mut body) {
                    if looked_at(scrape, scenario) {
                        sent_on.add(&body, scenario.protocol, &expect);
                    }
                    if measured {
                        demand.requests += 1.0;
                        demand.samples += loaded.samples as f64;
                        demand.raw_bytes += loaded.raw_bytes as f64;
                        demand.wire_bytes += body.len() as f64;
                    }
                }
            }
        }
        let all = scenario.warm + scenario.scrapes;
        // all that were born less those that are there, as far back as the gate remembers
        let remembered = (IDLE_AFTER_S / (all as f64 * demand.step_s).max(1e-9)).min(1.0);
        demand.born = born(&lanes) - born_before;
        demand.gone = (born(&lanes) - demand.series).max(0.0) * remembered;
        if scenario.protocol == Protocol::V2 {
            demand.raw_bytes = demand.samples * sent_on.raw_bytes_a_sample();
        }
        demand.sent_on_bytes = demand.samples * sent_on.bytes_a_sample();
        demand.disposed = disposed(&lanes);
        demand.disposed.removed -= warm.removed;
        demand.disposed.relabeled -= warm.relabeled;
        demand.disposed.aggregated -= warm.aggregated;
        let span_s = demand.scrapes * demand.step_s;
        demand.disposed.points = demand.disposed.groups * (span_s / WINDOW_S).max(1.0);
        Ok(demand)
    }

    /// The same with something taken out or changed, of series of ordinary size.
    pub(super) fn with(&self, variant: String, disposed: Disposed) -> Self {
        let kept = 1.0 - (disposed.removed + disposed.aggregated) / self.samples.max(1.0);
        Self { variant, disposed, sent_on_bytes: self.wire_bytes * kept.max(0.0), ..self.clone() }
    }

    /// Samples that go on to the backend.
    pub fn out_samples(&self) -> f64 {
        self.samples - self.disposed.removed - self.disposed.aggregated + self.disposed.points
    }

    /// Series that the backend has active.
    pub fn out_series(&self) -> f64 {
        let all = self.series + self.gone;
        let share = self.series / all.max(1.0);
        self.series - (self.disposed.removed_series + self.disposed.aggregated_series) * share
            + self.disposed.groups
    }

    /// Series born that go on to the backend.
    pub fn out_born(&self) -> f64 {
        let all = self.series + self.gone;
        let kept = 1.0 - (self.disposed.removed_series + self.disposed.aggregated_series) / all.max(1.0);
        self.born * kept
    }

    /// Bytes, before compression, of what the gate compresses anew: what a policy changes, and all that is not 1.0 in snappy.
    pub fn rewritten_bytes(&self) -> f64 {
        let Disposed { removed, relabeled, aggregated, .. } = self.disposed;
        if removed + relabeled + aggregated == 0.0 && self.protocol == Protocol::V1 {
            return 0.0;
        }
        self.raw_bytes * self.out_samples() / self.samples.max(1.0)
    }

    /// Compressed bytes that go on to the backend; a generated point takes as much as a sample that came in.
    pub fn out_wire_bytes(&self) -> f64 {
        self.sent_on_bytes + self.disposed.points * self.wire_bytes / self.samples.max(1.0)
    }
}

/// Series there ever were in some lanes.
fn born(lanes: &[Lane]) -> f64 {
    lanes.iter().map(|lane| lane.born() as f64).sum()
}

/// What is to become of all that some lanes have sent.
fn disposed(lanes: &[Lane]) -> Disposed {
    let mut series: HashMap<u64, Fate> = HashMap::default();
    let mut found = Disposed::default();
    let mut groups: HashSet<u64> = HashSet::default();
    for sent in lanes.iter().flat_map(Lane::sent) {
        let samples = f64::from(sent.count);
        let new = series.insert(sent.identity, sent.fate).is_none();
        let (of_samples, of_series) = match sent.fate {
            Fate::Exact => continue,
            Fate::Removed => (&mut found.removed, &mut found.removed_series),
            Fate::Relabeled => (&mut found.relabeled, &mut found.relabeled_series),
            Fate::Aggregated(group) => {
                groups.insert(group);
                (&mut found.aggregated, &mut found.aggregated_series)
            }
        };
        *of_samples += samples;
        *of_series += f64::from(u8::from(new));
    }
    found.groups = groups.len() as f64;
    found
}
