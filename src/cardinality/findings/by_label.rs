//! Labels with ever new values that belong to no pod.

use super::worst::{names, worst};
use super::{Finding, culprit, nothing};
use crate::cardinality::snapshot::{CauseLine, WorkloadLine};
use crate::series::SubjectTable;

/// Fewer new series by a label that nothing explains are not spoken of.
const FEW_BY_LABEL: u64 = 100;

/// Labels that change with a pod: by themselves they blame nobody but its replacement.
const OF_A_POD: [&str; 24] = [
    "container_id",
    "controller_revision_hash",
    "created_by_name",
    "exported_instance",
    "exported_job_name",
    "exported_pod",
    "host_ip",
    "hostname",
    "id",
    "image",
    "image_id",
    "instance",
    "ip",
    "job_name",
    "label_pod_template_hash",
    "name",
    "node",
    "owner_name",
    "pod",
    "pod_ip",
    "pod_name",
    "pod_template_hash",
    "replicaset",
    "uid",
];

/// Whether series are new because of a label that names their pod or job, among others.
pub(super) fn names_a_pod(cause: &CauseLine, subjects: &SubjectTable) -> bool {
    cause.labels.iter().any(|label| label.contains("pod") || subjects.names(label).is_some())
}

/// Labels that are to blame by themselves, whatever pods do.
pub(super) fn by_label(
    workloads: &[WorkloadLine],
    causes: &[CauseLine],
    subjects: &SubjectTable,
    minutes: u32,
) -> Vec<Finding> {
    let mut groups: Vec<(u32, &[String], Vec<CauseLine>)> = Vec::new();
    let of_a_pod = |label: &String| OF_A_POD.contains(&label.as_str()) || subjects.names(label).is_some();
    let of_itself = |cause: &&CauseLine| {
        let named = cause.labels.iter().any(|label| !of_a_pod(label));
        named && !names_a_pod(cause, subjects) && cause.blamed_last_hour > 0
    };
    for cause in causes.iter().filter(of_itself) {
        match groups
            .iter_mut()
            .find(|(workload, labels, _)| (*workload, *labels) == (cause.workload, &cause.labels))
        {
            Some((.., members)) => members.push(cause.clone()),
            None => groups.push((cause.workload, &cause.labels, vec![cause.clone()])),
        }
    }
    let finding = |(workload, _, members): (u32, &[String], Vec<CauseLine>)| {
        let blamed: u64 = members.iter().map(|cause| cause.blamed_last_hour).sum();
        let series = members.iter().map(|cause| cause.blamed_last_hour + cause.first_last_hour).sum();
        let line = workloads.iter().find(|line| line.number == workload && workload != 0);
        (blamed >= FEW_BY_LABEL).then(|| Finding {
            tenant: members[0].tenant,
            culprit: line.map(culprit),
            worst: worst(members.iter()),
            metrics: names(&members),
            series,
            ..nothing(minutes)
        })
    };
    groups.into_iter().filter_map(finding).collect()
}
