//! One shard of an agent's queue: its segments, and the bodies made of them one by one.

use ahash::HashMap;

use super::Fate;
use super::planner::{Born, LaneStep};
use super::segment::Segment;
use crate::identity;
use crate::law::Law;
use crate::names::Seed;
use crate::rich::{Rich, RichSeries};
use crate::snappy;

/// What was sent of one series, up to its end or up to now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// See [`identity`].
    pub identity: u64,
    /// Samples that were not refused.
    pub count: u32,
    /// Sum of [`identity::of_sample`] over them.
    pub sum: u64,
    /// What is expected of it.
    pub fate: Fate,
    /// How its values moved.
    pub law: Law,
    /// Times of its first and last sample that was no end (Unix milliseconds); 0 if there was none.
    pub times_ms: (i64, i64),
}

/// What was sent of exemplars or of native histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RichTotals {
    /// How many.
    pub count: u64,
    /// Sum of a hash of their messages.
    pub sum: u64,
}

impl RichTotals {
    /// Counts the message of an exemplar or a histogram.
    pub fn add(&mut self, message: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(identity::of_message(message));
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    fn take(&mut self, other: Self) {
        self.count -= other.count;
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

/// A body that was just made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    /// Samples in it.
    pub samples: u64,
    /// Exemplars and native histograms in it.
    pub rich: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// How much of the scrape came before it, 0 to 1.
    pub position: f64,
}

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
    objects: Vec<Object>,
    /// Where those are that have not ended.
    by_id: HashMap<u64, usize>,
    /// Time of the scrape under way.
    at_ms: i64,
    /// The next segment: object, and segment in it.
    next: (usize, usize),
    /// Where the last body began.
    began: (usize, usize),
    sent_series: usize,
    total_series: usize,
    retired: Vec<Sent>,
    /// Identities of which it is not known whether their last sample arrived.
    uncertain: Vec<u64>,
    exemplars: RichTotals,
    histograms: RichTotals,
    /// Those of the last body.
    last_rich: (RichTotals, RichTotals),
    snappy: snap::raw::Encoder,
}

impl Lane {
    /// A lane without series that makes bodies of up to `batch` samples.
    pub fn new(batch: usize) -> Self {
        Self {
            number: 0,
            batch: batch.max(1),
            objects: Vec::new(),
            by_id: HashMap::default(),
            at_ms: 0,
            next: (0, 0),
            began: (0, 0),
            sent_series: 0,
            total_series: 0,
            retired: Vec::new(),
            uncertain: Vec::new(),
            exemplars: RichTotals::default(),
            histograms: RichTotals::default(),
            last_rich: Default::default(),
            snappy: snap::raw::Encoder::new(),
        }
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
        self.next = (0, 0);
        self.sent_series = 0;
        self.total_series = self.objects.iter().flat_map(|o| &o.segments).map(|s| s.slots.len()).sum();
    }

    /// An object in a new state takes the place of the one before; what that had more is ended.
    fn take_in(&mut self, born: Born, stale_markers: bool) {
        if let Some(at) = self.by_id.remove(&born.id) {
            let mut before = std::mem::take(&mut self.objects[at].segments);
            self.retire(&mut before);
            let mut now: Vec<u64> = born.segments.iter().flat_map(|s| &s.slots).map(|s| s.identity).collect();
            now.sort_unstable();
            let gone = |identity| now.binary_search(&identity).is_err();
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

    /// Forgets the objects that have sent their end.
    fn bury(&mut self) {
        let mut at = 0;
        while at < self.objects.len() {
            if !self.objects[at].ended {
                at += 1;
                continue;
            }
            let mut dead = self.objects.swap_remove(at);
            self.retire(&mut dead.segments);
            self.remember(at);
        }
    }

    fn retire(&mut self, segments: &mut [Segment]) {
        for segment in segments {
            self.retired.extend(accounts(segment));
        }
    }

    /// Makes the next body of the scrape in `out`, with its values and times; `None` when the scrape is sent.
    pub fn next_body(&mut self, out: &mut Vec<u8>) -> Option<Loaded> {
        self.began = self.next;
        self.last_rich = Default::default();
        let (mut loaded, mut pieces, mut rich_raw) = (Loaded::default(), Vec::new(), Vec::new());
        loaded.position = self.sent_series as f64 / self.total_series.max(1) as f64;
        while let Some(object) = self.objects.get_mut(self.next.0) {
            let at_ms = self.at_ms + object.offset_ms;
            if let Some(segment) = object.segments.get_mut(self.next.1) {
                if loaded.samples > 0 && loaded.samples as usize + segment.slots.len() > self.batch {
                    break;
                }
                segment.write(at_ms, object.ended);
                loaded.samples += segment.slots.len() as u64;
                loaded.raw_bytes += segment.raw_len as u64;
                pieces.push(self.next);
                self.next.1 += 1;
                continue;
            }
            for series in &object.rich {
                let Some(message) = series.put(&mut rich_raw, at_ms, object.ended) else { continue };
                match series.what() {
                    Rich::Exemplar { .. } => self.last_rich.0.add(&message),
                    Rich::Histogram { .. } => self.last_rich.1.add(&message),
                }
            }
            self.next = (self.next.0 + 1, 0);
        }
        if pieces.is_empty() && rich_raw.is_empty() {
            return None;
        }
        self.exemplars.merge(self.last_rich.0);
        self.histograms.merge(self.last_rich.1);
        loaded.rich = self.last_rich.0.count + self.last_rich.1.count;
        loaded.raw_bytes += rich_raw.len() as u64;
        self.sent_series += loaded.samples as usize;
        out.clear();
        snappy::put_len(out, loaded.raw_bytes as usize);
        for (object, segment) in pieces {
            out.extend_from_slice(self.objects[object].segments[segment].bytes());
        }
        self.append_compressed(&rich_raw, out);
        Some(loaded)
    }

    /// Appends the elements that make these bytes, without the length in front.
    fn append_compressed(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        if !raw.is_empty() {
            let packed = self.snappy.compress_vec(raw).expect("far below 4 GiB");
            let digits = packed.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            out.extend_from_slice(&packed[digits..]);
        }
    }

    /// The last body was refused for good: what it held was not sent.
    pub fn refused(&mut self) {
        self.each_of_last(|segment, at_ms, ended, _| segment.unsend(at_ms, ended));
        self.exemplars.take(self.last_rich.0);
        self.histograms.take(self.last_rich.1);
    }

    /// Nobody knows what became of the last body.
    pub fn unknown(&mut self) {
        self.each_of_last(|segment, _, _, uncertain| {
            uncertain.extend(segment.slots.iter().map(|slot| slot.identity));
        });
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

    fn each_of_last(&mut self, mut each: impl FnMut(&mut Segment, i64, bool, &mut Vec<u64>)) {
        let mut at = self.began;
        while at != self.next {
            let Some(object) = self.objects.get_mut(at.0) else { break };
            match object.segments.get_mut(at.1) {
                Some(segment) => {
                    each(segment, self.at_ms + object.offset_ms, object.ended, &mut self.uncertain);
                    at.1 += 1;
                }
                None => at = (at.0 + 1, 0),
            }
        }
    }

    /// Its place among the lanes.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn set_number(&mut self, number: usize) {
        self.number = number;
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

fn accounts(segment: &Segment) -> impl Iterator<Item = Sent> {
    let times_ms = (segment.first_ms, segment.last_ms);
    let sent = segment.slots.iter().filter(|slot| slot.sent > 0);
    sent.map(move |slot| Sent {
        identity: slot.identity,
        count: slot.sent,
        sum: slot.sum,
        fate: slot.fate,
        law: slot.law,
        times_ms,
    })
}
