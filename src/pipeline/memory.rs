//! What the pipeline remembers in bytes, and what it gives up where memory is short.

use super::Pipeline;
use crate::memory::Level;

impl Pipeline {
    /// Memory of all that is remembered, bytes, by part. Each is cheap to ask but `sketches`, which takes about a millisecond
    /// with a thousand labels.
    pub fn held(&self) -> [(&'static str, usize); 7] {
        [
            ("index", self.index.bytes()),
            ("edits", self.edit_bytes()),
            ("scopes", self.tenants.bytes()),
            ("sketches", self.tracker.sketch_bytes()),
            ("tracking", self.tracker.record_bytes()),
            ("limits", self.limits.bytes()),
            ("aggregation", self.engine.group_bytes() + self.engine.knowledge_bytes()),
        ]
    }

    /// Gives up what a level says beside forgetting early, or takes it back: see [`Level`].
    pub fn degrade(&self, level: Level) {
        let closed = level >= Level::Closed;
        self.index.set_closed(closed);
        self.tenants.set_closed(closed);
        self.engine.set_closed(closed);
        self.tracker.set_shrunk(level >= Level::Shrinking);
        self.limits.set_short(level >= Level::Shrinking);
    }

    fn edit_bytes(&self) -> usize {
        let policies = self.policies.load();
        let former = policies.former.load();
        policies.edits.bytes() + former.as_ref().map_or(0, |former| former.edits.bytes())
    }
}
