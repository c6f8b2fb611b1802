//! Shown each series when it comes, ends, and once a window in between.

mod account;
mod limits;
mod observe;
mod runs;
mod show;
mod shrink;

pub(super) use runs::Why;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ahash::{AHashMap, RandomState};
use parking_lot::Mutex;

use super::examples::{Examples, STORE_BYTES};
use super::nodes::Node;
use super::novelty::KnownLabels;
use super::owners::Owners;
use super::record_table::RecordTable;
use super::records::{Cause, Label, Metric, PodKey, Sender, Unit, Workload};
use super::values::Values;
use super::waiting::Waiting;

use crate::series::index::{MAX_SENDERS, MAX_UNITS};
use crate::series::{Attribution, Fingerprint, SubjectTable};

/// Bounds of what is kept, and the times that decide what is news.
#[derive(Clone, Debug)]
pub struct Settings {
    /// First sights are learned, not new, for so long after the start and after a sender first came, seconds.
    pub warmup: u32,
    /// A sender that was silent for longer is new again, seconds.
    pub idle_after: u32,
    /// Metrics told apart.
    pub max_metrics: usize,
    /// Workloads told apart.
    pub max_workloads: usize,
    /// Runs of workloads told apart.
    pub max_runs: usize,
    /// Senders told apart, below 1024.
    pub max_senders: usize,
    /// Label names whose values are counted.
    pub max_labels: usize,
    /// Values of a label that are counted one by one.
    pub values_per_label: usize,
    /// Owners of pods, jobs and ReplicaSets remembered.
    pub max_owners: usize,
    /// Nodes told apart.
    pub max_nodes: usize,
    /// Causes of new series told apart.
    pub max_causes: usize,
    /// Memory for telling new label values from known ones, bytes.
    pub filter_bytes: usize,
    /// The labels by which series say what they are about.
    pub subjects: Arc<SubjectTable>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            warmup: 300,
            idle_after: 1200,
            max_metrics: 50_000,
            max_workloads: 50_000,
            max_runs: 200_000,
            max_senders: 1000,
            max_labels: 1000,
            values_per_label: 100,
            max_owners: 200_000,
            max_nodes: 10_000,
            max_causes: 8192,
            filter_bytes: 64 << 20,
            subjects: SubjectTable::known(),
        }
    }
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderContext {
    /// Number of the tenant.
    pub tenant: u32,
    pub(super) sender: u32,
    /// Whether what comes from it now is learned, not new.
    pub(super) learning: bool,
}

/// What is known of a series at its first sight, besides its labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesState {
    /// Its identity.
    pub series: Fingerprint,
    /// Its last value, where it has one.
    pub value: Option<f64>,
    /// Whether that is a stale marker.
    pub ends: bool,
    /// When its newest sample was taken, Unix seconds.
    pub at: u32,
}

/// A series that was looked at, to be counted once its data is safe; by default one that nobody looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Who it is to be charged to.
    pub attribution: Attribution,
    /// The pod that it is about.
    pub(super) pod: PodKey,
    /// Whether its value is other than 0, where that is evidence of something.
    pub on: bool,
    /// Whether more may be known of it soon.
    pub observe_again: bool,
    /// Whether it is learned, not new.
    pub learned: bool,
    /// When its newest sample was taken, Unix seconds.
    pub(super) at: u32,
    /// Whether its first sight is a stale marker.
    pub(super) ended: bool,
    pub(super) cause: u32,
    pub(super) rest_known: bool,
}

/// The last step and the last window that were begun.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) step: u32,
    pub(super) window: u32,
}

/// Everything that is counted.
pub struct Tracker {
    pub(super) hash: RandomState,
    started: u32,
    pub(super) warmup: AtomicU32,
    pub(super) idle_after: AtomicU32,
    values_per_label: usize,
    filter_bytes: usize,
    shrunk: AtomicBool,
    pub(super) metrics: RecordTable<Metric>,
    pub(super) workloads: RecordTable<Workload>,
    pub(super) units: RecordTable<Unit>,
    pub(super) senders: RecordTable<Sender>,
    pub(super) labels: RecordTable<Label>,
    /// When this window began, Unix seconds; 0: it is the first.
    pub(super) window_began: AtomicU32,
    /// Grows when labels are forgotten.
    pub(super) labels_epoch: AtomicU32,
    pub(super) nodes: RecordTable<Node>,
    pub(super) causes: RecordTable<Cause>,
    pub(super) subjects: Arc<SubjectTable>,
    pub(super) owners: Owners,
    pub(super) waiting: Waiting,
    pub(super) known: KnownLabels,
    /// The cause that each metric and workload had last, of the causes that there are.
    pub(super) latest_causes: Mutex<AHashMap<(u32, u32), u32>>,
    /// Examples by metric and workload, and by workload and the labels that name its pod or job.
    pub(super) by_metric: Examples,
    pub(super) by_subject: Examples,
    pub(super) values: Values,
    pub(super) swept: Mutex<Swept>,
}

impl Tracker {
    /// A tracker that starts at `now`, Unix seconds.
    pub fn new(settings: &Settings, now: u32) -> Self {
        let nobody = Sender::new(0, None);
        Self {
            hash: RandomState::new(),
            started: now,
            warmup: AtomicU32::new(settings.warmup),
            idle_after: AtomicU32::new(settings.idle_after),
            values_per_label: settings.values_per_label,
            filter_bytes: settings.filter_bytes,
            shrunk: AtomicBool::new(false),
            metrics: RecordTable::new(settings.max_metrics, Metric::default()),
            workloads: RecordTable::new(settings.max_workloads, Workload::nobody()),
            // the numbers of a table go up to 32 times its size
            units: RecordTable::new(settings.max_runs.min(MAX_UNITS as usize / 40), Unit::default()),
            // a series remembers its sender in ten bits
            senders: RecordTable::dense(settings.max_senders.min(MAX_SENDERS as usize - 64), nobody),
            labels: RecordTable::new(settings.max_labels, Label::new(0, "", 1)),
            window_began: AtomicU32::new(0),
            labels_epoch: AtomicU32::new(0),
            nodes: RecordTable::new(settings.max_nodes, Node::default()),
            causes: RecordTable::new(settings.max_causes, Cause::default()),
            subjects: Arc::clone(&settings.subjects),
            owners: Owners::new(settings.max_owners),
            waiting: Waiting::new(settings.max_owners),
            known: KnownLabels::new(settings.filter_bytes),
            latest_causes: Mutex::default(),
            by_metric: Examples::new(STORE_BYTES),
            by_subject: Examples::new(STORE_BYTES),
            values: Values::new(),
            swept: Mutex::default(),
        }
    }

    /// Takes over what may change while running: the times. Bounds stay as they were at start.
    pub fn replace_settings(&self, settings: &Settings) {
        self.warmup.store(settings.warmup, Ordering::Relaxed);
        self.idle_after.store(settings.idle_after, Ordering::Relaxed);
    }

    /// When it started, Unix seconds.
    pub fn started(&self) -> u32 {
        self.started
    }

    /// Whether everything is still being learned.
    pub fn is_warming_up(&self, now: u32) -> bool {
        now < self.started.saturating_add(self.warmup.load(Ordering::Relaxed))
    }

    /// Who sent a request.
    pub fn sender_context(&self, tenant: u32, address: Option<IpAddr>, now: u32) -> SenderContext {
        let warmup = self.warmup.load(Ordering::Relaxed);
        let idle_after = self.idle_after.load(Ordering::Relaxed);
        let key = self.hash.hash_one(("sender", tenant, address));
        let mut learns_until = 0;
        let sender = self.senders.number(
            key,
            || Sender::new(tenant, address),
            |sender| {
                if now.saturating_sub(sender.wrote) > idle_after {
                    sender.learns_until = now.saturating_add(warmup);
                }
                (sender.wrote, sender.series_counts.last) = (now, now);
                learns_until = sender.learns_until;
            },
        );
        SenderContext { tenant, sender, learning: now < learns_until || self.is_warming_up(now) }
    }
}

/// Whether a value says yes.
pub fn is_on(value: Option<f64>) -> bool {
    value.is_some_and(|value| value != 0.0 && !value.is_nan())
}
