//! What to do against finished runs that are kept: a policy that asks how a run stands, whatever its names have become.

use super::{Text, matcher, namespace, place};
use crate::cardinality::{Culprit, Finding, FindingKind};
use crate::policy::Condition;
use crate::series::quote;

/// What alerts on failed jobs read: it stays for as long as the job does.
const ALERTS: &str = "kube_job_(status_)?failed";
/// What is left of a run so long after its end is history.
const FINISHED_FOR: &str = "30m";

/// Whether a finding is of runs of which the stream says how they stand, or when they were due.
pub(super) fn is_against(finding: &Finding, culprit: &Culprit) -> bool {
    finding.kind == FindingKind::StuckRuns && culprit.kind.runs_end()
}

/// Whether alerts on failed jobs read this metric.
pub(in crate::admin::report) fn is_for_alerts(metric: &str) -> bool {
    matches!(metric, "kube_job_failed" | "kube_job_status_failed")
}

/// Whether a policy asks how runs stand.
pub(in crate::admin::report) fn asks_for_end(condition: Option<&Condition>) -> bool {
    condition.is_some_and(|condition| condition.run_finished_for.is_some())
}

/// Drops what is left of a workload's runs half an hour after their end.
pub(super) fn text(culprit: &Culprit, name: String) -> Text {
    let mut namespaces: Vec<Option<&str>> =
        culprit.labels.iter().map(|labels| namespace(culprit, labels)).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut policy = "# what alerts on failed jobs read stays\n".to_owned();
    policy.push_str(&format!("- name: {name}\n  match:\n"));
    for namespace in namespaces {
        let mut matchers = vec![matcher("__name__", "!~", ALERTS)];
        matchers.extend(place(culprit, namespace));
        policy.push_str(&format!("    - {}\n", quote::yaml(&format!("{{{}}}", matchers.join(", ")))));
    }
    let (kind, workload) = (culprit.kind.as_str(), quote::yaml(&quote::regex(&culprit.name)));
    policy.push_str(&format!(
        "  workload: {{ kind: {kind}, name: {workload}, run_finished_for: {FINISHED_FOR} }}\n"
    ));
    policy.push_str(super::IN_PREVIEW);
    // an agent does not know which runs are over
    let metric_relabel_configs = String::new();
    Text { name, metrics: Vec::new(), adds_up: false, policy, metric_relabel_configs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{MatchOp, Matcher, Selector};

    #[test]
    fn the_policy_leaves_what_alerts_read() {
        let Matcher { op, value, .. } =
            Selector::parse(&format!("{{__name__!~\"{ALERTS}\"}}")).unwrap().matchers.remove(0);
        assert_eq!(op, MatchOp::NotRegex);
        let pattern = regex::Regex::new(&format!("^(?:{value})$")).unwrap();
        for metric in ["kube_job_failed", "kube_job_status_failed", "kube_job_complete", "x_kube_job_failed"]
        {
            assert_eq!(pattern.is_match(metric), is_for_alerts(metric), "{metric}");
        }
    }
}
