//! Which series become one, and under which labels: the part of an `aggregate` policy that only labels are needed for.

use std::sync::Arc;

use super::OwnedLabels;
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
    pub fn group<'l>(&'l self, labels: Labels<'l>) -> Vec<(&'l str, &'l str)> {
        let mut group = Vec::with_capacity(labels.len() + 1);
        for (name, value) in labels.iter().filter(|(name, _)| self.keeps(name)) {
            let collapses = !self.collapse.is_empty() && self.collapse.iter().any(|label| label == name);
            let collapsed = collapses.then(|| grammar::workload_in(name, value, labels)).flatten();
            group.push((name, collapsed.unwrap_or(value)));
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
        self.group(labels).into_iter().map(sent).collect()
    }

    /// Whether a label stays, if maybe with another value.
    pub fn keeps(&self, name: &str) -> bool {
        let listed = |labels: &[String]| labels.iter().any(|label| label == name);
        let kept = match &self.keys {
            Keys::All => true,
            Keys::By(labels) => listed(labels),
            Keys::Without(labels) => !listed(labels),
        };
        kept || name == "__name__" || listed(&self.replica_labels)
    }
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
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
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
