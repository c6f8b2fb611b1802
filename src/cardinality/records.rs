//! What is kept of each metric, workload, run, sender, label and cause.

mod course;
mod pods;
mod reported;
mod run;

use std::net::IpAddr;

pub(super) use self::course::ARRIVES;
pub(super) use self::pods::Pods;
pub use self::pods::{PodCounts, PodKey};
use self::reported::ReportedRuns;
pub(super) use self::run::{RunState, Turn, Unit};
use super::evidence::Ending;
use super::metric_type::MetricType;
use super::ownership::{Ownership, Scope};
use super::record_table::Record;
use super::series_counts::{LastHour, SeriesCounts};
use super::sketch::{Distinct, Top};
use super::trend::Trend;
use crate::series::grammar::Kind;
use crate::series::subject::LabelsUsed;

/// One metric of a tenant.
#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) tenant: u32,
    pub(super) name: Box<str>,
    /// What metadata says that it is.
    pub(super) declared: MetricType,
    pub(super) series_counts: SeriesCounts,
}

/// Finished runs of a CronJob that Kubernetes keeps by default: those that succeeded, and those that failed.
const KEPT_BY_DEFAULT: [u32; Ending::ALL.len()] = [3, 1];

/// So many senders of a workload are known by number, the last ones.
const MOST_SENDERS: usize = 8;

/// One workload.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) tenant: u32,
    pub(super) cluster: Box<str>,
    /// The label that named it; empty where there is none.
    pub(super) cluster_label: &'static str,
    /// The labels by which its series named their pod or job, sorted.
    pub(super) labels: Vec<LabelsUsed>,
    pub(super) namespace: Box<str>,
    pub(super) kind: Kind,
    pub(super) name: Box<str>,
    pub(super) series_counts: SeriesCounts,
    /// Numbers of the senders that brought its last new series.
    pub(super) senders: Vec<u32>,
    /// Runs that series are reported of, and those of them that are over, by how they ended.
    pub(super) runs: u32,
    pub(super) runs_over: [u32; Ending::ALL.len()],
    /// How many of these are meant to be kept, and since when there are more, Unix seconds.
    pub(super) history_limits: [u32; Ending::ALL.len()],
    pub(super) beyond_limits_since: Option<u32>,
    /// Runs that ended and were kept, and kept ones that went, by how they ended.
    pub(super) kept: [LastHour; Ending::ALL.len()],
    pub(super) cleaned: [LastHour; Ending::ALL.len()],
    /// Runs that came.
    pub(super) new_runs: LastHour,
    /// Series that came with runs that were new themselves.
    pub(super) series_of_new_runs: LastHour,
    pub(super) pods: Pods,
    /// Reported runs, over time.
    pub(super) trend: Trend,
    /// The same runs, by age.
    pub(super) reported: ReportedRuns,
    /// Whether series of a run ever said how it stands.
    pub(super) says_how_runs_stand: bool,
}

impl Workload {
    pub(super) fn new(whose: &Ownership<'_>) -> Self {
        Self::named(whose.scope, whose.cluster_label, whose.kind, whose.name)
    }

    pub(super) fn named(scope: Scope<'_>, cluster_label: &'static str, kind: Kind, name: &str) -> Self {
        Self {
            tenant: scope.tenant,
            cluster: scope.cluster.into(),
            cluster_label,
            namespace: scope.namespace.into(),
            kind,
            name: name.into(),
            ..Self::nobody()
        }
    }

    /// Notes that a series was about it.
    pub(super) fn see(&mut self, whose: &Ownership<'_>, now: u32) {
        self.series_counts.last = now;
        if let Err(at) = self.labels.binary_search(&whose.labels) {
            self.labels.insert(at, whose.labels);
        }
    }

    /// Notes who brought a new series of it.
    pub(super) fn hear(&mut self, sender: u32) {
        if !self.senders.contains(&sender) {
            if self.senders.len() == MOST_SENDERS {
                self.senders.remove(0);
            }
            self.senders.push(sender);
        }
    }

    /// What is not charged to any workload.
    pub(super) fn nobody() -> Self {
        Self {
            tenant: 0,
            cluster: "".into(),
            cluster_label: "",
            labels: Vec::new(),
            namespace: "".into(),
            kind: Kind::Generated,
            name: "".into(),
            series_counts: SeriesCounts::default(),
            senders: Vec::new(),
            runs: 0,
            runs_over: [0; Ending::ALL.len()],
            history_limits: KEPT_BY_DEFAULT,
            beyond_limits_since: None,
            kept: Default::default(),
            cleaned: Default::default(),
            new_runs: LastHour::default(),
            series_of_new_runs: LastHour::default(),
            pods: Pods::default(),
            trend: Trend::default(),
            reported: ReportedRuns::default(),
            says_how_runs_stand: false,
        }
    }

    /// Counts a run that stands otherwise now, or is not reported any more.
    pub(super) fn turn(&mut self, turn: Turn, now: u32) {
        let Turn { before, after, order, over, has_ended, went } = turn;
        let mut count = |state: Option<RunState>, count: fn(u32) -> u32| {
            if state.is_some() {
                self.runs = count(self.runs);
            }
            if let Some(RunState::Over(ending)) = state {
                let over = &mut self.runs_over[ending as usize];
                *over = count(*over);
            }
        };
        count(before, |n| n.saturating_sub(1));
        count(after, |n| n + 1);
        match (before, after) {
            (None, Some(_)) => self.reported.add(order),
            (Some(_), None) => self.reported.take(order),
            _ => {}
        }
        match (over, after) {
            (Some((ending, _)), None) if went => self.cleaned[ending as usize].add(1, now),
            // it went on, and ended as before
            (Some((ending, _)), Some(RunState::Over(now))) if ending == now => {}
            (_, Some(RunState::Over(ending))) => {
                if let Some((ending, kept_at)) = over {
                    self.kept[ending as usize].take(1, kept_at);
                }
                if has_ended {
                    self.kept[ending as usize].add(1, now);
                }
            }
            _ => {}
        }
        self.check_limits(now);
    }

    /// Notes whether more runs are kept than are meant to be.
    pub(super) fn check_limits(&mut self, now: u32) {
        let beyond = self.runs_over.iter().zip(&self.history_limits).any(|(runs, limit)| runs > limit);
        self.beyond_limits_since = if beyond { self.beyond_limits_since.or(Some(now)) } else { None };
    }

    /// Whether its runs are meant to end: by its kind, or because most of them have, where its kind is not known.
    pub(super) fn runs_end(&self) -> bool {
        self.kind.runs_end()
            || (self.kind == Kind::Generated && self.runs_over.iter().sum::<u32>() > self.runs / 2)
    }
}

/// A sender of which nothing was seen for so long pauses, seconds.
const PAUSE: u32 = 150;

/// One sender: an address that writes for a tenant.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) tenant: u32,
    pub(super) address: Option<IpAddr>,
    /// When it wrote last, Unix seconds. Its series are counted later, too: when they are forgotten.
    pub(super) wrote: u32,
    /// Until when what it sends first is learned, Unix seconds.
    pub(super) learns_until: u32,
    /// Since when series that it brought first are seen without a pause, whoever brings them now.
    pub(super) on_since: Option<u32>,
    pub(super) series_counts: SeriesCounts,
}

impl Sender {
    pub(super) fn new(tenant: u32, address: Option<IpAddr>) -> Self {
        Self {
            tenant,
            address,
            wrote: 0,
            learns_until: 0,
            on_since: None,
            series_counts: SeriesCounts::default(),
        }
    }

    /// Notes when one of its series was last seen.
    pub(super) fn follow(&mut self, newest: u32, now: u32) {
        if now.saturating_sub(newest) > PAUSE {
            self.on_since = None;
        } else if self.on_since.is_none() {
            self.on_since = Some(now);
        }
    }
}

/// A label name of a tenant: its values in this window and in the one before.
pub(super) struct Label {
    pub(super) tenant: u32,
    pub(super) name: Box<str>,
    pub(super) values: [Distinct; 2],
    pub(super) top: [Top; 2],
    pub(super) last: u32,
}

impl Label {
    pub(super) fn new(tenant: u32, name: &str, counters: usize) -> Self {
        Self {
            tenant,
            name: name.into(),
            values: [Distinct::default(), Distinct::default()],
            top: [Top::new(counters), Top::new(counters)],
            last: 0,
        }
    }

    /// Takes in a value that so many series have; the hash is of the pair.
    pub(super) fn feed(&mut self, hash: u64, value: &str, series: u32, now: u32) {
        self.values[0].insert(hash);
        self.top[0].add(hash, value, u64::from(series));
        self.last = now;
    }

    /// Memory of its sketches, bytes.
    pub(super) fn sketch_bytes(&self) -> usize {
        self.values.iter().map(Distinct::bytes).sum::<usize>()
            + self.top.iter().map(Top::bytes).sum::<usize>()
    }

    /// Forgets the window before.
    pub(super) fn forget_former(&mut self) {
        self.values[1].clear();
        self.top[1].clear();
    }

    /// Begins a new window.
    pub(super) fn rotate(&mut self) {
        self.values.swap(0, 1);
        self.values[0].clear();
        self.top.swap(0, 1);
        self.top[0].clear();
    }
}

/// Series of a metric and a workload that are new because the same labels changed.
#[derive(Debug, Default)]
pub(super) struct Cause {
    pub(super) metric: u32,
    pub(super) workload: u32,
    /// The changed labels, in name order; none: known values in a new combination.
    pub(super) labels: Box<[Box<str>]>,
    /// What the values of the most telling of them look like.
    pub(super) pattern: Box<str>,
    /// New series where nothing else was new.
    pub(super) blamed: LastHour,
    /// New series where the rest of the labels was new too.
    pub(super) first: LastHour,
    pub(super) last: u32,
}

impl Record for Metric {
    /// Counts of the last hour.
    const HEAP: usize = 240;

    fn text_bytes(&self) -> usize {
        self.name.len()
    }
}

impl Record for Workload {
    /// Counts of the last hour, lifetimes, runs over time, pods.
    const HEAP: usize = 1024;

    fn text_bytes(&self) -> usize {
        self.cluster.len() + self.namespace.len() + self.name.len()
    }
}

impl Record for Sender {
    /// Counts of the last hour, lifetimes.
    const HEAP: usize = 320;

    fn text_bytes(&self) -> usize {
        0
    }
}

impl Record for Label {
    /// Only the name: `Top` bounds the text of values.
    fn text_bytes(&self) -> usize {
        self.name.len()
    }
}

impl Record for Cause {
    /// Counts of the last hour.
    const HEAP: usize = 480;

    /// Of a series whose labels are all new it has all their names.
    const TEXT: usize = 1024;

    fn text_bytes(&self) -> usize {
        self.pattern.len()
            + self.labels.iter().map(|label| label.len() + size_of::<Box<str>>()).sum::<usize>()
    }
}
