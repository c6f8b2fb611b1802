//! Labels that no series has: what is known of its workload, read by name as a label is.

use crate::series::WorkloadFacts;

/// A label that policies can read and that is never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtualLabel {
    /// The workload's name.
    Workload,
    /// Its kind, as the config names it.
    WorkloadKind,
}

impl VirtualLabel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Workload, Self::WorkloadKind];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "__workload__",
            Self::WorkloadKind => "__workload_kind__",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str() == name)
    }

    /// Its value.
    pub(super) fn of(self, facts: &WorkloadFacts) -> &str {
        match self {
            Self::Workload => &facts.name,
            Self::WorkloadKind => facts.kind.as_str(),
        }
    }
}
