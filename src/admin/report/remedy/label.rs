//! What to do against a label that has ever new values.

use super::{IN_PREVIEW, Text, drop_rule, matcher, namespace, place, placed, policy_name};
use crate::aggregate::{Declared, family_of};
use crate::cardinality::{Culprit, Finding, WorstMetric};
use crate::policy::{REPLICA_LABELS, is_part_of_meaning};
use crate::series::quote;

/// Metrics at most that a policy is for: what nobody reads is not right.
const MOST_METRICS: usize = 10;

/// Whether a metric is of those that can be added up without labels: counters, and the parts of histograms and
/// summaries, as metadata says or else its name.
fn adds_up(name: &str, labels: &[String], declared: Declared) -> bool {
    let stays = |label: &String| is_part_of_meaning(label) || REPLICA_LABELS.contains(&label.as_str());
    let is_summed = match declared {
        Declared::Counter => true,
        Declared::Histogram => family_of(name).is_some(),
        Declared::Summary => family_of(name).is_some() && !name.ends_with("_bucket"),
        Declared::Gauge | Declared::Other => false,
        Declared::Unknown => name.ends_with("_total") || family_of(name).is_some(),
    };
    is_summed && !labels.is_empty() && !labels.iter().any(stays)
}

/// The metrics of a finding, the worst first.
struct Metrics<'f> {
    /// Those that are like the worst: they can be added up, or cannot. Of a histogram there is one part.
    like: Vec<&'f str>,
    /// Those that are not.
    unlike: Vec<&'f str>,
}

impl<'f> Metrics<'f> {
    fn of(finding: &'f Finding, worst: &'f WorstMetric, sums: bool, adds_up: impl Fn(&str) -> bool) -> Self {
        let mut all = Self { like: vec![&worst.name], unlike: Vec::new() };
        for metric in &finding.metrics {
            let place = if adds_up(metric) == sums { &mut all.like } else { &mut all.unlike };
            let is_same = |other: &&str| {
                *other == metric || (sums && family_of(other).is_some_and(|of| family_of(metric) == Some(of)))
            };
            if !place.iter().any(is_same) {
                place.push(metric);
            }
        }
        all
    }

    /// What a policy does not take, as comments.
    fn left(&self, sums: bool) -> String {
        let listed = |metrics: &[&str]| {
            let shown: Vec<_> = metrics.iter().take(MOST_METRICS).map(|name| quote::shown(name)).collect();
            match metrics.len() - shown.len() {
                0 => shown.join(", "),
                more => format!("{} and {more} more", shown.join(", ")),
            }
        };
        let too_many = self.like.get(MOST_METRICS..).unwrap_or_default();
        let other_kind = if sums { "cannot be added up" } else { "can be added up" };
        [("too many for one policy", too_many), (other_kind, &self.unlike)]
            .into_iter()
            .filter(|(_, metrics)| !metrics.is_empty())
            .map(|(why, metrics)| {
                format!("# not taken, though the label is theirs, too ({why}): {}\n", listed(metrics))
            })
            .collect()
    }
}

/// The metrics without the label, of the namespace where it has ever new values: added up where that is the truth, else they
/// go as a whole, since without the label the series of each would be one.
pub(super) fn text(finding: &Finding, declared: &dyn Fn(&str) -> Declared) -> Option<Text> {
    let worst = finding.worst.as_ref()?;
    let culprit = finding.culprit.as_ref();
    let can_add_up = |metric: &str| adds_up(metric, &worst.labels, declared(metric));
    let adds_up = can_add_up(&worst.name);
    let metrics = Metrics::of(finding, worst, adds_up, can_add_up);
    let taken = &metrics.like[..metrics.like.len().min(MOST_METRICS)];
    let short = match adds_up {
        true => format!("sum-{}", family_of(&worst.name).unwrap_or(&worst.name)),
        false => format!("no-{}", worst.name),
    };
    let name = policy_name(&placed(short, culprit));
    let mut policy = comment(worst, taken.len(), adds_up);
    policy.push_str(&metrics.left(adds_up));
    policy.push_str(&format!("- name: {name}\n  match:\n"));
    let mut rules = String::new();
    for (metric, namespace) in
        taken.iter().flat_map(|metric| namespaces(culprit).into_iter().map(move |of| (*metric, of)))
    {
        let mut matchers = vec![if adds_up { of_family(metric) } else { matcher("__name__", "=", metric) }];
        matchers.extend(culprit.map(|culprit| place(culprit, namespace)).unwrap_or_default());
        policy.push_str(&format!("    - {}\n", quote::yaml(&format!("{{{}}}", matchers.join(", ")))));
        let of = culprit.zip(namespace).map(|(culprit, label)| (label, &*culprit.namespace));
        rules.push_str(&drop_rule(of, "__name__", &quote::regex(metric)));
    }
    if adds_up {
        let without: Vec<String> = worst.labels.iter().map(|label| quote::yaml(label)).collect();
        policy.push_str(&format!("  action: aggregate\n  without: [{}]\n", without.join(", ")));
        policy.push_str("  mode: preview   # take this line out when the numbers are right\n");
        // an agent cannot add up
        rules.clear();
    } else {
        policy.push_str(IN_PREVIEW);
    }
    let metrics = taken.iter().map(|metric| (*metric).to_owned()).collect();
    Some(Text { name, metrics, adds_up, policy, metric_relabel_configs: rules })
}

/// What the policy is against, and what it does to so many metrics.
fn comment(worst: &WorstMetric, taken: usize, adds_up: bool) -> String {
    let labels: Vec<_> = worst.labels.iter().map(|label| quote::shown(label)).collect();
    let (labels, metric) = (labels.join(", "), quote::shown(&worst.name));
    let (others, until) = match (taken, adds_up) {
        (1, true) => (String::new(), "its series are added up without it"),
        (1, false) => (String::new(), "the metric goes"),
        (_, true) => (format!(" and of {} more", taken - 1), "their series are added up without it"),
        (_, false) => (format!(" and of {} more", taken - 1), "these metrics go"),
    };
    format!(
        "# {labels} of {metric}{others} has ever new values. Best is to change the exporter; until then {until}:\n"
    )
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
