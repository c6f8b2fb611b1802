//! What to paste against a finding: a policy of ours, and the same for the agent where its language can say it.
//!
//! Names and values in it are the senders' choice. They are quoted, so that they mean themselves and nothing else.

mod cronjob;
mod family;
mod finished;
mod label;
mod runs;

use std::hash::{DefaultHasher, Hasher};

use serde::Serialize;

pub(super) use self::finished::{asks_for_end, is_for_alerts};
pub(super) use self::runs::{advice, why_none};
use super::tried::Trial;
use crate::aggregate::{Declared, family_of};
use crate::cardinality::{Culprit, Finding, FindingKind};
use crate::policy::{Mode, Summary};
use crate::series::{SubjectLabels, quote};

/// Letters of a policy's name at most.
const LONGEST_NAME: usize = 64;

/// Text in YAML.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remedy {
    /// Of the policy.
    #[serde(skip)]
    pub(super) name: String,
    /// The metrics that it takes; none where it takes them whatever they are.
    #[serde(skip)]
    pub(super) metrics: Vec<String>,
    /// Whether it adds series up, those of the other parts of a histogram among them.
    #[serde(skip)]
    pub(super) adds_up: bool,
    /// An entry of `policies`, in preview.
    pub(super) policy: String,
    /// For a scrape config of Prometheus or one that understands it; empty where that cannot say the same.
    pub(super) metric_relabel_configs: String,
    /// Whether a policy of that name is in the config already, and how: `preview` or `enforce`.
    in_force: Option<&'static str>,
    /// What came of trying it.
    pub(super) tried: Trial,
}

/// The remedy, where there is one: events that are over by themselves need none. `policies`: those that there are;
/// `declared`: what metadata says of a metric.
pub(super) fn of(
    finding: &Finding,
    policies: &[Summary],
    declared: &dyn Fn(&str) -> Declared,
) -> Option<Remedy> {
    let text = match finding.kind {
        FindingKind::Runs | FindingKind::StuckRuns => runs::text(finding),
        FindingKind::Labels => label::text(finding, declared),
        FindingKind::Rollout | FindingKind::Replaced | FindingKind::NodeLost => None,
    }?;
    let Text { name, metrics, adds_up, policy, metric_relabel_configs } = text;
    let in_force = in_force(&name, policies);
    let tried = Trial::default();
    Some(Remedy { name, metrics, adds_up, policy, metric_relabel_configs, in_force, tried })
}

impl Remedy {
    /// Whether series of a metric are its to take.
    pub(super) fn is_for(&self, metric: &str) -> bool {
        let is_part =
            |of: &str| self.adds_up && family_of(of).is_some_and(|of| family_of(metric) == Some(of));
        self.metrics.is_empty() || self.metrics.iter().any(|of| of == metric || is_part(of))
    }
}

/// What to paste, and the name of the policy; the rest is [`Remedy`]'s.
struct Text {
    name: String,
    metrics: Vec<String>,
    adds_up: bool,
    policy: String,
    metric_relabel_configs: String,
}

const IN_PREVIEW: &str =
    "  action: drop\n  mode: preview   # take this line out when the numbers are right\n";

/// Series of these names, by the labels that they were seen to have.
fn selector(culprit: &Culprit, labels: &SubjectLabels, regex: &str) -> String {
    let mut matchers = place(culprit, namespace(culprit, labels));
    matchers.push(matcher(&labels.name, "=~", regex));
    format!("{{{}}}", matchers.join(", "))
}

fn matcher(label: &str, op: &str, value: &str) -> String {
    format!("{}{op}{}", quote::label(label), quote::promql(value))
}

/// What says that a series is of the cluster and the namespace of a workload.
fn place(culprit: &Culprit, namespace: Option<&str>) -> Vec<String> {
    let cluster = (!culprit.cluster.is_empty()).then_some((culprit.cluster_label, &culprit.cluster));
    let namespace = namespace.map(|label| (label, &culprit.namespace));
    cluster.into_iter().chain(namespace).map(|(label, value)| matcher(label, "=", value)).collect()
}

/// The same for an agent of that cluster: it knows of no other, and adds the label that names it later.
fn rule(culprit: &Culprit, labels: &SubjectLabels, regex: &str) -> String {
    let of = namespace(culprit, labels).map(|label| (label, &*culprit.namespace));
    drop_rule(of, &labels.name, regex)
}

/// Drops what has a value like this, in a namespace (its label and its name) if there is one.
fn drop_rule(namespace: Option<(&str, &str)>, label: &str, regex: &str) -> String {
    let label = quote::label(label);
    let (sources, regex) = match namespace {
        Some((of, namespace)) => {
            (format!("{}, {label}", quote::label(of)), format!("{};{regex}", quote::regex(namespace)))
        }
        None => (label.into_owned(), regex.to_owned()),
    };
    format!("- source_labels: [{sources}]\n  regex: {}\n  action: drop\n", quote::yaml(&regex))
}

fn namespace<'l>(culprit: &Culprit, labels: &'l SubjectLabels) -> Option<&'l str> {
    labels.namespace.as_deref().filter(|_| !culprit.namespace.is_empty())
}

/// How a policy of this name is in force.
fn in_force(name: &str, policies: &[Summary]) -> Option<&'static str> {
    policies.iter().find(|policy| &*policy.name == name).map(|policy| match policy.mode {
        Mode::Preview => "preview",
        Mode::Enforce => "enforce",
    })
}

/// A name, and where the workload lives that it is about.
fn placed(mut name: String, culprit: Option<&Culprit>) -> String {
    let place = culprit.map(|culprit| [("in", &culprit.namespace), ("of", &culprit.cluster)]);
    for (word, value) in place.into_iter().flatten().filter(|(_, value)| !value.is_empty()) {
        name.push_str(&format!("-{word}-{value}"));
    }
    name
}

/// A name that a policy may have: the same for the same text, another for another.
fn policy_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = text.chars().map(plain).collect();
    if name == text && name.len() <= LONGEST_NAME {
        return name;
    }
    // what is cut or replaced still tells them apart
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    let short: String = name.chars().take(LONGEST_NAME - 9).collect();
    format!("{short}-{:08x}", hasher.finish() as u32)
}

#[cfg(test)]
mod tests;
