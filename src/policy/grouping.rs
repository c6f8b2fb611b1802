//! Which series become one, and under which labels: the part of an `aggregate` policy that only labels are needed for.

use std::sync::Arc;

use super::OwnedLabels;
use super::bound::{self, Spelling};
use crate::series::{Labels, grammar};

/// What an `aggregate` policy does with the series that match it, as the config states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Which labels the result has.
    pub keys: Keys,
    /// Labels whose values become the name of the workload behind them.
    pub collapse: Vec<String>,
    /// Labels that tell the replicas of one agent apart; they stay, whatever `keys` says.
    pub replica_labels: Arc<[String]>,
    /// A label that marks whose output it is, and its value.
    pub instance: Option<(String, String)>,
    /// Length of a window, milliseconds.
    pub interval_ms: i64,
    /// How long a window stays open after its end, milliseconds of sample time.
    pub delay_ms: i64,
    /// What the metrics are, where the config says it.
    pub kind: Option<MetricKind>,
    /// What is made of gauges; empty: their sum.
    pub outputs: Vec<Output>,
    /// Put behind the metric's name.
    pub suffix: Option<String>,
    /// Whether the series are forwarded as well.
    pub keep_input: bool,
}

/// Labels that are part of what a value means: a sum over buckets of different bounds, or over quantiles, is no
/// number of anything. (`vmrange` is the bound of VictoriaMetrics' own histograms.)
const MEANING: [&str; 4] = ["__name__", "le", "quantile", "vmrange"];

/// Whether a label is part of what the value of a series means, so that it always stays.
pub fn is_part_of_meaning(label: &str) -> bool {
    MEANING.contains(&label)
}

/// Which labels stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All.
    All,
    /// These, and the metric's name.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

/// What a metric is, as far as adding series up goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows; a fall is a reset. Buckets, sums and counts of histograms are counters too.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What is made of the values of a gauge's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Output {
    Sum,
    Min,
    Max,
    Avg,
    Count,
    Last,
}

impl Output {
    /// All of them, as configs name them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("sum", Self::Sum),
        ("min", Self::Min),
        ("max", Self::Max),
        ("avg", Self::Avg),
        ("count", Self::Count),
        ("last", Self::Last),
    ];

    /// As configs name it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, output)| *output == self).map_or("", |(name, _)| name)
    }
}

impl Aggregation {
    /// The labels of the group that a series belongs to, sorted by name, but for a suffix: [`Aggregation::metric`].
    pub fn group<'l>(&'l self, labels: Labels<'l>, spelling: &'l Spelling) -> Vec<(&'l str, &'l str)> {
        let mut group = Vec::with_capacity(labels.len() + 1);
        for (name, value) in labels.iter().filter(|(name, _)| self.keeps(name)) {
            let collapsed = self.collapses(name).then(|| grammar::workload_in(name, value, labels)).flatten();
            group.push((name, collapsed.unwrap_or_else(|| spelling.of_label(name, value))));
        }
        if let Some((name, value)) = &self.instance {
            match group.binary_search_by(|(label, _)| (*label).cmp(name)) {
                Ok(at) => group[at].1 = value,
                Err(at) => group.insert(at, (name, value)),
            }
        }
        group
    }

    /// The name under which a metric's groups are sent, where that is another; `output`: of a gauge's outputs.
    pub fn metric(&self, name: &str, output: usize) -> Option<String> {
        let suffixed = self.suffix.as_ref().map(|suffix| suffixed(name, suffix));
        match self.outputs.get(output).filter(|_| output > 0) {
            // the first output keeps the name, the others add theirs to it
            Some(output) => Some(format!("{}:{}", suffixed.as_deref().unwrap_or(name), output.as_str())),
            None => suffixed,
        }
    }

    /// The labels of the group that a series belongs to as they are sent, sorted by name.
    pub fn group_of(&self, labels: Labels<'_>) -> OwnedLabels {
        let metric = self.metric(labels.metric(), 0);
        let sent = |(name, value): (&str, &str)| match &metric {
            Some(metric) if name == "__name__" => (name.into(), metric.as_str().into()),
            _ => (name.into(), value.into()),
        };
        self.group(labels, &Spelling::of(labels)).into_iter().map(sent).collect()
    }

    /// Whether a label stays, if maybe with another value.
    pub fn keeps(&self, name: &str) -> bool {
        let kept = match &self.keys {
            Keys::All => true,
            Keys::By(labels) => listed(labels, name),
            Keys::Without(labels) => !listed(labels, name),
        };
        kept || self.always_keeps(name)
    }

    /// Whether a label stays whatever `by`, `without` and `collapse` say: it is part of what a value means, or says
    /// whose value it is.
    pub fn always_keeps(&self, name: &str) -> bool {
        self.tells_apart(name) || self.instance.as_ref().is_some_and(|(label, _)| label == name)
    }

    /// Whether the value of a label becomes the name of a workload.
    pub fn collapses(&self, name: &str) -> bool {
        listed(&self.collapse, name) && !self.always_keeps(name)
    }

    /// A label that rules took from a series, or whose value they changed, although it tells apart what must not be
    /// added up: buckets of different bounds, quantiles, the replicas of one agent. A new name is no such loss.
    pub fn lost<'l>(&self, before: Labels<'l>, after: Labels<'_>) -> Option<&'l str> {
        let told = before.iter().filter(|(name, _)| *name != "__name__" && self.tells_apart(name));
        told.filter(|(name, value)| !bound::same(name, value, after.get(name))).map(|(name, _)| name).next()
    }

    /// The labels that tell apart what must not be added up.
    pub fn telling(&self) -> impl Iterator<Item = &str> {
        let replicas = self.replica_labels.iter().map(String::as_str);
        MEANING.into_iter().filter(|label| *label != "__name__").chain(replicas)
    }

    fn tells_apart(&self, name: &str) -> bool {
        is_part_of_meaning(name) || listed(&self.replica_labels, name)
    }
}

fn listed(labels: &[String], name: &str) -> bool {
    labels.iter().any(|label| label == name)
}

/// Parts of one histogram keep their endings, by which others know them.
fn suffixed(metric: &str, suffix: &str) -> String {
    for ending in ["_bucket", "_sum", "_count", "_total"] {
        if let Some(stem) = metric.strip_suffix(ending).filter(|stem| !stem.is_empty()) {
            return format!("{stem}{suffix}{ending}");
        }
    }
    format!("{metric}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::borrowed;

    fn aggregation(keys: Keys, collapse: &[&str]) -> Aggregation {
        Aggregation {
            keys,
            collapse: collapse.iter().map(|label| (*label).to_owned()).collect(),
            replica_labels: ["__replica__".to_owned()].into(),
            instance: None,
            interval_ms: 60_000,
            delay_ms: 0,
            kind: None,
            outputs: Vec::new(),
            suffix: None,
            keep_input: false,
        }
    }

    const SERIES: [(&str, &str); 6] = [
        ("__name__", "http_requests_total"),
        ("__replica__", "r0"),
        ("code", "200"),
        ("job_name", "sync-27900000"),
        ("pod", "web-7d764666f9-qdcxt"),
        ("uid", "1"),
    ];

    fn group(aggregation: &Aggregation) -> String {
        let group = aggregation.group_of(Labels::from_sorted(&SERIES));
        Labels::from_sorted(&borrowed(&group)).to_string()
    }

    #[test]
    fn the_name_and_the_replica_always_stay() {
        let by = aggregation(Keys::By(names(&["code"])), &[]);
        assert_eq!(group(&by), r#"http_requests_total{__replica__="r0",code="200"}"#);
        let nothing = aggregation(Keys::By(Vec::new()), &[]);
        assert_eq!(group(&nothing), r#"http_requests_total{__replica__="r0"}"#);
        let without =
            aggregation(Keys::Without(names(&["__name__", "__replica__", "pod", "uid"])), &["job_name"]);
        assert_eq!(group(&without), r#"http_requests_total{__replica__="r0",code="200",job_name="sync"}"#);
        let collapsed = aggregation(Keys::Without(names(&["uid", "job_name"])), &["pod", "code"]);
        assert_eq!(group(&collapsed), r#"http_requests_total{__replica__="r0",code="200",pod="web"}"#);
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn grouped(aggregation: &Aggregation, series: &[(&str, &str)]) -> String {
        let group = aggregation.group_of(Labels::from_sorted(series));
        Labels::from_sorted(&borrowed(&group)).to_string()
    }

    const BUCKET: [(&str, &str); 6] = [
        ("__name__", "x_bucket"),
        ("gate", "g-0"),
        ("le", "1"),
        ("pod", "a"),
        ("quantile", "0.50"),
        ("vmrange", "1.0e0...1.1e0"),
    ];

    #[test]
    fn what_a_value_means_stays_whatever_the_policy_says() {
        let list = ["le", "quantile", "vmrange", "gate", "pod"];
        for keys in [Keys::By(Vec::new()), Keys::Without(names(&list))] {
            let mut told = aggregation(keys, &list);
            told.instance = Some(("gate".into(), "g-1".into()));
            let expected = r#"x_bucket{gate="g-1",le="1.0",quantile="0.5",vmrange="1.0e0...1.1e0"}"#;
            assert_eq!(grouped(&told, &BUCKET), expected);
        }
        // the name of a replica is that of a pod, but two replicas are not one workload
        let mut told = aggregation(Keys::All, &["prometheus_replica"]);
        told.replica_labels = ["prometheus_replica".to_owned()].into();
        let series = [("__name__", "up"), ("prometheus_replica", "prometheus-k8s-0")];
        assert_eq!(grouped(&told, &series), r#"up{prometheus_replica="prometheus-k8s-0"}"#);
    }

    #[test]
    fn rules_that_take_what_tells_series_apart_are_found() {
        let told = aggregation(Keys::All, &[]);
        let series = |labels: &[(&str, &str)], without: &str, instead: Option<(&str, &str)>| {
            let mut after: Vec<_> = labels.iter().copied().filter(|(name, _)| *name != without).collect();
            after.extend(instead.map(|(_, value)| (without, value)).filter(|_| !without.is_empty()));
            after.sort_unstable();
            told.lost(Labels::from_sorted(labels), Labels::from_sorted(&after)).map(str::to_owned)
        };
        let lost = |without, instead: Option<&'static str>| {
            series(&BUCKET, without, instead.map(|value| ("", value)))
        };
        assert_eq!(lost("le", None).as_deref(), Some("le"));
        assert_eq!(lost("le", Some("2")).as_deref(), Some("le"));
        assert_eq!(lost("le", Some("1.0")), None, "the same bound");
        assert_eq!(lost("quantile", None).as_deref(), Some("quantile"));
        assert_eq!(lost("vmrange", None).as_deref(), Some("vmrange"));
        assert_eq!(lost("pod", None), None);
        assert_eq!(lost("gate", None), None, "another gate's sums may be added up");
        assert_eq!(series(&SERIES, "__replica__", None).as_deref(), Some("__replica__"));
        assert_eq!(series(&SERIES, "__name__", Some(("", "requests_total"))), None);
    }

    #[test]
    fn whose_output_it_is_and_a_new_name_can_be_told() {
        let mut named = aggregation(Keys::By(Vec::new()), &[]);
        named.instance = Some(("gate".into(), "g-1".into()));
        named.suffix = Some(":all".into());
        assert_eq!(
            group(&named),
            r#"{"http_requests:all_total",__replica__="r0",gate="g-1"}"#
                .replace("{\"http_requests:all_total\",", "http_requests:all_total{")
        );
    }
}
