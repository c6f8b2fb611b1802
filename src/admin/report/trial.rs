//! Tries remedies before they are printed: on the series that are known by example, as the config would have them.

#[cfg(test)]
mod tests;

use std::path::Path;

use ahash::AHashMap;

use super::Report;
use super::remedy::{self, Remedy};
use super::tried::TrialResult;
use crate::aggregate::{Declared, family_of};
use crate::cardinality::{Culprit, Finding, FindingKind, Tracker};
use crate::config::Config;
use crate::policy::{Definition, PolicyIndex, PolicySet, Run, WorkloadSource};
use crate::series::grammar::Kind;
use crate::series::{Labels, Limits, RunProgress, WorkloadFacts, subject};

/// Remedies that are tried, those of the worst findings: compiling one takes up to a millisecond.
const MOST: usize = 100;

/// The time at which remedies are tried, in sample time: what is over now is over for as long as any policy asks.
const LONG_AFTER: u32 = u32::MAX - 1;

/// What there is to say against a finding.
#[derive(Debug)]
pub(super) struct Advised {
    pub(super) remedy: Option<Remedy>,
    /// What to do at the source, and why there is no remedy.
    pub(super) advice: Option<String>,
}

/// What there is to say against each finding, remedies tried.
pub(super) fn remedies(report: &Report<'_>, findings: &[Finding]) -> Vec<Advised> {
    let (mut remedies, same) = made(report, findings);
    let mut candidates: Vec<_> = (0..)
        .zip(&mut remedies)
        .filter_map(|(at, remedy)| Some((at, remedy.as_mut()?)))
        .take(MOST)
        .filter_map(|(at, remedy)| {
            let own = findings.iter().zip(&same).filter(|(_, first)| **first == at);
            let findings = own.map(|(finding, _)| finding).collect();
            let definition = read(&remedy.policy)?;
            remedy.tried.of_finished_runs = remedy::asks_for_end(definition.workload.as_ref());
            Some(Candidate { definition, findings, remedy })
        })
        .collect();
    walk(report, &mut candidates);
    for remedy in remedies.iter_mut().flatten() {
        remedy.tried.conclude();
        let line = format!("# {}\n", remedy.tried);
        remedy.policy.insert_str(0, &line);
        if remedy.tried.is_wrong() && !remedy.metric_relabel_configs.is_empty() {
            remedy.metric_relabel_configs.insert_str(0, &line);
        }
    }
    let names: Vec<Option<String>> = findings
        .iter()
        .zip(&remedies)
        .map(|(finding, remedy)| {
            let offered = remedy.as_ref().filter(|remedy| is_offered(finding, remedy));
            offered.map(|remedy| remedy.name.clone())
        })
        .collect();
    let all = findings.iter().zip(remedies).enumerate();
    all.map(|(at, (finding, remedy))| match &names[same[at]] {
        Some(name) if same[at] != at => Advised {
            remedy: None,
            advice: Some(format!("the policy {name} of a finding before takes these, too")),
        },
        _ => advised(finding, remedy),
    })
    .collect()
}

/// The remedies, not yet tried, and of each finding the first that has the same one. Where several labels of a metric have
/// ever new values in one place, one policy is for all of them.
fn made(report: &Report<'_>, findings: &[Finding]) -> (Vec<Option<Remedy>>, Vec<usize>) {
    let view = report.view;
    let make = |finding: &Finding| {
        let known = |metric: &str| {
            let of_policies = view.types.map(|types| types.declared(finding.tenant, metric));
            let counted = || Declared::from_wire(view.tracker.declared(finding.tenant, metric));
            of_policies.filter(|declared| *declared != Declared::Unknown).unwrap_or_else(counted)
        };
        remedy::of(finding, &view.policies, &known)
    };
    let findings = &apart(findings);
    let mut remedies: Vec<Option<Remedy>> = findings.iter().map(make).collect();
    let mut same: Vec<usize> = (0..findings.len()).collect();
    let mut first: AHashMap<String, usize> = AHashMap::new();
    for at in 0..findings.len() {
        let Some(name) = remedies[at].as_ref().map(|remedy| remedy.name.clone()) else { continue };
        same[at] = *first.entry(name).or_insert(at);
        if same[at] != at {
            remedies[at] = None;
        }
    }
    for at in 0..findings.len() {
        let others =
            || (at + 1..findings.len()).filter(|other| same[*other] == at).map(|other| &findings[other]);
        let labels = others().filter_map(|other| other.worst.as_ref()).flat_map(|worst| &worst.labels);
        let mut merged = findings[at].clone();
        merged.metrics.extend(others().flat_map(|other| other.metrics.iter().cloned()));
        let Some(worst) = merged.worst.as_mut().filter(|_| merged.kind == FindingKind::Labels) else {
            continue;
        };
        let before = worst.labels.len();
        worst.labels.extend(labels.cloned());
        worst.labels.sort_unstable();
        worst.labels.dedup();
        if worst.labels.len() > before {
            remedies[at] = make(&merged);
        }
    }
    (remedies, same)
}

/// The findings with each metric in one of them, since one policy takes a series: what is the worst of another finding of the
/// same place belongs there, and its policy is for the labels of both.
fn apart(findings: &[Finding]) -> Vec<Finding> {
    let mut apart = findings.to_vec();
    let of_labels = || (0..).zip(findings).filter(|(_, finding)| finding.kind == FindingKind::Labels);
    for (at, finding) in of_labels() {
        let is_beside =
            |other: &Finding| (other.tenant, &other.culprit) == (finding.tenant, &finding.culprit);
        for (to, other) in of_labels().filter(|(to, other)| *to != at && is_beside(other)) {
            let (Some(own), Some(worst)) = (&finding.worst, &other.worst) else { continue };
            let is_worst = |metric: &String| is_same(metric, &worst.name);
            if is_worst(&own.name) || !finding.metrics.iter().any(is_worst) {
                continue;
            }
            apart[at].metrics.retain(|metric| !is_worst(metric));
            if let Some(worst) = &mut apart[to].worst {
                worst.labels.extend(own.labels.iter().cloned());
                worst.labels.sort_unstable();
                worst.labels.dedup();
            }
        }
    }
    apart
}

/// Whether two metrics are the same, or parts of one histogram.
fn is_same(metric: &str, other: &str) -> bool {
    metric == other || family_of(metric).is_some_and(|family| family_of(other) == Some(family))
}

/// Of runs of other kinds than CronJobs a policy is offered that takes exactly their series, or none.
fn advised(finding: &Finding, remedy: Option<Remedy>) -> Advised {
    let of_runs = matches!(finding.kind, FindingKind::Runs | FindingKind::StuckRuns);
    if !of_runs {
        return Advised { remedy, advice: None };
    }
    let at_source = remedy::advice(finding).map(str::to_owned);
    match remedy {
        Some(remedy) if is_offered(finding, &remedy) => Advised { remedy: Some(remedy), advice: at_source },
        other => {
            let why = remedy::why_none(finding, other.as_ref().map(|remedy| &remedy.tried));
            let advice = at_source.map_or(why.clone(), |advice| format!("{why}; {advice}"));
            Advised { remedy: None, advice: Some(advice) }
        }
    }
}

/// Whether a remedy is shown: one that is not right only where it is a start, to be changed by hand.
fn is_offered(finding: &Finding, remedy: &Remedy) -> bool {
    let of_runs = matches!(finding.kind, FindingKind::Runs | FindingKind::StuckRuns);
    let is_cronjob = finding.culprit.as_ref().is_some_and(|culprit| culprit.kind == Kind::Cronjob);
    !of_runs || is_cronjob || remedy.tried.result == TrialResult::Right
}

/// A remedy that is tried, and what it is for.
struct Candidate<'r> {
    definition: Definition,
    findings: Vec<&'r Finding>,
    remedy: &'r mut Remedy,
}

/// The policy that a text says, read as the config is read that it is to be pasted into.
fn read(policy: &str) -> Option<Definition> {
    let config =
        format!("upstreams: [ {{ name: a, url: 'http://localhost:9/write' }} ]\npolicies:\n{policy}");
    match Config::parse(&config, "remedy", Path::new(""), &|_| None) {
        Ok(loaded) => loaded.config.policies.first().cloned(),
        Err(errors) => {
            tracing::error!(%errors, "a remedy cannot be read as a policy");
            None
        }
    }
}

/// Counts what each candidate takes. All are in preview, so none hides a series from the next.
fn walk(report: &Report<'_>, candidates: &mut [Candidate<'_>]) {
    let definitions: Vec<Definition> = candidates.iter().map(|one| one.definition.clone()).collect();
    let set = match PolicySet::compile(&definitions, Run::Bypassed) {
        Ok(set) if !definitions.is_empty() => set,
        Ok(_) => return,
        Err(error) => {
            tracing::error!(%error, "remedies cannot be compiled");
            return;
        }
    };
    let limits = Limits { max_labels: usize::MAX, max_name_bytes: usize::MAX, max_value_bytes: usize::MAX };
    let tracker = report.view.tracker;
    tracker.each_example(|tenant, labels| {
        let find = || tracker.known_facts(tenant, labels, report.view.now);
        let workload = WorkloadSource::new(LONG_AFTER, &find);
        let row = set.row(set.decide(labels, &workload, &limits).verdict);
        let shown = || match report.covers(tenant) {
            true => labels.to_string(),
            // whoever asks for one tenant learns nothing of the others
            false => "a series of another tenant".to_owned(),
        };
        let facts = if set.asks_for_workloads() { workload.facts() } else { None };
        let about = About::of(tracker, tenant, labels, facts);
        for (number, candidate) in (0..).zip(candidates.iter_mut()) {
            let is_taken = row.matched.iter().any(|(policy, _)| *policy == PolicyIndex(number));
            let is_own = candidate.findings.iter().any(|finding| about.belongs_to(finding, candidate.remedy));
            candidate.remedy.tried.count(is_own, is_taken, &shown);
        }
    });
    if set.preview_overflow() > 0 {
        candidates.iter_mut().for_each(|candidate| candidate.remedy.tried.forget());
    }
}

/// What a series is about, as far as is known now.
struct About<'l> {
    tenant: u32,
    metric: &'l str,
    /// Cluster, namespace, kind and name of its workload.
    workload: Option<(&'l str, String, Kind, String)>,
    /// Whether its run is over, or was due where nothing says how runs of the workload stand.
    is_over: bool,
}

impl<'l> About<'l> {
    fn of(tracker: &Tracker, tenant: u32, labels: Labels<'l>, facts: Option<&WorkloadFacts>) -> Self {
        let found = tracker.workload_of(tenant, labels);
        let workload =
            found.map(|(namespace, kind, name, _)| (subject::cluster(labels).1, namespace, kind, name));
        let is_over = facts.and_then(|facts| facts.run).is_some_and(|run| match run.progress {
            RunProgress::Ended(_) => true,
            RunProgress::Unsaid => run.scheduled.is_some(),
            RunProgress::GoesOn => false,
        });
        Self { tenant, metric: labels.metric(), workload, is_over }
    }

    /// Whether a finding is about this series, of those metrics and runs that its remedy is for.
    fn belongs_to(&self, finding: &Finding, remedy: &Remedy) -> bool {
        let is = |culprit: &Culprit| {
            self.workload.as_ref().is_some_and(|(cluster, namespace, kind, name)| {
                (*cluster, namespace, *kind, name)
                    == (&*culprit.cluster, &culprit.namespace, culprit.kind, &culprit.name)
            })
        };
        let of_workload = finding.culprit.as_ref().map_or(self.workload.is_none(), is);
        let is_history = self.is_over && !remedy::is_for_alerts(self.metric);
        let is_meant = remedy.is_for(self.metric) && (is_history || !remedy.tried.of_finished_runs);
        self.tenant == finding.tenant && of_workload && is_meant
    }
}
