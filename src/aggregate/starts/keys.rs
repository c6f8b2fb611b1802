//! What a series is about: the things whose start says when its counter began.

use std::sync::Arc;

use crate::series::subject::{About, CLUSTER};
use crate::series::{Fingerprinter, Labels, SubjectTable, TenantKey};

/// What began. The nearer it is to a counter, the more it says about it; the nearest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The counter itself, by its `_created`.
    Counter,
    /// The machine, of a target that counts since then.
    Machine,
    /// The process of the target.
    Process,
    Container,
    Pod,
    Job,
}

const KINDS: [Of; 6] = [Of::Counter, Of::Machine, Of::Process, Of::Container, Of::Pod, Of::Job];

/// A hash of a thing, never 0.
pub(super) type Key = u64;

/// What stands for all that a series is about; the same for who tells and for who asks, before and after a restart that goes
/// on from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys([Key; KINDS.len()]);

impl Keys {
    /// Of a series of which nobody wants to know.
    pub(in crate::aggregate) const NONE: Self = Self([0; KINDS.len()]);

    pub(super) fn of(names: &Names, tenant: TenantKey, labels: Labels<'_>) -> Self {
        let mut maker = Maker::new(names, tenant, labels);
        Self(KINDS.map(|of| maker.key(of).unwrap_or_default()))
    }

    /// What stands for one thing only.
    pub(super) fn one(names: &Names, tenant: TenantKey, labels: Labels<'_>, of: Of) -> Option<Key> {
        Maker::new(names, tenant, labels).key(of)
    }

    pub(super) fn get(self, of: Of) -> Option<Key> {
        Some(self.0[of as usize]).filter(|key| *key != 0)
    }

    pub(super) fn own(self) -> Option<Key> {
        self.get(Of::Counter)
    }

    pub(super) fn things(&self) -> impl Iterator<Item = Key> {
        self.0[1..].iter().copied().filter(|key| *key != 0)
    }

    /// The same for all parts of one histogram or summary, and for no other series.
    pub(in crate::aggregate) fn family(self) -> u64 {
        self.0[0]
    }

    /// What stands for the family alone, and not for what it is about.
    pub(in crate::aggregate) fn of_the_family(self) -> Self {
        let mut alone = Self::NONE;
        alone.0[0] = self.0[0];
        alone
    }

    pub(in crate::aggregate) fn numbers(self) -> [u64; KINDS.len()] {
        self.0
    }

    pub(in crate::aggregate) fn from_numbers(numbers: [u64; KINDS.len()]) -> Self {
        Self(numbers)
    }
}

/// What keys are made with.
pub(super) struct Names {
    pub(super) prints: Fingerprinter,
    pub(super) subjects: Arc<SubjectTable>,
}

/// Makes the keys of one series.
struct Maker<'l> {
    prints: &'l Fingerprinter,
    tenant: TenantKey,
    labels: Labels<'l>,
    about: About<'l>,
    text: Vec<u8>,
    /// How much of the text is the cluster, which all keys begin with.
    cluster: usize,
}

impl<'l> Maker<'l> {
    fn new(names: &'l Names, tenant: TenantKey, labels: Labels<'l>) -> Self {
        let mut text = Vec::with_capacity(512);
        // names are unique within a cluster
        CLUSTER.iter().for_each(|label| put(&mut text, labels.get(label)));
        Self {
            prints: &names.prints,
            tenant,
            labels,
            about: names.subjects.about(labels),
            cluster: text.len(),
            text,
        }
    }

    fn key(&mut self, of: Of) -> Option<Key> {
        self.text.truncate(self.cluster);
        self.text.push(of as u8);
        put_thing(&self.about, of, self.labels, &mut self.text)?;
        Some(self.prints.fingerprint(&self.text, self.tenant).high.max(1))
    }
}

/// Adds what tells a thing from others of its kind; `None` where the series is about none.
fn put_thing(about: &About<'_>, of: Of, labels: Labels<'_>, text: &mut Vec<u8>) -> Option<()> {
    match of {
        Of::Counter => {
            put(text, stem(labels.metric()));
            let own = labels.iter().filter(|(name, _)| !["__name__", "le", "quantile"].contains(name));
            own.for_each(|(name, value)| [name, value].into_iter().for_each(|part| put(text, part)));
        }
        Of::Machine | Of::Process => {
            let target = ["job", "instance", "namespace", "pod"].map(|label| labels.get(label));
            // an exporter's own process says nothing of what it tells of others
            let of_others = !about.of_target || labels.metric().starts_with("container_");
            if of_others || target.iter().all(|value| value.is_empty()) {
                return None;
            }
            target.iter().for_each(|value| put(text, value));
        }
        Of::Container => {
            // what kube-state-metrics counts goes on when a container begins anew
            let of_object = labels.metric().starts_with("kube_");
            let pod = about.pod.filter(|pod| !pod.container.is_empty() && !of_object)?;
            [pod.namespace, pod.name, pod.container].into_iter().for_each(|part| put(text, part));
        }
        Of::Pod => [about.pod?.namespace, about.pod?.name].into_iter().for_each(|part| put(text, part)),
        Of::Job => [about.job?.namespace, about.job?.name].into_iter().for_each(|part| put(text, part)),
    }
    Some(())
}

/// Adds a text and its end; labels are UTF-8, which has no such byte.
pub(super) fn put(text: &mut Vec<u8>, part: &str) {
    text.extend_from_slice(part.as_bytes());
    text.push(0xff);
}

/// The name that the parts of one metric have in common.
fn stem(metric: &str) -> &str {
    let endings = ["_created", "_total", "_bucket", "_sum", "_count"];
    endings.iter().find_map(|ending| metric.strip_suffix(ending)).unwrap_or(metric)
}
