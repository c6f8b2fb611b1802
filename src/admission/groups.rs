//! The groups of a limit, by position and by key.

use ahash::AHashMap;

use super::Ask;
use super::group::Group;
use crate::policy::Limit;
use crate::series::{Fingerprint, TenantKey};

/// Groups by position; a position is used again once its group is over.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Option<Box<Group>>>,
    free: Vec<u32>,
    pub(super) by_key: AHashMap<Fingerprint, u32>,
    by_tenant: AHashMap<TenantKey, u32>,
}

impl Groups {
    /// Which group takes a series: its own, or the one of all that are too many.
    pub(super) fn key(&self, ask: &Ask, max_groups: u32) -> Fingerprint {
        let is_there = self.by_key.contains_key(&ask.group);
        let groups = self.by_tenant.get(&ask.tenant).copied().unwrap_or_default();
        if is_there || groups < max_groups { ask.group } else { ask.tenant.others() }
    }

    pub(super) fn get(&self, at: u32) -> Option<&Group> {
        self.all.get(at as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Group> {
        self.all.get_mut(at as usize)?.as_deref_mut()
    }

    pub(super) fn insert(&mut self, group: Group) -> u32 {
        let key = group.key;
        if key != group.tenant.others() {
            *self.by_tenant.entry(group.tenant).or_default() += 1;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            (self.all.len() - 1) as u32
        });
        self.all[at as usize] = Some(Box::new(group));
        self.by_key.insert(key, at);
        at
    }

    pub(super) fn sweep(&mut self, limit: &Limit, now: u32, is_short: bool) {
        let Self { all, free, by_key, by_tenant } = self;
        by_key.retain(|key, at| {
            let Some(group) = all.get_mut(*at as usize).and_then(Option::as_deref_mut) else { return false };
            let _told = group.tell(limit, now, false);
            if !group.is_over(now, is_short || limit.max_new_per_hour.is_none()) {
                return true;
            }
            let tenant = group.tenant;
            all[*at as usize] = None;
            free.push(*at);
            if *key != tenant.others()
                && let Some(groups) = by_tenant.get_mut(&tenant)
            {
                *groups -= 1;
                if *groups == 0 {
                    by_tenant.remove(&tenant);
                }
            }
            false
        });
        if by_key.is_empty() {
            *self = Self::default();
            return;
        }
        // what a burst has left
        while all.pop_if(|last| last.is_none()).is_some() {}
        free.retain(|at| (*at as usize) < all.len());
        if all.len() < all.capacity() / 4 {
            all.shrink_to_fit();
            free.shrink_to_fit();
        }
        if by_key.len() < by_key.capacity() / 4 {
            by_key.shrink_to_fit();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let groups: usize = self.all.iter().flatten().map(|group| group.bytes()).sum();
        let table = size_of::<(Fingerprint, u32)>() + size_of::<u32>();
        let tenants = self.by_tenant.capacity() * size_of::<(TenantKey, u32)>();
        groups
            + self.all.capacity() * size_of::<Option<Box<Group>>>()
            + self.by_key.capacity() * table
            + tenants
    }
}
