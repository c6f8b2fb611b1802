//! The index of every series that passes: what was decided, when it was last seen, who it is charged to.
//!
//! Sharded; a batch locks each shard once. What was decided is an opaque number here: `series` knows no policies.

mod aliases;
mod attribution;
mod claims;
mod expiry;
mod released;
mod slots;
mod takeover;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;

use self::released::Released;
use self::slots::{Alias, Claim, Entry, Moment, Past};
use self::takeover::Challenge;
use super::fingerprint::Fingerprint;
use super::table::Table;

pub use self::attribution::{Arrival, Attribution, FollowUp, Moved};
pub use self::claims::{Claimant, Claimed};
pub use self::expiry::{Departed, Expired};
pub use self::slots::{MAX_EVIDENCE, MAX_GENERATION, MAX_METRICS, MAX_SENDERS, MAX_UNITS, WINDOW_SECONDS};
pub use self::walk::Walked;

/// What a series sends upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentAs {
    /// Itself.
    Itself,
    /// Nothing.
    Nothing,
    /// Other labels, made by the edit of this number.
    Rewritten(u32),
    /// Nothing, for as long as the identity it would have belongs to another series; a short form of that
    /// identity, see [`Fingerprint::short`].
    Contested(u32),
    /// A part of what is sent for its group; what is noted of the group, for the one who adds up.
    Aggregated(u32),
    /// Itself, for as long as no more is known than when it was decided; what was known then, for the one who decides.
    Provisional(u32),
    /// Itself, until this moment (Unix seconds of sample time), when its group takes over.
    ItselfUntil(u32),
}

impl SentAs {
    /// Whether the series is sent as it is.
    pub fn is_itself(self) -> bool {
        matches!(self, Self::Itself | Self::Provisional(_) | Self::ItselfUntil(_))
    }
}

/// What a series was decided to be, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The decision, opaque here.
    pub verdict: u16,
    /// Which compilation of the policies decided.
    pub generation: u32,
    /// Until when it holds, Unix seconds of sample time; `u32::MAX` = for ever. Of a series that has ended: its last
    /// sample at most.
    pub valid_until: u32,
    /// What is sent.
    pub sent_as: SentAs,
}

/// A question about one series of a batch, and the answer.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Which series, by the bytes of its labels.
    pub fingerprint: Fingerprint,
    /// Its newest sample, Unix seconds.
    pub sample_seconds: u32,
    /// How many samples of it there are, saturating.
    pub samples: u16,
    /// Whether the last of them is a stale marker.
    pub ends: bool,
    /// What else there is to be done with it, where it is known.
    pub follow_up: FollowUp,
    /// The answer.
    pub found: Found,
}

/// What the index knows of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Not to be asked: the label bytes cannot stand for the series.
    Skip,
    /// Nothing yet.
    Missing,
    /// The series is known; what was decided must be decided anew: what is sent so far, and the generation of the
    /// policies that said so.
    Stale(SentAs, u32),
    /// The bytes are known to stand for another identity.
    Alias(Fingerprint),
    /// Decided, and it holds: the decision, and what is sent.
    Known(u16, SentAs),
}

/// What became of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is a new series.
    New,
    /// It was there already.
    Known,
    /// The index is full.
    Full,
}

#[derive(Default)]
struct IndexShard {
    series: Table<Entry>,
    aliases: Table<Alias>,
    claims: Table<Claim>,
    challenges: Table<Challenge>,
}

/// All series of all tenants.
pub struct Index {
    shards: Box<[Mutex<IndexShard>]>,
    max_tracked: usize,
    /// Whether nothing more is remembered, however little there is.
    closed: AtomicBool,
    live: AtomicUsize,
    aliases: AtomicUsize,
    claims: AtomicUsize,
    contested: AtomicUsize,
    released: Released,
    /// Seconds that windows are moved by.
    shift: AtomicU32,
}

/// Shards at most; bounds what is counted on the stack of a batch.
const MAX_SHARDS: usize = 256;

impl Index {
    /// An index for at most `max_tracked` series.
    pub fn new(max_tracked: usize) -> Self {
        // About 32,000 slots a shard at the limit: growing one takes well under a millisecond.
        let shards = (max_tracked / 32_768).next_power_of_two().clamp(16, MAX_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            max_tracked,
            closed: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            aliases: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            contested: AtomicUsize::new(0),
            released: Released::default(),
            shift: AtomicU32::new(0),
        }
    }

    #[inline]
    fn shard_of(&self, fingerprint: Fingerprint) -> usize {
        // top bits; the table uses the low ones
        (fingerprint.high >> 48) as usize & (self.shards.len() - 1)
    }

    /// Answers all probes of a batch: each shard is locked once, and its probes are in flight together.
    /// What is known and holds is marked as seen at `now` (Unix seconds).
    pub fn touch(&self, probes: &mut [Probe], order: &mut Vec<u32>, now: u32, generation: u32) {
        let starts = self.sort_by_shard(probes, order);
        let at = self.moment(now);
        for (shard, lock) in self.shards.iter().enumerate() {
            let mine = &order[starts[shard] as usize..starts[shard + 1] as usize];
            if !mine.is_empty() {
                lock.lock().answer(probes, mine, at, generation);
            }
        }
    }

    /// Puts the numbers of the probes that are to be asked in the order of their shards; returns where those of each start.
    fn sort_by_shard(&self, probes: &[Probe], order: &mut Vec<u32>) -> [u32; MAX_SHARDS + 1] {
        let mut starts = [0u32; MAX_SHARDS + 1];
        for probe in probes.iter().filter(|p| p.found != Found::Skip) {
            starts[self.shard_of(probe.fingerprint) + 1] += 1;
        }
        for shard in 0..self.shards.len() {
            starts[shard + 1] += starts[shard];
        }
        order.clear();
        order.resize(starts[self.shards.len()] as usize, 0);
        let mut next = starts;
        for (i, probe) in probes.iter().enumerate().filter(|(_, p)| p.found != Found::Skip) {
            let slot = &mut next[self.shard_of(probe.fingerprint)];
            order[*slot as usize] = i as u32;
            *slot += 1;
        }
        starts
    }

    /// Remembers a new decision about a series that is known.
    pub fn refresh(&self, fingerprint: Fingerprint, decided: Remembered, now: u32) {
        let mut shard = self.shards[self.shard_of(fingerprint)].lock();
        if shard.series.get_mut(fingerprint).is_none() {
            return;
        }
        let rivalled =
            decided.sent_as.is_itself() && self.settle_claim(&mut shard, fingerprint, decided.generation);
        if let Some(entry) = shard.series.get_mut(fingerprint) {
            self.count_contested(Some(entry.sent_as()), Some(decided.sent_as));
            entry.decide(decided);
            entry.last_seen = entry.last_seen.max(now);
            if rivalled {
                entry.reopen();
            }
        }
    }

    /// Adds a series; idempotent.
    pub fn insert(
        &self,
        fingerprint: Fingerprint,
        decided: Remembered,
        arrival: &Arrival,
        now: u32,
    ) -> Inserted {
        let mut shard = self.shards[self.shard_of(fingerprint)].lock();
        if let Some(entry) = shard.series.get_mut(fingerprint) {
            entry.last_seen = entry.last_seen.max(now);
            self.settle_claim(&mut shard, fingerprint, decided.generation);
            return Inserted::Known;
        }
        // Reserve first: threads that insert into different shards cannot pass the limit together.
        if self.live.fetch_add(1, Ordering::Relaxed) >= self.room() {
            self.live.fetch_sub(1, Ordering::Relaxed);
            return Inserted::Full;
        }
        let mut entry = Entry::new(fingerprint, decided, arrival, self.moment(now));
        if decided.sent_as.is_itself() && self.settle_claim(&mut shard, fingerprint, decided.generation) {
            entry.reopen();
        }
        self.count_contested(None, Some(decided.sent_as));
        shard.series.insert(entry, Past::new(arrival, now));
        Inserted::New
    }

    /// Whether an identity (its short form, as in [`SentAs::Contested`]) may have become free a moment ago.
    #[inline]
    pub fn was_released(&self, wanted: u32, now: u32) -> bool {
        self.released.is_fresh(wanted, now)
    }

    fn count_contested(&self, before: Option<SentAs>, after: Option<SentAs>) {
        let contested = |sent_as| matches!(sent_as, Some(SentAs::Contested(_)));
        match (contested(before), contested(after)) {
            (false, true) => drop(self.contested.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.contested.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    fn moment(&self, now: u32) -> Moment {
        Moment { now, in_windows: now.wrapping_add(self.shift.load(Ordering::Relaxed)) }
    }

    /// How many shards [`Index::expire`] can be asked for.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Whether there is room for no other series.
    pub fn is_full(&self) -> bool {
        self.live() >= self.room()
    }

    /// Whether nothing more is to be remembered, for want of memory: no series, no other spelling of one, no claim.
    /// What is there stays.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Says so, or takes it back.
    pub fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// Series, spellings and claims that there may be, of each.
    fn room(&self) -> usize {
        if self.is_closed() { 0 } else { self.max_tracked }
    }

    /// Whether what is left of the room is for series that are sent.
    pub fn is_crowded(&self) -> bool {
        self.is_full() || self.live() >= self.max_tracked - self.max_tracked / 4
    }

    /// Series remembered now.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Identities that belong to a series other than the one they look like, or to one on its way in.
    pub fn claimed(&self) -> usize {
        self.claims.load(Ordering::Relaxed)
    }

    /// Series whose identity upstream belongs to another one.
    pub fn contested(&self) -> usize {
        self.contested.load(Ordering::Relaxed)
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        let of = |shard: &Mutex<IndexShard>| {
            let shard = shard.lock();
            shard.series.bytes() + shard.aliases.bytes() + shard.claims.bytes() + shard.challenges.bytes()
        };
        self.shards.iter().map(of).sum()
    }
}

impl IndexShard {
    fn answer(&mut self, probes: &mut [Probe], mine: &[u32], at: Moment, generation: u32) {
        for &i in mine {
            self.series.prefetch(probes[i as usize].fingerprint);
        }
        let memo = !self.aliases.is_empty();
        for &i in mine {
            let probe = &mut probes[i as usize];
            probe.found = match self.series.get_mut(probe.fingerprint) {
                Some(entry) => {
                    probe.follow_up = entry.see(at, probe.samples, probe.ends);
                    if entry.generation() == generation && probe.sample_seconds < entry.valid_until {
                        Found::Known(entry.verdict, entry.sent_as())
                    } else {
                        Found::Stale(entry.sent_as(), entry.generation())
                    }
                }
                None if memo => self.alias_of(probe.fingerprint, at.now),
                None => Found::Missing,
            };
        }
    }
}
