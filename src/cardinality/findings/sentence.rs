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
            1 => write!(f, "{} {} in a minute", Commas(self.0), self.1),
            minutes => write!(f, "{} {} in {minutes} minutes", Commas(self.0), self.1),
        }
    }
}

impl Finding {
    /// The finding in one sentence, without a full stop.
    pub fn sentence(&self) -> String {
        let name = self.culprit.as_ref().map(ToString::to_string).unwrap_or_default();
        let whose = if name.is_empty() { name.clone() } else { format!(", {name}") };
        let most = self.worst.as_ref().map(|worst| self.metric(worst)).unwrap_or_default();
        let pace = Pace(self.series, "new series", self.minutes);
        let runs = Pace(u64::from(self.new_runs), "runs", self.minutes);
        match self.kind {
            FindingKind::NodeLost => {
                let node = self.node.as_deref().unwrap_or_default();
                format!("node {node} is gone: {} series ended with it", Commas(self.series))
            }
            FindingKind::StuckRuns => {
                let growth = self.growth_per_hour.unwrap_or_default();
                let doubles = self.doubles_in_hours.unwrap_or_default();
                format!(
                    "{} of {} reported runs are over, {} series of theirs are still sent, and there are {growth:.0} \
                     more each hour (twice as many in {doubles:.1} h){whose}; {pace} from {runs}{most}",
                    self.runs_over,
                    self.runs,
                    Commas(self.series_held),
                )
            }
            FindingKind::Runs => format!("{pace}{whose}, {runs}{most}"),
            FindingKind::Rollout => format!("{name} was rolled out: {pace}{most}"),
            FindingKind::Replaced => format!(
                "the pods of {name} are replaced again and again: {} came and {} went in the last hour; {pace}{most}",
                self.pods.came, self.pods.went,
            ),
            FindingKind::Labels => format!("{pace}{whose}{most}"),
        }
    }

    fn metric(&self, worst: &WorstMetric) -> String {
        let labels: Vec<String> = worst.labels.iter().map(|label| format!("`{label}`")).collect();
        let because = match (labels.is_empty(), worst.share > 0.0) {
            (true, _) => ", new combinations of known values".to_owned(),
            (false, true) => format!(", {:.0}% because of {}", worst.share * 100.0, labels.join("+")),
            // nothing like them was there before
            (false, false) => String::new(),
        };
        let pattern = match worst.pattern.is_empty() {
            true => String::new(),
            false => format!(", pattern `{}`", worst.pattern),
        };
        let pace = Pace(worst.new_series, "new series", self.minutes);
        format!("; most in `{}`: {pace}{because}{pattern}", worst.name)
    }
}
