//! What has arrived: counters, and a set of hashes for the number of distinct series.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ahash::RandomState;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::ledger::{Entry, Ledger};
use super::unpack::unpack;
use super::walk::{self, BadBody, Labels};
use crate::protocol::{Form, Version};
use crate::rich::RichTotals;

/// Most values of the grouping label that are told apart; the rest is counted as [`OTHER`].
const MAX_GROUPS: usize = 10_000;
/// Where values beyond [`MAX_GROUPS`] are counted.
const OTHER: &str = "__other__";

/// How closely bodies are looked at: each level costs the machine more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Requests and compressed bytes only; nothing is decompressed but bodies of 2.0, whose answers say what was written.
    Bytes,
    /// Also samples, exemplars, histograms and decompressed bytes.
    Samples,
    /// Also distinct series.
    #[default]
    Series,
    /// Also every sample of every series, to be compared with what was sent.
    Verify,
}

/// What has arrived. Requests that were answered with an error count in `undecodable` or
/// `turned_away` and nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Bodies taken.
    pub requests: u64,
    /// Bytes of them, compressed.
    pub wire_bytes: u64,
    /// Bodies taken by what they were: version and encoding.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forms: BTreeMap<String, u64>,
    /// Bytes of them, decompressed; without those of 1.0 at [`Level::Bytes`], as the three that follow.
    pub raw_bytes: u64,
    /// Samples, without histograms and exemplars.
    pub samples: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Distinct label sets, whatever the order of labels; 0 below [`Level::Series`].
    pub distinct_series: u64,
    /// Bodies that could not be read, answered with 400, or with 415 where their headers say so already.
    pub undecodable: u64,
    /// Bodies that were answered with an error because the sink was told to.
    pub turned_away: u64,
    /// Bodies that were answered as if they had been taken, because the sink was told to.
    #[serde(default)]
    pub lost: u64,
    /// Samples whose series had a newer one before; 0 below [`Level::Verify`].
    #[serde(default)]
    pub out_of_order: u64,
    /// Samples that had arrived already, time and value; 0 below [`Level::Verify`].
    #[serde(default)]
    pub duplicates: u64,
    /// Samples of series for which there was no room (see [`super::SinkOptions::max_series`]).
    #[serde(default)]
    pub untracked: u64,
    /// Distinct series by the value of the grouping label, if there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, u64>,
}

pub(super) struct Totals {
    level: Level,
    group_by: Option<String>,
    max_series: usize,
    /// Whether the scope of a request is part of what its series are known by.
    scoped: AtomicBool,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stats: Stats,
    /// 64-bit hashes of label sets: among ten million, two would share one in 370,000 runs.
    seen: HashSet<u64, RandomState>,
    ledger: Ledger,
}

/// What a body held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) samples: u64,
    pub(super) histograms: u64,
    pub(super) exemplars: u64,
}

/// One body's contribution, found before the lock is taken.
#[derive(Default)]
struct Found {
    stats: Stats,
    series: Vec<(u64, Option<String>)>,
    entries: Vec<Entry>,
    rich: (RichTotals, RichTotals),
}

impl Totals {
    pub(super) fn new(level: Level, group_by: Option<String>, max_series: usize) -> Self {
        Self {
            level,
            group_by,
            max_series,
            scoped: AtomicBool::new(false),
            hasher: RandomState::new(),
            state: Mutex::default(),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.state.lock().stats.clone()
    }

    pub(super) fn is_scoped(&self) -> bool {
        self.scoped.load(Relaxed)
    }

    /// Forgets everything. From now on series under different scopes are different ones, or not.
    pub(super) fn reset(&self, scoped: bool) {
        self.scoped.store(scoped, Relaxed);
        *self.state.lock() = State::default();
    }

    /// Shows what arrived of every series.
    pub(super) fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.state.lock().ledger)
    }

    pub(super) fn undecodable(&self) {
        self.state.lock().stats.undecodable += 1;
    }

    pub(super) fn turned_away(&self) {
        self.state.lock().stats.turned_away += 1;
    }

    pub(super) fn lost(&self) {
        self.state.lock().stats.lost += 1;
    }

    /// Counts a body, or nothing of it if any part cannot be read; says what was in it. Its scope adds `salt` to identities.
    pub(super) fn add(&self, body: &[u8], form: Form, salt: u64) -> Result<Written, BadBody> {
        let found = self.find(body, form, salt).inspect_err(|_| self.undecodable())?;
        let Stats { samples, histograms, exemplars, .. } = found.stats;
        self.state.lock().add(found, body.len() as u64, form, self.max_series);
        Ok(Written { samples, histograms, exemplars })
    }

    fn find(&self, body: &[u8], form: Form, salt: u64) -> Result<Found, BadBody> {
        let mut found = Found::default();
        if self.level == Level::Bytes && form.version == Version::One {
            return Ok(found);
        }
        let raw = unpack(body, form.encoding)?;
        found.stats.raw_bytes = raw.len() as u64;
        let wanted = if self.level >= Level::Series { Labels::Read } else { Labels::Skip };
        walk::each_series(&raw, form.version, wanted, |series| {
            found.stats.samples += series.samples.len() as u64;
            found.stats.exemplars += series.exemplars.len() as u64;
            found.stats.histograms += series.histograms.len() as u64;
            if self.level == Level::Verify {
                let samples = series.samples.iter();
                found.entries.extend(samples.map(|&(timestamp_ms, bits)| Entry {
                    identity: series.identity.wrapping_add(salt),
                    timestamp_ms,
                    bits,
                }));
                series.exemplars.iter().for_each(|message| found.rich.0.add(message));
                series.histograms.iter().for_each(|message| found.rich.1.add(message));
            }
            if self.level == Level::Series || (wanted == Labels::Read && self.group_by.is_some()) {
                found.series.push((self.identity(&series.labels), self.group(&series.labels)));
            }
        })?;
        Ok(found)
    }

    /// The same for the same set of labels in any order: their hashes are added up.
    fn identity(&self, labels: &[(&[u8], &[u8])]) -> u64 {
        labels.iter().fold(0u64, |sum, label| sum.wrapping_add(self.hasher.hash_one(label)))
    }

    fn group(&self, labels: &[(&[u8], &[u8])]) -> Option<String> {
        let wanted = self.group_by.as_deref()?;
        let found = labels.iter().find(|(name, _)| *name == wanted.as_bytes());
        Some(found.map_or_else(String::new, |(_, text)| String::from_utf8_lossy(text).into_owned()))
    }
}

impl State {
    fn add(&mut self, found: Found, wire_bytes: u64, form: Form, max_series: usize) {
        let stats = &mut self.stats;
        stats.requests += 1;
        *stats.forms.entry(form.to_string()).or_default() += 1;
        stats.wire_bytes += wire_bytes;
        stats.raw_bytes += found.stats.raw_bytes;
        stats.samples += found.stats.samples;
        stats.exemplars += found.stats.exemplars;
        stats.histograms += found.stats.histograms;
        if !found.entries.is_empty() || found.rich.0.count + found.rich.1.count > 0 {
            self.ledger.take(&found.entries, found.rich, max_series);
            stats.untracked = self.ledger.untracked;
            stats.distinct_series = self.ledger.series() as u64;
            (stats.out_of_order, stats.duplicates) = (self.ledger.out_of_order, self.ledger.duplicates);
        }
        for (identity, group) in found.series {
            if self.seen.len() >= max_series && !self.seen.contains(&identity) {
                stats.untracked += 1;
                continue;
            }
            if !self.seen.insert(identity) {
                continue;
            }
            stats.distinct_series = stats.distinct_series.max(self.seen.len() as u64);
            let Some(mut group) = group else { continue };
            if stats.groups.len() >= MAX_GROUPS && !stats.groups.contains_key(&group) {
                group = OTHER.into();
            }
            *stats.groups.entry(group).or_default() += 1;
        }
    }
}
