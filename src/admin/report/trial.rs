//! Tries remedies before they are printed: on the series that are known by example, as the config would have them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::Report;
use super::remedy::{self, Remedy};
use crate::cardinality::{Culprit, Finding, FindingKind, Tracker};
use crate::config::Config;
use crate::policy::{Definition, PolicyIndex, PolicySet, Run};
use crate::series::grammar::Kind;
use crate::series::{Labels, Limits, subject};

/// Remedies that are tried, those of the worst findings: compiling one takes up to a millisecond.
const MOST: usize = 100;
/// Series shown that a policy takes or leaves and should not.
const SHOWN: usize = 3;

/// What came of trying a remedy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum TrialResult {
    /// No series of the finding is known by example, or there were too many remedies.
    #[default]
    Untried,
    /// It takes all of them and no other.
    Right,
    /// It takes some of them and no other.
    TakesSome,
    /// It takes none of them.
    TakesNone,
    /// It takes others too.
    TakesOthers,
}

/// What a remedy takes of the series that are known by example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Trial {
    result: TrialResult,
    /// Series that the finding is about, and those of them that it takes.
    own: u64,
    own_taken: u64,
    /// Series that it is not about, and those of them that it takes.
    others: u64,
    others_taken: u64,
    /// Some that it should leave and takes; where there are none, some that it should take and leaves.
    examples: Vec<String>,
    #[serde(skip)]
    left: Vec<String>,
}

impl Trial {
    fn count(&mut self, is_own: bool, is_taken: bool, series: &impl Fn() -> String) {
        let (all, taken, wrong) = match is_own {
            true => (&mut self.own, &mut self.own_taken, (!is_taken).then_some(&mut self.left)),
            false => (&mut self.others, &mut self.others_taken, is_taken.then_some(&mut self.examples)),
        };
        *all += 1;
        *taken += u64::from(is_taken);
        if let Some(shown) = wrong.filter(|shown| shown.len() < SHOWN) {
            shown.push(series());
        }
    }

    fn conclude(&mut self) {
        self.result = match (self.own, self.own_taken, self.others_taken) {
            (_, _, 1..) => TrialResult::TakesOthers,
            (0, ..) => TrialResult::Untried,
            (_, 0, _) => TrialResult::TakesNone,
            (own, taken, _) if taken < own => TrialResult::TakesSome,
            _ => TrialResult::Right,
        };
        if self.examples.is_empty() {
            self.examples = std::mem::take(&mut self.left);
        }
        self.examples.sort_unstable();
    }

    /// Whether it is not to be used as it is.
    fn is_wrong(&self) -> bool {
        matches!(self.result, TrialResult::TakesNone | TrialResult::TakesOthers)
    }
}

/// In one line, for whoever is to paste it.
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, own_taken, others, others_taken, .. } = self;
        let as_this = self.examples.first().map(|series| format!(", as {series}")).unwrap_or_default();
        match self.result {
            TrialResult::Untried => write!(f, "not tried: no series of it is known by example"),
            TrialResult::Right => {
                write!(f, "takes all {own} of its series known by example, none of {others} others")
            }
            TrialResult::TakesSome => write!(
                f,
                "takes {own_taken} of its {own} series known by example, none of {others} others; it leaves some{as_this}"
            ),
            TrialResult::TakesNone => {
                write!(f, "NOT RIGHT: takes none of its {own} series known by example{as_this}")
            }
            TrialResult::TakesOthers => write!(
                f,
                "NOT RIGHT: takes {others_taken} of {others} series known by example that are not its own{as_this}; \
                 and {own_taken} of its {own}"
            ),
        }
    }
}

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
