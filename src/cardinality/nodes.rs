//! Nodes: the series that come from each, and those that kube-state-metrics has of it.

use std::collections::BTreeSet;

use super::record_table::Record;

/// Series that end within so many seconds belong to one loss.
const ONE_LOSS: u32 = 600;
/// Workloads told apart in a loss.
const MOST_WORKLOADS: usize = 64;

/// What a series has to do with a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    /// It comes from there.
    #[default]
    From,
    /// Another says it of the node, or of a pod there.
    Of,
    /// It says that there is such a node.
    Exists,
}

/// The node of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnNode {
    /// Its number; 0: none.
    pub(super) number: u32,
    pub(super) side: Side,
}

impl Side {
    /// What the series of a metric have to do with the node that they name, if anything.
    pub(super) fn of(metric: &str) -> Option<Self> {
        match metric {
            "kube_node_info" => Some(Self::Exists),
            "kube_pod_info" => Some(Self::Of),
            _ if metric.starts_with("kube_node_") => Some(Self::Of),
            // what comes from kube-state-metrics' own node names another
            _ if metric.starts_with("kube_") => None,
            _ => Some(Self::From),
        }
    }
}

/// One node.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) tenant: u32,
    pub(super) cluster: Box<str>,
    pub(super) name: Box<str>,
    /// The series that come from it.
    pub(super) from: Loss,
    /// The series of it and its pods that come from elsewhere.
    pub(super) of: Loss,
    /// The series that said last that there is such a node.
    exists: Option<u64>,
    /// When that has ended, Unix seconds; 0: it has not.
    pub(super) gone_since: u32,
    /// When something was last heard of it, Unix seconds.
    pub(super) last: u32,
}

impl Record for Node {
    fn text_bytes(&self) -> usize {
        self.cluster.len() + self.name.len()
    }
}

/// Series that end on a node while none come.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Series looked at in this window, and in the one before: each is looked at once.
    pub(super) reported: [u32; 2],
    /// Series that ended since the last one came, and the workloads they were of.
    pub(super) losing: u32,
    pub(super) workloads: BTreeSet<u32>,
    /// When the first of them ended, and the last, Unix seconds.
    pub(super) since: u32,
    last: u32,
}

impl Node {
    pub(super) fn new(tenant: u32, cluster: &str, name: &str) -> Self {
        Self { tenant, cluster: cluster.into(), name: name.into(), ..Self::default() }
    }

    fn side(&mut self, side: Side) -> &mut Loss {
        if side == Side::From { &mut self.from } else { &mut self.of }
    }

    /// Counts series that came.
    pub(super) fn come(&mut self, side: Side, series: u32) {
        let loss = self.side(side);
        loss.reported[0] += series;
        loss.forget();
    }

    /// Counts a series that was there before.
    pub(super) fn stay(&mut self, side: Side) {
        self.side(side).reported[0] += 1;
    }

    /// Notes that a series says that there is such a node.
    pub(super) fn exist(&mut self, series: u64) {
        self.exists = Some(series);
        if self.gone_since != 0 {
            self.gone_since = 0;
            self.of.forget();
        }
    }

    /// Whether a series says that there is such a node.
    pub(super) fn exists(&self) -> bool {
        self.exists.is_some() && self.gone_since == 0
    }

    /// Counts a series of a workload (0: of none) that ended.
    pub(super) fn lose(&mut self, side: Side, series: u64, workload: u32, now: u32) {
        // another says so by now where the node only has other labels
        if side == Side::Exists && self.exists == Some(series) {
            self.gone_since = now;
        }
        self.side(side).lose(workload, now);
    }

    /// Begins a new window.
    pub(super) fn rotate(&mut self) {
        for loss in [&mut self.from, &mut self.of] {
            loss.reported.swap(0, 1);
            loss.reported[0] = 0;
        }
    }
}

impl Loss {
    fn lose(&mut self, workload: u32, now: u32) {
        if now.saturating_sub(self.last) > ONE_LOSS {
            self.forget();
        }
        if self.losing == 0 {
            self.since = now;
        }
        self.last = now;
        self.losing += 1;
        if self.workloads.len() < MOST_WORKLOADS {
            self.workloads.insert(workload);
        }
    }

    fn forget(&mut self) {
        self.losing = 0;
        self.workloads.clear();
    }
}
