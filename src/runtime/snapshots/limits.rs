//! Who has a place with a limit, in one file.

use std::io::{self, BufReader};

use super::Snapshots;
use super::dir::{Dir, LIMITS};
use crate::admission::{Registry, Restored, SavedLimits};

/// What the last run left of limits; what cannot be used is set aside.
pub(super) fn read(dir: &Dir) -> io::Result<Option<SavedLimits>> {
    let Some(file) = dir.open_file(LIMITS)? else { return Ok(None) };
    let read = SavedLimits::read(BufReader::new(file));
    Ok(read.map_err(|why| dir.set_aside(LIMITS, &why)).ok())
}

impl Snapshots {
    /// Writes who has a place, if that changed; returns whether it did.
    ///
    /// # Errors
    /// If it cannot be written; then it is tried again.
    pub(in crate::runtime) fn save_limits(&self, limits: &Registry, now: u32) -> io::Result<bool> {
        if !limits.take_changed() {
            return Ok(false);
        }
        let written =
            self.dir.put(LIMITS, |out| limits.save(&self.keys, now, out)).and_then(|_| self.dir.sync());
        written.inspect_err(|_| limits.is_not_saved()).map(|()| true)
    }

    /// Has limits go on from where the last run was.
    pub(in crate::runtime) fn restore_limits(
        &self,
        limits: &Registry,
        now: u32,
        idle_seconds: u32,
    ) -> Restored {
        let saved = self.state.lock().limits.take();
        match saved {
            // of other keys, nobody knows whose the places are
            Some(saved) if saved.keys == self.keys => limits.restore(saved, now, idle_seconds),
            _ => Restored::default(),
        }
    }
}
