//! What to paste against a finding: a policy of ours, and the same for the agent where its language can say it.

use serde::Serialize;

use crate::cardinality::{Culprit, Finding, FindingKind};

/// Text in YAML.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remedy {
    /// An entry of `policies`, in preview.
    policy: String,
    /// For a scrape config of Prometheus or one that understands it.
    metric_relabel_configs: String,
}

/// The remedy, where dropping is one: events that are over by themselves need none.
pub(super) fn of(finding: &Finding) -> Option<Remedy> {
    match finding.kind {
        FindingKind::Runs | FindingKind::StuckRuns => runs(finding.culprit.as_ref()?),
        FindingKind::Labels => label(finding),
        FindingKind::Rollout | FindingKind::Replaced | FindingKind::NodeLost => None,
    }
}

/// The series of a workload's runs, by the names that Kubernetes gives its jobs and pods.
fn runs(culprit: &Culprit) -> Option<Remedy> {
    let name = escaped(&culprit.name);
    // minutes, or seconds before Kubernetes 1.21; a job by hand has its five characters
    let job = format!("{name}-[0-9]{{8,10}}");
    let pod = format!("{job}-[a-z0-9]{{5}}");
    if culprit.kind.as_str() != "cronjob" {
        return None;
    }
    let within = |label: &str, regex: &str| {
        if culprit.namespace.is_empty() {
            format!("{{{label}=~\"{regex}\"}}")
        } else {
            format!("{{namespace=\"{}\", {label}=~\"{regex}\"}}", culprit.namespace)
        }
    };
    // in a selector the backslashes of a regex are doubled
    let doubled = |regex: &str| regex.replace('\\', "\\\\");
    let policy = format!(
        "- name: {}\n  match:\n    - '{}'\n    - '{}'\n  action: drop\n  mode: preview   # take this line out when the \
         numbers are right\n",
        policy_name(&format!("runs-of-{}", culprit.name)),
        within("pod", &doubled(&pod)),
        within("job_name", &doubled(&job)),
    );
    let rule = |label: &str, regex: &str| {
        format!(
            "- source_labels: [namespace, {label}]\n  regex: '{};{regex}'\n  action: drop\n",
            escaped(&culprit.namespace)
        )
    };
    Some(Remedy { policy, metric_relabel_configs: rule("pod", &pod) + &rule("job_name", &job) })
}

/// The metric whose label has ever new values: without the label its series would be one, so it goes as a whole.
fn label(finding: &Finding) -> Option<Remedy> {
    let worst = finding.worst.as_ref()?;
    let labels = worst.labels.join(", ");
    let policy = format!(
        "# {labels} of {metric} has ever new values. Best is to change the exporter; until then the metric goes:\n\
         - name: {name}\n  match: '{{__name__=\"{metric}\"}}'\n  action: drop\n  mode: preview   # take this line out when \
         the numbers are right\n",
        metric = worst.name,
        name = policy_name(&format!("no-{}", worst.name)),
    );
    let rule = format!("- source_labels: [__name__]\n  regex: '{}'\n  action: drop\n", escaped(&worst.name));
    Some(Remedy { policy, metric_relabel_configs: rule })
}

/// A literal inside of a regex.
fn escaped(text: &str) -> String {
    regex::escape(text).replace("\\-", "-")
}

/// A name that a policy may have.
fn policy_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    text.chars().map(plain).take(64).collect()
}
