//! Reads on behind a mistake, so that one reading of a file shows all of them.
//!
//! A wrapper around the YAML crate's deserializer. It knows the path of what is being read. A key that a mapping of
//! ours does not have, or has already, is noted and stepped over. Of anything else the crate refuses, it knows the
//! innermost entry or list item, and steps over that one at the next reading.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};

use super::at::At;
use super::position::Position;
use super::suggest::did_you_mean;

mod forward;
mod free;

/// A key that is no text, as it is mostly written. Nothing of ours is called so.
const NO_KEY: &str = "null";

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

    fn here(&self) -> Place {
        self.open.last().cloned().unwrap_or_default()
    }

    fn below(&self, written: &str, read: &str) -> Place {
        let join = |path: &str, name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let here = self.here();
        Place { written: join(&here.written, written), read: join(&here.read, read) }
    }

    /// Whether `place`, which is open from now on, is to be stepped over.
    fn enter(&mut self, place: Place) -> bool {
        let refused = self.refused.contains(&place.written);
        if refused {
            self.unread.insert(place.read.clone());
        }
        self.open.push(place);
        refused
    }
}

/// A deserializer, a visitor or a seed, and the walk that it is part of.
pub(super) struct Within<'w, T> {
    inner: T,
    walk: &'w RefCell<Walk>,
}

impl<'w, T> Within<'w, T> {
    pub(super) fn new(inner: T, walk: &'w RefCell<Walk>) -> Self {
        Self { inner, walk }
    }
}

/// A value in the form that the YAML crate gives it with its place.
impl<'de, A: MapAccess<'de>> MapAccess<'de> for Within<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Within::new(seed, self.walk))
    }
}

/// A list.
struct Items<'w, A> {
    inner: A,
    walk: &'w RefCell<Walk>,
    written: usize,
    read: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        loop {
            let place = self.walk.borrow().below(&self.written.to_string(), &self.read.to_string());
            self.written += 1;
            let refused = self.walk.borrow_mut().enter(place);
            if !refused {
                let item = self.inner.next_element_seed(Within::new(seed, self.walk))?;
                self.walk.borrow_mut().open.pop();
                self.read += 1;
                return Ok(item);
            }
            let skipped = self.inner.next_element::<IgnoredAny>()?;
            self.walk.borrow_mut().open.pop();
            if skipped.is_none() {
                return Ok(None);
            }
        }
    }
}

/// The visitor of a mapping with known keys.
struct Keyed<'w, V> {
    visitor: V,
    known: &'static [&'static str],
    walk: &'w RefCell<Walk>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Keyed<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let seen = BTreeSet::new();
        self.visitor.visit_map(Entries { inner: entries, walk: self.walk, known: self.known, seen })
    }
}

/// A mapping with known keys.
struct Entries<'w, A> {
    inner: A,
    walk: &'w RefCell<Walk>,
    known: &'static [&'static str],
    seen: BTreeSet<String>,
}

impl<A> Entries<'_, A> {
    /// Whether the value of this key is to be read.
    fn is_good(&mut self, key: &At<String>) -> bool {
        let mut walk = self.walk.borrow_mut();
        let name = key.value.clone();
        if !self.known.contains(&name.as_str()) {
            // what was meant is there, if not in a form that can be read
            let meant = did_you_mean(&name, self.known).map(|near| walk.below(near, near).read);
            walk.unread.extend(meant);
            walk.keys.insert(key.position, BadKey::Unknown { key: name, known: self.known });
            return false;
        }
        if !self.seen.insert(name.clone()) {
            walk.keys.insert(key.position, BadKey::Twice { key: name });
            return false;
        }
        true
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.inner.next_key::<At<Option<String>>>()? {
            let key = At { value: key.value.unwrap_or_else(|| NO_KEY.to_owned()), position: key.position };
            if self.is_good(&key) {
                let place = self.walk.borrow().below(&key.value, &key.value);
                if !self.walk.borrow_mut().enter(place) {
                    return seed.deserialize(key.value.into_deserializer()).map(Some);
                }
                self.inner.next_value::<IgnoredAny>()?;
                self.walk.borrow_mut().open.pop();
            } else {
                self.inner.next_value::<IgnoredAny>()?;
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.inner.next_value_seed(Within::new(seed, self.walk))?;
        self.walk.borrow_mut().open.pop();
        Ok(value)
    }
}
