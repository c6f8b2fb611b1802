//! Events into a tree.
//!
//! What cannot be read ends the tree there: all that stands before it is kept, so that mistakes in it can be told, and
//! what is open at that place is marked as cut.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bounds::{Bounds, Extent, FOREIGN, OWN, TooMuch, Usage};
use super::brackets;
use super::events::{Event, Events, Properties};
use super::scalar::{self, Tag};
use super::tree::{Kind, Node};
use super::{MERGE_KEY, Refusal};
use crate::config::cited::cited;
use crate::config::position::Position;

const TOO_LARGE: &str =
    "the YAML is too large, too deep or uses too many anchors and aliases for a configuration";
const SECOND_DOCUMENT: &str = "a second YAML document starts here; one file is one document";
const RECURSIVE: &str = "not valid YAML: Recursive reference not allowed here";

/// A text, as far as it can be read.
#[derive(Debug, Default)]
pub(in crate::config) struct Tree<'t> {
    pub(in crate::config) documents: Vec<Node<'t>>,
    /// Why it could not be read to its end. It may have been read to the end of all `documents`.
    pub(in crate::config) failure: Option<Refusal>,
    /// The bracket that seems to be the reason.
    pub(in crate::config) unclosed: Option<Position>,
    /// The tags in a text of ours that have no known meaning, or mean another kind of value than the one behind them.
    pub(in crate::config) tags: Vec<Position>,
    /// Texts that aliases stand for, and where they are written.
    pub(in crate::config) aliased: Vec<(Position, String)>,
}

/// Reads a text of ours, which has one document.
pub(in crate::config) fn own(text: &str) -> Tree<'_> {
    Builder::new(&OWN, true).run(text)
}

/// Reads a text of somebody else, with any number of documents; keys given twice are refused.
pub(in crate::config) fn foreign(text: &str) -> Tree<'_> {
    Builder::new(&FOREIGN, false).run(text)
}

struct Builder<'t> {
    is_own: bool,
    usage: Usage,
    /// Lists and mappings, the innermost last.
    open: Vec<Open<'t>>,
    /// In this document; `None` where the node is still open.
    anchors: BTreeMap<usize, Option<(Rc<Node<'t>>, Extent)>>,
    tree: Tree<'t>,
    /// Whether the last thing was a document's written end. What is no YAML behind it is nobody's concern.
    is_ended: bool,
}

/// A list or mapping whose end was not seen yet.
struct Open<'t> {
    node: Node<'t>,
    anchor: usize,
    before: Extent,
    /// Of what is in it.
    height: usize,
    in_brackets: bool,
    /// Of a mapping, where its value is yet to come.
    key: Option<Node<'t>>,
    /// Keys of a mapping that is not ours; and whether they are no text.
    keys: BTreeSet<(String, bool)>,
}

impl<'t> Builder<'t> {
    fn new(bounds: &'static Bounds, is_own: bool) -> Self {
        let (usage, tree) = (Usage::new(bounds), Tree::default());
        Self { is_own, usage, open: Vec::new(), anchors: BTreeMap::new(), tree, is_ended: false }
    }

    fn run(mut self, text: &'t str) -> Tree<'t> {
        for event in Events::new(text) {
            let taken = event.and_then(|(event, position)| self.take(event, position));
            if let Err(failure) = taken {
                let open = self.open.iter().filter(|open| open.in_brackets).map(|open| open.node.position);
                self.tree.unclosed = brackets::unclosed(text, open, failure.position);
                self.cut(failure.position);
                if !(self.is_own && self.is_ended) {
                    self.tree.failure = Some(failure);
                }
                break;
            }
        }
        self.tree
    }

    fn take(&mut self, event: Event<'t>, position: Position) -> Result<(), Refusal> {
        let too_large = |TooMuch| Refusal::new(position, TOO_LARGE);
        self.is_ended = matches!(event, Event::DocumentEnd { written: true })
            || (self.is_ended && matches!(event, Event::Other));
        match event {
            Event::Scalar { text, plain, end, properties } => {
                let extent = Extent { events: 1, nodes: 1, scalar_bytes: text.len(), height: 0 };
                let node = Node::new(position, Kind::Scalar { text, plain }, properties.tag);
                let node = Node { end, ..node };
                self.admit(&node, &properties, extent)?;
                self.finish(node, properties.anchor, extent)
            }
            Event::List(properties) => self.start(position, Kind::List(Vec::new()), &properties),
            Event::Mapping(properties) => self.start(position, Kind::Mapping(Vec::new()), &properties),
            Event::End => {
                self.usage.end().map_err(too_large)?;
                let Some(Open { node, anchor, before, height, .. }) = self.open.pop() else { return Ok(()) };
                let extent = self.usage.extent.since(before, height + 1);
                self.finish(node, anchor, extent)
            }
            Event::Alias(anchor) => self.alias(position, anchor),
            Event::DocumentStart => {
                self.anchors.clear();
                self.usage.document().map_err(too_large)
            }
            Event::DocumentEnd { .. } | Event::Other => self.usage.other().map_err(too_large),
        }
    }

    fn start(&mut self, position: Position, kind: Kind<'t>, properties: &Properties) -> Result<(), Refusal> {
        let before = self.usage.extent;
        let node = Node::new(position, kind, properties.tag);
        let anchor = properties.anchor;
        self.admit(&node, properties, Extent { events: 1, nodes: 1, scalar_bytes: 0, height: 1 })?;
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        let in_brackets = properties.in_brackets;
        self.open.push(Open {
            node,
            anchor,
            before,
            height: 0,
            in_brackets,
            key: None,
            keys: BTreeSet::new(),
        });
        Ok(())
    }

    /// Whether there may be a node, which takes at least `extent`.
    fn admit(&mut self, node: &Node<'_>, properties: &Properties, extent: Extent) -> Result<(), Refusal> {
        self.usage
            .node(extent, properties.anchor != 0, self.open.len())
            .map_err(|TooMuch| Refusal::new(node.position, TOO_LARGE))?;
        self.only_document(node.position)?;
        if self.is_own && !node.tag.fits(&node.kind) {
            self.tree.tags.push(properties.tag_position);
        }
        Ok(())
    }

    fn only_document(&self, position: Position) -> Result<(), Refusal> {
        let is_second = self.is_own && self.open.is_empty() && !self.tree.documents.is_empty();
        if is_second { Err(Refusal::new(position, SECOND_DOCUMENT)) } else { Ok(()) }
    }

    fn alias(&mut self, position: Position, anchor: usize) -> Result<(), Refusal> {
        let recursive = || Refusal::new(position, RECURSIVE);
        let (target, extent) = self.anchors.get(&anchor).cloned().flatten().ok_or_else(recursive)?;
        self.usage.alias(extent, self.open.len()).map_err(|TooMuch| Refusal::new(position, TOO_LARGE))?;
        self.only_document(position)?;
        target.texts(&mut self.tree.aliased);
        self.add(Node::new(position, Kind::Alias(target), Tag::None), extent.height)
    }

    /// A node with all that is in it.
    fn finish(&mut self, node: Node<'t>, anchor: usize, extent: Extent) -> Result<(), Refusal> {
        if anchor == 0 {
            return self.add(node, extent.height);
        }
        let position = node.position;
        let node = Rc::new(node);
        self.anchors.insert(anchor, Some((Rc::clone(&node), extent)));
        self.add(Node::new(position, Kind::Anchored(node), Tag::None), extent.height)
    }

    /// Puts a node where it belongs, if it is no key that is there already.
    fn add(&mut self, node: Node<'t>, height: usize) -> Result<(), Refusal> {
        let is_key = |open: &&mut Open<'_>| matches!(open.node.kind, Kind::Mapping(_)) && open.key.is_none();
        if let Some(open) = self.open.last_mut().filter(is_key)
            && !self.is_own
        {
            open.once(&node)?;
        }
        self.put(node, height);
        Ok(())
    }

    fn put(&mut self, node: Node<'t>, height: usize) {
        let Some(open) = self.open.last_mut() else {
            self.tree.documents.push(node);
            return;
        };
        open.height = open.height.max(height);
        match (&mut open.node.kind, open.key.take()) {
            (Kind::Mapping(entries), Some(key)) => entries.push((key, node)),
            (Kind::List(items), _) => items.push(node),
            _ => open.key = Some(node),
        }
    }

    /// Nothing more can be read: closes all that is open.
    fn cut(&mut self, position: Position) {
        while let Some(mut open) = self.open.pop() {
            open.node.cut = true;
            if let (Kind::Mapping(entries), Some(key)) = (&mut open.node.kind, open.key.take()) {
                entries.push((key, Node::unread(position)));
            }
            self.put(open.node, 0);
        }
    }
}

impl Open<'_> {
    /// Whether a key is not there yet. Keys that are no scalars are nothing that we read.
    fn once(&mut self, key: &Node<'_>) -> Result<(), Refusal> {
        let meant = key.meant();
        let Kind::Scalar { text, plain } = &meant.kind else { return Ok(()) };
        let is_ordinary = matches!(meant.tag, Tag::None | Tag::Text);
        let is_no_text = *plain && meant.tag == Tag::None && (!scalar::is_text(text) || text == MERGE_KEY);
        if is_ordinary && !self.keys.insert((text.to_string(), is_no_text)) {
            return Err(Refusal::new(key.position, format!("`{}` is given twice", cited(text))));
        }
        Ok(())
    }
}
