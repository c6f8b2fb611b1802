//! What to paste against a finding: a policy of ours, and the same for the agent where its language can say it.
//!
//! Names and values in it are the senders' choice. They are quoted, so that they mean themselves and nothing else.

use std::hash::{DefaultHasher, Hasher};

use regex::Regex;
use serde::Serialize;

use super::tried::Trial;
use crate::cardinality::{Culprit, Finding, FindingKind};
use crate::policy::{Mode, Summary};
use crate::series::grammar::Kind;
use crate::series::{SubjectKind, SubjectLabels, quote};

/// Letters that the name of a pod takes from that of its job and a dash; five random ones follow (Kubernetes'
/// `maxGeneratedNameLength`).
const KEPT_OF_A_JOB: usize = 58;
/// Digits in the name of a run: minutes since 1970, or seconds before Kubernetes 1.21.
const MINUTES: usize = 8;
const SECONDS: usize = 10;
/// Letters that the index of an Indexed job's pod takes, with its dashes.
const INDEX: usize = 7;
/// Letters of a policy's name at most.
const LONGEST_NAME: usize = 64;

/// Text in YAML.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remedy {
    /// An entry of `policies`, in preview.
    pub(super) policy: String,
    /// For a scrape config of Prometheus or one that understands it.
    pub(super) metric_relabel_configs: String,
    /// Whether a policy of that name is in the config already, and how: `preview` or `enforce`.
    in_force: Option<&'static str>,
    /// What came of trying it.
    pub(super) tried: Trial,
}

/// The remedy, where dropping is one: events that are over by themselves need none. `policies`: those that there are.
pub(super) fn of(finding: &Finding, policies: &[Summary]) -> Option<Remedy> {
    match finding.kind {
        FindingKind::Runs | FindingKind::StuckRuns => runs(finding, policies),
        FindingKind::Labels => label(finding, policies),
        FindingKind::Rollout | FindingKind::Replaced | FindingKind::NodeLost => None,
    }
}

/// The series of a CronJob's runs, by the names that Kubernetes gives its jobs and pods.
fn runs(finding: &Finding, policies: &[Summary]) -> Option<Remedy> {
    let culprit = finding.culprit.as_ref().filter(|culprit| culprit.kind == Kind::Cronjob)?;
    let name = policy_name(&name_of(culprit));
    let mut policy = left(culprit, &finding.examples);
    policy.push_str(&format!("- name: {name}\n  match:\n"));
    let mut rules = String::new();
    for labels in &culprit.labels {
        let regex = of_a_run(&culprit.name, labels.kind);
        policy.push_str(&format!("    - {}\n", quote::yaml(&selector(culprit, labels, &regex))));
        rules.push_str(&rule(culprit, labels, &regex));
    }
    policy.push_str(IN_PREVIEW);
    let in_force = in_force(&name, policies);
    let tried = Trial::default();
    (!culprit.labels.is_empty()).then_some(Remedy { policy, metric_relabel_configs: rules, in_force, tried })
}

const IN_PREVIEW: &str =
    "  action: drop\n  mode: preview   # take this line out when the numbers are right\n";

/// What the names of a CronJob's jobs, or of their pods, are like.
fn of_a_run(cronjob: &str, kind: SubjectKind) -> String {
    let name = quote::regex(cronjob);
    match kind {
        SubjectKind::Job => format!("{name}-[0-9]{{{MINUTES},{SECONDS}}}"),
        SubjectKind::Pod => pod_of_a_run(&name, KEPT_OF_A_JOB.saturating_sub(1 + cronjob.chars().count())),
    }
}

/// What the names of pods are like, where `room` letters are left of a job's name behind the CronJob's and a dash.
fn pod_of_a_run(name: &str, room: usize) -> String {
    // an Indexed job's pods keep the index, and less of the job's name
    let left = room.saturating_sub(INDEX);
    if left >= SECONDS {
        return format!("{name}-[0-9]{{{MINUTES},{SECONDS}}}(?:-[0-9]{{1,6}})?-[a-z0-9]{{5}}");
    }
    // of long names the dash is cut, or what is before it
    let digits = |room: usize| format!("[0-9]{{{},{SECONDS}}}", MINUTES.min(room));
    let dash = |room: usize, above: usize| if room > above { "-" } else { "-?" };
    let plain = format!("-{}{}", digits(room), dash(room, SECONDS));
    let indexed = format!("{}{}-[0-9]{{1,6}}-", dash(left, 0), digits(left));
    format!("{name}(?:{plain}|{indexed})[a-z0-9]{{5}}")
}

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

/// A line that says which runs have other names, as those that people start have; empty where none is known.
fn left(culprit: &Culprit, runs: &[String]) -> String {
    let Ok(regex) = Regex::new(&format!("^(?:{})$", of_a_run(&culprit.name, SubjectKind::Job))) else {
        return String::new();
    };
    let others: Vec<_> =
        runs.iter().filter(|run| !regex.is_match(run)).map(|run| quote::shown(run)).collect();
    match others.is_empty() {
        true => String::new(),
        false => format!("# runs of other names are not taken: {}\n", others.join(", ")),
    }
}

/// The metric whose label has ever new values, of the namespace where it has them: without the label its series would be
/// one, so it goes as a whole.
fn label(finding: &Finding, policies: &[Summary]) -> Option<Remedy> {
    let worst = finding.worst.as_ref()?;
    let culprit = finding.culprit.as_ref();
    let labels: Vec<_> = worst.labels.iter().map(|label| quote::shown(label)).collect();
    let name = policy_name(&placed(format!("no-{}", worst.name), culprit));
    let mut policy = format!(
        "# {labels} of {metric} has ever new values. Best is to change the exporter; until then the metric goes:\n\
         - name: {name}\n  match:\n",
        labels = labels.join(", "),
        metric = quote::shown(&worst.name),
    );
    let mut rules = String::new();
    for namespace in namespaces(culprit) {
        let mut matchers = vec![matcher("__name__", "=", &worst.name)];
        matchers.extend(culprit.map(|culprit| place(culprit, namespace)).unwrap_or_default());
        policy.push_str(&format!("    - {}\n", quote::yaml(&format!("{{{}}}", matchers.join(", ")))));
        let of = culprit.zip(namespace).map(|(culprit, label)| (label, &*culprit.namespace));
        rules.push_str(&drop_rule(of, "__name__", &quote::regex(&worst.name)));
    }
    policy.push_str(IN_PREVIEW);
    let in_force = in_force(&name, policies);
    Some(Remedy { policy, metric_relabel_configs: rules, in_force, tried: Trial::default() })
}

/// The labels that hold the namespace of a workload's series; one that is none where there is no such label.
fn namespaces(culprit: Option<&Culprit>) -> Vec<Option<&str>> {
    let labels = |culprit| -> Vec<Option<&str>> {
        let Culprit { labels, .. }: &Culprit = culprit;
        labels.iter().map(|labels| namespace(culprit, labels)).collect()
    };
    let mut found = culprit.map(labels).unwrap_or_default();
    found.sort_unstable();
    found.dedup();
    // series that name no namespace are only found without it
    if found.is_empty() || found[0].is_none() { vec![None] } else { found }
}

/// How a policy of this name is in force.
fn in_force(name: &str, policies: &[Summary]) -> Option<&'static str> {
    policies.iter().find(|policy| &*policy.name == name).map(|policy| match policy.mode {
        Mode::Preview => "preview",
        Mode::Enforce => "enforce",
    })
}

/// What to call the policy for the runs of a CronJob.
fn name_of(culprit: &Culprit) -> String {
    placed(format!("runs-of-{}", culprit.name), Some(culprit))
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
