//! Tenants told apart, a bounded number of them.

use ahash::RandomState;
use dashmap::DashMap;
use parking_lot::Mutex;

use super::fingerprint::{Fingerprinter, TenantKey};

/// A tenant as the data path knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// One of those told apart.
    Known {
        /// Its part of every series' identity.
        key: TenantKey,
        /// The group its series are charged to, below `tenant.max`.
        group: u32,
    },
    /// One too many: its data is passed through, not tracked, and no policy applies.
    Overflow,
}

/// The registry.
pub struct Tenants {
    known: DashMap<String, (TenantKey, u32), RandomState>,
    max: usize,
    registration: Mutex<()>,
}

impl Tenants {
    /// A registry for at most `max` tenants.
    pub fn new(max: usize) -> Self {
        // few shards: it is read once a request
        Self {
            known: DashMap::with_capacity_and_hasher_and_shard_amount(0, RandomState::new(), 16),
            max,
            registration: Mutex::new(()),
        }
    }

    /// The tenant of this name; registers it if there is room.
    pub fn resolve(&self, name: &str, prints: &Fingerprinter) -> Tenant {
        if let Some(found) = self.known.get(name) {
            let (key, group) = *found;
            return Tenant::Known { key, group };
        }
        // One registration at a time, so that two new tenants never share a group and the limit is exact.
        let _turn = self.registration.lock();
        let group = self.known.len();
        if group >= self.max && !self.known.contains_key(name) {
            return Tenant::Overflow;
        }
        let (key, group) =
            *self.known.entry(name.to_owned()).or_insert_with(|| (prints.tenant(name), group as u32));
        Tenant::Known { key, group }
    }

    /// Their names, by the number of their group.
    pub fn names(&self) -> Vec<String> {
        let mut named: Vec<(u32, String)> =
            self.known.iter().map(|tenant| (tenant.value().1, tenant.key().clone())).collect();
        named.sort_unstable();
        named.into_iter().map(|(_, name)| name).collect()
    }

    /// How many are told apart now.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
