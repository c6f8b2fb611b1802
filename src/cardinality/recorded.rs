//! Owners that a recording names, for questions without traffic.

use std::sync::Arc;

use ahash::RandomState;

use super::owners::Owners;
use super::ownership::Registry;
use crate::series::grammar::Workload;
use crate::series::{Labels, SubjectTable};

/// There is one tenant in a recording.
const TENANT: u32 = 0;

/// What kube-state-metrics said of owners, and whose a series is by that.
pub struct RecordedOwners {
    owners: Owners,
    hash: RandomState,
    subjects: Arc<SubjectTable>,
}

impl RecordedOwners {
    /// Room for `max` owners; of more, those go that were learned first. `subjects`: the labels by which series say what
    /// they are about.
    pub fn new(max: usize, subjects: Arc<SubjectTable>) -> Self {
        Self { owners: Owners::new(max), hash: RandomState::new(), subjects }
    }

    /// Takes in what a series says of an owner, if it is one that does.
    pub fn learn(&self, labels: Labels<'_>) {
        self.registry().learn(TENANT, labels, 0);
    }

    /// Owners known.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether no owner is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows the workload of a series to `then`, and whether an owner said so or only the name did; `None` where
    /// nothing in the series' labels says whose it is.
    pub fn workload<T>(&self, labels: Labels<'_>, then: impl FnOnce(Workload<'_>, bool) -> T) -> Option<T> {
        self.registry().with_ownership(TENANT, labels, |whose| {
            let (kind, name, run, scheduled) = (whose.kind, whose.name, whose.run, whose.scheduled);
            then(Workload { kind, name, run, scheduled }, whose.unsaid.is_none())
        })
    }

    fn registry(&self) -> Registry<'_> {
        Registry { owners: &self.owners, hash: &self.hash, subjects: &self.subjects, tasks: &() }
    }
}
