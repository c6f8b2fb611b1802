//! Who owns a series: the workload it is about, and the run of it. Owners that the stream names come first, the
//! grammar of names second.

use ahash::RandomState;

use super::owners::{Owned, Owner, OwnerKind, Owners, Said};
use crate::series::grammar::{self, Kind, Workload};
use crate::series::subject::{self, LabelsUsed};
use crate::series::{Labels, Subject, SubjectKind, SubjectTable};

/// The part of the world in which names of workloads are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope<'a> {
    /// Number of the tenant.
    pub(super) tenant: u32,
    /// Of the first label that names one; empty where there is none.
    pub(super) cluster: &'a str,
    pub(super) namespace: &'a str,
}

impl Scope<'_> {
    /// What the owner of something is found by.
    pub(super) fn key(&self, hash: &RandomState, owned: Owned, name: &str) -> u64 {
        hash.hash_one((self, owned, name))
    }
}

/// The workload that a series is about, and the run of it. Text is borrowed from its labels or from what owners were said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ownership<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) run: Option<&'a str>,
    /// When the run was due, Unix seconds, where its name says so.
    pub(super) scheduled: Option<i64>,
    /// Where only a name said so: the key of the owner that would say more.
    pub(super) unsaid: Option<u64>,
    /// The labels that named its pod or job.
    pub(super) labels: LabelsUsed,
    /// The label that named its cluster; empty where there is none.
    pub(super) cluster_label: &'static str,
}

/// What the labels of a series say of it whoever owns it.
#[derive(Clone, Copy)]
struct Known<'a> {
    scope: Scope<'a>,
    labels: LabelsUsed,
    cluster_label: &'static str,
}

impl Known<'_> {
    fn ownership<'w>(&'w self, unsaid: Option<u64>, workload: Workload<'w>) -> Ownership<'w> {
        let Known { scope, labels, cluster_label } = *self;
        let Workload { kind, name, run, scheduled } = workload;
        Ownership { scope, kind, name, run, scheduled, unsaid, labels, cluster_label }
    }
}

/// Tasks of Airflow of which pods were told by their names.
pub(super) trait Tasks {
    /// Whether there are enough of them that others with such a name are the task's, too.
    fn has(&self, scope: Scope<'_>, task: &str) -> bool;
}

/// None is known.
impl Tasks for () {
    fn has(&self, _: Scope<'_>, _: &str) -> bool {
        false
    }
}

/// What is asked for whose a series is.
#[derive(Clone, Copy)]
pub(super) struct Registry<'r> {
    pub(super) owners: &'r Owners,
    pub(super) hash: &'r RandomState,
    pub(super) subjects: &'r SubjectTable,
    pub(super) tasks: &'r dyn Tasks,
}

impl Registry<'_> {
    /// Takes in what a series says of an owner, if it is one that does. Returns the key of the owner where nothing was known
    /// of it before.
    pub(super) fn learn(self, tenant: u32, labels: Labels<'_>, now: u32) -> Option<u64> {
        let said = Said::read(labels, self.subjects)?;
        let scope = Scope { tenant, cluster: subject::cluster(labels).1, namespace: said.namespace };
        let key = scope.key(self.hash, said.owned, said.name);
        self.owners.learn(key, &said, now).then_some(key)
    }

    /// Finds out whose a series is and shows it to `then`; `None` where nothing in its labels says so.
    pub(super) fn with_ownership<T>(
        self,
        tenant: u32,
        labels: Labels<'_>,
        then: impl FnOnce(Ownership<'_>) -> T,
    ) -> Option<T> {
        let subject = self.subjects.about(labels).subject()?;
        let (cluster_label, cluster) = subject::cluster(labels);
        let scope = Scope { tenant, cluster, namespace: subject.namespace };
        let known = Known { scope, labels: subject.labels, cluster_label };
        if subject.kind == SubjectKind::Job {
            return Some(self.of_job(known, subject.name, then));
        }
        let owner = match self.ask(scope, Owned::Pod, subject.name) {
            Ok(owner) => owner,
            Err(key) => {
                let workload =
                    grammar::of_subject(subject, labels).or_else(|| self.task(scope, subject.name))?;
                return Some(then(known.ownership(Some(key), workload)));
            }
        };
        Some(match owner.kind {
            OwnerKind::Job => self.of_job(known, &owner.name, then),
            OwnerKind::ReplicaSet => self.of_replica_set(known, &owner.name, then),
            OwnerKind::Nobody => {
                let workload = programs_pod(subject, labels).or_else(|| self.task(scope, subject.name));
                then(known.ownership(None, workload.unwrap_or(whole(Kind::Generated, subject.name))))
            }
            OwnerKind::Pod => {
                let driver = self.ask(scope, Owned::Pod, &owner.name);
                let workload = executor(&owner.name, driver.as_ref().ok())
                    .or_else(|| grammar::of_subject(subject, labels))
                    .unwrap_or(whole(Kind::Generated, subject.name));
                then(known.ownership(driver.as_ref().err().copied(), workload))
            }
            _ => {
                let workload = owned_pod(subject.name, &owner)
                    .or_else(|| grammar::of_subject(subject, labels))
                    .unwrap_or(whole(Kind::Generated, subject.name));
                then(known.ownership(None, workload))
            }
        })
    }

    fn of_job<T>(self, known: Known<'_>, job: &str, then: impl FnOnce(Ownership<'_>) -> T) -> T {
        match self.ask(known.scope, Owned::Job, job) {
            Ok(Owner { kind: OwnerKind::CronJob, name, .. }) => {
                let scheduled = grammar::job(job).and_then(|found| found.scheduled);
                let workload = Workload { kind: Kind::Cronjob, name: &name, run: Some(job), scheduled };
                then(known.ownership(None, workload))
            }
            Ok(Owner { kind: OwnerKind::Nobody, .. }) => then(known.ownership(None, nobodys_job(job))),
            Ok(_) => then(known.ownership(None, plain_job(job))),
            Err(key) => then(known.ownership(Some(key), grammar::job(job).unwrap_or(plain_job(job)))),
        }
    }

    fn of_replica_set<T>(self, known: Known<'_>, set: &str, then: impl FnOnce(Ownership<'_>) -> T) -> T {
        match self.ask(known.scope, Owned::ReplicaSet, set) {
            Ok(Owner { kind: OwnerKind::Deployment, name, .. }) => {
                let workload = Workload { run: Some(set), ..whole(Kind::Deployment, &name) };
                then(known.ownership(None, workload))
            }
            Ok(Owner { kind: OwnerKind::Nobody, .. }) => {
                then(known.ownership(None, whole(Kind::Replicaset, set)))
            }
            owner => {
                let workload = grammar::replicaset(set).unwrap_or(whole(Kind::Replicaset, set));
                then(known.ownership(owner.err(), workload))
            }
        }
    }

    /// The task of Airflow whose pod this is, though the pod's name alone does not say so.
    fn task<'a>(self, scope: Scope<'_>, pod: &'a str) -> Option<Workload<'a>> {
        grammar::may_be_task(pod).filter(|workload| self.tasks.has(scope, workload.name))
    }

    /// The owner of something, or its key where nothing was said of it.
    fn ask(self, scope: Scope<'_>, owned: Owned, name: &str) -> Result<Owner, u64> {
        let key = scope.key(self.hash, owned, name);
        self.owners.of(key).ok_or(key)
    }
}

/// A pod that no object owns. Controllers own their pods, so it stands for itself whatever its name looks like; but for
/// programs that make a pod for each task and own none of them.
fn programs_pod<'a>(pod: Subject<'a>, labels: Labels<'a>) -> Option<Workload<'a>> {
    let owns_none = |kind| matches!(kind, Kind::Airflow | Kind::Spark | Kind::GitlabRunner);
    grammar::of_subject(pod, labels).filter(|workload| owns_none(workload.kind))
}

/// A Job that no object made. Those that were generated alike go together: they are one family's runs.
fn nobodys_job(job: &str) -> Workload<'_> {
    let workload = grammar::nobodys_job(job).unwrap_or(whole(Kind::Job, job));
    Workload { run: Some(job), ..workload }
}

/// A pod that another pod owns, if that is a driver of Spark.
fn executor<'a>(driver: &'a str, owner: Option<&'a Owner>) -> Option<Workload<'a>> {
    match owner {
        Some(Owner { kind: OwnerKind::SparkApplication, name, .. }) => Some(run_of(Kind::Spark, name)),
        _ => grammar::pod(driver).filter(|workload| workload.kind == Kind::Spark),
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
        // a StatefulSet for each run of a pipeline
        OwnerKind::StatefulSet => grammar::pod(pod)
            .filter(|workload| workload.kind == Kind::Tekton)
            .or(Some(whole(Kind::Statefulset, name))),
        OwnerKind::Deployment => Some(whole(Kind::Deployment, name)),
        OwnerKind::Node => {
            let stem = pod.strip_suffix(&*name.to_ascii_lowercase())?.strip_suffix('-')?;
            Some(whole(Kind::StaticPod, stem))
        }
        OwnerKind::ArgoWorkflow => Some(run_of(Kind::Argo, name)),
        OwnerKind::TektonRun => {
            // a name that was cut says less than that of its pod
            let of_pod = || grammar::pod(pod).filter(|workload| workload.kind == Kind::Tekton);
            grammar::run(Kind::Tekton, name).or_else(of_pod).or(Some(run_of(Kind::Tekton, name)))
        }
        OwnerKind::SparkApplication => Some(run_of(Kind::Spark, name)),
        _ => None,
    }
}

fn whole(kind: Kind, name: &str) -> Workload<'_> {
    Workload { kind, name, run: None, scheduled: None }
}

/// A run whose own name was generated from its workload's.
fn run_of(kind: Kind, run: &str) -> Workload<'_> {
    grammar::run(kind, run).unwrap_or(Workload { run: Some(run), ..whole(kind, run) })
}
