//! What to do against runs that are kept.

use super::{IN_PREVIEW, Text, cronjob, family, finished, placed, policy_name, rule, selector};
use crate::admin::report::tried::{Trial, TrialResult};
use crate::cardinality::{Culprit, Finding, FindingKind};
use crate::series::grammar::Kind;
use crate::series::{SubjectKind, quote};

/// Drops the series of a workload's runs: those that are over, or where nothing says so all, by the names that were made for its
/// jobs and pods.
pub(super) fn text(finding: &Finding) -> Option<Text> {
    let culprit = finding.culprit.as_ref().filter(|culprit| !culprit.labels.is_empty())?;
    let name = policy_name(&name_of(culprit));
    if finished::is_against(finding, culprit) {
        return Some(finished::text(culprit, name));
    }
    let is_cronjob = culprit.kind == Kind::Cronjob;
    let family = if is_cronjob { None } else { Some(family::Family::of(culprit, &finding.examples)?) };
    let regex = |kind: SubjectKind| match &family {
        Some(family) => family.names(kind),
        None => cronjob::of_a_run(&culprit.name, kind),
    };
    let mut policy = if is_cronjob { cronjob::left(&culprit.name, &finding.examples) } else { String::new() };
    policy.push_str(&format!("- name: {name}\n  match:\n"));
    let mut rules = String::new();
    for labels in &culprit.labels {
        let regex = regex(labels.kind);
        policy.push_str(&format!("    - {}\n", quote::yaml(&selector(culprit, labels, &regex))));
        rules.push_str(&rule(culprit, labels, &regex));
    }
    policy.push_str(IN_PREVIEW);
    Some(Text { name, metrics: Vec::new(), adds_up: false, policy, metric_relabel_configs: rules })
}

/// What to call the policy for the runs of a workload.
pub(super) fn name_of(culprit: &Culprit) -> String {
    let kind = match culprit.kind {
        Kind::Cronjob => String::new(),
        kind => format!("{}-", kind.as_str()),
    };
    placed(format!("{kind}runs-of-{}", culprit.name), Some(culprit))
}

/// What to do about runs where they come from; none for other findings, and of CronJobs.
pub(in crate::admin::report) fn advice(finding: &Finding) -> Option<&'static str> {
    let culprit = finding.culprit.as_ref()?;
    let of_runs = matches!(finding.kind, FindingKind::Runs | FindingKind::StuckRuns);
    of_runs.then_some(culprit.kind).and_then(at_source)
}

fn at_source(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Job | Kind::IndexedJob => {
            "set ttlSecondsAfterFinished on these Jobs and delete those that are done: nothing else deletes a Job without \
             an owner"
        }
        Kind::Argo => {
            "set ttlStrategy and podGC on the workflows, history limits on a CronWorkflow, and delete workflows that are done"
        }
        Kind::Airflow => {
            "set delete_worker_pods (and delete_worker_pods_on_failure) in Airflow, on_finish_action: delete_pod on \
             KubernetesPodOperators, and delete pods that are done"
        }
        Kind::Spark => {
            "set timeToLiveSeconds on SparkApplications and history limits on a ScheduledSparkApplication, and delete \
             drivers that are done: Spark itself keeps them"
        }
        Kind::Tekton => {
            "let the Tekton pruner delete runs that are done (its keep or keep-since), and delete those that are left"
        }
        Kind::GitlabRunner => {
            "the runner deletes a pod when its job is done: see in its log why it did not (GitLab's Pod Cleanup deletes \
             what is left)"
        }
        Kind::Generated => "have who makes these pods delete them when they are done",
        _ => return None,
    })
}

/// Why no policy is offered against runs, where none is.
pub(in crate::admin::report) fn why_none(finding: &Finding, tried: Option<&Trial>) -> String {
    let Some(tried) = tried else {
        return match finding.culprit.as_ref().is_some_and(|culprit| culprit.kind == Kind::Cronjob) {
            true => "no policy is offered: no label is known that names these runs".to_owned(),
            false => {
                "no policy is offered: nothing is known by which the names of these runs differ from others"
                    .to_owned()
            }
        };
    };
    match tried.result {
        TrialResult::TakesOthers => format!(
            "no policy is offered: one for these runs takes {} other series known by example, too",
            tried.others_taken
        ),
        TrialResult::Untried => {
            "no policy is offered: no series of these runs is known by example to try one on".to_owned()
        }
        _ => format!(
            "no policy is offered: one for these runs takes {} of their {} series known by example",
            tried.own_taken, tried.own
        ),
    }
}
