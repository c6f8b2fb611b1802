//! Mappings, with keys that are known and with keys of any name.

use std::collections::BTreeSet;
use std::vec;

use serde::de::value::U64Deserializer;
use serde::de::{DeserializeSeed, IntoDeserializer as _, MapAccess};

use super::{Error, NodeReader};
use crate::config::collect::BadKey;
use crate::config::suggest::did_you_mean;
use crate::config::yaml::scalar::Tag;
use crate::config::yaml::{Kind, MERGE_KEY, Node};

/// A key that is no text, as it is mostly written. Nothing of ours is called so.
const NO_KEY: &str = "null";

#[derive(Clone, Copy)]
struct Entry<'n> {
    key: NodeReader<'n>,
    value: NodeReader<'n>,
}

/// The entries of a mapping with known keys.
pub(super) struct Fields<'n> {
    mapping: NodeReader<'n>,
    entries: vec::IntoIter<Entry<'n>>,
    known: &'static [&'static str],
    seen: Vec<usize>,
    value: NodeReader<'n>,
}

/// The entries of a mapping with keys of any name, such as headers: what is refused in one hides none of the others.
pub(super) struct Entries<'n> {
    mapping: NodeReader<'n>,
    entries: vec::IntoIter<Entry<'n>>,
    /// Whether each is a place of its own. It has a number: a key may be a part of a secret.
    are_places: bool,
    written: usize,
    value: NodeReader<'n>,
}

impl<'n> NodeReader<'n> {
    pub(super) fn fields(self, known: &'static [&'static str]) -> Result<Fields<'n>, Error> {
        let entries = self.mapping()?.into_iter();
        Ok(Fields { mapping: self, entries, known, seen: Vec::new(), value: self })
    }

    pub(super) fn entries(self, are_places: bool) -> Result<Entries<'n>, Error> {
        let entries = self.mapping()?.into_iter();
        Ok(Entries { mapping: self, entries, are_places, written: 0, value: self })
    }

    fn mapping(self) -> Result<Vec<Entry<'n>>, Error> {
        match &self.node.kind {
            // to ours a merge key is a key like others
            Kind::Mapping(nodes) if self.context.walk.is_some() => {
                Ok(nodes.iter().map(|(key, value)| self.entry(key, value)).collect())
            }
            Kind::Mapping(nodes) => self.merged(nodes),
            _ if self.is_null() => Ok(Vec::new()),
            _ => Err(self.unexpected("expected a mapping (`key: value`) here")),
        }
    }

    fn entry(self, key: &'n Node<'n>, value: &'n Node<'n>) -> Entry<'n> {
        let key = self.child(key, key.position);
        Entry { key, value: self.child(value, key.position()) }
    }

    /// The entries of a mapping, and behind them those of the mappings that it names under merge keys, but for keys that
    /// are there.
    fn merged(self, nodes: &'n [(Node<'n>, Node<'n>)]) -> Result<Vec<Entry<'n>>, Error> {
        let all = nodes.iter().map(|(key, value)| self.entry(key, value));
        let (merging, mut entries): (Vec<_>, Vec<_>) = all.partition(|entry| entry.key.merges());
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        if !merging.is_empty() {
            keys.extend(entries.iter().filter_map(|entry| entry.key.any_text()));
        }
        for Entry { value, .. } in merging {
            match &value.node.kind {
                Kind::List(items) => {
                    for item in items {
                        value.child(item, value.blame).merge_into(&mut entries, &mut keys)?;
                    }
                    value.whole()?;
                }
                _ => value.merge_into(&mut entries, &mut keys)?,
            }
        }
        Ok(entries)
    }

    fn merge_into(self, entries: &mut Vec<Entry<'n>>, keys: &mut BTreeSet<&'n str>) -> Result<(), Error> {
        self.whole()?;
        let Kind::Mapping(nodes) = &self.node.kind else {
            let message = "not valid YAML: YAML merge value must be mapping or sequence of mappings";
            return if self.is_null() { Ok(()) } else { Err(self.refused(message)) };
        };
        let merged = self.merged(nodes)?;
        entries.extend(
            merged.into_iter().filter(|entry| entry.key.any_text().is_none_or(|key| keys.insert(key))),
        );
        Ok(())
    }

    fn merges(self) -> bool {
        matches!(&self.node.kind, Kind::Scalar { text, plain: true } if text == MERGE_KEY && self.node.tag == Tag::None)
    }

    fn any_text(self) -> Option<&'n str> {
        if let Kind::Scalar { text, .. } = &self.node.kind { Some(text) } else { None }
    }

    /// The name of a key; a key that is none has one that no mapping of ours knows.
    fn name(self) -> Result<&'n str, Error> {
        if self.is_null() { Ok(NO_KEY) } else { self.text() }
    }
}

impl<'n> Fields<'n> {
    /// The number of the next key of those that are known.
    fn next(&mut self) -> Result<Option<u64>, Error> {
        while let Some(entry) = self.entries.next() {
            entry.key.whole()?;
            let name = entry.key.name()?;
            let Some(number) = self.number(name, entry.key) else {
                entry.value.whole()?;
                continue;
            };
            let walk = self.mapping.context.walk;
            if walk.is_some_and(|walk| walk.borrow_mut().enter(name, name)) {
                entry.value.whole()?;
                self.leave();
                continue;
            }
            self.value = entry.value;
            return Ok(Some(number as u64));
        }
        self.mapping.whole()?;
        Ok(None)
    }

    /// The number of a key whose value is to be read.
    fn number(&mut self, name: &str, key: NodeReader<'n>) -> Option<usize> {
        let number = self.known.iter().position(|known| *known == name);
        let Some(walk) = self.mapping.context.walk else { return number };
        let mut walk = walk.borrow_mut();
        let Some(number) = number else {
            // what was meant is there, if not in a form that can be read
            let meant = did_you_mean(name, self.known);
            walk.refuse(key.position(), BadKey::Unknown { key: name.to_owned(), known: self.known }, meant);
            return None;
        };
        if self.seen.contains(&number) {
            walk.refuse(key.position(), BadKey::Twice { key: name.to_owned() }, None);
            return None;
        }
        self.seen.push(number);
        Some(number)
    }

    /// After an entry that was read or stepped over.
    fn leave(&self) {
        if let Some(walk) = self.mapping.context.walk {
            walk.borrow_mut().leave();
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    /// serde knows a key by its number among the names of a struct, if none of them has an alias.
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(number) = self.next()? else { return Ok(None) };
        let key: U64Deserializer<Error> = number.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = seed.deserialize(self.value)?;
        self.leave();
        Ok(value)
    }
}

impl<'n> Entries<'n> {
    fn next(&mut self) -> Result<Option<NodeReader<'n>>, Error> {
        while let Some(entry) = self.entries.next() {
            entry.key.whole()?;
            let number = self.written.to_string();
            self.written += 1;
            let walk = self.mapping.context.walk.filter(|_| self.are_places);
            if walk.is_some_and(|walk| walk.borrow_mut().enter(&number, &number)) {
                entry.value.whole()?;
                self.leave();
                continue;
            }
            self.value = entry.value;
            return Ok(Some(entry.key));
        }
        self.mapping.whole()?;
        Ok(None)
    }

    fn leave(&self) {
        if let Some(walk) = self.mapping.context.walk.filter(|_| self.are_places) {
            walk.borrow_mut().leave();
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(key) = self.next()? else { return Ok(None) };
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = seed.deserialize(self.value)?;
        self.leave();
        Ok(value)
    }
}
