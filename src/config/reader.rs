//! The tree as keys and values of ours: one serde deserializer.
//!
//! serde compiles what depends on a type anew for each type of `raw`. So that is thin here, and only passes on what plain
//! functions find. Where a [`Walk`] is kept, it knows the path of what is being read: a key that a mapping of ours does not
//! have, or has already, is noted and stepped over; of anything else that is refused it knows the innermost entry or list
//! item, and steps over that one at the next reading.

use std::cell::RefCell;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

use super::collect::Walk;
use super::position::Position;
use super::yaml::scalar::{self, Tag, Value};
use super::yaml::{Kind, NO_TAGS, Node, Refusal, Tree, foreign};

mod error;
mod list;
mod mapping;
mod placed;
#[cfg(test)]
mod tests;

pub(super) use error::Error;
pub(super) use placed::AT;

/// What is the same for all nodes of one reading.
pub(super) struct Context<'n> {
    failure: Option<&'n Refusal>,
    /// Only for texts of ours.
    walk: Option<&'n RefCell<Walk>>,
}

impl<'n> Context<'n> {
    pub(super) fn new(tree: &'n Tree<'n>, walk: Option<&'n RefCell<Walk>>) -> Self {
        Self { failure: tree.failure.as_ref(), walk }
    }

    /// After all that there is: whether that was the whole text.
    pub(super) fn end(&self) -> Result<(), Error> {
        self.failure.map_or(Ok(()), |failure| Err(Error::last(failure)))
    }
}

/// Reads every document of a file that is not ours: rule files, in which keys and YAML features that we do not
/// know are no fault.
pub(crate) fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Refusal> {
    let tree = foreign(text);
    let context = Context::new(&tree, None);
    let documents = tree.documents.iter().map(|document| NodeReader::new(document, &context));
    let read: Result<Vec<T>, Error> =
        documents.filter(|document| !document.is_null()).map(T::deserialize).collect();
    read.and_then(|read| context.end().map(|()| read)).map_err(Error::into_refusal)
}

/// Deserializes one node.
#[derive(Clone, Copy)]
pub(super) struct NodeReader<'n> {
    node: &'n Node<'n>,
    /// Where the outermost alias stands that it is a part of.
    alias: Position,
    /// Where it is shown that a value is of the wrong kind: at its key.
    blame: Position,
    context: &'n Context<'n>,
}

impl<'n> NodeReader<'n> {
    /// Reads a whole document.
    pub(super) fn new(node: &'n Node<'n>, context: &'n Context<'n>) -> Self {
        let nowhere = Position::default();
        Self { node, alias: nowhere, blame: nowhere, context }.child(node, nowhere)
    }

    /// Reads a node that stands in this one.
    fn child(self, node: &'n Node<'n>, blame: Position) -> Self {
        let own_alias = if matches!(node.kind, Kind::Alias(_)) { node.position } else { Position::default() };
        let alias = self.alias.or(own_alias);
        let node = node.meant();
        Self { node, alias, blame: alias.or(blame).or(node.position), context: self.context }
    }

    /// Where it stands: an alias where it is used.
    fn position(self) -> Position {
        self.alias.or(self.node.position)
    }

    fn refused(self, message: &str) -> Error {
        Error::new(self.position(), message)
    }

    /// Of a value of another kind; of what is in it nothing has to be known.
    fn unexpected(self, message: &str) -> Error {
        let unread = if matches!(self.node.kind, Kind::Scalar { .. }) { self.whole().err() } else { None };
        unread.unwrap_or_else(|| self.refused(message))
    }

    /// Whether it was read to its end.
    fn whole(self) -> Result<(), Error> {
        if self.node.cut { self.context.end() } else { Ok(()) }
    }

    fn is_null(self) -> bool {
        match &self.node.kind {
            Kind::Scalar { text, plain } => !self.node.cut && scalar::is_null(self.node.tag, text, *plain),
            _ => false,
        }
    }

    fn scalar(self) -> Result<(&'n str, bool), Error> {
        match &self.node.kind {
            Kind::Scalar { text, plain } => self.whole().map(|()| (&**text, *plain)),
            _ => Err(self.refused("expected a single value here")),
        }
    }

    /// Numbers and the like are texts, too, as they are written.
    fn text(self) -> Result<&'n str, Error> {
        let (text, is_plain) = self.scalar()?;
        let tag = self.node.tag;
        match tag {
            Tag::Null => Err(self.refused("expected a text, found nothing")),
            Tag::Text | Tag::Unguessed => Ok(text),
            _ if is_plain && scalar::is_nullish(text) => Err(self.refused("expected a text, found nothing")),
            // in files of others they are no fault
            Tag::Bool | Tag::Int | Tag::Float if self.context.walk.is_some() => Err(self.refused(NO_TAGS)),
            _ => Ok(text),
        }
    }

    fn boolean(self) -> Result<bool, Error> {
        let (text, _) = self.scalar()?;
        let asked = self.may_be(Tag::Bool).then(|| scalar::boolean(text)).flatten();
        asked.ok_or_else(|| self.refused("expected `true` or `false`"))
    }

    fn unsigned(self) -> Result<u64, Error> {
        let (text, _) = self.scalar()?;
        let asked = self.may_be(Tag::Int).then(|| scalar::unsigned(text)).flatten();
        asked.ok_or_else(|| self.refused("expected a whole number, 0 or more"))
    }

    fn may_be(self, tag: Tag) -> bool {
        matches!(self.node.tag, Tag::None | Tag::Unguessed | Tag::Other) || self.node.tag == tag
    }
}

impl<'de> Deserializer<'de> for NodeReader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (text, is_plain) = match &self.node.kind {
            Kind::List(_) => return self.deserialize_seq(visitor),
            Kind::Mapping(_) => {
                let entries = self.entries(false)?;
                return visitor.visit_map(entries).map_err(|error| error.or_at(self.position()));
            }
            _ => self.scalar()?,
        };
        let value = scalar::value(self.node.tag, text, is_plain).ok_or_else(|| self.refused(NO_TAGS))?;
        let read: Result<V::Value, Error> = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Unsigned(value) => visitor.visit_u64(value),
            Value::Signed(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_str(value),
        };
        read.map_err(|error| error.or_at(self.blame))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.unsigned()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// A place is no value; it is asked for under the name of its type.
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_u64(self.position().packed())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items()?).map_err(|error| error.or_at(self.position()))
    }

    /// A value with its place.
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(placed::Placed(self))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self.entries(true)?).map_err(|error| error.or_at(self.position()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self.fields(known)?).map_err(|error| error.or_at(self.position()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit tuple enum identifier
    }
}
