//! What to do against a label that has ever new values.

use super::{IN_PREVIEW, Text, drop_rule, matcher, namespace, place, placed, policy_name};
use crate::aggregate::{Declared, family_of};
use crate::cardinality::{Culprit, Finding, WorstMetric};
use crate::policy::is_part_of_meaning;
use crate::series::quote;

/// Labels that tell replicas of an agent apart, as `aggregation.replica_labels` has them by default: they always stay.
const REPLICAS: [&str; 3] = ["__replica__", "prometheus_replica", "replica"];

/// Whether a metric is of those that can be added up without its labels: counters, and the parts of histograms and
/// summaries, as metadata says or else its name.
pub(super) fn adds_up(worst: &WorstMetric, declared: Declared) -> bool {
    let name = &worst.name;
    let stays = |label: &String| is_part_of_meaning(label) || REPLICAS.contains(&label.as_str());
    let is_summed = match declared {
        Declared::Counter => true,
        Declared::Histogram => family_of(name).is_some(),
        Declared::Summary => family_of(name).is_some() && !name.ends_with("_bucket"),
        Declared::Gauge | Declared::Other => false,
        Declared::Unknown => name.ends_with("_total") || family_of(name).is_some(),
    };
    is_summed && !worst.labels.is_empty() && !worst.labels.iter().any(stays)
}

/// The metric without the label, of the namespace where it has ever new values: added up where that is the truth
/// (`adds_up`), else it goes as a whole, since without the label its series would be one.
pub(super) fn text(finding: &Finding, adds_up: bool) -> Option<Text> {
    let worst = finding.worst.as_ref()?;
    let culprit = finding.culprit.as_ref();
    let labels: Vec<_> = worst.labels.iter().map(|label| quote::shown(label)).collect();
    let (labels, metric) = (labels.join(", "), quote::shown(&worst.name));
    let short = match adds_up {
        true => format!("sum-{}", family_of(&worst.name).unwrap_or(&worst.name)),
        false => format!("no-{}", worst.name),
    };
    let name = policy_name(&placed(short, culprit));
    let until = if adds_up { "its series are added up without it" } else { "the metric goes" };
    let mut policy = format!(
        "# {labels} of {metric} has ever new values. Best is to change the exporter; until then {until}:\n\
         - name: {name}\n  match:\n",
    );
    let mut rules = String::new();
    for namespace in namespaces(culprit) {
        let mut matchers =
            vec![if adds_up { of_family(&worst.name) } else { matcher("__name__", "=", &worst.name) }];
        matchers.extend(culprit.map(|culprit| place(culprit, namespace)).unwrap_or_default());
        policy.push_str(&format!("    - {}\n", quote::yaml(&format!("{{{}}}", matchers.join(", ")))));
        let of = culprit.zip(namespace).map(|(culprit, label)| (label, &*culprit.namespace));
        rules.push_str(&drop_rule(of, "__name__", &quote::regex(&worst.name)));
    }
    if !adds_up {
        policy.push_str(IN_PREVIEW);
        return Some(Text { name, policy, metric_relabel_configs: rules });
    }
    let without: Vec<String> = worst.labels.iter().map(|label| quote::yaml(label)).collect();
    policy.push_str(&format!("  action: aggregate\n  without: [{}]\n", without.join(", ")));
    policy.push_str("  mode: preview   # take this line out when the numbers are right\n");
    // an agent cannot add up
    Some(Text { name, policy, metric_relabel_configs: String::new() })
}

/// The metric, and the other parts of its histogram: a bucket's label is that of its sum and count, too.
fn of_family(name: &str) -> String {
    match family_of(name) {
        Some(family) => matcher("__name__", "=~", &format!("{}_(?:bucket|count|sum)", quote::regex(family))),
        None => matcher("__name__", "=", name),
    }
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
