//! What a document consists of.

use std::borrow::Cow;
use std::rc::Rc;

use super::scalar::Tag;
use crate::config::position::Position;

/// A value with its place.
#[derive(Debug)]
pub(in crate::config) struct Node<'t> {
    pub(in crate::config) position: Position,
    /// Of a text, behind its last character and its quotes; of anything else its beginning.
    pub(in crate::config) end: Position,
    pub(in crate::config) tag: Tag,
    /// Whether the text could not be read to the end of this value.
    pub(in crate::config) cut: bool,
    pub(in crate::config) kind: Kind<'t>,
}

#[derive(Debug)]
pub(in crate::config) enum Kind<'t> {
    /// A text, without its quotes; `plain` is that there were none.
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
    },
    List(Vec<Node<'t>>),
    /// Keys and values, as written: keys may be anything, and there twice.
    Mapping(Vec<(Node<'t>, Node<'t>)>),
    /// A node with an anchor, where it is defined.
    Anchored(Rc<Node<'t>>),
    /// Stands for a node that was defined before.
    Alias(Rc<Node<'t>>),
}

impl<'t> Node<'t> {
    pub(super) fn new(position: Position, kind: Kind<'t>, tag: Tag) -> Self {
        Self { position, end: position, tag, cut: false, kind }
    }

    /// A value without any text.
    pub(in crate::config) fn nothing(position: Position) -> Self {
        Self::new(position, Kind::Scalar { text: Cow::Borrowed(""), plain: true }, Tag::None)
    }

    /// A value of which nothing could be read.
    pub(super) fn unread(position: Position) -> Self {
        Self { cut: true, ..Self::nothing(position) }
    }

    /// Adds all texts in it, with their places.
    pub(super) fn texts(&self, all: &mut Vec<(Position, String)>) {
        match &self.kind {
            Kind::Scalar { text, .. } => all.push((self.position, text.to_string())),
            Kind::List(items) => items.iter().for_each(|item| item.texts(all)),
            Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                key.texts(all);
                value.texts(all);
            }),
            Kind::Anchored(node) | Kind::Alias(node) => node.texts(all),
        }
    }

    /// The node that this one stands for; its own position is where it is defined.
    pub(in crate::config) fn meant(&self) -> &Node<'t> {
        match &self.kind {
            // neither is ever made of another one
            Kind::Anchored(node) | Kind::Alias(node) => node,
            _ => self,
        }
    }
}
