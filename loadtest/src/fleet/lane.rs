//! One shard of an agent's queue: its segments, and the bodies made of them one by one.

mod bodies;

use ahash::HashMap;

use super::Fate;
pub use bodies::Loaded;

use super::account::{Sent, accounts};
use super::planner::{Born, LaneStep};
use super::rich_series::RichSeries;
use super::segment::Segment;
use super::spelled::Draft;
use crate::identity;
use crate::law::Law;
use crate::names::Seed;
use crate::protocol::Protocol;
use crate::rich::RichTotals;

struct Object {
    id: u64,
    offset_ms: i64,
    segments: Vec<Segment>,
    rich: Vec<RichSeries>,
    /// It sends its end and is gone.
    ended: bool,
}

/// The segments of one shard.
pub struct Lane {
    number: usize,
    batch: usize,
    protocol: Protocol,
    objects: Vec<Object>,
    /// Where those are that have not ended.
    by_id: HashMap<u64, usize>,
    /// Time of the scrape under way.
    at_ms: i64,
    /// Time of the first since its agent is there.
    joined_ms: Option<i64>,
    /// Where the last body went, and the times at which that was somewhere else than before.
    route: Option<(usize, u32)>,
    moves_ms: Vec<i64>,
    /// When it first wrote to a receiver that was started anew.
    restarted_ms: Option<i64>,
    /// The next segment: object, and segment in it.
    next: (usize, usize),
    /// Where the last body began.
    began: (usize, usize),
    sent_series: usize,
    total_series: usize,
    /// Series there ever were, those that came back in another state counted once.
    born: u64,
    retired: Vec<Sent>,
    /// Identities of which it is not known whether their last sample arrived.
    uncertain: Vec<u64>,
    exemplars: RichTotals,
    histograms: RichTotals,
    /// Those of the last body.
    last_rich: (RichTotals, RichTotals),
    snappy: snap::raw::Encoder,
    /// The body of 2.0 under way, and room for it.
    draft: Draft,
    raw: Vec<u8>,
}

impl Lane {
    /// A lane without series that makes bodies of up to `batch` samples.
    pub fn new(batch: usize) -> Self {
        Self {
            number: 0,
            batch: batch.max(1),
            protocol: Protocol::V1,
            objects: Vec::new(),
            by_id: HashMap::default(),
            at_ms: 0,
            joined_ms: None,
            route: None,
            moves_ms: Vec::new(),
            restarted_ms: None,
            next: (0, 0),
            began: (0, 0),
            sent_series: 0,
            total_series: 0,
            born: 0,
            retired: Vec::new(),
            uncertain: Vec::new(),
            exemplars: RichTotals::default(),
            histograms: RichTotals::default(),
            last_rich: Default::default(),
            snappy: snap::raw::Encoder::new(),
            draft: Draft::default(),
            raw: Vec::new(),
        }
    }

    /// The same in another protocol, that of its planner.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Begins a scrape: what was born, what has ended. The scrape before must have been sent to its end.
    pub fn begin(&mut self, step: LaneStep) {
        self.bury();
        for id in step.ended {
            if let Some(at) = self.by_id.remove(&id) {
                self.objects[at].ended = true;
            }
        }
        for born in step.born {
            self.take_in(born, step.stale_markers);
        }
        if !step.stale_markers {
            self.bury();
        }
        self.at_ms = step.at_ms;
        self.joined_ms = self.joined_ms.or(step.joined.then_some(step.at_ms));
        self.next = (0, 0);
        self.sent_series = 0;
        self.total_series = self.objects.iter().flat_map(|o| &o.segments).map(|s| s.slots.len()).sum();
    }

    /// An object in a new state takes the place of the one before; what that had more is ended.
    fn take_in(&mut self, born: Born, stale_markers: bool) {
        let series: usize = born.segments.iter().map(|segment| segment.slots.len()).sum();
        self.born += series as u64;
        if let Some(at) = self.by_id.remove(&born.id) {
            let mut before = std::mem::take(&mut self.objects[at].segments);
            self.retire(&mut before);
            let mut now: Vec<u64> = born.segments.iter().flat_map(|s| &s.slots).map(|s| s.identity).collect();
            now.sort_unstable();
            let gone = |identity| now.binary_search(&identity).is_err();
            // what was there in the state before is not new
            let stays = before.iter().flat_map(|segment| &segment.slots).filter(|slot| !gone(slot.identity));
            self.born -= stays.count() as u64;
            let gone: Vec<Segment> = before.iter().filter_map(|segment| segment.only(gone)).collect();
            self.objects[at].ended = true;
            self.objects[at].rich.clear();
            if stale_markers {
                self.objects[at].segments = gone;
            }
        }
        self.objects.push(Object {
            id: born.id,
            offset_ms: born.offset_ms,
            segments: born.segments,
            rich: born.rich,
            ended: false,
        });
        // somewhere among the others, as targets are: not all that is new in one body at the end
        let last = self.objects.len() - 1;
        let place = Seed::new(born.id).child(13).below(self.objects.len() as u64) as usize;
        self.objects.swap(place, last);
        self.remember(last);
        self.remember(place);
    }

    /// Notes where an object is now; one that has ended is not looked for any more.
    fn remember(&mut self, at: usize) {
        if let Some(object) = self.objects.get(at).filter(|object| !object.ended) {
            self.by_id.insert(object.id, at);
        }
    }

    /// Forgets the objects that have sent their end. The others keep their order, so that no series is sent soon after its
    /// last time.
    fn bury(&mut self) {
        if self.objects.iter().all(|object| !object.ended) {
            return;
        }
        let (dead, alive) = std::mem::take(&mut self.objects).into_iter().partition(|object| object.ended);
        self.objects = alive;
        for mut object in Vec::<Object>::into_iter(dead) {
            self.retire(&mut object.segments);
        }
        self.by_id = self.objects.iter().enumerate().map(|(at, object)| (object.id, at)).collect();
    }

    fn retire(&mut self, segments: &mut [Segment]) {
        for segment in segments {
            self.retired.extend(accounts(segment));
        }
    }

    /// Notes samples that were sent in bodies made elsewhere.
    pub(crate) fn note(&mut self, samples: &[(u64, i64, u64, Fate)], uncertain: bool) {
        for &(identity, timestamp_ms, bits, fate) in samples {
            self.retired.push(Sent {
                identity,
                count: 1,
                sum: identity::of_sample(timestamp_ms, bits),
                fate,
                law: Law::Constant(f64::from_bits(bits)),
                times_ms: (timestamp_ms, timestamp_ms),
            });
        }
        if uncertain {
            self.uncertain.extend(samples.iter().map(|sample| sample.0));
        }
    }

    /// Notes where a body went: which receiver, and which life of it.
    pub fn went_to(&mut self, receiver: usize, life: u32) {
        let before = self.route.replace((receiver, life));
        if before.is_some_and(|before| before != (receiver, life)) {
            self.moves_ms.push(self.at_ms);
        }
        self.restarted_ms = self.restarted_ms.or((life > 0).then_some(self.at_ms));
    }

    /// Times of the scrapes in which it began to write to another receiver, or to one that was started anew, in order.
    pub fn moves_ms(&self) -> &[i64] {
        &self.moves_ms
    }

    /// Time of the first scrape that it sent to a receiver that was started anew.
    pub fn restarted_ms(&self) -> Option<i64> {
        self.restarted_ms
    }

    /// Time of the first scrape since its agent is there, Unix milliseconds.
    pub fn joined_ms(&self) -> Option<i64> {
        self.joined_ms
    }

    /// Time of the scrape under way.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Its place among the lanes.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn set_number(&mut self, number: usize) {
        self.number = number;
    }

    /// Series there ever were.
    pub fn born(&self) -> u64 {
        self.born
    }

    /// Samples in a body.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Series of the scrape under way.
    pub fn series(&self) -> usize {
        self.total_series
    }

    /// Identities whose last sample may or may not have arrived.
    pub fn uncertain(&self) -> &[u64] {
        &self.uncertain
    }

    /// What was sent of exemplars and native histograms.
    pub fn rich(&self) -> (RichTotals, RichTotals) {
        (self.exemplars, self.histograms)
    }

    /// What was sent of every series there ever was; one that changed its state is there more than once.
    pub fn sent(&self) -> impl Iterator<Item = Sent> {
        let live = self.objects.iter().flat_map(|object| &object.segments).flat_map(accounts);
        self.retired.iter().copied().chain(live)
    }
}
