//! Lists.

use std::slice;

use serde::de::{DeserializeSeed, SeqAccess};

use super::{Error, NodeReader};
use crate::config::yaml::{Kind, Node};

/// The items of a list, those left out that were refused before.
pub(super) struct Items<'n> {
    list: NodeReader<'n>,
    items: slice::Iter<'n, Node<'n>>,
    /// Items before the next one: in the file, and of those that are read.
    written: usize,
    read: usize,
}

impl<'n> NodeReader<'n> {
    pub(super) fn items(self) -> Result<Items<'n>, Error> {
        let items = match &self.node.kind {
            Kind::List(items) => items.as_slice(),
            _ if self.is_null() => &[],
            _ => return Err(self.unexpected("expected a list (`- item` or `[item]`) here")),
        };
        Ok(Items { list: self, items: items.iter(), written: 0, read: 0 })
    }
}

impl<'n> Items<'n> {
    fn next(&mut self) -> Result<Option<NodeReader<'n>>, Error> {
        for node in self.items.by_ref() {
            let blame = self.list.alias.or(node.position);
            let item = self.list.child(node, blame);
            let Some(walk) = self.list.context.walk else { return Ok(Some(item)) };
            let is_refused = walk.borrow_mut().enter(&self.written.to_string(), &self.read.to_string());
            self.written += 1;
            if !is_refused {
                return Ok(Some(item));
            }
            item.whole()?;
            walk.borrow_mut().leave();
        }
        self.list.whole()?;
        Ok(None)
    }

    /// After an item that could be read.
    fn leave(&mut self) {
        self.read += 1;
        if let Some(walk) = self.list.context.walk {
            walk.borrow_mut().leave();
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(item) = self.next()? else { return Ok(None) };
        let value = seed.deserialize(item)?;
        self.leave();
        Ok(Some(value))
    }
}
