//! What all aggregations take.

use super::engine::Engine;
use super::tenant::Tenant;

impl Engine {
    /// Memory of groups, members, tombstones and windows, bytes.
    pub fn group_bytes(&self) -> usize {
        self.totals.bytes()
    }

    /// Memory of what is known of scopes, their senders, the types of metrics and the starts of things, bytes, about.
    pub fn knowledge_bytes(&self) -> usize {
        let tenants: usize = self.tenants.read().iter().map(|tenant| tenant.bytes()).sum();
        tenants + self.types.bytes() + self.starts.bytes()
    }
}

impl Tenant {
    /// Memory held, bytes, about.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.sender_bytes() + self.given_up.bytes()
    }
}
