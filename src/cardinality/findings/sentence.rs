//! A finding in one sentence, for people.

use std::fmt;

use super::{Culprit, Finding, FindingKind, WorstMetric};
use crate::series::grammar::Kind;

/// As people call a kind of object.
fn called(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment => "Deployment",
        Kind::Replicaset => "ReplicaSet",
        Kind::Daemonset => "DaemonSet",
        Kind::Statefulset => "StatefulSet",
        Kind::Job => "Job",
        Kind::IndexedJob => "Indexed Job",
        Kind::Cronjob => "CronJob",
        Kind::StaticPod => "static pod",
        Kind::Argo => "Argo workflow",
        Kind::Airflow => "Airflow task",
        Kind::Spark => "Spark application",
        Kind::Tekton => "Tekton pipeline",
        Kind::Knative => "Knative service",
        Kind::GitlabRunner => "GitLab runner",
        Kind::Generated => "workload",
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", called(self.kind), self.name)?;
        if !self.namespace.is_empty() {
            write!(f, " in {}", self.namespace)?;
        }
        if !self.cluster.is_empty() {
            write!(f, " ({})", self.cluster)?;
        }
        Ok(())
    }
}

/// `1,234`.
struct Commas(u64);

impl fmt::Display for Commas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// `n things in m minutes`, or an hour.
struct Pace(u64, &'static str, u32);

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.2 {
            60.. => write!(f, "{} {}/h", Commas(self.0), self.1),
            minutes => write!(f, "{} {} in {minutes} minutes", Commas(self.0), self.1),
        }
    }
}

impl Finding {
    /// The finding in one sentence, without a full stop.
    pub fn sentence(&self) -> String {
        let whose = self.culprit.as_ref().map(|culprit| format!(", {culprit}")).unwrap_or_default();
        let where_ = self.worst.as_ref().map(|worst| self.metric(worst)).unwrap_or_default();
        let pace = Pace(self.series, "new series", self.minutes);
        match self.kind {
            FindingKind::NodeLost => {
                let node = self.node.as_deref().unwrap_or_default();
                format!("node {node} is gone: {} series ended with it", Commas(self.series))
            }
            FindingKind::StuckRuns => {
                let runs = Pace(u64::from(self.new_runs), "runs", self.minutes);
                let growth = self.growth_per_hour.unwrap_or_default();
                let doubles = self.doubles_in_hours.unwrap_or_default();
                format!(
                    "{} of {} reported runs are over, {} series of theirs are still sent, and there are {growth:.0} \
                     more each hour (twice as many in {doubles:.1} h){whose}; {pace} from {runs}{where_}",
                    self.runs_over,
                    self.runs,
                    Commas(self.series_held),
                )
            }
            FindingKind::Runs => {
                let runs = Pace(u64::from(self.new_runs), "runs", self.minutes);
                format!("{pace}{whose}, {runs}{where_}")
            }
            FindingKind::Rollout => format!("{pace}{whose} was rolled out{where_}"),
            FindingKind::Replaced => format!("{pace}{whose} has its pods replaced again and again{where_}"),
            FindingKind::Labels => format!("{pace}{whose}{where_}"),
        }
    }

    fn metric(&self, worst: &WorstMetric) -> String {
        let labels: Vec<String> = worst.labels.iter().map(|label| format!("`{label}`")).collect();
        let because = match labels.is_empty() {
            true => "new combinations of known values".to_owned(),
            false => format!("{:.0}% because of {}", worst.share * 100.0, labels.join("+")),
        };
        let pattern = match worst.pattern.is_empty() {
            true => String::new(),
            false => format!(", pattern `{}`", worst.pattern),
        };
        format!(
            "; most in `{}`: {}, {because}{pattern}",
            worst.name,
            Pace(worst.new_series, "new series", self.minutes)
        )
    }
}
