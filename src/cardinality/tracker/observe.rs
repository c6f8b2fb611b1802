//! The records that a series belongs to: its metric's, its run's, those of its pod, its node and its labels.

use super::Tracker;
use crate::cardinality::nodes::{Node, OnNode, Side};
use crate::cardinality::novelty::Novelty;
use crate::cardinality::ownership::{Registry, Scope, Tasks};
use crate::cardinality::record_table::OTHERS;
use crate::cardinality::records::{Cause, Label, Metric, PodKey, Unit, Workload};
use crate::series::grammar::{Kind, shape};
use crate::series::{Fingerprint, Labels, Subject, SubjectKind, subject};

/// Runs of a task of Airflow by which others are known.
const MANY_RUNS: u32 = 3;

impl Tracker {
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
        let side = Side::of(labels.metric());
        let on = side.and_then(|side| Some(OnNode { number: self.node_number(tenant, labels, now)?, side }));
        on.unwrap_or_default()
    }

    /// The record of the node that a series names, whatever it says of it.
    pub(in crate::cardinality) fn node_number(
        &self,
        tenant: u32,
        labels: Labels<'_>,
        now: u32,
    ) -> Option<u32> {
        let renamed = labels.get("exported_node");
        let name = if renamed.is_empty() { labels.get("node") } else { renamed };
        if name.is_empty() {
            return None;
        }
        let cluster = subject::cluster(labels).1;
        let key = self.hash.hash_one(("node", tenant, cluster, name));
        let make = || Node::new(tenant, cluster, name);
        Some(self.nodes.number(key, make, |node| node.last = now))
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

    /// The record of a metric.
    pub(in crate::cardinality) fn metric(&self, tenant: u32, name: &str, now: u32) -> u32 {
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

    /// The record of a label; that of the others for the one that names the metric.
    pub(in crate::cardinality) fn label(&self, tenant: u32, name: &str, now: u32) -> u32 {
        if name == "__name__" {
            return OTHERS;
        }
        let key = self.hash.hash_one(("label", tenant, name));
        self.labels.number(key, || Label::new(tenant, name, self.values_per_label), |label| label.last = now)
    }

    /// The record of what a new series is new by.
    pub(in crate::cardinality) fn cause(
        &self,
        metric: u32,
        workload: u32,
        labels: Labels<'_>,
        novelty: Novelty,
        now: u32,
    ) -> u32 {
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
