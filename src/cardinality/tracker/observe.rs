//! Looking at a series: whose it is, what is new about it, which values it has. Nothing is counted here that a request
//! sent again could see twice.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;

use ahash::AHashMap;

use super::{Observation, SenderContext, SeriesState, Tracker, is_on};
use crate::cardinality::evidence::Evidence;
use crate::cardinality::nodes::{Node, OnNode, Side};
use crate::cardinality::novelty::Novelty;
use crate::cardinality::ownership::{Registry, Scope, Tasks};
use crate::cardinality::record_table::OTHERS;
use crate::cardinality::records::{Cause, Label, Metric, PodKey, Unit, Workload};
use crate::series::grammar::{Kind, shape};
use crate::series::index::WINDOW_SECONDS;
use crate::series::{Attribution, Fingerprint, Labels, Subject, SubjectKind, subject};

/// Sets of label names that a worker remembers.
const MOST_SHAPES: usize = 4096;

/// Runs of a task of Airflow by which others are known.
const MANY_RUNS: u32 = 3;

/// What a worker keeps from one look to the next.
#[derive(Default)]
pub struct ObserveScratch {
    /// A hash for each label of the series in hand.
    hashes: Vec<u64>,
    /// Numbers of the labels of a series, by a hash of their names: series of one metric have the same.
    shapes: AHashMap<u64, Box<[u32]>>,
    /// Which numbers those are: they are given out anew when labels are forgotten.
    epoch: u32,
}

impl Tracker {
    /// Looks at a series that is not known. What is to be remembered of its labels is added to `keys`.
    pub fn observe(
        &self,
        sender_context: SenderContext,
        labels: Labels<'_>,
        first: SeriesState,
        scratch: &mut ObserveScratch,
        keys: &mut Vec<u64>,
        now: u32,
    ) -> Observation {
        let metric = self.metric(sender_context.tenant, labels.metric(), now);
        let (unit, said) = self.unit(sender_context.tenant, labels, now);
        self.hash_pairs(labels, &mut scratch.hashes);
        if self.known.counts(metric, first.series.high, true) {
            self.feed(sender_context.tenant, labels, scratch, now);
            let on = self.node(sender_context.tenant, labels, now);
            self.nodes.with(on.number, |node| node.come(on.side));
        }
        if !first.ends {
            self.exists(sender_context.tenant, labels, first.series, now);
            self.learn_limit(sender_context.tenant, labels, first.value, now);
        }
        self.learn_completion(unit, labels, first.value);
        let novelty = self.known.compare(metric, labels, &scratch.hashes, &self.hash, keys);
        // the end of something that we never saw alive is no birth
        let learned = sender_context.learning || first.ends;
        let evidence = Evidence::of(labels).map_or(0, Evidence::code);
        Observation {
            attribution: Attribution { metric, unit, sender: sender_context.sender, evidence },
            pod: self.pod(sender_context.tenant, labels),
            on: evidence != 0 && is_on(first.value),
            observe_again: !said && self.owners.are_said(),
            learned,
            at: first.at,
            ended: first.ends,
            cause: if learned { OTHERS } else { self.cause(metric, unit, labels, novelty, now) },
            rest_known: novelty.rest_known,
        }
    }

    /// Looks again at a series that is known, once a window; returns who it is to be charged to. `sender` and
    /// `evidence` in it are of no meaning.
    pub fn observe_again(
        &self,
        sender_context: SenderContext,
        labels: Labels<'_>,
        first: SeriesState,
        scratch: &mut ObserveScratch,
        now: u32,
    ) -> Attribution {
        let metric = self.metric(sender_context.tenant, labels.metric(), now);
        let (unit, _) = self.unit(sender_context.tenant, labels, now);
        let attribution = Attribution { metric, unit, sender: sender_context.sender, evidence: 0 };
        if !first.ends {
            self.exists(sender_context.tenant, labels, first.series, now);
            self.learn_limit(sender_context.tenant, labels, first.value, now);
        }
        self.learn_completion(unit, labels, first.value);
        if !self.known.counts(metric, first.series.high, false) {
            // it came in this window
            return attribution;
        }
        self.hash_pairs(labels, &mut scratch.hashes);
        self.feed(sender_context.tenant, labels, scratch, now);
        let on = self.node(sender_context.tenant, labels, now);
        self.nodes.with(on.number, |node| node.stay(on.side));
        self.known.refresh(metric, &scratch.hashes);
        if let Some(value) = first.value {
            let window = now / WINDOW_SECONDS;
            self.units.with(unit, |unit| unit.silence.hear(window, first.series.high, value));
        }
        attribution
    }

    /// The workload that a series is about, as far as it is known now: `namespace`, kind, name, run.
    pub fn workload_of(
        &self,
        tenant: u32,
        labels: Labels<'_>,
    ) -> Option<(String, Kind, String, Option<String>)> {
        let registry = self.registry();
        registry.with_ownership(tenant, labels, |whose| {
            let (namespace, run) = (whose.scope.namespace.to_owned(), whose.run.map(str::to_owned));
            (namespace, whose.kind, whose.name.to_owned(), run)
        })
    }

    /// Whether owners are named in the stream since just now, so that more is known of every series; said once.
    pub fn owners_have_come(&self) -> bool {
        self.owners.have_come()
    }

    /// The pod that a series is about.
    pub fn pod(&self, tenant: u32, labels: Labels<'_>) -> PodKey {
        let subject =
            self.subjects.about(labels).subject().filter(|subject| subject.kind == SubjectKind::Pod);
        let key = |of: Subject<'_>| {
            let cluster = subject::cluster(labels).1;
            self.hash.hash_one(("pod", tenant, cluster, of.namespace, of.name))
        };
        PodKey(subject.map(key))
    }

    /// The node that a series names.
    pub fn node(&self, tenant: u32, labels: Labels<'_>, now: u32) -> OnNode {
        let renamed = labels.get("exported_node");
        let name = if renamed.is_empty() { labels.get("node") } else { renamed };
        let Some(side) = Side::of(labels.metric()).filter(|_| !name.is_empty()) else {
            return OnNode::default();
        };
        let cluster = subject::cluster(labels).1;
        let key = self.hash.hash_one(("node", tenant, cluster, name));
        let make = || Node::new(tenant, cluster, name);
        OnNode { number: self.nodes.number(key, make, |node| node.last = now), side }
    }

    /// Notes of a series that came, or is there again, that there is such a node, if it says so.
    pub fn exists(&self, tenant: u32, labels: Labels<'_>, series: Fingerprint, now: u32) {
        if Side::of(labels.metric()) == Some(Side::Exists) {
            let on = self.node(tenant, labels, now);
            self.nodes.with(on.number, |node| node.exist(series.high));
        }
    }

    pub(in crate::cardinality) fn metric_key(&self, tenant: u32, name: &str) -> u64 {
        self.hash.hash_one(("metric", tenant, name))
    }

    fn metric(&self, tenant: u32, name: &str, now: u32) -> u32 {
        let key = self.metric_key(tenant, name);
        let make = || Metric { tenant, name: name.into(), ..Metric::default() };
        self.metrics.number(key, make, |metric| metric.series_counts.last = now)
    }

    /// The run that a series is about, and whether an owner said so (or nothing ever will).
    pub(in crate::cardinality) fn unit(&self, tenant: u32, labels: Labels<'_>, now: u32) -> (u32, bool) {
        let registry = self.learn_owner(tenant, labels, now);
        let number = registry.with_ownership(tenant, labels, |whose| {
            let key = self.workload_key(whose.scope, whose.kind, whose.name);
            let workload =
                self.workloads.number(key, || Workload::new(&whose), |workload| workload.see(&whose, now));
            let key = self.unit_key(key, whose.run);
            let unit = self.units.number(key, || Unit::new(workload, &whose), |unit| unit.last = now);
            if let Some(key) = whose.unsaid {
                self.waiting.wait(key, unit);
                // somebody else may have learned of it in the meantime
                if self.owners.of(key).is_some() {
                    self.waiting.come(key);
                }
            }
            (unit, whose.unsaid.is_none())
        });
        number.unwrap_or((OTHERS, true))
    }

    pub(in crate::cardinality) fn workload_key(&self, scope: Scope<'_>, kind: Kind, name: &str) -> u64 {
        self.hash.hash_one((scope, kind, name))
    }

    pub(in crate::cardinality) fn unit_key(&self, workload: u64, run: Option<&str>) -> u64 {
        self.hash.hash_one((workload, run))
    }

    /// Takes in what a series says of an owner, if it is one that does. Returns what is asked for whose it is.
    pub(in crate::cardinality) fn learn_owner(
        &self,
        tenant: u32,
        labels: Labels<'_>,
        now: u32,
    ) -> Registry<'_> {
        let registry = self.registry();
        if let Some(key) = registry.learn(tenant, labels, now) {
            self.waiting.come(key);
        }
        registry
    }

    pub(in crate::cardinality) fn registry(&self) -> Registry<'_> {
        Registry { owners: &self.owners, hash: &self.hash, subjects: &self.subjects, tasks: self }
    }

    fn hash_pairs(&self, labels: Labels<'_>, hashes: &mut Vec<u64>) {
        hashes.clear();
        hashes.extend(labels.iter().map(|pair| self.hash.hash_one(pair)));
    }

    /// Counts a series' label values in the sketches.
    fn feed(&self, tenant: u32, labels: Labels<'_>, scratch: &mut ObserveScratch, now: u32) {
        let ObserveScratch { hashes, shapes, epoch } = scratch;
        let current = self.labels_epoch.load(Ordering::Acquire);
        if *epoch != current || shapes.len() > MOST_SHAPES {
            shapes.clear();
            *epoch = current;
        }
        let mut shape = self.hash.build_hasher();
        shape.write_u32(tenant);
        labels.iter().for_each(|(name, _)| shape.write(name.as_bytes()));
        let numbers = shapes
            .entry(shape.finish())
            .or_insert_with(|| labels.iter().map(|(name, _)| self.label(tenant, name, now)).collect());
        for (((name, value), pair), number) in labels.iter().zip(hashes).zip(numbers.iter()) {
            if name != "__name__" {
                self.labels.with(*number, |label| label.feed(*pair, value, now));
            }
        }
    }

    fn label(&self, tenant: u32, name: &str, now: u32) -> u32 {
        if name == "__name__" {
            return OTHERS;
        }
        let key = self.hash.hash_one(("label", tenant, name));
        self.labels.number(key, || Label::new(tenant, name, self.values_per_label), |label| label.last = now)
    }

    /// The record of what a new series is new by.
    fn cause(&self, metric: u32, unit: u32, labels: Labels<'_>, novelty: Novelty, now: u32) -> u32 {
        let workload = self.units.with(unit, |unit| unit.workload);
        let key = self.cause_key(metric, workload, novelty.names(labels).map(|(name, _)| name));
        let make = || Cause {
            metric,
            workload,
            labels: novelty.names(labels).map(|(name, _)| name.into()).collect(),
            pattern: pattern(labels, novelty),
            ..Cause::default()
        };
        let number = self.causes.number(key, make, |cause| cause.last = now);
        self.is_latest(metric, workload, number);
        number
    }

    pub(super) fn cause_key<'n>(
        &self,
        metric: u32,
        workload: u32,
        names: impl Iterator<Item = &'n str>,
    ) -> u64 {
        let start = self.hash.hash_one(("cause", metric, workload));
        names.fold(start, |key, name| self.hash.hash_one((key, name)))
    }
}

impl Tasks for Tracker {
    fn has(&self, scope: Scope<'_>, task: &str) -> bool {
        let key = self.workload_key(scope, Kind::Airflow, task);
        self.workloads.find(key, |workload| workload.runs >= MANY_RUNS) == Some(true)
    }
}

/// What the values of the most telling of the changed labels look like: names before ids.
fn pattern(labels: Labels<'_>, novelty: Novelty) -> Box<str> {
    const TELLING: [&str; 5] = ["exported_pod", "pod", "pod_name", "exported_job_name", "job_name"];
    let named = TELLING.iter().find_map(|name| novelty.names(labels).find(|(changed, _)| changed == name));
    let value = named.or_else(|| novelty.names(labels).next()).map_or("", |(_, value)| value);
    shape::pattern(value).to_string().into()
}
