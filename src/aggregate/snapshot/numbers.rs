//! What has a number in a file gets another when it is read: there are no holes then, and no number in a file says how much memory
//! is taken.

use ahash::AHashMap;

use crate::aggregate::group::NONE;
use crate::record::SnapshotError;

/// The numbers of a file, and what they are now.
#[derive(Default)]
pub(super) struct Numbers(AHashMap<u32, u32>);

impl Numbers {
    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.0.len() as u32
    }

    /// # Errors
    /// If the file has this number twice.
    pub(super) fn put(&mut self, old: u32, now: u32) -> Result<(), SnapshotError> {
        match self.0.insert(old, now) {
            None => Ok(()),
            Some(_) => Err(SnapshotError::Damaged("a number that is there twice")),
        }
    }

    /// What a number is now; [`NONE`]: the file has nothing of this number.
    pub(super) fn now(&self, old: u32) -> u32 {
        self.0.get(&old).copied().unwrap_or(NONE)
    }
}
