//! The verdict table: what became of series, each combination once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::RwLock;

use crate::policy::{Disposition, Effect, PolicyIndex, VerdictId};
use crate::series::Invalid;

/// What a verdict stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// What happens to the samples.
    pub disposition: Disposition,
    /// Why, where they are rejected.
    pub reason: Option<Invalid>,
    /// The enforced policy that ended the walk, if one did.
    pub ended_by: Option<PolicyIndex>,
    /// The last policy in force that changed the labels, if one did.
    pub changed_by: Option<PolicyIndex>,
    /// Whether label values were cut for the upstream.
    pub cut: bool,
    /// All policies that matched, in order, and what each did, in preview what it would have done.
    pub matched: Box<[(PolicyIndex, Effect)]>,
}

/// All rows so far. Row 0 is "untouched"; then come rows that stand in when the table is full: they keep what
/// happens to the samples and forget who previewed.
#[derive(Debug)]
pub(super) struct Rows {
    grown: RwLock<Grown>,
    overflow: AtomicU64,
}

#[derive(Debug)]
struct Grown {
    rows: Vec<Arc<Row>>,
    ids: AHashMap<Arc<Row>, VerdictId>,
}

impl Rows {
    /// `endings`: the policies that can end a walk, and what happens to the samples then.
    pub(super) fn new(endings: impl Iterator<Item = (PolicyIndex, Disposition)>) -> Self {
        let rows = Self {
            grown: RwLock::new(Grown { rows: Vec::new(), ids: AHashMap::default() }),
            overflow: AtomicU64::new(0),
        };
        rows.id(Row::default());
        for (policy, disposition) in endings {
            rows.id(Row { disposition, ended_by: Some(policy), ..Row::default() }.in_short());
        }
        for disposition in [Disposition::Rewrite, Disposition::Collide] {
            rows.id(Row { disposition, ..Row::default() });
        }
        for reason in Invalid::ALL {
            rows.id(Row { disposition: Disposition::Reject, reason: Some(reason), ..Row::default() });
        }
        rows
    }

    /// The verdict that stands for `row`.
    pub(super) fn id(&self, row: Row) -> VerdictId {
        if let Some(id) = self.grown.read().ids.get(&row) {
            return *id;
        }
        let mut grown = self.grown.write();
        if let Some(id) = grown.ids.get(&row) {
            return *id;
        }
        if grown.rows.len() >= VerdictId::MAX_ROWS {
            self.overflow.fetch_add(1, Ordering::Relaxed);
            return grown.ids.get(&row.in_short()).copied().unwrap_or(VerdictId::UNTOUCHED);
        }
        let id = VerdictId::new(row.disposition, grown.rows.len());
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

impl Row {
    /// Whether the samples go on after a policy that matched and had this effect. What comes to nothing by the
    /// labels that it made, ends with it.
    pub fn goes_on_after(&self, policy: PolicyIndex, effect: Effect) -> bool {
        let spoilt = !self.disposition.forwards() && self.changed_by == Some(policy);
        !effect.withholds() && !spoilt
    }

    /// The row that was there from the start for what happens to the samples, and by which policy.
    fn in_short(&self) -> Row {
        let effect = match self.disposition {
            Disposition::Forward => Effect::Pass,
            Disposition::Drop => Effect::Drop,
            Disposition::Aggregate => Effect::Aggregate,
            Disposition::Hold => Effect::Hold,
            Disposition::Rewrite | Disposition::Collide | Disposition::Reject => Effect::None,
        };
        let ended_by = self.ended_by.filter(|_| effect != Effect::None);
        let matched = ended_by.map(|policy| (policy, effect)).into_iter().collect();
        Row {
            disposition: self.disposition,
            reason: self.reason,
            ended_by,
            changed_by: None,
            cut: false,
            matched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_keeps_the_disposition_and_counts_what_it_forgets() {
        let last = PolicyIndex(19);
        let rows = Rows::new([(last, Disposition::Drop), (last, Disposition::Aggregate)].into_iter());
        let previews =
            |bits: u16| (0..16).filter(move |p| bits >> p & 1 == 1).map(|p| (PolicyIndex(p), Effect::Drop));
        let dropped = |bits| Row {
            disposition: Disposition::Drop,
            ended_by: Some(last),
            matched: previews(bits).chain([(last, Effect::Drop)]).collect(),
            ..Row::default()
        };
        let rewritten = |bits| Row {
            disposition: Disposition::Rewrite,
            changed_by: Some(PolicyIndex(0)),
            matched: previews(bits).collect(),
            ..Row::default()
        };
        // rules that have what they make added up where series become one: another policy may be the last that matched
        let collected = |bits| Row {
            disposition: Disposition::Aggregate,
            ended_by: Some(last),
            changed_by: Some(last),
            matched: [(last, Effect::Relabel)].into_iter().chain(previews(bits)).collect(),
            ..Row::default()
        };
        for bits in 0..9000 {
            for row in [dropped(bits), rewritten(bits), collected(bits)] {
                let id = rows.id(row.clone());
                assert_eq!(id.disposition(), row.disposition);
                assert_eq!(id, rows.id(row.clone()));
                assert_eq!(rows.get(id).disposition, row.disposition);
                assert_eq!(rows.get(id).ended_by, row.ended_by);
            }
        }
        // rows that are there from the start; one of the dropped ones is among them
        let room = (VerdictId::MAX_ROWS - 5 - Invalid::ALL.len()) as u64;
        assert_eq!(rows.overflow(), 2 * (27_000 - 1 - room));
    }
}
