//! Whose is a series: the workload it is about, and the run of it. Owners that the stream names come first, the
//! grammar of names second.

use ahash::RandomState;

use super::owners::{Owned, Owner, OwnerKind, Owners};
use crate::series::Labels;
use crate::series::grammar::{self, Kind, Workload};

/// The part of the world in which names of workloads are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope<'a> {
    /// Number of the tenant.
    pub(super) tenant: u32,
    /// The label `cluster`, where there is one.
    pub(super) cluster: &'a str,
    pub(super) namespace: &'a str,
}

impl Scope<'_> {
    /// What the owner of something is found by.
    pub(super) fn key(&self, hash: &RandomState, owned: Owned, name: &str) -> u64 {
        hash.hash_one((self, owned, name))
    }
}

/// What a series is about: a pod, or a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject<'a> {
    owned: Owned,
    name: &'a str,
    namespace: &'a str,
}

/// Labels that name it, in the order in which they are asked; of an exporter's own pod and another's, the other's.
const PODS: [(&str, bool); 3] = [("exported_pod", true), ("pod", false), ("pod_name", false)];
const JOBS: [(&str, bool); 2] = [("exported_job_name", true), ("job_name", false)];

impl<'a> Subject<'a> {
    fn of(labels: Labels<'a>) -> Option<Self> {
        let find = |names: &[(&str, bool)], owned| {
            let (name, exported) = names
                .iter()
                .map(|(label, exported)| (labels.get(label), *exported))
                .find(|(name, _)| !name.is_empty())?;
            let elsewhere = if exported { labels.get("exported_namespace") } else { "" };
            let namespace = if elsewhere.is_empty() { labels.get("namespace") } else { elsewhere };
            Some(Self { owned, name, namespace })
        };
        let (pods, jobs) = (|| find(&PODS, Owned::Pod), || find(&JOBS, Owned::Job));
        // these are about a job whatever pod they were scraped from
        if labels.metric().starts_with("kube_job_") { jobs().or_else(pods) } else { pods().or_else(jobs) }
    }
}

/// Whose a series is. Text is borrowed from its labels or from what owners were said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) run: Option<&'a str>,
    /// When the run was due, Unix seconds, where its name says so.
    pub(super) scheduled: Option<i64>,
    /// Whether an owner said so; else only the name did, and more may be known later.
    pub(super) said: bool,
}

impl<'a> Whose<'a> {
    fn new(scope: Scope<'a>, said: bool, workload: Workload<'a>) -> Self {
        let Workload { kind, name, run, scheduled } = workload;
        Self { scope, kind, name, run, scheduled, said }
    }
}

/// What is asked for whose a series is.
#[derive(Clone, Copy)]
pub(super) struct Registry<'r> {
    pub(super) owners: &'r Owners,
    pub(super) hash: &'r RandomState,
}

impl Registry<'_> {
    /// Finds out whose a series is and shows it to `then`; `None` where nothing in its labels says so.
    pub(super) fn whose<T>(
        self,
        tenant: u32,
        labels: Labels<'_>,
        then: impl FnOnce(Whose<'_>) -> T,
    ) -> Option<T> {
        let subject = Subject::of(labels)?;
        let scope = Scope { tenant, cluster: labels.get("cluster"), namespace: subject.namespace };
        if subject.owned == Owned::Job {
            return Some(self.of_job(scope, subject.name, then));
        }
        let Some(owner) = self.ask(scope, Owned::Pod, subject.name) else {
            return grammar::of_series(labels).map(|workload| then(Whose::new(scope, false, workload)));
        };
        Some(match owner.kind {
            OwnerKind::Job => self.of_job(scope, &owner.name, then),
            OwnerKind::ReplicaSet => self.of_replica_set(scope, &owner.name, then),
            _ => {
                let workload = owned_pod(subject.name, &owner)
                    .or_else(|| grammar::of_series(labels))
                    .unwrap_or(whole(Kind::Generated, subject.name));
                then(Whose::new(scope, true, workload))
            }
        })
    }

    fn of_job<T>(self, scope: Scope<'_>, job: &str, then: impl FnOnce(Whose<'_>) -> T) -> T {
        match self.ask(scope, Owned::Job, job) {
            Some(Owner { kind: OwnerKind::CronJob, name, .. }) => {
                let scheduled = grammar::job(job).and_then(|found| found.scheduled);
                let workload = Workload { kind: Kind::Cronjob, name: &name, run: Some(job), scheduled };
                then(Whose::new(scope, true, workload))
            }
            Some(_) => then(Whose::new(scope, true, plain_job(job))),
            None => then(Whose::new(scope, false, grammar::job(job).unwrap_or(plain_job(job)))),
        }
    }

    fn of_replica_set<T>(self, scope: Scope<'_>, set: &str, then: impl FnOnce(Whose<'_>) -> T) -> T {
        match self.ask(scope, Owned::ReplicaSet, set) {
            Some(Owner { kind: OwnerKind::Deployment, name, .. }) => {
                let workload = Workload { run: Some(set), ..whole(Kind::Deployment, &name) };
                then(Whose::new(scope, true, workload))
            }
            _ => {
                let workload = grammar::replicaset(set).unwrap_or(whole(Kind::Replicaset, set));
                then(Whose::new(scope, true, workload))
            }
        }
    }

    fn ask(self, scope: Scope<'_>, owned: Owned, name: &str) -> Option<Owner> {
        self.owners.of(scope.key(self.hash, owned, name))
    }
}

/// A Job that nothing schedules. One that was generated goes under what it was generated from.
fn plain_job(job: &str) -> Workload<'_> {
    match grammar::job(job) {
        Some(Workload { kind: Kind::Job, name, .. }) => Workload { run: Some(job), ..whole(Kind::Job, name) },
        _ => Workload { run: Some(job), ..whole(Kind::Job, job) },
    }
}

/// The workload of a pod whose owner makes pods itself.
fn owned_pod<'a>(pod: &'a str, owner: &'a Owner) -> Option<Workload<'a>> {
    let name = &*owner.name;
    match owner.kind {
        OwnerKind::DaemonSet => Some(whole(Kind::Daemonset, name)),
        OwnerKind::StatefulSet => Some(whole(Kind::Statefulset, name)),
        OwnerKind::Deployment => Some(whole(Kind::Deployment, name)),
        OwnerKind::Node => {
            let stem = pod.strip_suffix(&*name.to_ascii_lowercase())?.strip_suffix('-')?;
            Some(whole(Kind::StaticPod, stem))
        }
        OwnerKind::ArgoWorkflow => Some(run_of(Kind::Argo, name)),
        OwnerKind::TektonRun => Some(run_of(Kind::Tekton, name)),
        _ => None,
    }
}

fn whole(kind: Kind, name: &str) -> Workload<'_> {
    Workload { kind, name, run: None, scheduled: None }
}

/// A run whose own name was generated from its workload's.
fn run_of(kind: Kind, run: &str) -> Workload<'_> {
    let stem = grammar::job(run).map_or(run, |found| found.name);
    Workload { kind, name: stem, run: Some(run), scheduled: None }
}
