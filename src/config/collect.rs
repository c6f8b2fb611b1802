//! Remembers mistakes from one reading of a tree to the next, so that all of them are told.
//!
//! Each reading ends at the first value that is refused. The next one steps over it.

use std::collections::{BTreeMap, BTreeSet};

use super::position::Position;

/// What one reading after the other has found.
#[derive(Default)]
pub(super) struct Walk {
    /// Where the reading is: each path is whole, the innermost comes last.
    open: Vec<Place>,
    /// Paths of what was refused in an earlier reading.
    refused: BTreeSet<String>,
    keys: BTreeMap<Position, BadKey>,
    unread: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct Place {
    /// In the file.
    written: String,
    /// In what is read of it: items that are stepped over do not count.
    read: String,
}

/// A key that cannot stand where it does.
pub(super) enum BadKey {
    Unknown { key: String, known: &'static [&'static str] },
    Twice { key: String },
}

impl Walk {
    /// Before each reading.
    pub(super) fn begin(&mut self) {
        self.open.clear();
        self.unread.clear();
    }

    /// After a reading that was refused: whether the next one can step over the place. It cannot where the place is the
    /// whole file, or stepping over it was of no use.
    pub(super) fn step_over(&mut self) -> bool {
        let place = self.open.last().map(|place| place.written.clone());
        place.is_some_and(|place| self.refused.insert(place))
    }

    /// The keys that cannot stand where they do, and the paths of what was stepped over.
    pub(super) fn into_found(self) -> (BTreeMap<Position, BadKey>, BTreeSet<String>) {
        (self.keys, self.unread)
    }

    /// Goes into an entry or item of where the reading is, by its name in the file and in what is read of it. Whether it
    /// is to be stepped over.
    pub(super) fn enter(&mut self, written: &str, read: &str) -> bool {
        let place = self.below(written, read);
        let refused = self.refused.contains(&place.written);
        if refused {
            self.unread.insert(place.read.clone());
        }
        self.open.push(place);
        refused
    }

    /// Back from where it went last.
    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// Notes a key where the reading is, and the known one that was meant.
    pub(super) fn refuse(&mut self, position: Position, key: BadKey, meant: Option<&str>) {
        let meant = meant.map(|meant| self.below(meant, meant).read);
        self.unread.extend(meant);
        self.keys.insert(position, key);
    }

    fn below(&self, written: &str, read: &str) -> Place {
        let join = |path: &str, name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let here = self.open.last().cloned().unwrap_or_default();
        Place { written: join(&here.written, written), read: join(&here.read, read) }
    }
}
