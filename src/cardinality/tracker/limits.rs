//! How many finished runs a CronJob is meant to keep, and when a job was completed, as kube-state-metrics says.

use super::Tracker;
use crate::cardinality::evidence::Ending;
use crate::cardinality::ownership::Scope;
use crate::cardinality::records::Workload;
use crate::series::grammar::Kind;
use crate::series::{Labels, subject};

/// The runs whose number a metric limits.
fn limited(metric: &str) -> Option<Ending> {
    match metric {
        "kube_cronjob_spec_successful_job_history_limit" => Some(Ending::Succeeded),
        "kube_cronjob_spec_failed_job_history_limit" => Some(Ending::Failed),
        _ => None,
    }
}

impl Tracker {
    /// Takes in what a series says of when the job of a run was completed, if it is one that does.
    pub(in crate::cardinality) fn learn_completion(&self, unit: u32, labels: Labels<'_>, value: Option<f64>) {
        if let Some(value) = value.filter(|_| labels.metric() == "kube_job_status_completion_time") {
            self.units.with(unit, |unit| unit.course.complete(value));
        }
    }

    /// Takes in what a series says of a limit, if it is one that does.
    pub fn learn_limit(&self, tenant: u32, labels: Labels<'_>, value: Option<f64>, now: u32) {
        let (Some(ending), Some(value)) = (limited(labels.metric()), value.filter(|value| *value >= 0.0))
        else {
            return;
        };
        let (cluster_label, cluster) = subject::cluster(labels);
        let namespace = self.subjects.about(labels).namespace;
        let (scope, name) = (Scope { tenant, cluster, namespace }, labels.get("cronjob"));
        let make = || Workload::named(scope, cluster_label, Kind::Cronjob, name);
        self.workloads.number(self.workload_key(scope, Kind::Cronjob, name), make, |workload| {
            workload.series_counts.last = now;
            workload.history_limits[ending as usize] = value as u32;
            workload.check_limits(now);
        });
    }
}
