//! Tries remedies before they are printed: on the series that are known by example, as the config would have them.

#[cfg(test)]
mod tests;

use std::path::Path;

use super::Report;
use super::remedy::{self, Remedy};
use super::tried::Trial;
use crate::cardinality::{Culprit, Finding, FindingKind, Tracker};
use crate::config::Config;
use crate::policy::{Definition, PolicyIndex, PolicySet, Run};
use crate::series::grammar::Kind;
use crate::series::{Labels, Limits, subject};

/// Remedies that are tried, those of the worst findings: compiling one takes up to a millisecond.
const MOST: usize = 100;

/// The remedy of each finding, where there is one, tried.
pub(super) fn remedies(report: &Report<'_>, findings: &[Finding]) -> Vec<Option<Remedy>> {
    let made = findings.iter().map(|finding| remedy::of(finding, &report.view.policies));
    let mut remedies: Vec<Option<Remedy>> = made.collect();
    let both = findings.iter().zip(&mut remedies);
    let mut candidates: Vec<_> = both
        .filter_map(|(finding, remedy)| Some((finding, remedy.as_mut()?)))
        .take(MOST)
        .filter_map(|(finding, remedy)| {
            Some(Candidate { definition: read(&remedy.policy)?, finding, remedy })
        })
        .collect();
    walk(report, &mut candidates);
    for remedy in remedies.iter_mut().flatten() {
        remedy.tried.conclude();
        let line = format!("# {}\n", remedy.tried);
        remedy.policy.insert_str(0, &line);
        if remedy.tried.is_wrong() {
            remedy.metric_relabel_configs.insert_str(0, &line);
        }
    }
    remedies
}

/// A remedy that is tried.
struct Candidate<'r> {
    definition: Definition,
    finding: &'r Finding,
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
        let row = set.row(set.decide(labels, &limits).verdict);
        let shown = || match report.covers(tenant) {
            true => labels.to_string(),
            // whoever asks for one tenant learns nothing of the others
            false => "a series of another tenant".to_owned(),
        };
        let about = About::of(tracker, tenant, labels);
        for (number, candidate) in (0..).zip(candidates.iter_mut()) {
            let is_taken = row.matched.iter().any(|(policy, _)| *policy == PolicyIndex(number));
            let is_own = about.belongs_to(candidate.finding);
            candidate.remedy.tried.count(is_own, is_taken, &shown);
        }
    });
    if set.preview_overflow() > 0 {
        candidates.iter_mut().for_each(|candidate| candidate.remedy.tried = Trial::default());
    }
}

/// What a series is about, as far as is known now.
struct About<'l> {
    tenant: u32,
    metric: &'l str,
    /// Cluster, namespace, kind and name of its workload.
    workload: Option<(&'l str, String, Kind, String)>,
}

impl<'l> About<'l> {
    fn of(tracker: &Tracker, tenant: u32, labels: Labels<'l>) -> Self {
        let found = tracker.workload_of(tenant, labels);
        let workload =
            found.map(|(namespace, kind, name, _)| (subject::cluster(labels).1, namespace, kind, name));
        Self { tenant, metric: labels.metric(), workload }
    }

    /// Whether a finding is about this series.
    fn belongs_to(&self, finding: &Finding) -> bool {
        let is = |culprit: &Culprit| {
            self.workload.as_ref().is_some_and(|(cluster, namespace, kind, name)| {
                (*cluster, namespace, *kind, name)
                    == (&*culprit.cluster, &culprit.namespace, culprit.kind, &culprit.name)
            })
        };
        let of_workload = finding.culprit.as_ref().map_or(self.workload.is_none(), is);
        let of_metric = finding.kind != FindingKind::Labels
            || finding.worst.as_ref().is_some_and(|worst| worst.name == self.metric);
        self.tenant == finding.tenant && of_workload && of_metric
    }
}
