//! What goes in and what comes out: samples of members, and points of groups.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ahash::AHashSet;

use super::birth::SenderHistory;
use super::starts::Keys;
use crate::policy::{MetricKind, PolicyIndex};
use crate::series::Fingerprint;

/// One sample of a series that is part of a group.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Which series.
    pub series: Fingerprint,
    /// Picks the shard, see [`Join::group_key`].
    pub group_key: u32,
    /// Which policy aggregates it.
    pub policy: PolicyIndex,
    /// How long before it what it counts began, where that is said.
    pub age: Age,
    /// Unix milliseconds.
    pub ms: i64,
    /// Bits of the value.
    pub bits: u64,
}

/// How long what a counter counts had gone on at a sample (remote write 2.0, `start_timestamp`): in seconds, rounded up, so that it
/// never seems to have begun later than it did. 0: not said, or longer ago than there are numbers for. Two bytes, which a sample has to
/// spare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Age(u16);

impl Age {
    /// Of a sample of this time, Unix milliseconds as the other.
    pub fn of(ms: i64, began_ms: Option<i64>) -> Self {
        let age = began_ms.and_then(|began_ms| u64::try_from(ms.checked_sub(began_ms)?).ok());
        Self(age.and_then(|age| u16::try_from(age.div_ceil(1000)).ok()).unwrap_or(0))
    }

    /// Whether it began after this time.
    pub(super) fn begins_after(self, then_ms: i64, ms: i64) -> bool {
        self.0 > 0 && ms.saturating_sub(i64::from(self.0) * 1000) > then_ms
    }
}

const _: () = assert!(size_of::<Sample>() == 40);

/// A series becomes part of a group, or was decided to be part of it again.
#[derive(Clone, Debug)]
pub struct Join {
    /// Which series.
    pub series: Fingerprint,
    /// Which policy aggregates it.
    pub policy: PolicyIndex,
    /// The identity of the group's series upstream.
    pub group: Fingerprint,
    /// What is to be sent together has the same; picks the shard.
    pub group_key: u32,
    /// Which replica it is of; 0: none.
    pub replica: u32,
    /// What the group is, if it is new.
    pub kind: MetricKind,
    /// Of which histogram it is the bucket, and with what upper bound.
    pub bucket: Option<(Fingerprint, f64)>,
    /// The same bucket, if its bound was spelled otherwise before.
    pub formerly: Vec<Fingerprint>,
    /// Where in [`Batch::labels`] stand the canonical labels of the group.
    pub labels: Range<u32>,
    /// The same of its other outputs, where there are several.
    pub others: Vec<Range<u32>>,
    /// Whether the series was not known at all: only then can it have been born.
    pub unknown: bool,
    /// Whether it passed until now: what it grew by was seen.
    pub passed: bool,
    /// Its first sample, Unix milliseconds; `i64::MAX` where there is none.
    pub first_ms: i64,
    /// Whether others were sent as its group until now, up to its first sample.
    pub inherits: bool,
    /// When it began, as it says of itself (remote write 2.0, `start_timestamp`), Unix milliseconds.
    pub started_ms: Option<i64>,
    /// Of a counter that is unknown: what finds out when it began.
    pub keys: Keys,
    /// Whether that is a part of a histogram or summary, by its name.
    pub is_part: bool,
    /// When its run was due, Unix milliseconds, where its name says so.
    pub due_ms: Option<i64>,
}

/// A series that may have been part of a group, and passes from now on or is another policy's.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// Which series.
    pub series: Fingerprint,
    /// What finds the group; `None`: it may be any.
    pub group_key: Option<u32>,
    /// The policy that has it now, and what finds its group there; `None`: it passes.
    pub joins: Option<(PolicyIndex, u32)>,
    /// Its first sample since then, Unix milliseconds.
    pub ms: i64,
}

/// What one request brings to the aggregations; applied when the request is done.
#[derive(Debug, Default)]
pub struct Batch {
    /// Series that are new to their groups.
    pub joins: Vec<Join>,
    /// Groups among them that are new: they are not there before the request is done.
    pub founded: AHashSet<Fingerprint>,
    /// Joins of series that are no members yet.
    pub new_members: usize,
    /// Series that are not part of the groups any more that had them.
    pub departures: Vec<Departure>,
    /// Labels of the groups that are joined.
    pub labels: Vec<u8>,
    /// Samples, each series' in order.
    pub samples: Vec<Sample>,
    /// Times of all samples of the request, aggregated or not: oldest and newest, Unix milliseconds.
    pub span_ms: Option<(i64, i64)>,
    /// What the other series of the request say of who sent it.
    pub sender_history: SenderHistory,
    /// Whether a part of the request goes to the upstream.
    pub forwarded: bool,
    /// What was known of the types of metrics when it was decided, as a number.
    pub types: u32,
    /// Whose it is.
    pub tenant: u32,
    /// Who sent it.
    pub sender: Option<IpAddr>,
}

impl Batch {
    /// Whose request it is, and between which times its series have their newest samples.
    pub fn begin(&mut self, tenant: u32, sender: Option<IpAddr>, span_ms: Option<(i64, i64)>) {
        (self.tenant, self.sender, self.span_ms) = (tenant, sender, span_ms);
    }

    /// Makes it empty.
    pub fn clear(&mut self) {
        self.joins.clear();
        self.founded.clear();
        self.new_members = 0;
        self.departures.clear();
        self.labels.clear();
        self.samples.clear();
        self.span_ms = None;
        self.sender_history = SenderHistory::default();
        self.forwarded = false;
    }

    /// Bytes held.
    pub fn capacity(&self) -> usize {
        self.joins.capacity() * size_of::<Join>()
            + self.founded.capacity() * size_of::<Fingerprint>()
            + self.departures.capacity() * size_of::<Departure>()
            + self.labels.capacity()
            + self.samples.capacity() * size_of::<Sample>()
    }
}

/// What a point is, as far as losing it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// A newer one of the same series says all that it says.
    Cumulative,
    /// A counter begins, at zero.
    Start,
    /// Nothing else says it.
    Gauge,
    /// The series ends.
    Stale,
}

/// One sample of a group, to be sent.
#[derive(Clone, Debug)]
pub struct Point {
    /// Canonical labels.
    pub labels: Arc<[u8]>,
    /// What is to be sent in one request has the same.
    pub kin: u32,
    /// Which replica it is of; 0: none.
    pub replica: u32,
    /// Unix milliseconds.
    pub ms: i64,
    /// Bits of the value.
    pub bits: u64,
    /// What it is.
    pub kind: PointKind,
}

/// What became of the samples of one policy in one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Samples that were no news: the series had one of the same or a later time already.
    pub duplicates: u64,
    /// Gauge samples of windows that are closed.
    pub late: u64,
    /// Samples too far ahead of our clock.
    pub future: u64,
    /// Samples that cannot be added up: not finite where a counter is, or before 1970.
    pub unfit: u64,
    /// Samples of series that were forgotten in the meantime; those series are decided anew.
    pub forgotten: u64,
}

impl SampleCounts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.duplicates + self.dropped().iter().map(|(_, samples)| samples).sum::<u64>()
    }

    /// Those that are lost, by reason.
    pub fn dropped(&self) -> [(&'static str, u64); 4] {
        [("late", self.late), ("future", self.future), ("unfit", self.unfit), ("forgotten", self.forgotten)]
    }

    /// Takes out `most` samples, or all.
    pub fn take(&mut self, mut most: u64) -> Self {
        let mut taken = |left: &mut u64| {
            let part = most.min(*left);
            (most, *left) = (most - part, *left - part);
            part
        };
        Self {
            duplicates: taken(&mut self.duplicates),
            late: taken(&mut self.late),
            future: taken(&mut self.future),
            unfit: taken(&mut self.unfit),
            forgotten: taken(&mut self.forgotten),
        }
    }
}

impl std::ops::AddAssign for SampleCounts {
    fn add_assign(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.late += other.late;
        self.future += other.future;
        self.unfit += other.unfit;
        self.forgotten += other.forgotten;
    }
}
