//! The limits in force, found again when policies are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Admissions;
use crate::policy::{Limiting, PolicyIndex};
use crate::series::Fingerprint;

/// Policies that limit, and the state of each.
pub type Adopted = Vec<(PolicyIndex, Arc<Admissions>)>;

/// All limits.
#[derive(Default)]
pub struct Registry {
    all: Mutex<Vec<Arc<Admissions>>>,
    /// Whether memory is short.
    is_short: AtomicBool,
}

impl Registry {
    /// The state of these policies (by position, those that limit): that of before where name and groups are the same, under the numbers of now.
    /// What belongs to none of them is forgotten. `generation` numbers this compilation of the policies, `now` is our clock.
    pub fn adopt(&self, wanted: &[Option<Limiting>], generation: u32, now: u32) -> Adopted {
        let mut all = self.all.lock();
        let adopt = |(index, wanted): (PolicyIndex, &Option<Limiting>)| {
            let wanted = wanted.as_ref()?;
            let is_it = |found: &&Arc<Admissions>| found.name == wanted.name && found.by == wanted.limit.by;
            let Some(found) = all.iter().find(is_it) else {
                return Some((index, Arc::new(Admissions::new(wanted, generation, now))));
            };
            found.take_on(wanted, generation);
            Some((index, Arc::clone(found)))
        };
        let adopted: Adopted = (0..).map(PolicyIndex).zip(wanted).filter_map(adopt).collect();
        *all = adopted.iter().map(|(_, admissions)| Arc::clone(admissions)).collect();
        adopted
    }

    /// All limits, in the order of their policies.
    pub fn all(&self) -> Vec<Arc<Admissions>> {
        self.all.lock().clone()
    }

    /// These series are idle: the places they had are free.
    pub fn end(&self, series: impl Iterator<Item = Fingerprint> + Clone) {
        if series.clone().next().is_none() {
            return;
        }
        self.all().iter().for_each(|admissions| admissions.end(series.clone()));
    }

    /// There is nothing that flowed before: limits hold from now on, and do not wait for the end of the warm-up.
    pub fn hold_at_once(&self) {
        self.all().iter().for_each(|admissions| admissions.state.lock().is_restored = true);
    }

    /// Bytes of all limits.
    pub fn bytes(&self) -> usize {
        self.all().iter().map(|admissions| admissions.bytes()).sum()
    }

    /// See [`Admissions::sweep`].
    pub fn sweep(&self, now: u32, idle_seconds: u32) {
        let is_short = self.is_short.load(Ordering::Relaxed);
        self.all().iter().for_each(|admissions| admissions.sweep(now, idle_seconds, is_short));
    }

    /// Says whether memory is short.
    pub fn set_short(&self, is_short: bool) {
        self.is_short.store(is_short, Ordering::Relaxed);
    }

    /// These series have a stale marker now: see [`Admissions::ended`]. Where there are none, as in most requests, it costs nothing.
    pub fn ended(&self, series: impl Iterator<Item = Fingerprint> + Clone, now: u32) {
        if series.clone().next().is_none() {
            return;
        }
        self.all().iter().for_each(|admissions| admissions.ended(series.clone(), now));
    }
}
