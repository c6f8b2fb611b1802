//! Who was born and who is gone since the scrape before, for each lane.

use std::sync::Arc;

use ahash::HashMap;
use bytes::Bytes;

use super::metadata::{Families, help};
use super::repack::to_zstd;
use super::rich_series::RichSeries;
use super::segment::{Builder, Segment};
use super::spelled::Said;
use super::teams::{Place, Teams};
use super::{Expect, Fate, Source};
use crate::cluster::Visit;
use crate::law::Law;
use crate::names::Seed;
use crate::protocol::{Protocol, Version};
use crate::rich::Rich;

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
    /// Whether the lane's agent is there.
    pub joined: bool,
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
    /// What is sent.
    pub protocol: Protocol,
}

/// Follows a source from scrape to scrape.
pub struct Planner {
    source: Box<dyn Source>,
    expect: Arc<dyn Expect>,
    spread: Spread,
    teams: Teams,
    known: HashMap<u64, Known>,
    scrape: u64,
    families: Families,
    series: usize,
}

struct Known {
    lane: usize,
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
            teams: Teams::one(spread.lanes),
            known: HashMap::default(),
            scrape: 0,
            families: Families::default(),
            series: 0,
        }
    }

    /// The same for scopes, given by what they add to identities: agents are dealt out to them in turn, and each has all
    /// objects of the source.
    #[must_use]
    pub fn with_scopes(mut self, salts: &[u64]) -> Self {
        if !salts.is_empty() {
            self.teams.of_scopes(salts, self.spread.shards);
        }
        self
    }

    /// The same with an agent that begins to send at a time (Unix milliseconds). Its objects were there before.
    #[must_use]
    pub fn with_join(mut self, agent: usize, at_ms: i64) -> Self {
        let shards = self.spread.shards.max(1);
        self.teams.joins(agent * shards..(agent + 1) * shards, at_ms);
        self
    }

    /// What every lane has to do for the scrape at a time (Unix milliseconds).
    pub fn scrape(&mut self, at_ms: i64) -> Vec<LaneStep> {
        self.scrape += 1;
        let stale_markers = self.spread.stale_markers;
        let step = |lane| LaneStep {
            at_ms,
            stale_markers,
            metadata: None,
            joined: self.teams.has_joined(lane, at_ms),
            born: Vec::new(),
            ended: Vec::new(),
        };
        let mut sight = Sight {
            known: &mut self.known,
            expect: &*self.expect,
            spread: self.spread,
            teams: &self.teams,
            at_ms,
            scrape: self.scrape,
            steps: (0..self.spread.lanes.max(1)).map(step).collect(),
            building: Vec::new(),
            families: &mut self.families,
        };
        self.source.objects(at_ms, &mut sight);
        sight.finish();
        let (mut steps, scrape) = (sight.steps, self.scrape);
        self.known.retain(|&id, known| {
            if known.seen != scrape {
                steps[known.lane].ended.push(id);
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

    /// Prometheus sends all metadata once a minute, in requests of their own; here one lane of each agent does. In 2.0 every
    /// series has its own with it.
    fn tell_metadata(&mut self, at_ms: i64, steps: &mut [LaneStep]) {
        let is_told = self.spread.metadata && self.spread.protocol.form().version == Version::One;
        let Some(mut body) = is_told.then(|| self.families.body(at_ms)).flatten() else { return };
        if self.spread.protocol == Protocol::Zstd {
            let mut packed = Vec::from(body);
            to_zstd(&mut packed);
            body = packed.into();
        }
        let first = steps.iter_mut().step_by(self.spread.shards.max(1));
        for step in first.filter(|step| step.joined) {
            step.metadata = Some(body.clone());
        }
    }
}

/// One look at a source.
struct Sight<'a> {
    known: &'a mut HashMap<u64, Known>,
    expect: &'a dyn Expect,
    spread: Spread,
    teams: &'a Teams,
    at_ms: i64,
    scrape: u64,
    steps: Vec<LaneStep>,
    /// The copies of the object under way that are new.
    building: Vec<Building>,
    families: &'a mut Families,
}

/// A copy of an object, under way.
struct Building {
    place: Place,
    series: usize,
    born: Born,
    builder: Builder,
}

impl Visit for Sight<'_> {
    fn object(&mut self, id: u64, state: u64) -> bool {
        self.finish();
        for place in self.teams.places(id, self.at_ms) {
            let fresh = Known { lane: place.lane, state: !state, seen: 0, series: 0 };
            let known = self.known.entry(place.id).or_insert(fresh);
            known.seen = self.scrape;
            if std::mem::replace(&mut known.state, state) != state {
                self.building.push(Building::new(place, self.spread));
            }
        }
        !self.building.is_empty()
    }

    fn series(&mut self, labels: &[(&str, &str)], law: &Law) {
        let family = self.families.see(labels, law);
        let told = family.filter(|_| self.spread.metadata && self.version() == Version::Two);
        let help = told.map(|(_, family)| help(family)).unwrap_or_default();
        let said = Said { kind: told.map_or(0, |(kind, _)| kind), help: &help };
        let fate = self.expect.fate(labels);
        for building in &mut self.building {
            building.series(labels, (law, said), fate, self.spread.batch);
        }
    }

    fn rich(&mut self, labels: &[(&str, &str)], what: Rich) {
        for building in &mut self.building {
            building.born.rich.push(RichSeries::new(labels, what, self.spread.protocol.form().version));
        }
    }
}

impl Sight<'_> {
    fn version(&self) -> Version {
        self.spread.protocol.form().version
    }

    fn finish(&mut self) {
        for mut building in self.building.drain(..) {
            building.close_segment();
            if let Some(known) = self.known.get_mut(&building.place.id) {
                known.series = building.series;
            }
            self.steps[building.place.lane].born.push(building.born);
        }
    }
}

impl Building {
    fn new(place: Place, spread: Spread) -> Self {
        let within_ms = spread.within_ms.max(1).unsigned_abs();
        let offset_ms = Seed::new(place.id).child(12).below(within_ms).cast_signed();
        let born = Born { id: place.id, offset_ms, segments: Vec::new(), rich: Vec::new() };
        Self { place, series: 0, born, builder: Builder::new(spread.protocol.form().version) }
    }

    fn series(&mut self, labels: &[(&str, &str)], (law, said): (&Law, Said<'_>), fate: Fate, batch: usize) {
        let Place { salt, factor, .. } = self.place;
        self.series += 1;
        self.builder.push(labels, (law.times(factor), said), fate.within(salt), salt);
        if self.builder.is_full() || self.builder.len() >= SEGMENT_SERIES.min(batch) {
            self.close_segment();
        }
    }

    fn close_segment(&mut self) {
        self.born.segments.extend(self.builder.finish());
    }
}
