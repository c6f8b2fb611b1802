//! How large a text may be that is read: behind that it is a mistake or an attack.

/// At most so much.
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) nodes: usize,
    pub(super) aliases: usize,
    pub(super) anchors: usize,
    pub(super) depth: usize,
    pub(super) scalar_bytes: usize,
    pub(super) documents: usize,
    /// Events of all that aliases stand for.
    pub(super) replayed: usize,
}

/// A thousand policies are some 10,000 nodes.
pub(super) const OWN: Bounds = Bounds {
    events: 400_000,
    nodes: 200_000,
    aliases: 2_000,
    anchors: 500,
    depth: 16,
    scalar_bytes: 16 << 20,
    documents: 1_024,
    replayed: 20_000,
};

/// The 16 MiB that a rule file may have, in nodes.
pub(super) const FOREIGN: Bounds = Bounds {
    events: 4_000_000,
    nodes: 2_000_000,
    aliases: 50_000,
    anchors: 50_000,
    depth: 64,
    scalar_bytes: 16 << 20,
    documents: 1_024,
    replayed: 1_000_000,
};

/// What a node takes with all that is in it, aliases written out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    pub(super) events: usize,
    pub(super) nodes: usize,
    pub(super) scalar_bytes: usize,
    /// Lists and mappings in each other.
    pub(super) height: usize,
}

impl Extent {
    /// What was read since there was only `before` of it.
    pub(super) fn since(self, before: Extent, height: usize) -> Extent {
        Extent {
            events: self.events - before.events,
            nodes: self.nodes - before.nodes,
            scalar_bytes: self.scalar_bytes - before.scalar_bytes,
            height,
        }
    }
}

/// What was read so far.
pub(super) struct Usage {
    bounds: &'static Bounds,
    /// Of all documents, without events that are no part of a node.
    pub(super) extent: Extent,
    other_events: usize,
    aliases: usize,
    anchors: usize,
    documents: usize,
    /// In this document.
    replayed: usize,
}

/// Something is more than its bound.
pub(super) struct TooMuch;

impl Usage {
    pub(super) fn new(bounds: &'static Bounds) -> Self {
        let extent = Extent::default();
        Self { bounds, extent, other_events: 0, aliases: 0, anchors: 0, documents: 0, replayed: 0 }
    }

    fn checked(&self) -> Result<(), TooMuch> {
        let fits = self.extent.events + self.other_events <= self.bounds.events
            && self.extent.nodes <= self.bounds.nodes
            && self.extent.scalar_bytes <= self.bounds.scalar_bytes
            && self.aliases <= self.bounds.aliases
            && self.anchors <= self.bounds.anchors
            && self.documents <= self.bounds.documents
            && self.replayed <= self.bounds.replayed;
        if fits { Ok(()) } else { Err(TooMuch) }
    }

    /// A scalar, or the start of a list or mapping, inside of `depth` others.
    pub(super) fn node(&mut self, extent: Extent, anchored: bool, depth: usize) -> Result<(), TooMuch> {
        self.anchors += usize::from(anchored);
        self.add(extent, depth)
    }

    /// The end of a list or mapping.
    pub(super) fn end(&mut self) -> Result<(), TooMuch> {
        self.extent.events += 1;
        self.checked()
    }

    /// An alias inside of `depth` lists and mappings.
    pub(super) fn alias(&mut self, target: Extent, depth: usize) -> Result<(), TooMuch> {
        self.other_events += 1;
        self.aliases += 1;
        self.replayed += target.events;
        self.add(target, depth)
    }

    pub(super) fn document(&mut self) -> Result<(), TooMuch> {
        self.documents += 1;
        self.replayed = 0;
        self.other()
    }

    /// An event that is no part of a node.
    pub(super) fn other(&mut self) -> Result<(), TooMuch> {
        self.other_events += 1;
        self.checked()
    }

    fn add(&mut self, extent: Extent, depth: usize) -> Result<(), TooMuch> {
        self.extent.events += extent.events;
        self.extent.nodes += extent.nodes;
        self.extent.scalar_bytes += extent.scalar_bytes;
        if depth + extent.height > self.bounds.depth { Err(TooMuch) } else { self.checked() }
    }
}
