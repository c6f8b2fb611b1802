//! The verdict table: what became of series, each combination once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::RwLock;

use crate::policy::{Disposition, PolicyIndex, VerdictId};

/// Rows at most. Previews of many policies could combine without end.
pub(super) const MAX: usize = 4096;

/// What a verdict stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// The enforced policy that decided, if one did.
    pub ended_by: Option<PolicyIndex>,
    /// Policies in preview that matched before, in order.
    pub previewed: Box<[PolicyIndex]>,
}

/// All rows so far. Row 0 is "untouched"; then one for each policy that can end a walk, so that those need no
/// lock and are there when the table is full.
#[derive(Debug)]
pub(super) struct Rows {
    endings: Box<[Option<VerdictId>]>,
    grown: RwLock<Grown>,
    overflow: AtomicU64,
}

#[derive(Debug)]
struct Grown {
    rows: Vec<Arc<Row>>,
    ids: AHashMap<Arc<Row>, VerdictId>,
}

impl Rows {
    /// For each policy in order what it does to a series it ends the walk of; `None` where it cannot.
    pub(super) fn new(endings: impl Iterator<Item = Option<Disposition>>) -> Self {
        let mut rows = vec![Arc::new(Row::default())];
        let endings = endings.zip(0..).map(|(ending, policy)| {
            let id = VerdictId::new(ending?, rows.len());
            rows.push(Arc::new(Row { ended_by: Some(PolicyIndex(policy)), previewed: Box::default() }));
            Some(id)
        });
        let endings = endings.collect();
        Self {
            endings,
            grown: RwLock::new(Grown { rows, ids: AHashMap::default() }),
            overflow: AtomicU64::new(0),
        }
    }

    pub(super) fn id(&self, ended_by: Option<PolicyIndex>, previewed: Vec<PolicyIndex>) -> VerdictId {
        let ending = ended_by.and_then(|policy| self.endings.get(usize::from(policy.0)).copied().flatten());
        let ending = ending.unwrap_or(VerdictId::UNTOUCHED);
        if previewed.is_empty() {
            return ending;
        }
        let row = Row { ended_by, previewed: previewed.into() };
        if let Some(id) = self.grown.read().ids.get(&row) {
            return *id;
        }
        let mut grown = self.grown.write();
        if let Some(id) = grown.ids.get(&row) {
            return *id;
        }
        if grown.rows.len() >= MAX {
            self.overflow.fetch_add(1, Ordering::Relaxed);
            return ending;
        }
        let id = VerdictId::new(ending.disposition(), grown.rows.len());
        let row = Arc::new(row);
        grown.rows.push(Arc::clone(&row));
        grown.ids.insert(row, id);
        id
    }

    pub(super) fn get(&self, id: VerdictId) -> Arc<Row> {
        self.grown.read().rows.get(id.row()).cloned().unwrap_or_default()
    }

    pub(super) fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_keeps_the_disposition_and_counts_what_it_forgets() {
        let rows = Rows::new((0..20).map(|p| (p == 19).then_some(Disposition::Drop)));
        let last = Some(PolicyIndex(19));
        let previews =
            |bits: u16| (0..16).filter(|p| bits >> p & 1 == 1).map(PolicyIndex).collect::<Vec<_>>();
        for bits in 0..5000 {
            let id = rows.id(last, previews(bits));
            assert_eq!(id.disposition(), Disposition::Drop);
            assert_eq!(id, rows.id(last, previews(bits)));
            assert_eq!(rows.get(id).ended_by, last);
        }
        // 0 and the reserved row take two; 4094 of the 4999 combinations have room.
        assert_eq!(rows.overflow(), 2 * (4999 - 4094));
    }
}
