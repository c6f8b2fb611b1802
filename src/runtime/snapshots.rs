//! Snapshots in `data_dir`. Of aggregations: a file for each tenant, written when something of it changed, and a head that is
//! written once.
//!
//! A file is written under another name, synced and put in place in one step. The head comes last, so there is none
//! before all that it speaks for is there; and points are let go only after both. So a kill between any two steps leaves,
//! of each tenant, a state that is not behind what was sent.

mod dir;
mod last;
mod limits;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use parking_lot::Mutex;

pub use self::dir::DirError;
use self::dir::{Dir, HEAD};
pub(super) use self::last::Last;
use crate::admission::SavedLimits;
use crate::aggregate::{Engine, Head, Outbox};
use crate::series::Fingerprinter;
use crate::series::scope::VACANT;

/// What changed without making a point is written this often: a crash costs at most what came since.
const EVERY_MS: i64 = 10_000;

/// Where snapshots live, and the keys of the series hash that they are good for.
pub(super) struct Snapshots {
    dir: Dir,
    keys: Vec<u8>,
    prints: Fingerprinter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the head is in place.
    has_head: bool,
    /// By name: files of tenants that are there, and their sizes in bytes.
    files: BTreeMap<String, u64>,
    tenants: BTreeMap<u32, Record>,
    /// Whether the last attempt failed.
    failing: bool,
    /// What the last run left of limits.
    limits: Option<SavedLimits>,
}

#[derive(Clone, Copy, Default)]
struct Record {
    /// Whether something changed since it was written.
    changed: bool,
    /// When it was written, Unix milliseconds.
    written_ms: i64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Tenants.
    pub(super) tenants: usize,
    /// Bytes of their files.
    pub(super) bytes: u64,
}

/// What a look at all tenants came to.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) written: Written,
    /// Bytes of all files there are.
    pub(super) all_bytes: u64,
    /// Why something could not be written; the points of those tenants are held back.
    pub(super) failed: Option<io::Error>,
    /// Whether the time before it failed too.
    pub(super) failed_before: bool,
}

impl Snapshots {
    /// Takes the directory for this process alone; it is made if it is not there. Also returns what the last run left.
    ///
    /// # Errors
    /// If it cannot be made or written to, or another process has it, or there are no keys to be had.
    pub(super) fn open(dir: &Path) -> Result<(Self, Last), DirError> {
        let dir = Dir::open(dir)?;
        let last = Last::read(&dir)?;
        let limits = limits::read(&dir)?;
        let known = last.keys().or(limits.as_ref().map(|limits| &*limits.keys));
        let keys = known.map_or_else(Fingerprinter::draw_keys, |keys| Ok(keys.to_vec()))?;
        let prints = Fingerprinter::from_keys(&keys);
        let files = dir.parts()?;
        let state = State { has_head: last.has_head(), files, limits, ..State::default() };
        Ok((Self { dir, keys, prints, state: Mutex::new(state) }, last))
    }

    pub(super) fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// Writes what has to be written now: the tenants that have made points, so that these may go, and those that
    /// changed a while ago; with `all`, whatever changed. `tenants` are the names by number.
    pub(super) fn save(
        &self,
        engine: &Engine,
        tenants: &[String],
        outbox: &Outbox,
        now_ms: i64,
        all: bool,
    ) -> Saved {
        let mut state = self.state.lock();
        let mut saved = Saved { failed_before: state.failing, ..Saved::default() };
        let mut done = Vec::new();
        let mark = outbox.mark();
        for (number, name) in (0u32..).zip(tenants).filter(|(_, name)| *name != VACANT) {
            let record = state.tenants.entry(number).or_default();
            record.changed |= engine.take_changed(number) | outbox.take_changed(number);
            let waited = all || now_ms - record.written_ms >= EVERY_MS;
            if !(outbox.holds_back(number) || record.changed && waited) {
                continue;
            }
            match self.write((number, name), engine, outbox) {
                Ok(bytes) => {
                    state.put(number, Dir::part_of(name, &self.prints), bytes, now_ms);
                    saved.written.tenants += usize::from(bytes > 0);
                    saved.written.bytes += bytes;
                    done.push(number);
                }
                Err(error) => saved.failed = Some(error),
            }
        }
        if !done.is_empty() {
            match self.settle(&mut state, saved.failed.is_none()) {
                Ok(true) => done.iter().for_each(|tenant| outbox.release(*tenant, mark)),
                Ok(false) => {}
                Err(error) => {
                    done.iter().for_each(|tenant| state.tenants.entry(*tenant).or_default().changed = true);
                    saved.failed = Some(error);
                }
            }
        }
        if state.has_head && !done.is_empty() {
            self.remove_strangers(&mut state, tenants);
        }
        if saved.failed.is_some() || !done.is_empty() {
            state.failing = saved.failed.is_some();
        }
        saved.all_bytes = state.files.values().sum();
        saved
    }

    /// Writes one tenant; returns its size, 0 where there is nothing of it.
    fn write(&self, tenant: (u32, &str), engine: &Engine, outbox: &Outbox) -> io::Result<u64> {
        let file = Dir::part_of(tenant.1, &self.prints);
        if !engine.has_state(tenant.0) && outbox.of(tenant.0).is_empty() {
            self.dir.remove(&file)?;
            return Ok(0);
        }
        self.dir.put(&file, |out| engine.save(tenant, &self.keys, outbox, out))
    }

    /// Makes what was written outlive the machine, and sees to the head; whether there is one now.
    fn settle(&self, state: &mut State, whole: bool) -> io::Result<bool> {
        self.dir.sync()?;
        if !state.has_head && whole {
            self.dir.put(HEAD, |out| Head::write(&self.keys, out))?;
            self.dir.sync()?;
            state.has_head = true;
        }
        Ok(state.has_head)
    }

    /// Removes files of tenants that are not there any more. What cannot be removed is tried again next time.
    fn remove_strangers(&self, state: &mut State, tenants: &[String]) {
        let there = tenants.iter().filter(|name| *name != VACANT);
        let own: BTreeSet<String> = there.map(|name| Dir::part_of(name, &self.prints)).collect();
        state.files.retain(|file, _| own.contains(file) || self.dir.remove(file).is_err());
    }
}

impl State {
    fn put(&mut self, tenant: u32, file: String, bytes: u64, now_ms: i64) {
        self.tenants.insert(tenant, Record { changed: false, written_ms: now_ms });
        if bytes == 0 {
            self.files.remove(&file);
        } else {
            self.files.insert(file, bytes);
        }
    }
}
