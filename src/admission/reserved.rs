//! The places that one request holds. Dropped, they are given up: a request that fails, or whose sender hangs up, leaves nothing.

use std::sync::Arc;

use super::Admissions;
use crate::series::Fingerprint;

/// Places held, by limit.
#[derive(Default)]
pub struct Reserved {
    held: Vec<(Arc<Admissions>, Vec<Fingerprint>)>,
}

impl Reserved {
    /// Notes that a place is held for a series; see [`super::Admissions::ask`].
    pub fn push(&mut self, admissions: &Arc<Admissions>, series: Fingerprint) {
        match self.held.iter_mut().find(|(of, _)| Arc::ptr_eq(of, admissions)) {
            Some((_, held)) => held.push(series),
            None => self.held.push((Arc::clone(admissions), vec![series])),
        }
    }

    /// Admits all of them: the upstream has their data.
    pub fn commit(&self, now: u32) {
        self.held.iter().for_each(|(admissions, series)| admissions.commit(series, now));
    }

    /// Gives up what is held. What was admitted stays so.
    pub fn clear(&mut self) {
        self.held.drain(..).for_each(|(admissions, series)| admissions.release(&series));
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let of_each = self.held.iter().map(|(_, series)| series.capacity() * size_of::<Fingerprint>());
        of_each.sum::<usize>() + self.held.capacity() * size_of::<(Arc<Admissions>, Vec<Fingerprint>)>()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.clear();
    }
}

impl std::fmt::Debug for Reserved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.held.iter().map(|(_, series)| series)).finish()
    }
}
