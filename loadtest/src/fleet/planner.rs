//! Who was born and who is gone since the scrape before, for each lane.

use std::sync::Arc;

use ahash::HashMap;
use bytes::Bytes;

use super::metadata::Families;
use super::segment::{Builder, Segment};
use super::{Expect, Source};
use crate::cluster::Visit;
use crate::law::Law;
use crate::names::Seed;
use crate::rich::{Rich, RichSeries};

/// Series in one segment at most, so that bodies fill up to nearly their size.
const SEGMENT_SERIES: usize = 100;

/// What happens in one lane before a scrape is sent.
pub struct LaneStep {
    /// Time of the scrape, Unix milliseconds.
    pub at_ms: i64,
    /// Whether what is gone says so.
    pub stale_markers: bool,
    /// A request with the metadata of all metrics, if it is time for one.
    pub metadata: Option<Bytes>,
    pub(super) born: Vec<Born>,
    pub(super) ended: Vec<u64>,
}

/// An object that is new, or in a new state.
pub(super) struct Born {
    pub(super) id: u64,
    /// From the time of a scrape to that of the object's samples.
    pub(super) offset_ms: i64,
    pub(super) segments: Vec<Segment>,
    pub(super) rich: Vec<RichSeries>,
}

/// How series are spread over lanes and time.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Agents times shards.
    pub lanes: usize,
    /// Samples in a body.
    pub batch: usize,
    /// Targets are scraped within this time of each other, in milliseconds.
    pub within_ms: i64,
    /// Whether what is gone says so.
    pub stale_markers: bool,
    /// Whether metadata is sent.
    pub metadata: bool,
    /// Lanes of one agent.
    pub shards: usize,
}

/// Follows a source from scrape to scrape.
pub struct Planner {
    source: Box<dyn Source>,
    expect: Arc<dyn Expect>,
    spread: Spread,
    known: HashMap<u64, Known>,
    scrape: u64,
    families: Families,
    series: usize,
}

struct Known {
    state: u64,
    seen: u64,
    series: usize,
}

impl Planner {
    /// A planner that has seen nothing of its source.
    pub fn new(source: Box<dyn Source>, expect: Arc<dyn Expect>, spread: Spread) -> Self {
        Self {
            source,
            expect,
            spread,
            known: HashMap::default(),
            scrape: 0,
            families: Families::default(),
            series: 0,
        }
    }

    /// What every lane has to do for the scrape at a time (Unix milliseconds).
    pub fn scrape(&mut self, at_ms: i64) -> Vec<LaneStep> {
        self.scrape += 1;
        let stale_markers = self.spread.stale_markers;
        let step = |_| LaneStep { at_ms, stale_markers, metadata: None, born: Vec::new(), ended: Vec::new() };
        let mut sight = Sight {
            known: &mut self.known,
            expect: &*self.expect,
            spread: self.spread,
            scrape: self.scrape,
            steps: (0..self.spread.lanes.max(1)).map(step).collect(),
            building: None,
            builder: Builder::default(),
            families: &mut self.families,
            id: 0,
        };
        self.source.objects(at_ms, &mut sight);
        sight.finish();
        let (mut steps, scrape) = (sight.steps, self.scrape);
        let lanes = steps.len();
        self.known.retain(|&id, known| {
            if known.seen != scrape {
                steps[lane(id, lanes)].ended.push(id);
            }
            known.seen == scrape
        });
        self.series = self.known.values().map(|known| known.series).sum();
        for step in &mut steps {
            step.ended.sort_unstable();
        }
        self.tell_metadata(at_ms, &mut steps);
        steps
    }

    /// Series of the last scrape.
    pub fn series(&self) -> usize {
        self.series
    }

    /// Prometheus sends all metadata once a minute, in requests of their own; here one lane of each agent does.
    fn tell_metadata(&mut self, at_ms: i64, steps: &mut [LaneStep]) {
        let Some(body) = self.spread.metadata.then(|| self.families.body(at_ms)).flatten() else { return };
        for step in steps.iter_mut().step_by(self.spread.shards.max(1)) {
            step.metadata = Some(body.clone());
        }
    }
}

/// Where an object lives.
fn lane(id: u64, lanes: usize) -> usize {
    (Seed::new(id).child(11).value() % lanes as u64) as usize
}

/// One look at a source.
struct Sight<'a> {
    known: &'a mut HashMap<u64, Known>,
    expect: &'a dyn Expect,
    spread: Spread,
    scrape: u64,
    steps: Vec<LaneStep>,
    building: Option<Born>,
    builder: Builder,
    families: &'a mut Families,
    /// The object under way.
    id: u64,
}

impl Visit for Sight<'_> {
    fn object(&mut self, id: u64, state: u64) -> bool {
        self.finish();
        let known = self.known.entry(id).or_insert(Known { state: !state, seen: 0, series: 0 });
        known.seen = self.scrape;
        if std::mem::replace(&mut known.state, state) == state {
            return false;
        }
        (known.series, self.id) = (0, id);
        let offset_ms = Seed::new(id).child(12).below(self.spread.within_ms.max(1).unsigned_abs());
        self.building =
            Some(Born { id, offset_ms: offset_ms.cast_signed(), segments: Vec::new(), rich: Vec::new() });
        true
    }

    fn series(&mut self, labels: &[(&str, &str)], law: &Law) {
        if let Some(known) = self.known.get_mut(&self.id) {
            known.series += 1;
        }
        self.families.see(labels, law);
        self.builder.push(labels, *law, self.expect.fate(labels));
        if self.builder.is_full() || self.builder.len() >= SEGMENT_SERIES.min(self.spread.batch) {
            self.close_segment();
        }
    }

    fn rich(&mut self, labels: &[(&str, &str)], what: Rich) {
        if let Some(building) = &mut self.building {
            building.rich.push(RichSeries::new(labels, what));
        }
    }
}

impl Sight<'_> {
    fn close_segment(&mut self) {
        if let Some(building) = &mut self.building {
            building.segments.extend(self.builder.finish());
        }
    }

    fn finish(&mut self) {
        self.close_segment();
        if let Some(born) = self.building.take() {
            let lanes = self.steps.len();
            self.steps[lane(born.id, lanes)].born.push(born);
        }
    }
}
