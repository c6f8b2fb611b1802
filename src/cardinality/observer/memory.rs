//! What was found out in one request, and holds for the rest of it.

use ahash::{AHashMap, AHashSet, RandomState};

use super::recent::Recent;
use crate::cardinality::nodes::Side;
use crate::cardinality::owners::names_owners;
use crate::cardinality::records::PodKey;
use crate::series::subject;

/// A metric.
#[derive(Clone, Copy)]
pub(super) struct OfMetric {
    pub(super) number: u32,
    /// What its name says of whose its series are: the kind of object that they are about.
    pub(super) object: u64,
    /// What its series have to do with the node that they name.
    pub(super) side: Option<Side>,
    /// Whether it is one of kube-state-metrics or the like.
    pub(super) is_of_kubernetes: bool,
    /// Whether its series say who owns what.
    pub(super) names_owners: bool,
}

impl OfMetric {
    pub(super) fn new(number: u32, name: &str, hash: &RandomState) -> Self {
        Self {
            number,
            object: hash.hash_one((subject::object(name), name.starts_with("kube_job_"))),
            side: Side::of(name),
            is_of_kubernetes: name.starts_with("kube_"),
            names_owners: names_owners(name),
        }
    }
}

/// Whose a series is, and what it is about.
#[derive(Clone, Copy)]
pub(super) struct Whose {
    pub(super) unit: u32,
    pub(super) workload: u32,
    /// Whether an owner said so, or nothing ever will.
    pub(super) said: bool,
    pub(super) pod: PodKey,
    /// How much was known of owners.
    pub(super) owners: u32,
}

/// What is known of a metric of a workload.
#[derive(Default)]
pub(super) struct OfBoth {
    /// What a series was new by: the names of its labels and those of them that changed, and the number of that cause.
    pub(super) cause: Option<((u64, u64), u32)>,
    /// Whether there are as many examples as are wanted for now.
    pub(super) has_examples: bool,
}

/// Entries of each kind at most, so that a request with a million metrics takes no more than others; where there are more,
/// all is found out anew.
pub(super) const MOST: usize = 1024;

/// By hashes.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) metrics: AHashMap<u64, OfMetric>,
    pub(super) subjects: AHashMap<u64, Whose>,
    /// Numbers of nodes, by what says whose a series is.
    pub(super) nodes: AHashMap<u64, Option<u32>>,
    both: AHashMap<(u32, u32), OfBoth>,
    /// What says whose a series is, and the workload, where there are as many examples as are wanted.
    pub(super) shown: AHashSet<(u64, u32)>,
    /// Whether pairs of label and value are known.
    pub(super) answers: Recent,
    /// Pairs that were said to be still there.
    pub(super) refreshed: Recent,
}

impl Memory {
    pub(super) fn clear(&mut self) {
        self.forget();
        self.answers.clear();
        self.refreshed.clear();
    }

    /// Makes room for another entry of each kind.
    pub(super) fn make_room(&mut self) {
        if self.len() >= MOST {
            self.forget();
        }
    }

    /// Entries of the kind that has most.
    pub(super) fn len(&self) -> usize {
        let Self { metrics, subjects, nodes, both, shown, .. } = self;
        [metrics.len(), subjects.len(), nodes.len(), both.len(), shown.len()].into_iter().fold(0, usize::max)
    }

    fn forget(&mut self) {
        self.metrics.clear();
        self.subjects.clear();
        self.nodes.clear();
        self.both.clear();
        self.shown.clear();
    }

    pub(super) fn both(&mut self, metric: u32, workload: u32) -> &mut OfBoth {
        self.both.entry((metric, workload)).or_default()
    }
}
